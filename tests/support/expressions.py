"""Expressions that take more than any machine has, and events to try them on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hookplane.evaluation.protocol import EvaluationRequest, Wanted
from hookplane.filters.event import EventView

ENDLESS: Final = f"event.body.s.matches('{'(a?){30}' * 300}b')"
"""Minutes of CPU on a long text, a moment on a short one."""
HUGE: Final = "size('aaaaaaaaaa'" + ".replace('a', 'aaaaaaaaaa')" * 8 + ") == event.body.n"
"""A gigabyte of memory."""
GROWING: Final = "size('x'" + ".replace('x', 'xxxxxxxxxx')" * 9 + ") == event.body.data.n"
"""As much, of any event."""
BAD: Final = b'{"s":"' + b"a" * 1_000_000 + b'"}'
GOOD: Final = b'{"s":"b","n":1}'


def event(body: bytes = GOOD) -> EventView:
    """One with this body."""
    return EventView("evt_1", "order.created", "orders", "shop", 1_800_000_000_000, (), body)


def ask(text: str, *bodies: bytes, wanted: Wanted = Wanted.BOOL) -> EvaluationRequest:
    """For a verdict about an event with each of the bodies."""
    return EvaluationRequest(text, wanted, tuple(map(event, bodies)))


def children(process: int | None = None) -> set[int]:
    """Processes that this one has, or another one."""
    parent = process or os.getpid()
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}
