"""Requests as each provider signs them, for planes that run as processes of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookplane.clock import SystemClock
from hookplane.providers import registry
from hookplane.providers.samples import Sample, sample
from hookplane.secret import Secret
from hookplane.signatures.request import sign_request
from hookplane.signatures.scheme import SignatureScheme

WHSEC: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DISCORD_SEED: Final = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
DISCORD_PUBLIC: Final = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
"""RFC 8032 §7.1, test 1."""


@dataclass(frozen=True)
class Provider:
    """A provider with the key in its Secret and the one that its requests are signed with."""

    name: str
    key: str
    signing_key: str = ""
    parameters: str = ""

    @property
    def endpoint(self) -> str:
        return self.name.lower()

    @property
    def _scheme(self) -> SignatureScheme:
        scheme = registry.get(self.name).variant([Secret(self.key)]).signature
        assert scheme is not None
        return scheme

    @property
    def signature_header(self) -> str:
        return self._scheme.header

    def manifest(self) -> str:
        return f"""
apiVersion: v1
kind: Secret
metadata: {{name: {self.endpoint}-key}}
stringData: {{key: "{self.key}", token: a-long-random-word}}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: {self.endpoint}, labels: {{all: "yes"}}}}
spec:
  provider: {self.name}
  verification:
    keys: [{{secretKeyRef: {{name: {self.endpoint}-key, key: key}}}}]
    {self.parameters}
"""

    def request(self) -> tuple[Sample, dict[str, str]]:
        """A fresh sample and its headers, signed now."""
        now = SystemClock().now()
        made = sample(self.name, "", now)
        signed = sign_request(
            self._scheme,
            Secret(self.signing_key or self.key),
            method="POST",
            url="",
            body=made.body,
            id=made.id,
            now=now,
        )
        return made, {**dict(made.headers), **dict(signed)}


def _meta(name: str) -> Provider:
    token = (
        "parameters: [{name: verifyToken, valueFrom: "
        f"{{secretKeyRef: {{name: {name.lower()}-key, key: token}}}}}}]"
    )
    return Provider(name, "0123456789abcdef0123456789abcdef", parameters=token)


PROVIDERS: Final = (
    Provider("StandardWebhooks", WHSEC),
    _meta("WhatsApp"),
    _meta("Messenger"),
    _meta("Instagram"),
    Provider("Telegram", "Xa9_telegram-secret"),
    Provider("Discord", DISCORD_PUBLIC, DISCORD_SEED),
    Provider("Stripe", "whsec_test_secret"),
    Provider("GitHub", "It's a Secret to Everybody"),
    Provider("GitLab", "gitlab-token"),
    Provider("Slack", "8f742231b10e8888abcd99yyyzzz85a5"),
    Provider("Shopify", "shop-secret"),
    Provider("Svix", WHSEC),
)
