"""What users do meanwhile: delete an endpoint and make it again, and ask for replays."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from benchmarks.cluster_ledger.manifests import Manifests
from benchmarks.cluster_ledger.providers import CHANGING, Providers
from benchmarks.cluster_ledger.targets import TARGETS
from hookplane.compile.model import local_uid
from support.cluster.processes import Cluster

_UID: Final = local_uid("WebhookEndpoint", "default", CHANGING)
LEFT: Final = """
select (select count(*) from hookplane.delivery where state <> 'dead') + (
  select coalesce(sum(e.head - c.position), 0)
  from hookplane.cursor c join hookplane.endpoint e using (endpoint) where c.left_at is null
) + (
  select count(*) from hookplane.replay where phase = 'Running'
) as left_to_do, (select coalesce(sum(delivered + failed), 0) from hookplane.replay) as replayed
"""
LEFT_OF_CHANGING: Final = """
select coalesce(sum(e.head - c.position), 0) + (
  select count(*) from hookplane.delivery d join hookplane.endpoint e
  on e.endpoint = d.event >> 40 where d.state <> 'dead' and e.uid = $1
) as left_to_do, 0 as replayed
from hookplane.cursor c join hookplane.endpoint e using (endpoint)
where c.left_at is null and e.uid = $1
"""
STUCK_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2


class Changes:
    """Each applies manifests while everything runs."""

    def __init__(
        self, chance: random.Random, made: Cluster, manifests: Manifests, providers: Providers
    ) -> None:
        self._chance = chance
        self._made = made
        self._manifests = manifests
        self._providers = providers

    @property
    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """By what people call them."""
        return {"endpoint made again": self._make_again, "replay": self._replay}

    async def _make_again(self) -> None:
        """What an endpoint has when it is deleted is expired, so it has nothing; what it accepts
        from its first moment on belongs to all that read it."""
        providers = self._providers
        providers.may_change.clear()
        while providers.sending_to_changing:  # noqa: ASYNC110 - it is a number
            await asyncio.sleep(0.05)
        await until_none(self._made, LEFT_OF_CHANGING, _UID)
        self._manifests.write(changing=False)
        await self._made.apply("--prune")
        providers.may_change.set()
        self._manifests.write()
        await self._made.apply("--prune")

    async def _replay(self) -> None:
        self._manifests.replay(self._chance.randrange(TARGETS))
        self._manifests.write()
        await self._made.apply("--prune")


async def until_none(made: Cluster, counted: str, *arguments: str) -> None:
    """Until a query finds nothing that is left to do. Raises RuntimeError when something is
    stuck: for so long it does not get less, and no replay gets on."""
    best, end = _UNKNOWN, time.monotonic() + STUCK_SECONDS
    while (seen := await _look(made, counted, arguments)).left:
        now = time.monotonic()
        if seen.left < best.left or seen.replayed > best.replayed:
            best, end = seen.best_with(best), now + STUCK_SECONDS
        elif now > end:
            raise RuntimeError(f"{seen.left} deliveries or replays are stuck")
        await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class _Standing:
    left: int
    """Deliveries and replays that are not done."""
    replayed: int
    """Deliveries of replays that are: a replay counts as one, however much it has to send."""

    def best_with(self, other: _Standing) -> _Standing:
        return _Standing(min(self.left, other.left), max(self.replayed, other.replayed))


_UNKNOWN: Final = _Standing(sys.maxsize, -1)
"""The database may be away for a moment: then something is left."""


async def _look(made: Cluster, counted: str, arguments: tuple[str, ...]) -> _Standing:
    try:
        db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    except (OSError, asyncpg.PostgresError):
        return _UNKNOWN
    try:
        (row,) = await db.fetch(counted, *arguments)
        return _Standing(int(row["left_to_do"]), int(row["replayed"]))
    finally:
        await db.close()
