"""A status is ours alone, and it is told however the API server and others treat it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from support.clocks.blocking import until
from support.kubernetes.installation import Installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint, secret

SOON = 30.0
"""Seconds within which what others wrote is set right."""


@pytest.fixture(scope="module")
def place(ready: Installation) -> Installation:
    return ready


def write(kubectl: Kubectl, kind: str, name: str, status: dict[str, Any]) -> None:
    """As somebody else."""
    patch = json.dumps({"status": status})
    kubectl.run("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.parametrize(("kind", "name"), [("whe", "written"), ("whg", "default")])
def test_what_others_write_into_a_status_is_set_right(
    place: Installation, kubectl: Kubectl, kind: str, name: str
) -> None:
    kubectl.apply(endpoint("written"))
    before = kubectl.until(kind, name, is_ready)["status"]
    place.settle()
    lies = [
        {**x, "status": "False", "reason": "Lie"} if x["type"] == "Ready" else x
        for x in before["conditions"]
    ]
    foreign = {**lies[0], "type": "Foreign", "status": "True"}
    write(kubectl, kind, name, {"conditions": [foreign, *lies], "url": "https://evil.example.com"})
    found = kubectl.until(kind, name, lambda x: is_ready(x) and not condition(x, "Foreign"), SOON)
    assert found["status"]["url"] == before["url"]
    write(kubectl, kind, name, {"conditions": None, "observedGeneration": 0})
    kubectl.until(kind, name, is_ready, SOON)
    place.settle()
    mark = len(place.plane.audited())
    place.settle()
    own = [x for x in place.writes(mark) if x["objectRef"]["name"] == name]
    assert [x["verb"] for x in own] == [], "it is written again and again"


def test_a_database_that_refuses_who_was_let_in_is_told_and_so_is_its_end(
    place: Installation, kubectl: Kubectl
) -> None:
    """As after a password that was changed at the database alone."""
    place.sql("create role guest superuser login")
    _, gateway = place.gateway("guests")
    dsn = place.database.dsn("guests").replace("postgres@", "guest@")
    kubectl.apply(secret("database-guests", dsn=dsn), gateway)
    kubectl.until("whg", "guests", is_ready, seconds=90)

    place.sql("alter role guest nologin")
    place.sql(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'guest'"
    )
    told = kubectl.until(
        "whg", "guests", lambda x: condition(x, "StoreAvailable").get("status") == "False", SOON
    )
    assert "is not permitted to log in" in condition(told, "StoreAvailable")["message"]
    assert told["status"]["store"]["state"] == "Unavailable"
    assert not is_ready(told)

    place.sql("alter role guest login")
    kubectl.until("whg", "guests", is_ready, seconds=90)


def test_a_count_that_becomes_empty_is_written(place: Installation, kubectl: Kubectl) -> None:
    kubectl.apply(endpoint("emptied"))
    kubectl.until("whe", "emptied", is_ready)
    sender = Sender.of(kubectl, place.pods, "emptied")
    stranger = dataclasses.replace(sender, key="d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=")
    until(lambda: stranger.post("m1") in (400, 401, 403), "a refusal")
    kubectl.until("whe", "emptied", lambda x: "rejectedByReason" in x["status"]["requests"])
    place.sql("delete from hookplane.rejection")  # as in an empty database
    kubectl.run("patch", "whe", "emptied", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    found = kubectl.until(
        "whe",
        "emptied",
        lambda x: (
            x["status"].get("state") == "Suspended"
            and "rejectedByReason" not in x["status"]["requests"]
        ),
    )
    assert is_ready(found)
    refused = 'hookplane_operator_status_refused_total{kind="WebhookEndpoint"}'
    assert place.operator.metrics().get(refused, 0.0) == 0.0
