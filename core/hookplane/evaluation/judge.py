"""One expression: here is evaluated what is cheap for certain, elsewhere the rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from hookplane.evaluation.evaluate import evaluate
from hookplane.evaluation.pool import EvaluationPool, Judged
from hookplane.evaluation.protocol import EvaluationRequest, Verdict, Wanted
from hookplane.filters.cel import Program
from hookplane.filters.cost import cost
from hookplane.filters.event import EventView

CHEAP: Final = 10_000_000
"""Nanoseconds: what takes no longer at worst is evaluated in the event loop."""
_PATIENCE: Final = 0.005
"""Seconds after which others of the event loop have their turn."""


class Judge:
    """A compiled expression with those who evaluate it."""

    def __init__(
        self, text: str, wanted: Wanted, namespace: str, user: str, pool: EvaluationPool
    ) -> None:
        """`user`: of the expression, told apart from all others. Raises InvalidValue when it does
        not compile."""
        self._program = Program(text)
        self._text = text
        self._wanted = wanted
        self._whose = (namespace, user)
        self._pool = pool
        bound = cost(self._program.serialized, written=wanted is Wanted.JSON)
        self.largest_here = 0 if bound is None else bound.largest_event(CHEAP)
        """Bytes of an event up to which it is evaluated in the event loop; 0: never."""

    async def judge(self, events: Sequence[EventView]) -> Judged:
        """A verdict for each event in their order, or for the first ones of them (see Judged)."""
        here = [event.size < self.largest_here for event in events]
        dear = [event for event, near in zip(events, here, strict=True) if not near]
        elsewhere = await self._elsewhere(dear)
        verdicts = iter(elsewhere.verdicts)
        known: list[Verdict] = []
        began = time.perf_counter()
        for event, near in zip(events, here, strict=True):
            verdict = evaluate(self._program, self._wanted, event) if near else next(verdicts, None)
            if verdict is None:
                break
            known.append(verdict)
            if time.perf_counter() - began > _PATIENCE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return Judged(tuple(known), elsewhere.held_for, elsewhere.held_because)

    async def _elsewhere(self, events: list[EventView]) -> Judged:
        if not events:
            return Judged(())
        request = EvaluationRequest(self._text, self._wanted, tuple(events))
        return await self._pool.evaluate(*self._whose, request)
