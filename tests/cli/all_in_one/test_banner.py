"""The first lines of `hookplane run`."""

from __future__ import annotations

from pathlib import Path

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.store.maintenance import Retention
from hookplane_cli.all_in_one.banner import banner
from hookplane_cli.all_in_one.settings import RunSettings
from hookplane_cli.local.reload import Loaded
from hookplane_cli.local.report import CheckReport
from hookplane_receiver.ingress.server import IngressLimits
from support.planes.compiled import (
    compiled_of,
    endpoint_text,
    generated,
    subscription_text,
)

SETTINGS = RunSettings(
    sources=(Path("examples"),),
    data=Path(".hookplane"),
    listen=("127.0.0.1", 8080),
    tls=None,
    admin=("127.0.0.1", 8081),
    services={},
    public_url=None,
    trusted_proxies=(),
    limits=IngressLimits(),
    allowed_ranges=(),
    labelled_secrets=False,
    retention=Retention(1, 1, 1),
    style="text",
)
COMPILED = compiled_of(
    endpoint_text(name="orders")
    + endpoint_text(
        "{provider: Stripe, verification: {keys: [{secretKeyRef: {name: s, key: k}}]}}",
        name="stripe",
    )
    + subscription_text("suspend: true, endpointRefs: [{name: orders}]", name="shop"),
    generated("orders-verification"),
    generated("shop-signing"),
)
LOADED = Loaded(CheckReport((), (), 3, 1), ConfigDiff(), wanted=COMPILED.wanted)
DOCUMENTS: tuple[Configured, ...] = (*COMPILED.endpoints, *COMPILED.subscriptions)


def test_the_banner() -> None:
    lines = banner(SETTINGS, DOCUMENTS, LOADED, "http://127.0.0.1:8080", "http://127.0.0.1:8081")
    assert lines[0].endswith(
        "store: .hookplane/ (SQLite)   2 endpoints, 1 subscription from examples"
    )
    assert lines[1:] == [
        "  POST http://127.0.0.1:8080/default/orders     StandardWebhooks   key: hookplane secret "
        "orders-verification",
        "  POST http://127.0.0.1:8080/default/stripe     Stripe             503: there is no "
        'Secret "s"; it is to have the key "k"',
        "  default/shop keeps its events: suspended",
        "  console http://127.0.0.1:8081",
    ]
