"""Services as targets, with real addresses, and a gateway that allows no private range."""

from __future__ import annotations

from support.clocks.blocking import until
from support.kubernetes.manifests import Object, subscription
from support.node.release import PATIENCE
from support.node.tenant import Tenant


def test_a_service_of_the_namespace_is_delivered_to_and_nothing_else(shop: Tenant) -> None:
    """The same address is refused to a `url`: what a Service may is for its subscription alone."""
    shop.ask("sender", "start?rate=5&seconds=120")
    until(lambda: shop.ask("subscriber", "events"), "a delivery")
    url = f"http://subscriber.{shop.name}.svc:8080/orders"
    shop.kubectl.apply(subscription("by-url", ["orders"], url))
    shop.await_ready("whs", "by-url")

    def was_refused(found: Object) -> bool:
        failure = found["status"].get("delivery", {}).get("lastFailure", {})
        return "is not a public address" in failure.get("message", "")

    shop.kubectl.until("whs", "by-url", was_refused, PATIENCE)
    shop.ask("sender", "stop")
