"""The configuration of the ledger of many processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.cluster_ledger.providers import CHANGING, ENDPOINT
from benchmarks.cluster_ledger.targets import TARGETS
from support.cluster.processes import KEY

IN_FLIGHT: Final = 16
SCHEDULE: Final = ["300ms"] * 16 + ["3s"] * 16
"""Pauses between attempts: nothing is given up while the run lasts."""
_API: Final = "hookplane.dev/v1alpha1"
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Manifests:
    """One file, written anew for each change."""

    def __init__(self, folder: Path, url: str) -> None:
        self._file = folder / "all.json"
        self._url = url
        self._replays: list[dict[str, Any]] = []
        self.write()

    def write(self, *, changing: bool = True) -> None:
        """`changing`: whether the endpoint that changes is there."""
        items = [_secret(), _endpoint(ENDPOINT)]
        items += [_endpoint(CHANGING)] if changing else []
        items += [*_subscriptions(self._url), *self._replays]
        self._file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def replay(self, target: int) -> None:
        """Asks for all that a target has got so far once more."""
        self._replays.append(
            {
                "apiVersion": _API,
                "kind": "WebhookReplay",
                "metadata": {"name": f"replay-{len(self._replays)}"},
                "spec": {
                    "subscriptionRef": {"name": f"s{target}"},
                    "events": {"from": _BEGINNING.isoformat(), "states": ["Delivered"]},
                },
            }
        )


def _secret() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shared"},
        "stringData": {"key": f"whsec_{KEY}"},
    }


def _endpoint(name: str) -> dict[str, Any]:
    keys = [{"secretKeyRef": {"name": "shared", "key": "key"}}]
    return {
        "apiVersion": _API,
        "kind": "WebhookEndpoint",
        "metadata": {"name": name},
        "spec": {"verification": {"keys": keys}},
    }


def _subscriptions(url: str) -> Iterator[dict[str, Any]]:
    for target in range(TARGETS):
        yield {
            "apiVersion": _API,
            "kind": "WebhookSubscription",
            "metadata": {"name": f"s{target}"},
            "spec": {
                "endpointSelector": {},
                "target": {"url": f"{url}/{target}"},
                "delivery": {
                    "maxInFlight": IN_FLIGHT,
                    "retry": {"schedule": SCHEDULE},
                    "circuit": {"failures": 10, "probeEvery": "200ms", "probeAtMostEvery": "1s"},
                    "disableAfter": "0s",
                },
            },
        }
