"""A gateway at work: its store, what is in force there, and what is waiting to be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Self

from hookplane.applied_config import AppliedConfig, Sealers
from hookplane.clock import Millis
from hookplane.compile.model import ObjectKey, Options
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.gateway import WebhookGateway
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.network.addresses import OwnPlace
from hookplane.secret import Secret
from hookplane.store.access import places_of
from hookplane.store.protocol import SharedStore
from hookplane.units import parse_duration
from hookplane_operator.state.held_deletions import HeldDeletions
from hookplane_operator.state.result import ReconcileResult

Name = tuple[str, str]
"""Namespace and name of a gateway."""
LEAST_PAUSE: Final[Millis] = 1_000
"""Between attempts: each is a row that is kept, and a request to somebody who just failed."""


class GatewayRuntime:
    """Made when a gateway's store is open and ours; ended with it. Its methods are told what
    happened; what follows from that is decided here."""

    def __init__(
        self,
        gateway: WebhookGateway,
        dsn: Secret,
        store: SharedStore,
        applied: AppliedConfig,
        replays: Iterable[str] = (),
        own: frozenset[OwnPlace] = frozenset(),
    ) -> None:
        """`replays`: uids of the jobs that the store has. `own`: where no target may lead, besides
        to the store."""
        self.dsn = dsn
        self.store = store
        self.applied = applied
        self.found_lost = len(applied.lost)
        """Documents that none of its keys opened when it was made."""
        self.changing = asyncio.Lock()
        """Held while the configuration in force is changed: a sweep must not remove what a round is
        about to write."""
        self._own = own.union(places_of(dsn))
        self._gateway = gateway
        self._replays = set(replays)
        self._dirty: set[ObjectKey] = set()
        self._held: frozenset[str] = frozenset()
        self._due: dict[ObjectKey, Millis] = {}
        self._results: dict[ObjectKey, ReconcileResult] = {}
        self._rounds = 0
        self._news = False
        self._doubted: set[ObjectKey] = set()
        self._reopen = False
        self._sweep_wanted = True
        self._swept_at = 0.0
        self._deletions: list[tuple[float, ObjectKey]] = []
        """When which objects went that nobody was seen deleting."""
        self._held_deletions = HeldDeletions()
        self._drained: dict[str, frozenset[str]] = {}

    @classmethod
    async def load(
        cls,
        gateway: WebhookGateway,
        dsn: Secret,
        store: SharedStore,
        sealers: Sealers,
        own: frozenset[OwnPlace],
    ) -> Self:
        """With what the store has; `own` as above. Raises StoreError; then the store is closed."""
        try:
            applied = await AppliedConfig.load(store, sealers)
            replays = [x.uid for x in await store.replays()]
        except BaseException:
            await store.close()
            raise
        return cls(gateway, dsn, store, applied, replays, own)

    # The gateway --------------------------------------------------------------------------------

    @property
    def gateway(self) -> WebhookGateway:
        """As it was last seen."""
        return self._gateway

    @property
    def name(self) -> Name:
        return self._gateway.metadata.namespace, self._gateway.metadata.name

    @property
    def options(self) -> Options:
        """What compiling for this gateway depends on."""
        spec = self._gateway.spec
        quota = spec.quotas.per_namespace
        bounds = {WebhookEndpoint: quota.endpoints, WebhookSubscription: quota.subscriptions}
        return Options(
            allowed_cidrs=tuple(spec.dispatcher.egress.allowed_cidrs),
            own=self._own,
            cluster_services=True,
            public_url=spec.public_url,
            retention_events=parse_duration(spec.store.retention.events),
            gateways=True,
            least_pause=LEAST_PAUSE,
            most={kind.__name__: most for kind, most in bounds.items() if most is not None},
            labelled_secrets=spec.allowed_secrets.from_ == "Labelled",
            receiver_tls=spec.receiver.tls is not None,
        )

    def renew(self, gateway: WebhookGateway) -> bool:
        """The gateway was seen again. True: its spec is another, so everything is compiled anew."""
        changed = self._gateway.spec != gateway.spec
        self._gateway = gateway
        return changed

    @property
    def needs_reopening(self) -> bool:
        """Its database is not what it was, or for a moment we did not lead."""
        return self._reopen

    def want_reopening(self) -> None:
        """The store is opened again when the gateway is next reconciled."""
        self._reopen = True

    # What is to be compiled ---------------------------------------------------------------------

    @property
    def dirty(self) -> AbstractSet[ObjectKey]:
        """What is to be compiled, now or when it is not held any more."""
        return self._dirty

    @property
    def has_work(self) -> bool:
        """Something can be compiled now."""
        return any(key.kind not in self._held for key in self._dirty)

    def hold(self, kinds: frozenset[str]) -> None:
        """These kinds are not compiled yet, because what they refer to could not be listed."""
        self._held = kinds

    def mark_dirty(self, keys: Iterable[ObjectKey]) -> None:
        """These objects are to be compiled."""
        self._dirty.update(keys)

    def take_dirty(self) -> set[ObjectKey]:
        """What is to be compiled now. A caller that fails marks it dirty again."""
        taken = {key for key in self._dirty if key.kind not in self._held}
        self._dirty -= taken
        return taken

    def take(self, keys: Iterable[ObjectKey]) -> set[ObjectKey]:
        """These are compiled now as well, whether they are dirty or not, but for what is held."""
        taken = {key for key in keys if key.kind not in self._held}
        self._dirty -= taken
        return taken

    @property
    def next_due(self) -> Millis | None:
        """When the first object is to be looked at again."""
        return min(self._due.values(), default=None)

    def look_again(self, keys: Iterable[ObjectKey], at: Millis) -> None:
        """Their keys are to be rotated then, or the API server could not be asked."""
        self._due.update(dict.fromkeys(keys, at))

    def cancel_due(self, key: ObjectKey) -> None:
        """It is looked at now."""
        self._due.pop(key, None)

    def take_due(self, now: Millis) -> set[ObjectKey]:
        """What is to be looked at again by now."""
        taken = {key for key, due in self._due.items() if due <= now}
        for key in taken:
            del self._due[key]
        return taken

    # What became of it --------------------------------------------------------------------------

    @property
    def results(self) -> Mapping[ObjectKey, ReconcileResult]:
        """What became of each object that there is."""
        return self._results

    @property
    def rounds(self) -> int:
        """How often something was compiled or removed, whether it was written or not. (Writes alone
        are counted by `applied`, at the moment of each.)"""
        return self._rounds

    def record_result(self, result: ReconcileResult) -> None:
        self._results[result.key] = result

    def forget_object(self, key: ObjectKey) -> None:
        """It is gone from the cluster; a sweep removes what is in force of it."""
        known = self._results.pop(key, None)
        self._sweep_wanted = self._sweep_wanted or known is not None

    def record_change(self) -> None:
        """A round is over: something was compiled, so statuses may differ."""
        self._rounds += 1
        self._news = True

    def record_news(self) -> None:
        """Statuses may differ, though nothing was compiled."""
        self._news = True

    def take_news(self) -> bool:
        """Whether statuses may differ since this was last asked."""
        news, self._news = self._news, False
        return news

    def doubt_status(self, key: ObjectKey) -> None:
        """Somebody else wrote the status of this object or of the gateway."""
        self._doubted.add(key)

    def take_doubted(self) -> set[ObjectKey]:
        """Objects whose statuses are to be told again, whatever was told."""
        doubted, self._doubted = self._doubted, set()
        return doubted

    def has_replay(self, uid: str) -> bool:
        """Whether the store has a job of this uid."""
        return uid in self._replays

    def record_replay(self, uid: str) -> None:
        """The store has it now."""
        self._replays.add(uid)

    def forget_replay(self, uid: str) -> None:
        """It was cancelled."""
        self._replays.discard(uid)

    def replays_besides(self, known: AbstractSet[str]) -> set[str]:
        """Uids of jobs that the store has and that are not among `known`."""
        return self._replays - known

    # Sweeps -------------------------------------------------------------------------------------

    @property
    def sweep_wanted(self) -> bool:
        """Something is gone that no sweep has looked for yet."""
        return self._sweep_wanted

    @property
    def held(self) -> HeldDeletions:
        """Objects that are gone and whose rows are kept until somebody confirms it."""
        return self._held_deletions

    @property
    def swept_at(self) -> float:
        """When the last sweep began, in seconds of the monotonic clock."""
        return self._swept_at

    def begin_sweep(self, now: float) -> None:
        """What is deleted from now on wants another one."""
        self._swept_at, self._sweep_wanted = now, False

    def record_deletions(self, doubted: Iterable[ObjectKey], now: float) -> None:
        """Objects were removed, and nobody was seen deleting these."""
        self._deletions += [(now, key) for key in doubted]
        self.record_change()

    def record_held(self, held: HeldDeletions) -> None:
        """These wait for a confirmation."""
        self._held_deletions = held

    def recently_doubted(self, now: float, window_seconds: float) -> set[ObjectKey]:
        """What went within the last `window_seconds` though nobody was seen deleting it."""
        self._deletions = [(at, x) for at, x in self._deletions if now - at < window_seconds]
        return {key for _, key in self._deletions}

    # Endpoints that are gone --------------------------------------------------------------------

    @property
    def drained(self) -> Mapping[str, frozenset[str]]:
        """Uid of a subscription → its endpoints that are gone and have nothing left to deliver: it
        may leave these."""
        return self._drained

    def record_drained(self, uid: str, key: ObjectKey, endpoints: frozenset[str]) -> None:
        """A subscription may leave these endpoints, so it is compiled again."""
        self._drained[uid] = endpoints
        self.mark_dirty([key])

    def forget_drained(self, uids: Iterable[str]) -> None:
        """These subscriptions are gone, or have left what they could leave."""
        for uid in uids:
            self._drained.pop(uid, None)
