"""A subscription's document, made ready for many events."""

from __future__ import annotations

from collections.abc import Mapping

from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue
from hookplane.evaluation.judge import Judge
from hookplane.evaluation.pool import EvaluationPool
from hookplane.evaluation.protocol import Wanted
from hookplane.filters.types import Interest, InterestFilter
from hookplane.store.delivery_store import ExpressionKind
from hookplane_dispatcher.transports.transport import Transports


class PreparedSubscription:
    """Its filters and its target."""

    def __init__(
        self, config: SubscriptionConfig, transports: Transports, pool: EvaluationPool
    ) -> None:
        """Raises InvalidValue when a key or an expression is not usable, or there is no target."""
        if config.target is None:
            raise InvalidValue(config.not_ready or "there is no target")
        self.target = transports[type(config.target)].target(config, pool)
        self.concerns = InterestFilter(interest_of(config))
        """By type and key."""
        self.filter = _filter(config, pool)
        """A CEL expression; None: every event that concerns it passes."""


def interest_of(config: SubscriptionConfig) -> Interest:
    """Which events concern it, before an expression is asked."""
    return Interest(config.types, config.keys)


def expressions_of(config: SubscriptionConfig) -> Mapping[ExpressionKind, str]:
    """The texts of those that it has."""
    transform = config.transform
    found = {
        ExpressionKind.FILTER: config.filter_cel,
        ExpressionKind.TRANSFORM: transform.cel if transform is not None else None,
    }
    return {kind: text for kind, text in found.items() if text is not None}


def _filter(config: SubscriptionConfig, pool: EvaluationPool) -> Judge | None:
    if config.filter_cel is None:
        return None
    return Judge(config.filter_cel, Wanted.BOOL, config.namespace, config.uid, pool)
