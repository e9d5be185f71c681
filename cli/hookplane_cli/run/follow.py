"""Loads the manifests again whenever they changed or something in them is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.errors import HookplaneError
from hookplane_cli.laptop.reload import Loaded, Reloader
from hookplane_cli.laptop.watch import watch

RETRY_AFTER: Final[Millis] = 5_000
"""After a load that could not be carried out."""
LONGEST_SLEEP: Final = 3600.0
"""Seconds; the wall clock may be set anew meanwhile."""


class Follower:
    """Follows until cancelled."""

    def __init__(
        self,
        reloader: Reloader,
        clock: Clock,
        loaded: Callable[[Loaded], None],
        trouble: Callable[[str], None],
    ) -> None:
        self._reloader = reloader
        self._clock = clock
        self._loaded = loaded
        self._trouble = trouble
        self._changed = asyncio.Event()

    async def run(self, sources: Sequence[Path], due: Millis | None) -> None:
        """`due`: when to load next though no file changes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(sources))
            group.create_task(self._follow(due))

    async def _watch(self, sources: Sequence[Path]) -> None:
        try:
            await watch(sources, self._changed.set)
        except* OSError as errors:
            reasons = ", ".join(str(error) for error in errors.exceptions)
            self._trouble(f"files are not watched any more, restart to load changes: {reasons}")

    async def _follow(self, due: Millis | None) -> None:
        while True:
            if not await self._woken(due):
                continue
            self._changed.clear()
            due = await self._load()

    async def _load(self) -> Millis | None:
        try:
            loaded = await self._reloader.load()
        except (HookplaneError, OSError) as error:
            self._trouble(f"the manifests are not in force yet: {error}")
            return self._clock.now() + RETRY_AFTER
        self._loaded(loaded)
        return loaded.again_at

    async def _woken(self, due: Millis | None) -> bool:
        """Waits for a change or for `due`; False: neither yet."""
        left = LONGEST_SLEEP if due is None else (due - self._clock.now()) / 1000
        try:
            await asyncio.wait_for(self._changed.wait(), min(max(left, 0), LONGEST_SLEEP))
        except TimeoutError:
            return due is not None and self._clock.now() >= due
        return True
