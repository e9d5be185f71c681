"""One writer among several replicas, by a Lease
(https://kubernetes.io/docs/concepts/architecture/leases/).

It is renewed in a thread and a loop of its own: ten thousand objects that are compiled at once must
not cost the lead.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Conflict
from hookplane_operator.kube.kinds import LEASE, Object

NAME: Final = "hookplane-operator"
TERM: Final = "hookplane.dev/term"
"""Annotation of the Lease: the term of who wrote it last."""
LEASE_SECONDS: Final = 10
RENEW_SECONDS: Final = 2.0
SURE_SECONDS: Final = 7.0
"""So long after the beginning of the last renewal we are certainly still the leader: less than the
lease, so that clocks may run a little apart and requests may take their time."""
RELEASED: Final = 1
"""Seconds of a Lease that its holder gave back. Whoever empties its holder by hand leaves the usual
length, and its holder may still write for a moment."""
GIVE_BACK_SECONDS: Final = 5.0
"""How long the end of the process waits for the Lease to be given back."""
_MOST: Final = 2**62
"""A term beyond is none of ours; a database could not keep the next ones."""
_TRIES: Final = 2
"""Somebody may write the Lease between our reading and our writing."""

_log = logging.getLogger("hookplane.operator")


class Election:
    """`run` tries to lead for ever; `leads` tells whether we may write at this moment.

    The term tells leaders apart in a database. It is a number that only grows: each leader takes
    one more than the highest that it knows of, from the Lease or from a database (`outbid`).
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Kube]],
        namespace: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect`: makes the client that is used in the thread of the Lease."""
        self._connect = connect
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._until = 0.0
        self._seen: tuple[str, float] | None = None
        """Version of a Lease that is not ours, empty where there is none, and since when we have
        seen it, by our own clock: that of the other side may be wrong."""
        self._announced = False
        self._highest = 0
        """The highest term that we have heard of."""
        self._wake = threading.Event()
        self.term = 0
        """Ours, when we lead."""
        self.holder = f"{identity} {os.urandom(4).hex()}"
        """This process, also when it has the name of a former one."""

    def leads(self) -> bool:
        return self._clock() < self._until

    def outbid(self, term: int) -> None:
        """A database has this term. If we still hold the Lease, ours will soon be a higher one."""
        self._highest = max(self._highest, term)
        self._wake.set()

    def expect_no_leader(self) -> None:
        """Nobody has ever led here, so a Lease that is not there need not be waited for."""
        if self._seen is None:
            self._seen = ("", -math.inf)

    async def run(self, on_change: Callable[[bool], None]) -> None:
        """Until cancelled; then the Lease is given back, so that others go on at once. `on_change`
        is called in the loop of the caller."""
        loop = asyncio.get_running_loop()
        tell = partial(_call, loop, on_change)
        stop, ended = threading.Event(), threading.Event()
        try:
            await asyncio.to_thread(self._run_thread, stop, ended, tell)
        finally:
            stop.set()
            self._wake.set()
            await asyncio.to_thread(ended.wait, GIVE_BACK_SECONDS)

    async def renew(self, kube: Kube, tell: Callable[[bool], None]) -> None:
        """One round: takes the Lease or renews it, if it may. `tell`: called in this thread when
        the lead was won or lost. An API server that fails ends nothing; a Lease that is somebody
        else's, or nobody's, ends the lead at once."""
        begun = self._clock()
        try:
            ours = await self._try(kube, begun)
        except ApiError as error:
            _log.warning("the Lease cannot be read or written: %s", error)
            ours = None
        self._announce(tell)  # of a lead that ended while the request was under way, too
        if ours is not None:
            self._until = begun + SURE_SECONDS if ours else 0.0
        self._announce(tell)

    def _run_thread(
        self, stop: threading.Event, ended: threading.Event, tell: Callable[[bool], None]
    ) -> None:
        try:
            asyncio.run(self._serve(stop, tell))
        finally:
            ended.set()

    async def _serve(self, stop: threading.Event, tell: Callable[[bool], None]) -> None:
        kube = await self._connect()
        try:
            while not stop.is_set():
                await self.renew(kube, tell)
                await asyncio.to_thread(self._wake.wait, RENEW_SECONDS)
                self._wake.clear()
            if self.leads():
                await self._give_back(kube)
        finally:
            await kube.close()

    def _announce(self, tell: Callable[[bool], None]) -> None:
        if self.leads() != self._announced:
            self._announced = not self._announced
            tell(self._announced)

    async def _try(self, kube: Kube, begun: float) -> bool | None:
        """Whether the Lease is ours now; None: somebody else wrote it again and again. Raises
        ApiError."""
        for _ in range(_TRIES):
            lease = await kube.find(LEASE, self._namespace, NAME)
            self._highest = max(self._highest, term_of(lease))
            if not self._may_take(lease, begun):
                return False
            term = self._next_term()
            try:
                await self._write(kube, lease, term)
            except Conflict:
                continue
            self.term = self._highest = term
            self._seen = None
            return True
        return None

    def _may_take(self, lease: Object | None, begun: float) -> bool:
        """It is ours, or its holder gave it back, or has not renewed it for as long as it is good.
        One that is missing was deleted: its holder makes it again, and others wait for as long as
        that one may believe in it."""
        if self.leads() and (lease is None or _spec(lease).get("holderIdentity") == self._identity):
            return True
        version = "" if lease is None else str(lease["metadata"].get("resourceVersion"))
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, begun)
        return _is_released(lease) or begun - self._seen[1] > LEASE_SECONDS

    def _next_term(self) -> int:
        """Ours as long as we lead and have heard of no higher one."""
        holds = self.leads() and self.term >= self._highest
        return self.term if holds else self._highest + 1

    async def _write(self, kube: Kube, lease: Object | None, term: int) -> None:
        """Raises Conflict when somebody else wrote it since it was read, ApiError."""
        base = lease or {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": {}}
        metadata = {**base["metadata"], "name": NAME, "namespace": self._namespace}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), TERM: str(term)}
        body = {**base, "metadata": metadata, "spec": self._held(_spec(base))}
        write = kube.create if lease is None else kube.replace
        await write(LEASE, body, elected=False)

    def _held(self, old: Object) -> Object:
        """The spec of a Lease that is ours; the times are for people."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = self.leads() and old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": (old.get("acquireTime") if ours else None) or now,
            "renewTime": now,
            "leaseTransitions": (old.get("leaseTransitions") or 0) + (not ours),
        }

    async def _give_back(self, kube: Kube) -> None:
        self._until = 0.0
        try:
            lease = await kube.get(LEASE, self._namespace, NAME)
            if _spec(lease).get("holderIdentity") == self._identity:
                spec = {**_spec(lease), "holderIdentity": "", "leaseDurationSeconds": RELEASED}
                await kube.replace(LEASE, {**lease, "spec": spec}, elected=False)
        except ApiError as error:
            _log.warning("the Lease could not be given back: %s", error)


def _call(loop: asyncio.AbstractEventLoop, on_change: Callable[[bool], None], leads: bool) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_change, leads)


def term_of(lease: Object | None) -> int:
    """The term that a Lease tells; 0: none. Before there was the annotation, `acquireTime` in
    microseconds was the term, which is only a high number now."""
    if lease is None:
        return 0
    text = (lease["metadata"].get("annotations") or {}).get(TERM)
    found = _number(str(text)) if text else _micros(_spec(lease).get("acquireTime"))
    return found if found < _MOST else 0


def _number(text: str) -> int:
    is_one = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
    return int(text) if is_one else 0


def _micros(text: object) -> int:
    try:
        moment = datetime.fromisoformat(str(text))
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0
    return seconds * 1_000_000 + moment.microsecond


def _spec(lease: Object) -> Object:
    spec: Object = lease.get("spec") or {}
    return spec


def _is_released(lease: Object | None) -> bool:
    spec = {} if lease is None else _spec(lease)
    return not spec.get("holderIdentity") and spec.get("leaseDurationSeconds") == RELEASED
