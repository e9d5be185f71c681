"""What operators that are no administrators may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hookplane_operator.kube.kinds import BOUNDS, CHILDREN, EVENT, LEASE, NAMESPACE, OURS, SECRET

Object = dict[str, Any]
OUR_KINDS: Final = tuple(x.plural for x in OURS.values())
OTHER_KINDS: Final = tuple(
    x.plural for x in (NAMESPACE, SECRET, EVENT, LEASE, *BOUNDS, *CHILDREN.values())
)
"""All else that an operator reads or writes."""
_GROUP: Final = "rbac.authorization.k8s.io"


def rule(verbs: Sequence[str], plurals: Sequence[str]) -> Object:
    """About these kinds and their statuses."""
    resources = [name for plural in plurals for name in (plural, f"{plural}/status")]
    return {"apiGroups": ["*"], "resources": resources, "verbs": [*verbs]}


def role(name: str, rules: Sequence[Object]) -> Object:
    return {**_rbac("ClusterRole", name), "rules": [*rules]}


def bound(name: str, group: str) -> Object:
    """The role of this name is given to a group of users."""
    return {
        **_rbac("ClusterRoleBinding", name),
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": _GROUP, "kind": "Group", "name": group}],
    }


def _rbac(kind: str, name: str) -> Object:
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": {"name": name}}
