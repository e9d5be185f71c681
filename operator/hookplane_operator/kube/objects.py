"""What the operator has seen of the cluster: objects by kind, namespace and name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from hookplane.compile.model import ObjectKey
from hookplane_operator.kube.kinds import Object

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class ObjectChange(StrEnum):
    """How an object differs from what was known."""

    NOTHING = "nothing"
    STATUS = "status"
    """Only what others report about it; our own writes are this."""
    MEANT = "meant"
    """What its owner wants, or that it is there at all."""
    GONE = "gone"


class Objects:
    """Fed by watches and lists, which may come in any order: an older version never replaces a
    newer one."""

    def __init__(self) -> None:
        self._kinds: defaultdict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._uids: set[str] = set()
        self._gone: dict[str, int] = {}
        """Uid → the version at which it was deleted, so that a late list does not revive it."""

    def get(self, key: ObjectKey) -> Object | None:
        return self._kinds[key.kind].get((key.namespace, key.name))

    def all(self, kind: str, namespace: str | None = None) -> Iterator[Object]:
        """Those of a kind, in one namespace or in all."""
        for (where, _), body in list(self._kinds[kind].items()):
            if namespace is None or where == namespace:
                yield body

    def has(self, uid: str) -> bool:
        """Whether there is an object with this uid, of whatever kind."""
        return uid in self._uids

    def count(self, kind: str) -> int:
        return len(self._kinds[kind])

    def put(self, kind: str, body: Object) -> ObjectChange:
        """Takes a version in."""
        key = key_of(kind, body)
        old = self._kinds[kind].get((key.namespace, key.name))
        if uid_of(body) in self._gone or (old is not None and _version(old) >= _version(body)):
            return ObjectChange.NOTHING
        self._forget(old)
        self._uids.add(uid_of(body))
        body = _kept(body)
        self._kinds[kind][key.namespace, key.name] = body
        if old is None or _meant(old) != _meant(body):
            return ObjectChange.MEANT
        return ObjectChange.STATUS

    def remove(self, kind: str, body: Object) -> ObjectChange:
        """It was deleted."""
        key = key_of(kind, body)
        self._gone[uid_of(body)] = _version(body)
        while len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]
        old = self._kinds[kind].get((key.namespace, key.name))
        if old is None or uid_of(old) != uid_of(body):
            return ObjectChange.NOTHING
        self.drop(key)
        return ObjectChange.GONE

    def drop(self, key: ObjectKey) -> None:
        """A full list did not have it."""
        self._forget(self._kinds[key.kind].pop((key.namespace, key.name), None))

    def _forget(self, body: Object | None) -> None:
        if body is not None:
            self._uids.discard(uid_of(body))


_REMEMBERED = 10_000


def key_of(kind: str, body: Object) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(kind, metadata.get("namespace", ""), metadata["name"])


def uid_of(body: Object) -> str:
    return str(body["metadata"].get("uid", ""))


def _version(body: Object) -> int:
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0


def _kept(body: Object) -> Object:
    """Without the record of who owns which field, and without kubectl's copy of the whole manifest,
    which nobody reads."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    notes = metadata.get("annotations") or {}
    if LAST_APPLIED in notes:
        metadata["annotations"] = {name: notes[name] for name in notes if name != LAST_APPLIED}
    return {**body, "metadata": metadata}


def _meant(body: Object) -> tuple[object, ...]:
    metadata = body["metadata"]
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        metadata.get("labels"),
        metadata.get("annotations"),
        metadata.get("deletionTimestamp"),
        body.get("data"),
        body.get("type"),
    )
