"""A gateway: keys, database, children, and what stands in the way."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from hookplane.clock import Clock
from hookplane.compile.model import ObjectKey
from hookplane.compile.secrets import FORBIDDEN_TYPES
from hookplane.errors import (
    HookplaneError,
    InvalidValue,
    SecretUnreadable,
    StaleWriter,
    StoreError,
    StoreInUse,
)
from hookplane.kinds.base import SecretKeyRef
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane.manifests.objects import parse_object
from hookplane.network.certificates import check_server_pair
from hookplane.pacing.backoff import pause_after
from hookplane.secret import Secret
from hookplane.store.drivers import DRIVERS
from hookplane.store.operator_store import WriterFence
from hookplane.store.process_registry import Role
from hookplane_operator.gateways.applier import ChildApplier
from hookplane_operator.gateways.children import ChildMaker, desired
from hookplane_operator.gateways.contests import Contests
from hookplane_operator.gateways.database import open_database
from hookplane_operator.gateways.drift import stamped
from hookplane_operator.gateways.keys import keys_to_create, sealers
from hookplane_operator.gateways.pods import CERTIFICATE, CERTIFICATE_KEY, shown_url
from hookplane_operator.gateways.refusals import ChildRefusal, of_pods
from hookplane_operator.gateways.refusals import blockers as blockers_of
from hookplane_operator.gateways.way_in import way_in
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.cluster import ClusterIdentity
from hookplane_operator.kube.errors import ApiError, Conflict, Forbidden, NotLeader
from hookplane_operator.kube.kinds import (
    CHILDREN,
    DEPLOYMENT,
    GATEWAY,
    SECRET,
    Object,
    Resource,
)
from hookplane_operator.kube.names import Names
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.secrets import FoundSecret, found_of
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.facts import Blocker, GatewayFacts
from hookplane_operator.state.runtime import GatewayRuntime, Name

TAKE_OVER: Final = "hookplane.dev/take-over-store"
"""Annotation of a gateway: the owner whose database it may take."""
AGAIN_SECONDS: Final = 60.0
"""Secrets, optional APIs and drift that nobody told of are looked at again."""
RETRY_SECONDS: Final = 2.0
"""Until what is missing is looked for again."""
FIRST_PAUSE_SECONDS: Final = 1.0
"""Until what the API server refuses is asked for again; doubled each time, up to AGAIN_SECONDS."""
TLS_TYPE: Final = "kubernetes.io/tls"

_log = logging.getLogger("hookplane.operator")


class NotInOrder(HookplaneError):
    """Something of the gateway's own is not as it must be; the message is for its status."""

    def __init__(
        self,
        type: ConditionType,  # noqa: A002
        reason: Reason,
        message: str,
        truth: Literal["False", "Unknown"] = "False",
    ) -> None:
        super().__init__(message)
        self.blocker = Blocker(type, reason, message, truth)


@dataclass
class Gateways:
    """Those that there are, and the runtimes of those that work."""

    kube: Kube
    objects: Objects
    settings: OperatorSettings
    scope: Scope
    metrics: Metrics
    clock: Clock
    cluster: ClusterIdentity
    fence: Callable[[str], WriterFence]
    """As whom and in which term this leader writes for an owner."""
    outbid: Callable[[int], None]
    """Called with the term of a database that refused ours: the Lease is asked whether we still
    lead, and if so, ours becomes a higher one."""
    opened: Callable[[GatewayRuntime], None]
    """Called with a runtime that is new."""
    closed: Callable[[Name], None]
    has: Callable[[Resource], Awaitable[bool]]
    """Whether the cluster has an optional API now."""

    def __post_init__(self) -> None:
        self.runtimes: dict[Name, GatewayRuntime] = {}
        self.facts: dict[Name, GatewayFacts] = {}
        self.contests = Contests(self.clock.monotonic)
        self._applier = ChildApplier(self.kube, self.objects)
        self._refused: dict[Name, list[ChildRefusal]] = {}
        """What was refused when children were last applied."""
        self._failures: dict[Name, int] = {}
        """How often in a row something was refused or not in order."""
        self._keys_seen: dict[Name, Mapping[str, Secret]] = {}
        """What a gateway's Secret of encryption keys held when it was last read."""
        self._sealed_with: dict[Name, Mapping[str, Secret]] = {}
        """The keys by which the store of a gateway that works was opened."""

    async def reconcile(self, name: Name) -> float | None:
        """Seconds until it is looked at again. Raises ApiError, NotLeader."""
        body = self.objects.get(ObjectKey(GATEWAY.kind, *name))
        if body is None:
            await self.forget(name)
            return None
        metadata = body["metadata"]
        gateway, blockers = self._read(body)
        if gateway is None:
            self.facts[name] = GatewayFacts(
                metadata["uid"], metadata["generation"], blockers=blockers
            )
            return None
        return await self._serve(name, gateway, leaves="deletionTimestamp" in metadata)

    def retry(self, name: Name) -> bool:
        """Something changed that may have been the reason of a refusal: pauses begin anew. Whether
        anything is not in order."""
        return self._failures.pop(name, 0) > 0

    async def forget(self, name: Name) -> None:
        """It is gone, or this replica does not lead: all that is known of it may be otherwise when
        it is seen again."""
        self.facts.pop(name, None)
        self._failures.pop(name, None)
        self._refused.pop(name, None)
        self._keys_seen.pop(name, None)
        self.contests.forget(name)
        self.metrics.gateways.forget("/".join(name))
        await self.close(name)

    async def close(self, name: Name) -> None:
        runtime = self.runtimes.pop(name, None)
        self._sealed_with.pop(name, None)
        if runtime is not None:
            self.closed(name)
            await runtime.store.close()

    async def lose(self, name: Name, error: StaleWriter) -> None:
        """Its database was ours and refuses us now."""
        self.record_refusal(name, self.fence("").term, error)
        await self.close(name)

    async def close_all(self) -> None:
        for name in list(self.runtimes):
            await self.close(name)

    async def _serve(self, name: Name, gateway: WebhookGateway, *, leaves: bool) -> float:
        """`leaves`: it is on its way out."""
        before = self.facts.get(name)
        if before is None or before.generation != gateway.metadata.generation:
            self._failures.pop(name, None)
        trouble = await self._bring_about(name, gateway, leaves=leaves)
        refusals = [] if leaves else self._refusals(name, gateway)
        facts = GatewayFacts(
            uid=gateway.metadata.uid,
            generation=gateway.metadata.generation,
            gateway=gateway,
            blockers=trouble + blockers_of(refusals),
            desired=self._desired(gateway),
            url=shown_url(gateway, self.settings),
            keys_lost=self._keys_lost(name, gateway),
            way_in=way_in(gateway, self.objects),
        )
        self._learn(name, facts)
        return self._pause(name, trouble)

    async def _bring_about(
        self, name: Name, gateway: WebhookGateway, *, leaves: bool
    ) -> tuple[Blocker, ...]:
        """What is not in order. The objects of a gateway that is on its way out are left as they
        are: garbage collection takes them, or is told to leave them behind."""
        try:
            keys = await self._open(name, gateway)
            await self._check_certificate(gateway)
            if not leaves:
                await self._apply_children(name, gateway, keys)
        except NotInOrder as error:
            return (error.blocker,)
        return ()

    def _pause(self, name: Name, trouble: tuple[Blocker, ...]) -> float:
        """Until it is looked at again."""
        if not trouble and not self._refused.get(name):
            self._failures.pop(name, None)
            return AGAIN_SECONDS
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        missing = any(x.reason is not Reason.REQUEST_FAILED for x in trouble)
        longest = RETRY_SECONDS if missing else AGAIN_SECONDS
        return pause_after(failures, FIRST_PAUSE_SECONDS, longest)

    def _refusals(self, name: Name, gateway: WebhookGateway) -> list[ChildRefusal]:
        """Of objects and of pods."""
        deployments = self.objects.all(DEPLOYMENT.kind, gateway.metadata.namespace)
        found = self._refused.get(name, []) + of_pods(gateway, deployments)
        self.metrics.gateways.refused.labels("/".join(name)).set(len(found))
        return found

    def _desired(self, gateway: WebhookGateway) -> dict[Role, int]:
        names, namespace = Names(gateway), gateway.metadata.namespace
        return {
            role: desired(
                scaled, self.objects.get(ObjectKey(DEPLOYMENT.kind, namespace, names.of(role)))
            )
            for role, scaled in ChildMaker(gateway, self.settings, "").roles().items()
        }

    def _learn(self, name: Name, facts: GatewayFacts) -> None:
        runtime = self.runtimes.get(name)
        if runtime is not None and self.facts.get(name) != facts:
            runtime.record_news()
        self.facts[name] = facts

    def _read(self, body: Object) -> tuple[WebhookGateway | None, tuple[Blocker, ...]]:
        namespace = body["metadata"]["namespace"]
        if namespace not in self.scope.gateways:
            allowed = ", ".join(self.scope.gateways)
            message = f"gateways live in namespace {allowed}; the operator's settings decide"
            return None, (Blocker(ConditionType.ACCEPTED, Reason.NOT_ALLOWED, message),)
        parsed = parse_object({k: v for k, v in body.items() if k != "status"})
        if isinstance(parsed.value, WebhookGateway):
            return parsed.value, ()
        message = "; ".join(f"{x.path}: {x.message}" for x in parsed.problems)
        return None, (Blocker(ConditionType.ACCEPTED, Reason.INVALID, message),)

    # Database -----------------------------------------------------------------------------------

    async def _open(self, name: Name, gateway: WebhookGateway) -> FoundSecret:
        """Opens its store, unless it is open by what its Secrets say now. The encryption keys.
        Raises NotInOrder, NotLeader, ApiError."""
        driver, database = gateway.spec.store.database
        dsn = await self._value(gateway, database.dsn.secret_key_ref, f"{driver}.dsn")
        keys = await self._keys(gateway)
        runtime = self.runtimes.get(name)
        if runtime is not None and not self._differs(runtime, dsn, keys):
            self._renew(runtime, gateway)
            return keys
        if (rivalry := self._rivalry(name)) is not None and self.contests.wait(name):
            raise rivalry
        migration = dsn
        if database.migration_dsn is not None:
            ref = database.migration_dsn.secret_key_ref
            migration = await self._value(gateway, ref, f"{driver}.migrationDSN")
        await self.close(name)
        runtime = await self._load(name, gateway, dsn, migration, keys)
        self.runtimes[name], self._sealed_with[name] = runtime, keys.secret.data
        self.metrics.gateways.keys_lost.labels("/".join(name)).set(runtime.found_lost)
        if runtime.found_lost:
            _log.warning("gateway %s/%s: %s", *name, self._keys_lost(name, gateway))
        self.opened(runtime)
        return keys

    def _differs(self, runtime: GatewayRuntime, dsn: Secret, keys: FoundSecret) -> bool:
        """Whether its store is to be opened again. What is sealed with other keys than the pods are
        given could be read by none of them."""
        sealed_with = self._sealed_with[runtime.name]
        return runtime.needs_reopening or (runtime.dsn, sealed_with) != (dsn, keys.secret.data)

    async def _load(
        self,
        name: Name,
        gateway: WebhookGateway,
        dsn: Secret,
        migration: Secret,
        keys: FoundSecret,
    ) -> GatewayRuntime:
        driver, _ = gateway.spec.store.database
        await self.cluster.look()
        fence = self.fence(self.cluster.owner(*name))
        taken = gateway.metadata.annotations.get(TAKE_OVER)
        over = taken or self.cluster.other_owner(*name)
        try:
            store = await open_database(
                DRIVERS[driver], dsn, migration, fence, self.clock, over=over
            )
            own = self.settings.own_places()
            data = keys.secret.data
            runtime = await GatewayRuntime.load(gateway, dsn, store, sealers(data), own)
        except StoreInUse as error:
            raise _in_use(error) from error
        except StaleWriter as error:
            self.record_refusal(name, fence.term, error)
            raise self._rivalry(name) or NotLeader(str(error)) from error
        except (StoreError, InvalidValue) as error:
            raise NotInOrder(
                ConditionType.STORE_AVAILABLE, Reason.STORE_UNAVAILABLE, str(error)
            ) from error
        self.contests.win(name, fence.term)
        return runtime

    def _keys_lost(self, name: Name, gateway: WebhookGateway) -> str:
        """What is to be told of documents that the keys of this gateway do not open."""
        runtime = self.runtimes.get(name)
        if runtime is None or not runtime.found_lost:
            return ""
        return (
            f"{runtime.found_lost} document(s) in the database were sealed with keys that Secret "
            f'"{Names(gateway).keys}" does not have: it was lost or replaced. They are written '
            "again from their objects, so nothing is lost. Back up this Secret"
        )

    def _renew(self, runtime: GatewayRuntime, gateway: WebhookGateway) -> None:
        """What depends on the gateway's spec is compiled anew when that changes."""
        if runtime.renew(gateway):
            self.opened(runtime)

    def record_refusal(self, name: Name, term: int, error: StaleWriter) -> None:
        """The database of this gateway refused us, who came with this term."""
        _log.warning("gateway %s/%s: the database refuses term %d: %s", *name, term, error)
        self.contests.lose(name, term, str(error))
        self.outbid(error.term)

    def _rivalry(self, name: Name) -> NotInOrder | None:
        """What is to be told of another operator that writes to the same database."""
        rival = self.contests.rival(name)
        if not rival:
            return None
        message = (
            f"another operator writes to the database, too: {rival}; end it, or give one of the "
            "two a database of its own"
        )
        return NotInOrder(ConditionType.STORE_AVAILABLE, Reason.WRITER_REFUSED, message)

    async def _value(self, gateway: WebhookGateway, ref: SecretKeyRef, field: str) -> Secret:
        secret = await self._secret(gateway, ref.name)
        path = f"spec.store.{field}"
        condition = ConditionType.SECRETS_RESOLVED
        if secret is None:
            message = f'{path}: there is no Secret "{ref.name}"; it is to have the key "{ref.key}"'
            raise NotInOrder(condition, Reason.SECRET_NOT_FOUND, message)
        if secret.secret.type in FORBIDDEN_TYPES:
            message = f'{path}: Secret "{ref.name}" is of type {secret.secret.type}'
            raise NotInOrder(condition, Reason.SECRET_NOT_ALLOWED, message)
        value = secret.secret.data.get(ref.key)
        if not value:
            message = f'{path}: Secret "{ref.name}" has no key "{ref.key}"'
            raise NotInOrder(condition, Reason.SECRET_KEY_NOT_FOUND, message)
        return Secret(value.reveal().strip())

    async def _check_certificate(self, gateway: WebhookGateway) -> None:
        """Pods that could not start are not made. Raises NotInOrder."""
        tls = gateway.spec.receiver.tls
        if tls is None:
            return
        name = tls.certificate_ref.name
        found = await self._secret(gateway, name)
        flaw = _certificate_flaw(name, found)
        if flaw is not None:
            reason, message = flaw
            path = "spec.receiver.tls.certificateRef"
            raise NotInOrder(ConditionType.SECRETS_RESOLVED, reason, f"{path}: {message}")

    async def _secret(self, gateway: WebhookGateway, name: str) -> FoundSecret | None:
        try:
            body = await self.kube.find(SECRET, gateway.metadata.namespace, name)
        except ApiError as error:
            raise _unknown(ConditionType.SECRETS_RESOLVED, f'Secret "{name}"', error) from error
        return None if body is None else found_of(body)

    async def _keys(self, gateway: WebhookGateway) -> FoundSecret:
        """The encryption keys; put back when somebody deleted them while we looked, made when
        nobody knows any. Raises NotInOrder."""
        name, own = Names(gateway).keys, (gateway.metadata.namespace, gateway.metadata.name)
        found = await self._secret(gateway, name)
        if found is None:
            body = keys_to_create(gateway, self._keys_seen.get(own))
            try:
                found = found_of(await self.kube.create(SECRET, body))
            except Conflict:
                found = await self._secret(gateway, name)
            except ApiError as error:
                message = f'Secret "{name}" cannot be made: {error.said}'
                raise NotInOrder(
                    ConditionType.SECRETS_RESOLVED, Reason.REQUEST_FAILED, message
                ) from error
        if found is None or not found.secret.generated:
            message = f'Secret "{name}" is to hold the encryption keys, and exists; remove it'
            raise NotInOrder(ConditionType.SECRETS_RESOLVED, Reason.SECRET_NAME_TAKEN, message)
        try:
            sealers(found.secret.data)
        except SecretUnreadable as error:
            raise NotInOrder(
                ConditionType.SECRETS_RESOLVED, Reason.SECRET_UNUSABLE, str(error)
            ) from error
        self._keys_seen[own] = found.secret.data
        return found

    # Children -----------------------------------------------------------------------------------

    async def _apply_children(self, name: Name, gateway: WebhookGateway, keys: FoundSecret) -> None:
        """Raises NotInOrder, NotLeader, ApiError."""
        apis = await self._apis(gateway)
        checksum = _checksum(keys, self.runtimes[name].dsn)
        wanted = [stamped(x) for x in ChildMaker(gateway, self.settings, checksum, apis).make()]
        self._record(name, await self._applier.bring_about(gateway, wanted))

    def _record(self, name: Name, found: list[ChildRefusal]) -> None:
        """What was refused this time."""
        if found and self._refused.get(name) != found:
            _log.warning("gateway %s/%s: %s", *name, "; ".join(x.message for x in found))
        self._refused[name] = found

    async def _apis(self, gateway: WebhookGateway) -> frozenset[str]:
        if gateway.spec.receiver.route is None:
            return frozenset()
        try:
            known = await self.has(CHILDREN["HTTPRoute"])
        except ApiError as error:
            raise _unknown(ConditionType.ACCEPTED, "HTTPRoutes", error) from error
        if not known:
            raise NotInOrder(
                ConditionType.ACCEPTED,
                Reason.NOT_SUPPORTED,
                "spec.receiver.route: this cluster has no Gateway API (HTTPRoute v1); install it, "
                "or use ingress",
            )
        return frozenset({"HTTPRoute"})


def _unknown(type: ConditionType, what: str, error: ApiError) -> HookplaneError:  # noqa: A002
    """A right that is missing is told; an API server that is away is no news about a gateway, so
    the job is only tried again."""
    if not isinstance(error, Forbidden):
        return error
    message = f"{what} cannot be read: {error.said}"
    return NotInOrder(type, Reason.REQUEST_FAILED, message, "Unknown")


def _in_use(error: StoreInUse) -> NotInOrder:
    message = (
        f"the database belongs to gateway {error}; give this one a database of its own, or let it "
        f"take over with annotation {TAKE_OVER}={error}"
    )
    return NotInOrder(ConditionType.STORE_AVAILABLE, Reason.STORE_IN_USE, message)


def _certificate_flaw(name: str, found: FoundSecret | None) -> tuple[Reason, str] | None:
    """Why receivers could not show what is in the Secret `name`."""
    if found is None:
        message = f'there is no Secret "{name}"; it is to be of type {TLS_TYPE}'
        return Reason.SECRET_NOT_FOUND, message
    if found.secret.type != TLS_TYPE:
        message = f'Secret "{name}" is of type {found.secret.type}; it is to be {TLS_TYPE}'
        return Reason.SECRET_NOT_ALLOWED, message
    values = [found.secret.data.get(key) for key in (CERTIFICATE, CERTIFICATE_KEY)]
    try:
        check_server_pair(*(value or Secret("") for value in values))
    except InvalidValue as error:
        return Reason.SECRET_UNUSABLE, f'Secret "{name}": {error}'
    return None


def _checksum(keys: FoundSecret, dsn: Secret) -> str:
    """Keyed, so that nobody can try out what a Secret might be."""
    material = b"".join(keys.secret.data[name].reveal() for name in sorted(keys.secret.data))
    key = hashlib.sha256(b"hookplane pod checksum" + material).digest()
    return hmac.new(key, material + dsn.reveal(), hashlib.sha256).hexdigest()[:16]
