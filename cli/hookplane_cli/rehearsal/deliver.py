"""What a subscription would send for an event; nothing leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hookplane.clock import Clock
from hookplane.config.subscription import HttpTargetConfig, SubscriptionConfig
from hookplane.errors import InvalidValue
from hookplane.evaluation.pool import EvaluationPool
from hookplane.evaluation.protocol import NoValue
from hookplane.evaluation.transformer import HeldBack
from hookplane.filters.event import EventView
from hookplane.secret import MASK
from hookplane_dispatcher.egress.client import OutboundRequest, OutboundResponse
from hookplane_dispatcher.transports.http.target import HttpTransport
from hookplane_dispatcher.transports.transport import Transports
from hookplane_dispatcher.worker.prepared import PreparedSubscription

_TOKEN: Final = b'{"access_token": "rehearsed", "token_type": "Bearer", "expires_in": 3600}'
"""What every target answers: only one that gives access tokens is read."""


class Fate(StrEnum):
    """What becomes of an event at a subscription."""

    SENT = "Sent"
    FILTERED = "Filtered"
    FAILED = "Failed"
    """It can be neither filtered nor sent as the document says."""
    NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class WouldSend:
    """A request as the target would see it, without what is secret of it."""

    host: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a subscription makes of an event."""

    name: str
    """`namespace/name`."""
    fate: Fate
    because: str = ""
    request: WouldSend | None = None
    """With SENT."""


class Recorder:
    """An EgressClient that keeps what it is to send."""

    def __init__(self) -> None:
        self.requests: list[OutboundRequest] = []

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        """See EgressClient."""
        self.requests.append(request)
        return OutboundResponse(200, 0, _TOKEN)

    async def close(self) -> None:
        """See EgressClient."""


async def deliver(
    config: SubscriptionConfig, event: EventView, pool: EvaluationPool, clock: Clock
) -> Delivered:
    """Filters, transforms and signs; never raises for what a document says."""
    name = f"{config.namespace}/{config.name}"
    if config.suspended or config.not_ready:
        return Delivered(name, Fate.NOT_READY, config.not_ready or "it is suspended")
    recorder = Recorder()
    transports: Transports = {HttpTargetConfig: HttpTransport(recorder, clock)}
    try:
        prepared = PreparedSubscription(config, transports, pool)
    except InvalidValue as error:
        return Delivered(name, Fate.NOT_READY, str(error))
    fate, because = await _filtered(prepared, event)
    if fate is not Fate.SENT:
        return Delivered(name, fate, because)
    try:
        send = await prepared.target.prepare(event, clock.now())
    except (InvalidValue, HeldBack) as error:
        return Delivered(name, Fate.FAILED, f"spec.transform: {error}")
    await send()
    return Delivered(name, Fate.SENT, request=_shown(config, recorder.requests[-1]))


async def _filtered(prepared: PreparedSubscription, event: EventView) -> tuple[Fate, str]:
    """SENT: it passes."""
    if not prepared.concerns.matches(event.type, event.key):
        return Fate.FILTERED, _unwanted(prepared, event)
    if prepared.filter is None:
        return Fate.SENT, ""
    judged = await prepared.filter.judge([event])
    verdict = judged.verdicts[0] if judged.verdicts else NoValue(judged.held_because)
    if isinstance(verdict, NoValue):
        return Fate.FAILED, f"spec.filter.cel: {verdict.reason}"
    passes = verdict is True
    return (Fate.SENT, "") if passes else (Fate.FILTERED, "spec.filter.cel is false for it")


def _unwanted(prepared: PreparedSubscription, event: EventView) -> str:
    if not prepared.concerns.wants_key(event.key):
        return f'spec.filter.keys has no key "{event.key}"' if event.key else "it has no key"
    return f'spec.filter.types has no type "{event.type}"'


def _shown(config: SubscriptionConfig, request: OutboundRequest) -> WouldSend:
    """Whatever came from a Secret is masked; a URL may be one, so only its host is told."""
    target = config.target
    assert target is not None  # noqa: S101 - it was sent
    secret = {"authorization", *(name.lower() for name, _ in target.headers)}
    headers = tuple((x, MASK if x.lower() in secret else y) for x, y in request.headers)
    return WouldSend(target.host, headers, request.body)
