"""One writer among several replicas, by a Lease
(https://kubernetes.io/docs/concepts/architecture/leases/).

It is renewed in a thread and a loop of its own: ten thousand objects that are compiled at once must
not cost the lead.
"""

from __future__ import annotations

import asyncio
import logging
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
LEASE_SECONDS: Final = 10
RENEW_SECONDS: Final = 2.0
SURE_SECONDS: Final = 7.0
"""So long after the beginning of the last renewal we are certainly still the leader: less than the
lease, so that clocks may run a little apart and requests may take their time."""

GIVE_BACK_SECONDS: Final = 5.0
"""How long the end of the process waits for the Lease to be given back."""

_log = logging.getLogger("hookplane.operator")


class Election:
    """`run` tries to lead for ever; `leads` tells whether we may write at this moment."""

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
        self._seen: tuple[str, float] = ("", 0.0)
        """The foreign Lease as we last saw it change, and when, by our own clock: that of the other
        side may be wrong."""
        self._announced = False
        self._ended = threading.Event()
        self.term = 0
        """Microseconds at which the leader's time began; grows from leader to leader."""

    def leads(self) -> bool:
        return self._clock() < self._until

    async def run(self, on_change: Callable[[bool], None]) -> None:
        """Until cancelled; then the Lease is given back, so that others go on at once. `on_change`
        is called in the loop of the caller."""
        loop = asyncio.get_running_loop()
        tell = partial(_call, loop, on_change)
        stop = threading.Event()
        try:
            await asyncio.to_thread(self._run_thread, stop, tell)
        finally:
            stop.set()
            await asyncio.to_thread(self._ended.wait, GIVE_BACK_SECONDS)

    async def renew(self, kube: Kube, tell: Callable[[bool], None]) -> None:
        """One round: takes the Lease or renews it, if it may. `tell`: called in this thread when
        the lead was won or lost. An API server that fails ends nothing."""
        begun = self._clock()
        try:
            won = await self._try(kube, begun)
        except ApiError as error:
            _log.warning("the Lease cannot be read or written: %s", error)
            won = False
        self._announce(tell)  # of a lead that ended while the request was under way, too
        if won:
            self._until = begun + SURE_SECONDS
        self._announce(tell)

    def _run_thread(self, stop: threading.Event, tell: Callable[[bool], None]) -> None:
        try:
            asyncio.run(self._serve(stop, tell))
        finally:
            self._ended.set()

    async def _serve(self, stop: threading.Event, tell: Callable[[bool], None]) -> None:
        kube = await self._connect()
        try:
            while not stop.is_set():
                await self.renew(kube, tell)
                await asyncio.to_thread(stop.wait, RENEW_SECONDS)
            if self.leads():
                await self._give_back(kube)
        finally:
            await kube.close()

    def _announce(self, tell: Callable[[bool], None]) -> None:
        if self.leads() != self._announced:
            self._announced = not self._announced
            tell(self._announced)

    async def _try(self, kube: Kube, begun: float) -> bool:
        lease = await kube.find(LEASE, self._namespace, NAME)
        if lease is None:
            return await self._create(kube)
        spec = lease.get("spec", {})
        if spec.get("holderIdentity") == self._identity and self.leads():
            return await self._write(kube, lease, self.term)
        if not self._is_over(lease, begun):
            return False
        return await self._write(
            kube, lease, max(_now_micros(), _micros(spec.get("acquireTime")) + 1)
        )

    def _is_over(self, lease: Object, begun: float) -> bool:
        """Nobody holds it, or its holder has not renewed it for as long as it is good."""
        spec = lease.get("spec", {})
        if not spec.get("holderIdentity"):
            return True
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, begun)
        return begun - self._seen[1] > float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)

    async def _create(self, kube: Kube) -> bool:
        term = _now_micros()
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": NAME, "namespace": self._namespace},
            "spec": self._spec(term),
        }
        try:
            await kube.create(LEASE, body, elected=False)
        except Conflict:
            return False
        self.term = term
        return True

    async def _write(self, kube: Kube, lease: Object, term: int) -> bool:
        old = lease.get("spec", {})
        own = self._spec(term)
        changes = old.get("leaseTransitions") or 0
        own["leaseTransitions"] = changes + (term != self.term)
        try:
            await kube.replace(LEASE, {**lease, "spec": own}, elected=False)
        except Conflict:
            return False
        self.term = term
        return True

    def _spec(self, term: int) -> Object:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": _text(term),
            "renewTime": _text(_now_micros()),
        }

    async def _give_back(self, kube: Kube) -> None:
        self._until = 0.0
        try:
            lease = await kube.get(LEASE, self._namespace, NAME)
            if lease["spec"].get("holderIdentity") == self._identity:
                spec = {**lease["spec"], "holderIdentity": ""}
                await kube.replace(LEASE, {**lease, "spec": spec}, elected=False)
        except ApiError as error:
            _log.warning("the Lease could not be given back: %s", error)


def _call(loop: asyncio.AbstractEventLoop, on_change: Callable[[bool], None], leads: bool) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_change, leads)


def _now_micros() -> int:
    return time.time_ns() // 1000


def _text(micros: int) -> str:
    moment = datetime.fromtimestamp(micros / 1e6, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{micros % 1_000_000:06d}Z"


def _micros(text: str | None) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
