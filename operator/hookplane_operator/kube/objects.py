"""What the operator has seen of the cluster: objects by kind, namespace and name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from hookplane.compile.model import ObjectKey
from hookplane_operator.kube.kinds import Object

DELETED: Final = "DELETED"
"""Type of a watch event: somebody deleted it."""
MISSING: Final = "MISSING"
"""In place of one: a full list does not have it any more."""
GONE: Final = (DELETED, MISSING)
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
    """Fed by lists, watches, and answers to our own writes.

    What a list says *is* the state, whatever version it has: etcd may have been restored. Versions
    order only what comes after it: of one object, an event of a watch and the answer to a write may
    come in any order.
    """

    def __init__(self) -> None:
        self._kinds: defaultdict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._uids: set[str] = set()

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
        """A list has it."""
        key, body = key_of(kind, body), _kept(body)
        old = self._kinds[kind].get((key.namespace, key.name))
        if old == body:
            return ObjectChange.NOTHING
        self._forget(old)
        self._uids.add(uid_of(body))
        self._kinds[kind][key.namespace, key.name] = body
        if old is None or _meant(old) != _meant(body):
            return ObjectChange.MEANT
        return ObjectChange.STATUS

    def follow(self, kind: str, body: Object) -> ObjectChange:
        """A watch tells that it is so now, unless a write of ours was answered since."""
        old = self.get(key_of(kind, body))
        known = old is not None and uid_of(old) == uid_of(body)
        if old is not None and known and version_of(old) >= version_of(body):
            return ObjectChange.NOTHING
        return self.put(kind, body)

    def answered(self, kind: str, body: Object) -> ObjectChange:
        """A write of ours was answered so. It makes nothing known that no list or watch has told
        of: the object may be gone by now."""
        old = self.get(key_of(kind, body))
        if old is None or uid_of(old) != uid_of(body):
            return ObjectChange.NOTHING
        return self.follow(kind, body)

    def remove(self, kind: str, body: Object) -> ObjectChange:
        """It is gone."""
        key = key_of(kind, body)
        old = self.get(key)
        if old is None or uid_of(old) != uid_of(body):
            return ObjectChange.NOTHING
        self.drop(key)
        return ObjectChange.GONE

    def drop(self, key: ObjectKey) -> None:
        """It is not known any more."""
        self._forget(self._kinds[key.kind].pop((key.namespace, key.name), None))

    def _forget(self, body: Object | None) -> None:
        if body is not None:
            self._uids.discard(uid_of(body))


def key_of(kind: str, body: Object) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(kind, metadata.get("namespace", ""), metadata["name"])


def uid_of(body: Object) -> str:
    return str(body["metadata"].get("uid", ""))


def version_of(body: Object) -> int:
    """0 for one that is no number."""
    return version_number(str(body["metadata"].get("resourceVersion", "")))


def version_number(version: str) -> int:
    """A resourceVersion as the number that orders it; 0 for one that is no number."""
    return int(version) if version.isdigit() else 0


def _kept(body: Object) -> Object:
    """Without the record of who owns which field, and without kubectl's copy of the whole manifest,
    which nobody reads."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    notes = metadata.get("annotations") or {}
    if LAST_APPLIED in notes:
        metadata["annotations"] = {name: notes[name] for name in notes if name != LAST_APPLIED}
    return {**body, "metadata": metadata}


def _meant(body: Object) -> tuple[object, ...]:
    """All but the status. The generation alone would not do: after a restore of etcd the same one
    may come with another spec."""
    metadata = body["metadata"]
    noted = [metadata.get(x) for x in ("uid", "labels", "annotations", "deletionTimestamp")]
    said = {name: body[name] for name in body if name not in ("metadata", "status")}
    return (said, metadata.get("generation"), *noted)
