"""A DSN that nobody can read is refused without a word of it, and before a library sees it."""

from __future__ import annotations

import traceback

import pytest

from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.connection import Connections
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.dsn import readable_dsn
from hookplane.store.postgres.migrate import bring_up_to_date
from support.clocks.manual import ManualClock

PASSWORDS = [
    "hunter/two",
    "hunter#two",
    "hunter?two",
    "12/hunter",
    "12#hunter",
    "12?hunter",
    "12?hunter=two",
    "12@3/hunter",
    "hunter[two",
    "hunter]two",
    "[hunter",
    "hunter\ntwo",
    "hunter℀two",
    "/hunter",
    "#hunter",
]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user@host:5432/database?sslmode=verify-full",
        "postgres://user:hunter2@host",
        "postgresql://host",
        "postgresql:///database?host=/var/run/postgresql",
        "postgresql://user:hunter%2F%23%3F2@host/database",
        "postgresql://user:h@nter2@host/database",
        "postgresql://user:h:unt&er!$=2 é@host/database",
        "postgresql://a:5432,b.example:5433/database?target_session_attrs=any&sslrootcert=/a/b.pem",
        "postgresql://user@[::1]:5432/database",
        "postgresql://%2Fvar%2Frun:5432/database",
        "postgresql://host:65535,[::1]:1/database?port=5432,5433",
        "postgresql:///database?host=a:5432,/run/a:b.c/d,::1&port=5432",
    ],
)
def test_what_the_driver_reads_is_passed_on(dsn: str) -> None:
    assert readable_dsn(Secret(dsn + "\n")) == dsn


def shown(error: BaseException) -> str:
    """All that a log could show of an error."""
    return "".join(traceback.format_exception(error)).replace(__file__, "")


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_ends_the_host_too_early_is_refused_unseen(password: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        readable_dsn(Secret(f"postgresql://user:{password}@host:5432/database"))
    assert "hunter" not in str(refused.value)
    assert "in a user name, password or value write / as %2F" in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "dsn", [b"postgresql://user:hunter\xff@host", b"postgresql://user:hunter2@host:port/database"]
)
def test_what_is_no_text_or_has_no_port_is_refused(dsn: bytes) -> None:
    with pytest.raises(InvalidValue) as refused:
        readable_dsn(Secret(dsn))
    assert "hunter" not in shown(refused.value)


PORTS = [
    "postgresql://hunter:98765",  # a user and a password without a host
    "postgresql://user@host:65536/database",
    "postgresql://user@host:0/database",
    "postgresql://user@a:5432,b:70000/database",
    "postgresql://user@[::1]:70000/database",
    "postgresql://user@host/database?port=98765",
    "postgresql://user@host/database?port=hunter",
    "postgresql://user@host/database?port=",
    "postgresql://user@host/database?port=5432,98765",
    "postgresql://user@/database?host=a:98765",
    "postgresql://user@/database?host=a%3Ahunter",
]


@pytest.mark.parametrize("dsn", PORTS)
async def test_a_port_that_is_none_is_refused_unseen(dsn: str) -> None:
    access = StoreAccess(Secret(dsn))
    for opening in (PostgresStore.open(access, ManualClock()), bring_up_to_date(access)):
        with pytest.raises(InvalidValue, match="a port is a number from 1 to 65535") as refused:
            await opening
        assert not {"98765", "hunter"} & set(shown(refused.value).replace(":", " ").split())


@pytest.mark.parametrize("password", PASSWORDS)
async def test_whoever_opens_a_database_says_nothing_of_it(password: str) -> None:
    access = StoreAccess(Secret(f"postgresql://user:{password}@host:5432/database"))
    for opening in (
        PostgresStore.open(access, ManualClock()),
        bring_up_to_date(access),
        Connections(access).connect("tests"),
    ):
        with pytest.raises(InvalidValue) as refused:
            await opening
        assert "hunter" not in str(refused.value)
