"""Makes the requests of one subscription: what is sent, with which headers, signed how."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue
from hookplane.filters.cel import Program
from hookplane.filters.event import EventView
from hookplane.filters.transform import make_transform
from hookplane.filters.types import TypeFilter
from hookplane.network.headers import USER_AGENT
from hookplane.signatures.deliver import make_signer
from hookplane_dispatcher.egress.client import OutboundRequest

REPLAY_HEADER: Final = "hookplane-replay"
_PLAIN_BYTES: Final = "application/octet-stream"


class RequestBuilder:
    """Everything that a config says about requests, prepared once."""

    def __init__(self, config: SubscriptionConfig) -> None:
        """Raises InvalidValue when a key or an expression is not usable, or there is no target."""
        if config.target is None:
            raise InvalidValue(config.not_ready or "there is no target")
        self._target = config.target
        self._url = config.target.url.reveal().decode()
        self._signer = make_signer(config.signing)
        self._transform = make_transform(config.transform)
        self._own = [
            (name.lower(), value.reveal().decode()) for name, value in config.target.headers
        ]
        self._own_names = {name for name, _ in self._own}
        self.oauth2 = config.target.oauth2
        self.types = TypeFilter(config.types)
        self.filter = Program(config.filter_cel) if config.filter_cel is not None else None

    def request(self, event: EventView, now: Millis, replay: str = "") -> OutboundRequest:
        """One attempt. Headers of the target win over ours, but never over the signature's.
        Raises InvalidValue when the event cannot be transformed."""
        payload = self._transform(event)
        headers = [("user-agent", USER_AGENT), *map(_clean, payload.headers)]
        if self._own_names:
            headers = [header for header in headers if header[0] not in self._own_names]
        headers += self._signer.headers(event.event_id, now // 1000, self._url, payload.body)
        headers += self._own
        if replay:
            headers.append((REPLAY_HEADER, replay))
        target = self._target
        return OutboundRequest(target.url, tuple(headers), payload.body, target.timeout, target.tls)


def _clean(header: tuple[str, str]) -> tuple[str, str]:
    """What senders wrote may not be fit to be sent."""
    name, value = header
    return header if value.isascii() and value.isprintable() else (name, _PLAIN_BYTES)
