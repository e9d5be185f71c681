"""Everything that may happen, as a table: what is drawn, and how often."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from support.chaos import clusters, users
from support.chaos.networks import TROUBLES
from support.chaos.world import World

Act = Callable[[World, random.Random], None]


@dataclass(frozen=True)
class Action:
    """Something that users do or that befalls a cluster."""

    act: Act
    weight: float = 1.0
    """How often it is drawn among its like."""


USERS: Final = {
    "apply": Action(users.apply_one, 6),
    "suspend": Action(users.suspend, 3),
    "delete": Action(users.delete, 3),
    "replace --force": Action(users.replace_by_force, 3),
    "make again": Action(users.make_again, 2),
    "churn": Action(users.churn),
    "labels and annotations": Action(users.flap),
    "finalizer": Action(users.held_by_a_finalizer),
    "replay": Action(users.ask_for_a_replay),
    "delete namespace": Action(users.delete_namespace),
    "make namespace": Action(users.make_namespace, 3),
    "write Secret": Action(users.write_secret, 3),
    "immutable Secret": Action(users.freeze_secret),
    "empty Secret": Action(users.empty_secret),
    "delete Secret": Action(users.delete_secret),
    "delete generated Secret": Action(users.delete_generated_secret),
    "drift": Action(users.drift, 2),
    "edit gateway": Action(users.edit_gateway),
    "replace gateway": Action(users.replace_gateway, 0.5),
    "target in trouble": Action(users.target_in_trouble),
}
"""What people and their tools do."""

CLUSTER: Final = {
    "API server restarted": Action(clusters.restart_api_server),
    "etcd restored": Action(clusters.restore_etcd, 2),
    "history compacted": Action(clusters.compact),
    "CRD removed": Action(clusters.remove_kind),
    "rights taken": Action(clusters.take_rights, 2),
    "quota": Action(clusters.quota),
    "policy": Action(clusters.policy),
    "Lease deleted": Action(clusters.delete_lease),
    "Lease edited": Action(clusters.edit_lease),
    "leader stopped": Action(clusters.stop_leader, 2),
    "leader killed": Action(clusters.kill_leader),
    "follower killed": Action(clusters.kill_follower),
    "clocks apart": Action(clusters.shift_clocks),
}
"""What befalls a cluster, and the operator's processes."""

ACTIONS: Final = {**USERS, **CLUSTER}
NETWORK: Final = tuple(TROUBLES)
"""What networks do to the operators' requests."""
