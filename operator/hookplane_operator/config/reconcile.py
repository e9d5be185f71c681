"""Brings what is dirty of a gateway into its store: read, compile, generate keys, write, replay.

All that became dirty while the last round ran goes into the next one, as with group commits: a
start with ten thousand objects and the change of one take the same path.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from hookplane.clock import Clock, Millis
from hookplane.compile.change import ConfigDiff, Configured, plan_diff
from hookplane.compile.generated import ROTATE
from hookplane.compile.model import (
    Compiled,
    ObjectKey,
    Problem,
    Resource,
    SecretObject,
    Severity,
)
from hookplane.compile.resources import compile_resources
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.manifests.objects import ParsedObject, parse_object
from hookplane_operator.config.generated import GeneratedSecrets, Wish
from hookplane_operator.config.succession import Succession, Successions
from hookplane_operator.config.uses import asks_for_headers, secret_names, service_name
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import ENDPOINT, REPLAY, SUBSCRIPTION, Object
from hookplane_operator.kube.objects import Objects, key_of
from hookplane_operator.referred.polling_cache import Name, for_each
from hookplane_operator.referred.secrets import FoundSecret, Secrets
from hookplane_operator.referred.services import Services
from hookplane_operator.state.facts import Blocker
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.state.runtime import GatewayRuntime

IN_A_THREAD: Final = 20
"""More objects than this are compiled beside the event loop."""
BREATH: Final = 50
"""After so many objects others have a turn."""
ROWS_AT_ONCE: Final = 1_000
LOOKED_THROUGH: Final = 1_000
"""Objects of one round whose document is there and current."""
GETS_ROOM: Final = 10
"""So many objects that found no room are looked at again with each that goes: one may be broken."""
RETRY: Final[Millis] = 5_000
"""Until a Secret or a Service that could not be read or made is asked for again."""
_SECRETS: Final = ConditionType.SECRETS_RESOLVED


@dataclass
class _Batch:
    """One round."""

    resources: dict[ObjectKey, Resource] = field(default_factory=dict)
    secrets: dict[Name, SecretObject] = field(default_factory=dict)
    found: dict[Name, FoundSecret | None] = field(default_factory=dict)
    refused_services: dict[str, str] = field(default_factory=dict)
    """`namespace/name` of a Service → why it cannot be a target."""
    service_addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    service_ports: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unknown: dict[ObjectKey, Blocker] = field(default_factory=dict)
    """Objects of which something could not be read → what."""

    def request_failed(self, key: ObjectKey, condition: ConditionType, message: str) -> None:
        """It is left as it is, and looked at again."""
        self.unknown.setdefault(key, Blocker(condition, Reason.REQUEST_FAILED, message))

    def known(self) -> list[Resource]:
        return [x for key, x in self.resources.items() if key not in self.unknown]


class Configurator:
    """For all gateways."""

    def __init__(
        self,
        objects: Objects,
        secrets: Secrets,
        services: Services,
        generated: GeneratedSecrets,
        clock: Clock,
        admitted: Callable[[GatewayRuntime, str], bool],
        reserved: Callable[[], Mapping[Name, str]],
        namespace: Callable[[str], Awaitable[Object | None]],
        looked_through: int = LOOKED_THROUGH,
    ) -> None:
        """`reserved`: Secrets that belong to gateways → what they are. `namespace`: asks the API
        server for one; None: there is none. `looked_through`: how many
        objects of one round may be there and current already."""
        self._reserved = reserved
        self._objects = objects
        self._secrets = secrets
        self._services = services
        self._generated = generated
        self._clock = clock
        self._admitted = admitted
        self._successions = Successions(objects, namespace)
        self._looked_through = looked_through

    async def reconcile(self, runtime: GatewayRuntime) -> float | None:
        """Seconds until the next round is wanted. Raises StoreError, ApiError; what was dirty stays
        so."""
        async with runtime.changing:
            taken = self._take(runtime)
            try:
                return await self._round(runtime, taken)
            except BaseException:
                runtime.mark_dirty(taken)
                raise

    def _take(self, runtime: GatewayRuntime) -> set[ObjectKey]:
        """What is compiled together: an endpoint that comes, goes or gets other labels, and all
        that may read it, so that they are written in one transaction; and with one whose spec is
        another those that ask for headers, which it may store or not."""
        taken = self._take_dirty(runtime)
        endpoints = [key for key in taken if key.kind == ENDPOINT.kind]
        moved = {(x.namespace, x.name) for x in endpoints if self._may_move(runtime, x)}
        edited = {(x.namespace, x.name) for x in endpoints if self._is_changed(runtime, x)}
        readers = {*self._readers(moved, _any), *self._readers(edited - moved, asks_for_headers)}
        return taken | runtime.take(readers - taken)

    def _may_move(self, runtime: GatewayRuntime, key: ObjectKey) -> bool:
        """Whether it is an endpoint that others may read from now on, or not any more."""
        body = self._objects.get(key)
        if body is None or not self._admitted(runtime, key.namespace):
            return True
        metadata = body["metadata"]
        document = runtime.applied.documents.get(metadata.get("uid", ""))
        if not isinstance(document, EndpointConfig):
            return True
        return dict(document.labels) != (metadata.get("labels") or {})

    def _take_dirty(self, runtime: GatewayRuntime) -> set[ObjectKey]:
        """All that was changed, and some of those that are only looked through: after a start these
        are thousands, which takes a while, and a change is not to wait for them."""
        taken = runtime.take_dirty()
        if len(taken) <= self._looked_through:
            return taken
        others = (key for key in taken if not self._is_changed(runtime, key))
        left = set(islice(others, self._looked_through, None))
        runtime.mark_dirty(left)
        return taken - left

    def _is_changed(self, runtime: GatewayRuntime, key: ObjectKey) -> bool:
        body = self._objects.get(key)
        if body is None:
            return True
        uid, generation = body["metadata"].get("uid"), body["metadata"].get("generation")
        if key.kind == REPLAY.kind:
            return not runtime.has_replay(uid)
        return not runtime.applied.is_current(uid, generation)

    def _readers(
        self, endpoints: set[Name], wanted: Callable[[Mapping[str, Any]], bool]
    ) -> Iterator[ObjectKey]:
        """Subscriptions that name any of these endpoints, or select in its namespace. `wanted`:
        takes their specs."""
        namespaces = {namespace for namespace, _ in endpoints}
        for body in self._objects.all(SUBSCRIPTION.kind) if endpoints else ():
            spec, key = body.get("spec", {}), key_of(SUBSCRIPTION.kind, body)
            named = any(
                (key.namespace, x.get("name")) in endpoints for x in spec.get("endpointRefs", ())
            )
            selects = "endpointSelector" in spec and key.namespace in namespaces
            if (named or selects) and wanted(spec):
                yield key

    async def _round(self, runtime: GatewayRuntime, keys: Iterable[ObjectKey]) -> float | None:
        batch = _Batch()
        for number, key in enumerate(keys):
            runtime.cancel_due(key)
            self._read(runtime, key, batch)
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        await self._read_secrets(batch)
        await self._read_services(runtime, batch)
        compiled = await self._compile(runtime, batch)
        compiled = await self._generate(runtime, batch, compiled)
        await self._write(runtime, batch, compiled)
        await self._replay(runtime, compiled)
        self._judge(runtime, batch, compiled)
        retry = self._clock.now() + RETRY
        runtime.look_again(batch.unknown, retry)
        runtime.record_change()
        return self._next(runtime)

    # Reading ------------------------------------------------------------------------------------

    def _read(self, runtime: GatewayRuntime, key: ObjectKey, batch: _Batch) -> None:
        body = self._objects.get(key)
        if body is None:
            self._forget(runtime, key)
            return
        parsed = parse_object(_without_status(body))
        if parsed.value is None or isinstance(parsed.value, SecretObject):
            runtime.record_result(_refused(key, body, parsed))
        elif not self._admitted(runtime, key.namespace):
            runtime.record_result(_not_admitted(key, parsed.value, runtime))
            batch.resources[key] = parsed.value
        else:
            batch.resources[key] = parsed.value

    def _forget(self, runtime: GatewayRuntime, key: ObjectKey) -> None:
        runtime.mark_dirty(islice(_out_of_room(runtime, key), GETS_ROOM))
        self._secrets.use(key, frozenset())
        self._services.use(key, frozenset())
        runtime.forget_object(key)

    async def _read_secrets(self, batch: _Batch) -> None:
        names: dict[ObjectKey, frozenset[Name]] = {}
        for key, resource in batch.resources.items():
            names[key] = secret_names(resource)
            self._secrets.use(key, names[key])
        found = await self._secrets.read(frozenset().union(*names.values()) if names else ())
        reserved = self._reserved()
        for name, one in found.items():
            if not isinstance(one, ApiError):
                batch.found[name] = one
            if isinstance(one, FoundSecret):
                batch.secrets[name] = dataclasses.replace(
                    one.secret, reserved=reserved.get(name, "")
                )
        for key, wanted in names.items():
            failed = [x for name in wanted if isinstance(x := found[name], ApiError)]
            if failed:
                batch.request_failed(key, _SECRETS, f"a Secret could not be read: {failed[0]}")

    async def _read_services(self, runtime: GatewayRuntime, batch: _Batch) -> None:
        users: dict[ObjectKey, Name] = {}
        for key, resource in batch.resources.items():
            name = service_name(resource) if self._admitted(runtime, key.namespace) else None
            self._services.use(key, frozenset() if name is None else frozenset({name}))
            if name is not None:
                users[key] = name
        found = await self._services.read(users.values())
        for key, name in users.items():
            target = found[name]
            if isinstance(target, ApiError):
                message = f'Service "{name[1]}" could not be read: {target}'
                batch.request_failed(key, ConditionType.ACCEPTED, message)
            elif target.objection is not None:
                batch.refused_services["/".join(name)] = target.objection
            else:
                batch.service_addresses["/".join(name)] = target.addresses
                batch.service_ports["/".join(name)] = target.ports

    # Compiling ----------------------------------------------------------------------------------

    async def _compile(self, runtime: GatewayRuntime, batch: _Batch) -> Compiled:
        resources = [x for x in batch.known() if self._admitted(runtime, x.metadata.namespace)]
        options = dataclasses.replace(
            runtime.options,
            refused_services=batch.refused_services,
            service_addresses=batch.service_addresses,
            service_ports=batch.service_ports,
        )
        known = self._known(runtime, {x.metadata.namespace for x in resources})
        arguments = (resources, list(batch.secrets.values()), options)
        now = self._clock.now()
        if len(resources) <= IN_A_THREAD:
            return compile_resources(*arguments, now=now, known=known)
        return await asyncio.to_thread(compile_resources, *arguments, now=now, known=known)

    def _known(self, runtime: GatewayRuntime, namespaces: Iterable[str]) -> list[Configured]:
        """Documents that references may mean: those whose object is still there."""
        return [
            x
            for namespace in namespaces
            for x in runtime.applied.of_namespace(namespace)
            if self._is_there(x)
        ]

    def _is_there(self, document: Configured) -> bool:
        """Whether it has an object, or needs none."""
        if isinstance(document, EndpointConfig) and document.builtin:
            return True
        kind = ENDPOINT if isinstance(document, EndpointConfig) else SUBSCRIPTION
        body = self._objects.get(ObjectKey(kind.kind, document.namespace, document.name))
        return body is not None and body["metadata"].get("uid") == document.uid

    async def _generate(
        self, runtime: GatewayRuntime, batch: _Batch, compiled: Compiled
    ) -> Compiled:
        """Makes the Secrets that are wanted, then compiles once more with them."""
        keys = {x.metadata.uid: key for key, x in batch.resources.items()}
        notes = {x.metadata.uid: x.metadata.annotations for x in batch.resources.values()}
        wishes = [Wish(want, notes.get(want.owner, {}).get(ROTATE, "")) for want in compiled.wanted]
        before = dict(batch.secrets)

        async def ensure(wish: Wish) -> None:
            key = keys[wish.wanted.owner]
            due = await self._ensure(wish, key, batch)
            if due is not None:
                runtime.look_again([key], due)

        await for_each(wishes, ensure)
        changed = before != batch.secrets
        return await self._compile(runtime, batch) if changed or batch.unknown else compiled

    async def _ensure(self, wish: Wish, key: ObjectKey, batch: _Batch) -> Millis | None:
        """When it is to be looked at again."""
        try:
            secret, due = await self._generated.ensure(wish, batch.found.get(wish.name))
        except ApiError as error:
            message = f'Secret "{wish.wanted.name}" cannot be made: {error}'
            batch.request_failed(key, _SECRETS, message)
            self._secrets.forget(wish.name)
            return None
        batch.secrets[wish.name] = secret
        return due

    # Writing ------------------------------------------------------------------------------------

    async def _write(self, runtime: GatewayRuntime, batch: _Batch, compiled: Compiled) -> None:
        documents: list[Configured] = list(compiled.endpoints)
        documents += compiled.subscriptions
        documents += self._withdrawn(runtime, batch)
        succession = await self._successions.find(runtime, documents)
        documents = await self._after_predecessors(runtime, documents, succession)
        closed = self._closed(runtime, batch)
        change = dataclasses.replace(
            plan_diff(
                runtime.applied.documents,
                documents,
                closed,
                stale=runtime.applied.stale,
            ),
            places=succession.places,
            predecessors=succession.predecessors,
        )
        for part in _parts(change):
            await runtime.applied.write(part)
        created = {_name(x) for x in change.created if isinstance(x, SubscriptionConfig)}
        runtime.mark_dirty(self._replays_of(created))

    async def _after_predecessors(
        self, runtime: GatewayRuntime, documents: Iterable[Configured], succession: Succession
    ) -> list[Configured]:
        """With endpoints that are gone, under the uids of those that were made in their place; so
        are all that are in force, whether they were compiled or not."""
        every = {x.uid: x for x in documents}
        heirs = succession.heirs
        for document in list(runtime.applied.documents.values()) if heirs else ():
            if isinstance(document, SubscriptionConfig) and not heirs.keys().isdisjoint(
                document.endpoints
            ):
                every.setdefault(document.uid, document)
        for uid, document in every.items():
            if isinstance(document, SubscriptionConfig):
                read = await self._read_before(runtime, document, succession)
                departed = self._departed(runtime, uid, read)
                endpoints = {heirs.get(x, x) for x in (*document.endpoints, *departed)}
                changes = {"endpoints": tuple(sorted(endpoints))}
                every[uid] = document.model_copy(update=changes)
        return list(every.values())

    async def _read_before(
        self, runtime: GatewayRuntime, document: SubscriptionConfig, succession: Succession
    ) -> tuple[str, ...]:
        """The endpoints that it reads in the store so far."""
        if predecessor := succession.predecessors.get(document.uid):
            return await runtime.store.endpoints_of(predecessor)
        old = runtime.applied.documents.get(document.uid)
        return old.endpoints if isinstance(old, SubscriptionConfig) else ()

    def _departed(self, runtime: GatewayRuntime, uid: str, read: Iterable[str]) -> Iterator[str]:
        """An endpoint that was deleted stays with its subscriptions until what it had accepted is
        delivered, and for as long as its row stays, because its URL answers so long; whatever pends
        of one that is deselected has expired."""
        known, drained = runtime.applied.documents, runtime.drained.get(uid, frozenset())
        for endpoint in read:
            there = endpoint in known and self._is_there(known[endpoint])
            if not there and endpoint not in drained:
                yield endpoint

    def _withdrawn(self, runtime: GatewayRuntime, batch: _Batch) -> list[SubscriptionConfig]:
        """Subscriptions in namespaces that the gateway admits no more: nothing is sent, and the
        backlog is kept."""
        return [
            old.model_copy(update={"suspended": True})
            for x in batch.resources.values()
            if isinstance(x, WebhookSubscription)
            and not self._admitted(runtime, x.metadata.namespace)
            and isinstance(old := runtime.applied.documents.get(x.metadata.uid), SubscriptionConfig)
        ]

    def _closed(self, runtime: GatewayRuntime, batch: _Batch) -> frozenset[str]:
        """Endpoints in such namespaces: their URLs answer 404."""
        return frozenset(
            x.metadata.uid
            for x in batch.resources.values()
            if isinstance(x, WebhookEndpoint)
            and not self._admitted(runtime, x.metadata.namespace)
            and x.metadata.uid in runtime.applied.documents
        )

    async def _replay(self, runtime: GatewayRuntime, compiled: Compiled) -> None:
        for job in compiled.replays:
            if not runtime.has_replay(job.uid) and job.subscription in runtime.applied.documents:
                await runtime.store.create_replay(job)
                runtime.record_replay(job.uid)

    # Afterwards ---------------------------------------------------------------------------------

    def _replays_of(self, subscriptions: set[Name]) -> Iterator[ObjectKey]:
        for body in self._objects.all(REPLAY.kind) if subscriptions else ():
            key, ref = key_of(REPLAY.kind, body), body.get("spec", {}).get("subscriptionRef", {})
            if (key.namespace, ref.get("name")) in subscriptions:
                yield key

    def _judge(self, runtime: GatewayRuntime, batch: _Batch, compiled: Compiled) -> None:
        problems: dict[tuple[str, str, str], list[Problem]] = {}
        for problem in compiled.problems:
            place = (problem.kind, problem.namespace, problem.name)
            problems.setdefault(place, []).append(problem)
        for key, resource in batch.resources.items():
            if self._admitted(runtime, key.namespace):
                metadata = resource.metadata
                result = ReconcileResult(
                    key=key,
                    uid=metadata.uid,
                    generation=metadata.generation,
                    problems=tuple(problems.get((key.kind, key.namespace, key.name), ())),
                    resource=resource,
                    unknown=batch.unknown.get(key),
                )
                runtime.record_result(result)

    def _next(self, runtime: GatewayRuntime) -> float | None:
        if runtime.has_work:
            return 0.0
        first = runtime.next_due
        return None if first is None else max(first - self._clock.now(), 0) / 1000


def _out_of_room(runtime: GatewayRuntime, gone: ObjectKey) -> Iterator[ObjectKey]:
    """Objects that could be in force if this one had left them its room."""
    for key, result in runtime.results.items():
        refused = any(x.reason is Reason.QUOTA_EXCEEDED for x in result.problems)
        if refused and key[:2] == gone[:2] and key != gone:
            yield key


def _any(_: Mapping[str, Any]) -> bool:
    return True


def _name(document: Configured) -> Name:
    return document.namespace, document.name


def _without_status(body: Object) -> Object:
    return {name: value for name, value in body.items() if name != "status"}


def _refused(key: ObjectKey, body: Object, parsed: ParsedObject) -> ReconcileResult:
    """The schema took what the models do not: a rule of this version that is newer than the
    object."""
    metadata = body["metadata"]
    return ReconcileResult(
        key, metadata.get("uid", ""), metadata.get("generation", 1), parsed.problems
    )


def _not_admitted(key: ObjectKey, resource: Resource, runtime: GatewayRuntime) -> ReconcileResult:
    namespace, name = runtime.name
    message = (
        f'WebhookGateway "{namespace}/{name}" does not admit namespace "{key.namespace}"; its '
        "allowedNamespaces decides"
    )
    problem = Problem(*key, "spec.gatewayRef", message, Severity.ERROR, reason=Reason.NOT_ALLOWED)
    metadata = resource.metadata
    return ReconcileResult(key, metadata.uid, metadata.generation, (problem,), resource)


def _parts(change: ConfigDiff) -> Iterator[ConfigDiff]:
    """So many documents at once that no statement takes long, but never an endpoint that is new
    without all that read it: what it accepts from then on is theirs."""
    part: list[Configured] = []
    written = {x.uid for x in (*change.created, *change.changed)}
    if moved := {x: place for x, place in change.places.items() if x[1] not in written}:
        yield ConfigDiff(places=moved)
    for unit in _units(change):
        if part and len(part) + len(unit) > ROWS_AT_ONCE:
            yield _only(change, part)
            part = []
        part += unit
    if part:
        yield _only(change, part)
    if change.deleted:
        yield ConfigDiff(deleted=change.deleted)


def _units(change: ConfigDiff) -> Iterator[list[Configured]]:
    """What must be written together: first the new endpoints of each namespace with their readers,
    then each other document by itself."""
    new = {x.uid for x in change.created if isinstance(x, EndpointConfig)}
    together: dict[str, list[Configured]] = {}
    alone: list[list[Configured]] = []
    for document in (*change.created, *change.changed):
        reads = document.endpoints if isinstance(document, SubscriptionConfig) else (document.uid,)
        if new.isdisjoint(reads):
            alone.append([document])
        else:
            together.setdefault(document.namespace, []).append(document)
    yield from together.values()
    yield from alone


def _only(change: ConfigDiff, part: Sequence[Configured]) -> ConfigDiff:
    uids = {x.uid for x in part}
    return ConfigDiff(
        created=tuple(x for x in change.created if x.uid in uids),
        changed=tuple(x for x in change.changed if x.uid in uids),
        places={x: place for x, place in change.places.items() if x[1] in uids},
        predecessors={x: change.predecessors[x] for x in uids & change.predecessors.keys()},
    )
