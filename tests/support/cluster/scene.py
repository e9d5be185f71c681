"""`hookplane run` with one endpoint and a subscriber that tests can look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from support.clocks.until import until
from support.cluster.e2e import Plane, Received, Subscriber
from support.http.providers import WHSEC

ENDPOINT = """
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{inbound: {key}, signing: {key}}}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: orders}}
spec:
  provider: StandardWebhooks
  verification: {{keys: [{{secretKeyRef: {{name: keys, key: inbound}}}}]}}
  eventType: {{bodyPath: type}}
"""
OWN_KEY = "signing: {keys: [{secretKeyRef: {name: keys, key: signing}}]}"


def subscription(url: str, extra: str = "", name: str = "shop", signing: str = OWN_KEY) -> str:
    source = "" if "operationalEvents" in extra else "  endpointRefs: [{name: orders}]\n"
    indented = "\n".join(f"  {line}" for line in [signing, *extra.strip().splitlines()])
    return f"""
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {{name: {name}}}
spec:
{source}  target: {{url: "{url}/{name}"}}
{indented}
"""


@dataclass
class Scene:
    """Both of them."""

    plane: Plane
    target: Subscriber

    def subscribe(self, extra: str = "", **options: str) -> None:
        """Adds or changes a subscription; `extra`: more of its spec, as YAML."""
        name = options.get("name", "shop")
        self.plane.write(name, subscription(self.target.url, extra, **options))

    async def send(self, type: str = "order.created", **data: Any) -> str:  # noqa: A002
        """Posts a signed event and returns its id here."""
        body = json.dumps({"type": type, "data": data}).encode()
        now = datetime.now(UTC)
        sent_id = f"msg_{now.timestamp()}".replace(".", "_")
        signature = Webhook(WHSEC).sign(sent_id, now, body.decode())
        headers = {
            "content-type": "application/json",
            "webhook-id": sent_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        status, answer = await self.plane.post("orders", body, headers)
        assert status == 200, answer
        event: str = json.loads(answer)["id"]
        return event

    async def arrived(self, count: int) -> list[Received]:
        await until(lambda: len(self.target.received) >= count, f"{count} requests to arrive")
        return self.target.received

    async def status(self, name: str = "shop") -> Any:
        return await self.plane.api("GET", f"/subscriptions/default/{name}")

    async def until_status(self, what: str, name: str = "shop", **delivery: Any) -> Any:
        def holds(answer: Any) -> bool:
            return all({**answer, **answer["delivery"]}[k] == v for k, v in delivery.items())

        return await self.plane.until_api(f"/subscriptions/default/{name}", holds, what)
