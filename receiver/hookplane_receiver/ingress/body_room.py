"""The budget of bodies on the event loop: tells those who waited, in time."""

from __future__ import annotations

import asyncio
from typing import Final

from hookplane_receiver.ingress.body_budget import BodyBudget, BodyClaim

LOOK_SECONDS: Final = 0.05
"""How often it is looked at who gives way, while somebody waits."""


class BodyRoom:
    """One for all doors of a process."""

    def __init__(self, limit: int) -> None:
        """`limit`: see BodyBudget."""
        self._budget = BodyBudget(limit)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """Bytes that are taken now, beyond the allowance of each body."""
        return self._budget.held

    def ask(self, claim: BodyClaim, size: int, wanted: int) -> bool:
        """See BodyBudget; the claim's owner is told what becomes of it."""
        loop = asyncio.get_running_loop()
        granted = self._budget.ask(claim, size, wanted, loop.time())
        if self._budget.is_overdrawn:
            self._look_in(0, loop)
        elif not self._budget.is_settled and self._timer is None:
            self._look_in(LOOK_SECONDS, loop)
        return granted

    def leave(self, claim: BodyClaim) -> None:
        """See BodyBudget."""
        self._budget.leave(claim)

    def _look_in(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        outcome = self._budget.settle(loop.time())
        self._timer = None
        if not self._budget.is_settled:
            self._look_in(LOOK_SECONDS, loop)
        for claim in outcome.given_up:
            claim.owner.give_way()
        for claim in outcome.granted:
            claim.owner.room_granted()
