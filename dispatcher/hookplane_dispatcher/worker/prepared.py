"""A subscription's document, made ready for many events."""

from __future__ import annotations

from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue
from hookplane.filters.cel import Program
from hookplane.filters.types import TypeFilter
from hookplane_dispatcher.transports.transport import Transports


class PreparedSubscription:
    """Its filters and its target."""

    def __init__(self, config: SubscriptionConfig, transports: Transports) -> None:
        """Raises InvalidValue when a key or an expression is not usable, or there is no target."""
        if config.target is None:
            raise InvalidValue(config.not_ready or "there is no target")
        self.target = transports[type(config.target)].target(config)
        self.types = TypeFilter(config.types)
        self.filter = Program(config.filter_cel) if config.filter_cel is not None else None
        """A CEL expression; None: every event of the types passes."""
