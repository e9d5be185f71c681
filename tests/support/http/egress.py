"""Short forms for tests of egress."""

from __future__ import annotations

from collections.abc import Sequence

from hookplane.config.subscription import TLSConfig
from hookplane.secret import Secret
from hookplane_dispatcher.egress.client import OutboundRequest

LONG = 20_000
"""Milliseconds; never used up when all is well."""
SHORT = 150
"""Milliseconds; for what would never end by itself."""


def post(
    url: str,
    *headers: tuple[str, str],
    body: bytes = b"{}",
    timeout: int = LONG,
    tls: TLSConfig | None = None,
) -> OutboundRequest:
    return OutboundRequest(Secret(url), headers, body, timeout, tls)


class Names:
    """A name server: answers in turn, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]
