"""A gateway's database, as far as none is needed for it."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.store.drivers import DRIVERS
from hookplane.store.operator_store import WriterFence
from hookplane_operator.gateways.database import open_database
from support.clocks.manual import ManualClock

GOOD = "postgresql://user@127.0.0.1:1/database"


@pytest.mark.parametrize("password", ["hunter/two", "hunter#two", "12?hunter", "[hunter"])
async def test_a_dsn_that_cannot_be_read_is_told_without_a_word_of_it(password: str) -> None:
    """The message is what the gateway's status says."""
    bad = f"postgresql://user:{password}@host:5432/database"
    with pytest.raises(InvalidValue) as refused:
        await open_database(
            DRIVERS["postgresql"],
            Secret(GOOD),
            Secret(bad),
            WriterFence("cluster/default/gateway", 1, "operator"),
            ManualClock(),
            over="",
        )
    assert str(refused.value).startswith("the DSN cannot be read: it is not of the form")
    assert "hunter" not in str(refused.value)
