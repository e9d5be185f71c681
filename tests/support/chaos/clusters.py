"""What happens to a cluster and to the operator's processes."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from support.chaos.api import Declined
from support.chaos.tenants import GATEWAY, HOME, TENANTS, placed
from support.chaos.users import ENDPOINT, SUBSCRIPTION, apply_one, delete, own_part, suspend
from support.chaos.world import Replica, World, rights
from support.clocks.blocking import until
from support.cluster.shifted_wall import write_shift
from support.kubernetes.control_plane import CRDS, install_crds

Object = dict[str, Any]
LEASE: Final = "hookplane-operator"
HOUR: Final = 3_600_000
"""Milliseconds."""
NOTICE_SECONDS: Final = 4.0
"""So long the operators may go by what is taken back afterwards."""
PLURALS: Final = {
    "webhookendpoints": ENDPOINT,
    "webhooksubscriptions": SUBSCRIPTION,
}


# The API server and etcd --------------------------------------------------------------------------


def restart_api_server(world: World, _: random.Random) -> None:
    world.plane.kill("api")
    world.plane.start_api()


def restore_etcd(world: World, chance: random.Random) -> None:
    """Back to a copy: versions too, and what was deleted is there again with its uid."""
    world.traffic.account.doubt()
    live, copy = world.plane.folder / "etcd", world.plane.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    _swap(world, lambda: shutil.copytree(live, copy))
    for act in (apply_one, suspend, delete, delete, apply_one):
        act(world, chance)
    time.sleep(NOTICE_SECONDS)
    world.statuses_are_old = True
    _swap(world, lambda: _put_back(copy, live))
    world.touched_lease()
    world.counts["restores"] += 1


def _put_back(copy: Path, live: Path) -> Path:
    shutil.rmtree(live)
    return shutil.copytree(copy, live)


def _swap(world: World, files: Callable[[], Path]) -> None:
    world.plane.kill("api")
    world.plane.kill("etcd")
    files()
    world.plane.start_etcd()
    world.plane.start_api()


def compact(world: World, _: random.Random) -> None:
    """Watches that break now find their history gone."""
    world.plane.compact()
    for replica in world.replicas:
        replica.proxy.cut()


def remove_kind(world: World, chance: random.Random) -> None:
    """A CRD goes with all its objects, is installed again, and a tool applies what it had."""
    plural = chance.choice([*PLURALS])
    world.traffic.account.doubt()
    kept = [
        own_part(x)
        for x in world.api.list(PLURALS[plural])
        if x["metadata"]["namespace"] in TENANTS
    ]
    crd = f"{plural}.hookplane.dev"
    world.api.delete("CustomResourceDefinition", "", crd)
    until(lambda: world.api.find("CustomResourceDefinition", "", crd) is None, "its end", 60)
    time.sleep(chance.choice([0.0, NOTICE_SECONDS]))
    install_crds(world.plane, CRDS)
    for one in kept:
        if world.api.find("Namespace", "", one["metadata"]["namespace"]):
            world.api.apply(one)


# Who may do what ----------------------------------------------------------------------------------


def take_rights(world: World, chance: random.Random) -> None:
    """For a while: everything with a kind, or all but reading it, or watching it."""
    resource = chance.choice(["webhookendpoints", "webhooksubscriptions", "secrets", "deployments"])
    verbs = chance.choice([(), ("get", "list", "watch"), ("get", "list")])
    world.api.apply(rights(resource, verbs))
    world.mends.append(lambda: _swallow(world.api.apply(rights())))


def _swallow(_: object) -> None:
    """Its answer says nothing new."""


def quota(world: World, chance: random.Random) -> None:
    """No Deployment more than there are, and one that is there is deleted."""
    hard = {"hard": {"count/deployments.apps": "1"}}
    wanted = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": hard,
    }
    world.api.apply(placed(wanted, HOME))
    time.sleep(1)
    world.api.delete("Deployment", HOME, f"{GATEWAY}-{chance.choice(['receiver', 'dispatcher'])}")
    world.mends.append(lambda: world.api.delete("ResourceQuota", HOME, "few"))


def policy(world: World, chance: random.Random) -> None:
    """An admission policy refuses a child of the gateway, which somebody deletes."""
    kind, plural = chance.choice([("Deployment", "deployments"), ("Service", "services")])
    for wanted in refusal(plural):
        world.api.apply(wanted)
    world.mends.append(lambda: _withdraw(world))
    time.sleep(2)
    world.api.delete(kind, HOME, f"{GATEWAY}-receiver")


def refusal(plural: str) -> tuple[Object, Object]:
    """A policy and its binding: nobody makes or changes these."""
    version = "admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": ["", "apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [plural],
    }
    said = "no pods without a cost-center label"
    named = {"apiVersion": version, "metadata": {"name": "refuses"}}
    return (
        {
            **named,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "false", "message": said}],
            },
        },
        {
            **named,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": "refuses", "validationActions": ["Deny"]},
        },
    )


def _withdraw(world: World) -> None:
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        world.api.delete(kind, "", "refuses")


# The Lease, and the operators ---------------------------------------------------------------------


def delete_lease(world: World, _: random.Random) -> None:
    world.touched_lease()
    world.api.delete("Lease", HOME, LEASE)


def edit_lease(world: World, chance: random.Random) -> None:
    """Somebody else holds it, or it was taken at a time that is not yet."""
    world.touched_lease()
    ahead = datetime.now(UTC) + timedelta(hours=1)
    others: list[Object] = [
        {"holderIdentity": "somebody-else"},
        {"holderIdentity": ""},
        {"acquireTime": ahead.strftime("%Y-%m-%dT%H:%M:%S.000000Z")},
    ]
    try:
        world.api.merge("Lease", HOME, LEASE, {"spec": chance.choice(others)})
    except Declined as error:
        if error.code != 404:
            raise


def stop_leader(world: World, _: random.Random) -> None:
    """It stands still, another takes over, and it goes on."""
    leader = world.leader()
    leader.sleep()
    world.mends.append(leader.wake)


def kill_leader(world: World, _: random.Random) -> None:
    _bounce(world, world.leader())


def kill_follower(world: World, _: random.Random) -> None:
    leader = world.leader()
    _bounce(world, next(x for x in world.replicas if x is not leader))


def _bounce(world: World, replica: Replica) -> None:
    replica.kill()
    world.mends.append(replica.start)


def shift_clocks(world: World, chance: random.Random) -> None:
    """The replicas' clocks are apart by hours."""
    for replica in world.replicas:
        write_shift(replica.wall, chance.choice([-5, -1, 0, 1, 5]) * HOUR)
