"""Signed requests that providers publish; a copy of the project's collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.signatures.scheme import (
    Encoding,
    SignatureScheme,
    Timestamp,
    TimeUnit,
)

FILE: Final = Path(__file__).parents[2] / "core" / "signatures" / "vectors.json"
ANY_TIME: Final[Millis] = 1_700_000_000_000
PROVIDERS: Final = {
    "meta": ("WhatsApp", "Messenger", "Instagram"),
    "github": ("GitHub",),
    "slack": ("Slack",),
    "standard-webhooks": ("StandardWebhooks",),
    "shopify": ("Shopify",),
}
SQUARE: Final = SignatureScheme(
    header="x-square-hmacsha256-signature", encoding=Encoding.BASE64, content="{url}{body}"
)
HUBSPOT: Final = SignatureScheme(
    header="x-hubspot-signature-v3",
    encoding=Encoding.BASE64,
    content="{method}{url}{body}{timestamp}",
    timestamp=Timestamp(header="x-hubspot-request-timestamp", unit=TimeUnit.MILLISECONDS),
)
GENERIC: Final = {"square": SQUARE, "hubspot-v3": HUBSPOT}
"""Providers without a preset whose way of signing the generic verifier can say."""


@dataclass(frozen=True)
class Vector:
    """One published request."""

    id: str
    provider: str
    key: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    signature_header: str
    now: Millis


def vectors() -> list[Vector]:
    """All of the collection."""
    return [_vector(entry) for entry in json.loads(FILE.read_text())]


def _vector(entry: dict[str, Any]) -> Vector:
    unit = 1 if entry.get("timestamp_unit") == "ms" else 1000
    at = entry["timestamp"]
    return Vector(
        id=entry["id"],
        provider=entry["provider"],
        key=entry["key"]["value"],
        method=entry["method"],
        url=entry["url"],
        headers=tuple((name.lower(), value) for name, value in entry["headers"].items()),
        body=entry["body"].encode(),
        signature_header=entry["expected"]["header"].lower(),
        now=ANY_TIME if at is None else int(at) * unit,
    )


def preset_vectors() -> list[tuple[str, Vector]]:
    """(preset, vector) for every preset that a vector is for."""
    found = [(name, v) for v in vectors() for name in PROVIDERS.get(v.provider, ())]
    standard = next(v for v in vectors() if v.provider == "standard-webhooks")
    return [*found, ("GitLab", standard), ("Svix", _renamed(standard))]


def generic_vectors() -> list[tuple[SignatureScheme, Vector]]:
    """(scheme, vector) for what has no preset."""
    return [(GENERIC[v.provider], v) for v in vectors() if v.provider in GENERIC]


def changed(text: str) -> str:
    """The same text with its 12th character from the end replaced by another of its kind."""
    at = max(0, len(text) - 12)
    other = "1" if text[at] != "1" else "2"
    return text[:at] + other + text[at + 1 :]


def _renamed(vector: Vector) -> Vector:
    headers = tuple((n.replace("webhook-", "svix-"), v) for n, v in vector.headers)
    fields = vars(vector) | {"headers": headers, "signature_header": "svix-signature"}
    return Vector(**fields)
