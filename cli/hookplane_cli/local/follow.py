"""Loads the manifests again when they changed, and when something in them is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hookplane import fault
from hookplane.clock import Clock, Millis
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.waiting import wait_until_set
from hookplane_cli.local.reload import Loaded, Reloader
from hookplane_cli.local.watch import watch

RETRY_AFTER: Final[Millis] = 5_000
"""Pause after a load that failed."""
FIRST_LOOK: Final[Millis] = 1_000
"""After the start, to find what changed before the watch began."""
LOOK_EVERY: Final[Millis] = 60_000
"""Folders on a network do not tell of their changes, so all files are read this often."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds until a watch that ended is begun again."""

Watch = Callable[[Sequence[Path], Callable[[], None]], Awaitable[None]]
"""Calls the function after each change of a source, until cancelled; raises what ends it."""


class Follower:
    """Tells `loaded` of every load, and `fault` of what went wrong otherwise."""

    def __init__(
        self,
        reloader: Reloader,
        clock: Clock,
        loaded: Callable[[Loaded], None],
        fault: Callable[[str], None],
        watch: Watch = watch,
    ) -> None:
        self._reloader = reloader
        self._clock = clock
        self._loaded = loaded
        self._fault = fault
        self._watch_once = watch
        self._changed = asyncio.Event()

    async def run(self, sources: Sequence[Path], due: Millis | None) -> None:
        """Until cancelled. `due`: when to load next even if no file changes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(sources))
            group.create_task(self._follow(due))

    async def _watch(self, sources: Sequence[Path]) -> None:
        backoff, told = Backoff(FIRST_PAUSE, LONGEST_PAUSE), ""
        while sources:
            try:
                await self._watch_once(sources, self._changed.set)
            except* Exception as errors:
                why = ", ".join(sorted({fault.words(x) for x in _leaves(errors)}))
                if why != told:
                    told = why
                    self._fault(f"files are not watched now, only looked at every minute: {why}")
            await asyncio.sleep(backoff.next_pause())
            self._changed.set()  # nobody told of what changed meanwhile

    async def _follow(self, due: Millis | None) -> None:
        due = self._within(FIRST_LOOK, due)
        while True:
            if not await self._woken(due):
                continue
            self._changed.clear()
            due = self._within(LOOK_EVERY, await self._load())

    def _within(self, pause: Millis, due: Millis | None) -> Millis:
        latest = self._clock.now() + pause
        return latest if due is None else min(due, latest)

    async def _load(self) -> Millis | None:
        try:
            loaded = await self._reloader.load()
        except Exception as error:
            self._fault(f"the manifests are not in force yet: {fault.words(error)}")
            return self._clock.now() + RETRY_AFTER
        self._loaded(loaded)
        return loaded.again_at

    async def _woken(self, due: Millis) -> bool:
        """Waits for a change or for `due`, but not longer than LOOK_EVERY; False: neither came."""
        left = min(max(due - self._clock.now(), 0), LOOK_EVERY)
        changed = await wait_until_set(self._changed, left / 1000)
        return changed or self._clock.now() >= due


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """Its exceptions, also those in groups of their own."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
