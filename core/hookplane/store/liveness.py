"""Which of the other processes are dead, by what one process has seen of them.

Judged by the observer's own monotonic clock alone: the clock of the database may be set, and no
two machines agree. There are two signs. A connection that ended (`Sighting.gone`) is what a process
that was killed leaves behind, and is believed soon. Silence is all that is left of one that stands
still or cannot be reached, and is believed after a whole lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hookplane.store.process_registry import LEASE, Sighting

CONFIRM_SECONDS: Final = 0.75
"""How long a connection must have ended: time to open it again for a process that lives."""
PROOF_SECONDS: Final = 0.55
"""How long after the beginning of a look nobody takes the process that looked for dead: it had its
connection then. Less than CONFIRM_SECONDS by what a request that just started needs to leave."""
SETTLE_SECONDS: Final = 2.0
"""What kept us from looking may have cut others off as well: so long they may be coming back."""
_LEASE_SECONDS: Final = LEASE / 1000
_GAP_SECONDS: Final = 1.0
"""Between two looks; after a longer one nothing is known of what was before."""


@dataclass(slots=True)
class _Observed:
    pulse: int
    since: float
    """The end of the first look that found this pulse."""
    gone_since: float | None = None
    """The end of the first look since then that found its connection ended."""


class Liveness:
    """What one process has seen of the others."""

    def __init__(self) -> None:
        self._observed: dict[int, _Observed] = {}
        self._last: float | None = None
        self._settled_at = 0.0

    def judge(self, begun: float, ended: float, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Takes in what a look found that lasted from `begun` to `ended`, in monotonic seconds.
        Returns those that are dead, as they must still be found when they are declared so."""
        if self._last is not None and begun - self._last > _GAP_SECONDS:
            self._observed.clear()
            self._settled_at = ended + SETTLE_SECONDS
        self._last = ended
        self._observed = {x.process: self._seen(x, ended) for x in sightings}
        return [x for x in sightings if _is_dead(self._observed[x.process], begun)]

    def missed(self) -> None:
        """A look failed."""
        if self._last is not None:
            self._last = float("-inf")

    def _seen(self, sighting: Sighting, now: float) -> _Observed:
        known = self._observed.get(sighting.process)
        if known is None or known.pulse != sighting.pulse:
            known = _Observed(sighting.pulse, now)
        if not sighting.gone:
            known.gone_since = None
        elif known.gone_since is None:
            known.gone_since = max(now, self._settled_at)
        return known


def _is_dead(observed: _Observed, now: float) -> bool:
    gone = observed.gone_since is not None and now - observed.gone_since >= CONFIRM_SECONDS
    return gone or now - observed.since >= _LEASE_SECONDS
