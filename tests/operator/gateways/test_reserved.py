"""Which Secrets are gateways' own, whatever state the gateway is in."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane_operator.gateways.reserved import reserved


def gateway(spec: Any, name: str = "public") -> dict[str, Any]:
    return {"metadata": {"namespace": "edge", "name": name}, "spec": spec}


def key_of(name: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": "dsn"}}


def test_all_that_a_gateway_names_is_its_own() -> None:
    spec = {
        "store": {"postgresql": {"dsn": key_of("db"), "migrationDSN": key_of("db-owner")}},
        "receiver": {"tls": {"certificateRef": {"name": "certificate"}}},
    }
    assert reserved([gateway(spec), gateway({}, "other")]) == {
        ("edge", "db"): "the way into a database",
        ("edge", "db-owner"): "the way into a database",
        ("edge", "certificate"): "a receiver's key",
        ("edge", "public-encryption"): "an encryption key",
        ("edge", "other-encryption"): "an encryption key",
    }


NOTHING_TO_READ = {
    "no spec": None,
    "an empty one": {},
    "no store": {"store": None},
    "no reference": {"store": {"postgresql": {"dsn": None}}, "receiver": {"tls": None}},
}


@pytest.mark.parametrize("name", NOTHING_TO_READ)
def test_keys_are_reserved_however_little_can_be_read(name: str) -> None:
    found = reserved([gateway(NOTHING_TO_READ[name])])
    assert found == {("edge", "public-encryption"): "an encryption key"}
