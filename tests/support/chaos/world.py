"""What a run of chaos stands on: one API server, two operators behind proxies, a database, the
gateway's pods as processes, and a subscriber."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.chaos.api import AdminApi
from support.chaos.tenants import GATEWAY, HOME, namespace_object, placed
from support.chaos.traffic import Traffic
from support.clocks.blocking import until
from support.cluster.shifted_wall import write_shift
from support.http.subscriber import Target, target
from support.kubernetes.api_proxy import ApiProxy, api_proxy
from support.kubernetes.control_plane import ControlPlane, require_components, with_our_kinds
from support.kubernetes.installation import gateway_spec, reachable_address
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.manifests import made, secret
from support.kubernetes.operator import OperatorProcess
from support.kubernetes.pods import Pods
from support.kubernetes.rights import OTHER_KINDS, OUR_KINDS, bound, role, rule
from support.postgres.server import PostgresServer, require_binaries

Object = dict[str, Any]
GROUP: Final = "operators"
REPLICAS: Final = ("operator-0", "operator-1")


@dataclass
class Replica:
    """One of the operators."""

    process: OperatorProcess
    proxy: ApiProxy
    wall: Path
    is_ours_to_end: bool = False
    """Chaos has ended or stopped it and will bring it back."""

    @property
    def name(self) -> str:
        return self.process.name

    def leads(self) -> bool:
        try:
            return self.process.leads()
        except (OSError, KeyError):
            return False

    def sleep(self) -> None:
        self.is_ours_to_end = True
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)
        self.is_ours_to_end = False

    def kill(self) -> None:
        self.is_ours_to_end = True
        self.process.kill()

    def start(self) -> None:
        self.process.spawn()
        self.is_ours_to_end = False


@dataclass
class World:
    plane: ControlPlane
    api: AdminApi
    replicas: tuple[Replica, ...]
    pods: Pods
    database: PostgresServer
    subscriber: Target
    traffic: Traffic
    counts: Counter[str] = field(default_factory=Counter)
    mends: list[Callable[[], None]] = field(default_factory=list)
    """What brings back the order that actions have disturbed; the last first."""
    lease_touched: list[float] = field(default_factory=list)
    """When somebody else wrote the Lease, by the wall clock: for a moment two may lead."""
    statuses_are_old: bool = False
    """They are those of a copy of etcd, so nobody says now what they say."""

    def leader(self) -> Replica:
        """Or the first one, while nobody leads."""
        return next((x for x in self.replicas if x.leads()), self.replicas[0])

    def mend(self) -> None:
        """Everything that an action broke for a while."""
        while self.mends:
            self.mends.pop()()

    def touched_lease(self) -> None:
        self.lease_touched.append(time.time())

    def sql(self, statement: str) -> list[list[str]]:
        """Rows, as PostgreSQL prints them."""
        dsn = self.database.dsn("postgres")
        said = self.database.run("psql", "-X", "-A", "-t", "-d", dsn, "-c", statement)
        return [line.split("|") for line in said.splitlines() if line]


def rights(without: str = "", verbs: tuple[str, ...] = ("*",)) -> Object:
    """The operators' role. `without`: a resource with which they may only do `verbs`."""
    every = [x for x in (*OUR_KINDS, *OTHER_KINDS) if x != without]
    left = [rule(verbs, [without])] if without and verbs else []
    return role(GROUP, [rule(["*"], every), *left])


def gateway(**spec: Any) -> Object:
    """The one that everything is on."""
    whole = gateway_spec(reachable_address()) | {"allowedNamespaces": {"from": "All"}} | spec
    return placed(made("WebhookGateway", GATEWAY, whole), HOME)


@contextmanager
def world(folder: Path, *, watches_secrets: bool) -> Iterator[World]:
    """All of it, running and empty. `folder`: for logs."""
    with ExitStack() as stack:
        plane = ControlPlane(require_components())
        stack.callback(plane.stop)
        with_our_kinds(plane)
        database = PostgresServer(require_binaries()).create().start()
        stack.callback(database.remove)
        api = AdminApi(plane)
        _prepare(api, database)
        subscriber = stack.enter_context(target(reachable_address()))
        replicas = [_replica(stack, plane, folder, x, watches_secrets) for x in REPLICAS]
        pods = Pods(Kubectl(plane.admin, HOME), folder / "pods", look_seconds=1.0).start()
        stack.callback(pods.stop)
        traffic = Traffic(pods)
        stack.callback(traffic.stop)
        until(lambda: any(x.leads() for x in replicas), "a leader", 120)
        yield World(plane, api, tuple(replicas), pods, database, subscriber, traffic)


def _prepare(api: AdminApi, database: PostgresServer) -> None:
    for wanted in (
        namespace_object(HOME),
        rights(),
        bound(GROUP, GROUP),
        placed(secret("database", dsn=database.dsn("postgres")), HOME),
        gateway(),
    ):
        api.apply(wanted)


def _replica(
    stack: ExitStack, plane: ControlPlane, folder: Path, name: str, watches_secrets: bool
) -> Replica:
    proxy = stack.enter_context(api_proxy(plane, name, GROUP))
    config = proxy.kubeconfig(folder / f"{name}.kubeconfig")
    settings = {"image": "hookplane:test", "watchSecrets": watches_secrets}
    settings |= {"defaultGateway": {"enabled": False}}
    wall = folder / f"{name}.wall"
    write_shift(wall, 0)
    process = OperatorProcess(config, HOME, settings, folder, name, wall)
    process.spawn()
    stack.callback(process.kill)
    return Replica(process, proxy, wall)
