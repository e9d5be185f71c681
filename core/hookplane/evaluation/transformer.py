"""The transform of a subscription, wherever it has to run."""

from __future__ import annotations

from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue
from hookplane.evaluation.judge import Judge
from hookplane.evaluation.pool import EvaluationPool, Judged
from hookplane.evaluation.protocol import NoValue, Wanted
from hookplane.filters.event import EventView
from hookplane.filters.transform import JSON, Payload, make_transform


class HeldBack(Exception):
    """The expression may not run for a while."""

    def __init__(self, judged: Judged) -> None:
        super().__init__(judged.held_because)
        self.seconds = judged.held_for


class Transformer:
    """Makes the payload of each event."""

    def __init__(self, config: SubscriptionConfig, pool: EvaluationPool) -> None:
        """Raises InvalidValue when the expression does not compile."""
        transform = config.transform
        self._plain = make_transform(transform.cloud_events if transform is not None else None)
        self._judge: Judge | None = None
        if transform is not None and transform.cel is not None:
            whose = (config.namespace, config.uid)
            self._judge = Judge(transform.cel, Wanted.JSON, *whose, pool)

    async def payload(self, event: EventView) -> Payload:
        """Raises InvalidValue when there is none, and HeldBack."""
        if self._judge is None:
            return self._plain(event)
        judged = await self._judge.judge([event])
        match judged.verdicts:
            case (bytes(body),):
                return Payload((("content-type", JSON),), body)
            case (NoValue(reason),):
                raise InvalidValue(reason)
            case _:
                raise HeldBack(judged)
