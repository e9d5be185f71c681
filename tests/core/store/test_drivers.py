"""Which driver a DSN is for."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.kinds.gateway import GatewayStore
from hookplane.store.drivers import DRIVERS, driver_of


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://user@db:5432/hookplane", "postgresql"),
        ("postgres://db", "postgresql"),
    ],
)
def test_the_scheme_says_which(dsn: str, name: str) -> None:
    assert driver_of(dsn) is DRIVERS[name]


@pytest.mark.parametrize("dsn", ["", "postgresql", "postgresql:hunter2", "mysql://u:hunter2@db"])
def test_another_scheme_is_refused_and_not_shown(dsn: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        driver_of(dsn)
    assert str(caught.value) == "it is a URL such as postgresql://user@host:5432/database"


@pytest.mark.parametrize("name", DRIVERS)
def test_an_example_is_one_of_its_driver(name: str) -> None:
    assert driver_of(DRIVERS[name].example) is DRIVERS[name]


def test_each_database_that_a_gateway_may_name_has_a_driver() -> None:
    assert set(GatewayStore.model_fields) - {"retention"} == set(DRIVERS)


def test_a_gateway_names_the_driver_of_its_database() -> None:
    spec = {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}
    store = GatewayStore.model_validate(spec)
    assert store.database == ("postgresql", store.postgresql)
