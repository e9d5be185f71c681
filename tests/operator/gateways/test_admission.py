"""Which namespaces may use a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hookplane.kinds.base import GatewayRef
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.gateways.admission import admits, gateway_of
from hookplane_operator.settings import DefaultGateway, OperatorSettings, Scope

SELECTOR = {"from": "Selector", "selector": {"matchLabels": {"hooks": "yes"}}}


def gateway(allowed: Mapping[str, Any] | None) -> WebhookGateway:
    spec: dict[str, Any] = {
        "store": {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}
    }
    if allowed is not None:
        spec["allowedNamespaces"] = allowed
    return WebhookGateway.model_validate(
        {"metadata": {"name": "g", "namespace": "system", "uid": "u"}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("allowed", "namespace", "labels", "admitted"),
    [
        ({"from": "All"}, "shop", {}, True),
        ({"from": "All"}, "shop", None, True),
        ({"from": "Same"}, "shop", {"hooks": "yes"}, False),
        ({"from": "Same"}, "system", None, True),
        (SELECTOR, "shop", {"hooks": "yes"}, True),
        (SELECTOR, "shop", {"hooks": "no"}, False),
        (SELECTOR, "shop", {}, False),
        (SELECTOR, "shop", None, False),
        (SELECTOR, "system", None, True),
    ],
)
def test_who_is_admitted(
    allowed: Mapping[str, Any], namespace: str, labels: Mapping[str, str] | None, admitted: bool
) -> None:
    assert admits(gateway(allowed), namespace, labels) is admitted


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (None, ("system", "usual")),
        (GatewayRef(name="public"), ("system", "public")),
        (GatewayRef(name="public", namespace="edge"), ("edge", "public")),
    ],
)
def test_the_gateway_that_a_reference_means(ref: GatewayRef | None, name: tuple[str, str]) -> None:
    settings = OperatorSettings(
        image="hookplane:test", default_gateway=DefaultGateway(enabled=False, name="usual")
    )
    assert gateway_of(ref, settings, Scope("system", ("edge",), ())) == name
