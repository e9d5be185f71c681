"""What one evaluation may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from hookplane.units import format_size

_MOST_MEMORY: Final = 256 << 20
_SHARE: Final = 4
"""Two processes at work may take half of what there is; all else has the other half."""


_READ_TIMES: Final = 128
"""A body takes at most so many times its bytes to be read: one that is full of empty objects."""


@dataclass(frozen=True, slots=True)
class EvaluationLimits:
    """Of each evaluator process. An expression that meets one is stopped."""

    cpu_seconds: float = 5.0
    """Of CPU for one event: how busy the machine is does not count. `map` over the ten thousand
    elements that the engine allows takes 3.5."""
    wall_seconds: float = 60.0
    """Until an answer, however little CPU there was; then the process is ended, and nobody is
    blamed for it."""
    start_seconds: float = 30.0
    """Until a new process is ready; it takes 0.1 where nothing else runs."""
    memory_bytes: int = _MOST_MEMORY
    """Address space beyond what the process has when it begins."""
    turn_seconds: float = 0.1
    """After so long a process stops in the middle of a batch, so that others have their turn."""

    batch_seconds: float = 1.0
    """After so long a batch is answered with what there is: who asked has other work too."""

    @classmethod
    def within(cls, memory: int | None) -> Self:
        """So that a container of so many bytes never runs out of them, which would end all that is
        in it; None: there is no limit."""
        return cls() if memory is None else cls(memory_bytes=min(_MOST_MEMORY, memory // _SHARE))

    def fills_memory(self, event_bytes: int) -> bool:
        """Whether an event of this size may take all of it, whatever the expression does."""
        return event_bytes * _READ_TIMES > self.memory_bytes

    @property
    def too_long(self) -> str:
        """Why an expression was stopped."""
        return f"the expression took longer than {self.cpu_seconds:g} s of CPU for one event"

    @property
    def too_large(self) -> str:
        """The same, for memory."""
        return f"the expression took more than {format_size(self.memory_bytes)} of memory"
