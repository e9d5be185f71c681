"""A gateway: keys, database, children, and what stands in the way."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

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
from hookplane.secret import Secret
from hookplane.store.drivers import DRIVERS
from hookplane.store.operator_store import WriterFence
from hookplane_operator.gateways.children import ChildMaker, desired
from hookplane_operator.gateways.database import open_database
from hookplane_operator.gateways.drift import has_drifted, stamped
from hookplane_operator.gateways.keys import new_keys, sealers
from hookplane_operator.gateways.pods import CERTIFICATE, CERTIFICATE_KEY, shown_url
from hookplane_operator.gateways.way_in import way_in
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import Conflict, NotLeader
from hookplane_operator.kube.kinds import CHILDREN, GATEWAY, SECRET, Object, Resource
from hookplane_operator.kube.names import GATEWAY_LABEL, Names
from hookplane_operator.kube.objects import Objects, uid_of
from hookplane_operator.referred.secrets import FoundSecret, found_of
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.facts import Blocker, GatewayFacts
from hookplane_operator.state.runtime import GatewayRuntime, Name

TAKE_OVER: Final = "hookplane.dev/take-over-store"
"""Annotation of a gateway: the owner whose database it may take."""
SCALER: Final = "hookplane-autoscaling"
"""Field manager that keeps the count of pods while an autoscaler takes over."""
AGAIN_SECONDS: Final = 60.0
"""Secrets, optional APIs and drift that nobody told of are looked at again."""
RETRY_SECONDS: Final = 2.0
TLS_TYPE: Final = "kubernetes.io/tls"


class NotInOrder(HookplaneError):
    """Something of the gateway's own is not as it must be; the message is for its status."""

    def __init__(self, type: ConditionType, reason: Reason, message: str) -> None:  # noqa: A002
        super().__init__(message)
        self.blocker = Blocker(type, reason, message)


@dataclass
class Gateways:
    """Those that there are, and the runtimes of those that work."""

    kube: Kube
    objects: Objects
    settings: OperatorSettings
    scope: Scope
    clock: Clock
    cluster: str
    """Names this cluster: the uid of its namespace kube-system."""
    term: Callable[[], int]
    opened: Callable[[GatewayRuntime], None]
    """Called with a runtime that is new."""
    closed: Callable[[Name], None]
    has: Callable[[Resource], Awaitable[bool]]
    """Whether the cluster has an optional API now."""

    def __post_init__(self) -> None:
        self.runtimes: dict[Name, GatewayRuntime] = {}
        self.facts: dict[Name, GatewayFacts] = {}

    async def reconcile(self, name: Name) -> float | None:
        """Seconds until it is looked at again. Raises ApiError, NotLeader."""
        body = self.objects.get(ObjectKey(GATEWAY.kind, *name))
        if body is None:
            self.facts.pop(name, None)
            await self.close(name)
            return None
        metadata = body["metadata"]
        gateway, blockers = self._read(body)
        if gateway is None:
            self.facts[name] = GatewayFacts(
                metadata["uid"], metadata["generation"], blockers=blockers
            )
            return None
        return await self._serve(name, gateway)

    async def close(self, name: Name) -> None:
        runtime = self.runtimes.pop(name, None)
        if runtime is not None:
            self.closed(name)
            await runtime.store.close()

    async def close_all(self) -> None:
        for name in list(self.runtimes):
            await self.close(name)

    async def _serve(self, name: Name, gateway: WebhookGateway) -> float:
        blockers: tuple[Blocker, ...] = ()
        pause = AGAIN_SECONDS
        try:
            await self._open(name, gateway)
            await self._check_certificate(gateway)
            await self._apply_children(gateway)
        except NotInOrder as error:
            blockers, pause = (error.blocker,), RETRY_SECONDS
        scales = ChildMaker(gateway, self.settings, "").roles()
        facts = GatewayFacts(
            uid=gateway.metadata.uid,
            generation=gateway.metadata.generation,
            gateway=gateway,
            blockers=blockers,
            desired={role: desired(scaled) for role, scaled in scales.items()},
            url=shown_url(gateway, self.settings),
            way_in=way_in(gateway, self.objects),
        )
        self._learn(name, facts)
        return pause

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

    async def _open(self, name: Name, gateway: WebhookGateway) -> None:
        driver, database = gateway.spec.store.database
        dsn = await self._value(gateway, database.dsn.secret_key_ref, f"{driver}.dsn")
        runtime = self.runtimes.get(name)
        if runtime is not None and runtime.dsn == dsn and not runtime.needs_reopening:
            self._renew(runtime, gateway)
            return
        migration = dsn
        if database.migration_dsn is not None:
            ref = database.migration_dsn.secret_key_ref
            migration = await self._value(gateway, ref, f"{driver}.migrationDSN")
        await self.close(name)
        own = sealers((await self._keys(gateway)).secret.data)
        try:
            store = await open_database(
                DRIVERS[driver],
                dsn,
                migration,
                self._fence(name),
                self.clock,
                over=gateway.metadata.annotations.get(TAKE_OVER, ""),
            )
            runtime = await GatewayRuntime.load(gateway, dsn, store, own)
        except StoreInUse as error:
            message = (
                f"the database belongs to gateway {error}; give this one a database of its own, or "
                f"let it take over with annotation {TAKE_OVER}={error}"
            )
            raise NotInOrder(ConditionType.STORE_AVAILABLE, Reason.STORE_IN_USE, message) from error
        except StaleWriter as error:
            raise NotLeader(str(error)) from error
        except (StoreError, InvalidValue) as error:
            raise NotInOrder(
                ConditionType.STORE_AVAILABLE, Reason.STORE_UNAVAILABLE, str(error)
            ) from error
        self.runtimes[name] = runtime
        self.opened(runtime)

    def _renew(self, runtime: GatewayRuntime, gateway: WebhookGateway) -> None:
        """What depends on the gateway's spec is compiled anew when that changes."""
        if runtime.renew(gateway):
            self.opened(runtime)

    def _fence(self, name: Name) -> WriterFence:
        return WriterFence(f"{self.cluster}/{name[0]}/{name[1]}", self.term())

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
        body = await self.kube.find(SECRET, gateway.metadata.namespace, name)
        return None if body is None else found_of(body)

    async def _keys(self, gateway: WebhookGateway) -> FoundSecret:
        """The encryption keys; made when there are none. Raises NotInOrder."""
        name = Names(gateway).keys
        found = await self._secret(gateway, name)
        if found is None:
            try:
                return found_of(await self.kube.create(SECRET, new_keys(gateway)))
            except Conflict:
                found = await self._secret(gateway, name)
        if found is None or not found.secret.generated:
            message = f'Secret "{name}" is to hold the encryption keys, and exists; remove it'
            raise NotInOrder(ConditionType.SECRETS_RESOLVED, Reason.SECRET_NAME_TAKEN, message)
        try:
            sealers(found.secret.data)
        except SecretUnreadable as error:
            raise NotInOrder(
                ConditionType.SECRETS_RESOLVED, Reason.SECRET_UNUSABLE, str(error)
            ) from error
        return found

    # Children -----------------------------------------------------------------------------------

    async def _apply_children(self, gateway: WebhookGateway) -> None:
        apis = await self._apis(gateway)
        keys = await self._keys(gateway)
        runtime = self.runtimes[gateway.metadata.namespace, gateway.metadata.name]
        checksum = _checksum(keys, runtime.dsn)
        wanted = [stamped(x) for x in ChildMaker(gateway, self.settings, checksum, apis).make()]
        for child in wanted:
            await self._apply(child)
        await self._remove_others(gateway, wanted)

    async def _apply(self, child: Object) -> None:
        kind, metadata = child["kind"], child["metadata"]
        live = self.objects.get(ObjectKey(kind, metadata["namespace"], metadata["name"]))
        if not has_drifted(child, live):
            return
        if live is not None and kind == "Deployment" and "replicas" not in child["spec"]:
            await self._keep_count(child, live)
        applied = await self.kube.apply(CHILDREN[kind], child)
        self.objects.put(kind, applied)

    async def _keep_count(self, child: Object, live: Object) -> None:
        """A count that nobody owns any more would become 1."""
        metadata = {x: child["metadata"][x] for x in ("name", "namespace")}
        body = {
            "apiVersion": child["apiVersion"],
            "kind": child["kind"],
            "metadata": metadata,
            "spec": {"replicas": live["spec"].get("replicas", 1)},
        }
        await self.kube.apply(CHILDREN["Deployment"], body, manager=SCALER)

    async def _remove_others(self, gateway: WebhookGateway, wanted: Iterable[Object]) -> None:
        """What the gateway was made of and is no more."""
        names = {(x["kind"], x["metadata"]["name"]) for x in wanted}
        own = gateway.metadata
        for kind, resource in CHILDREN.items():
            for live in self.objects.all(kind, own.namespace):
                metadata = live["metadata"]
                owners = {x.get("uid") for x in metadata.get("ownerReferences", ())}
                ours = (metadata.get("labels") or {}).get(
                    GATEWAY_LABEL
                ) == own.name and own.uid in owners
                if ours and (kind, metadata["name"]) not in names:
                    await self.kube.delete(resource, own.namespace, metadata["name"], uid_of(live))

    async def _apis(self, gateway: WebhookGateway) -> frozenset[str]:
        if gateway.spec.receiver.route is None:
            return frozenset()
        if not await self.has(CHILDREN["HTTPRoute"]):
            raise NotInOrder(
                ConditionType.ACCEPTED,
                Reason.NOT_SUPPORTED,
                "spec.receiver.route: this cluster has no Gateway API (HTTPRoute v1); install it, "
                "or use ingress",
            )
        return frozenset({"HTTPRoute"})


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
