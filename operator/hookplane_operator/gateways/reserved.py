"""Secrets of the gateways themselves, which objects of users must not refer to; pure.

They are read from the objects as they are, so that the Secrets of a gateway that was not reconciled
yet, or that is refused, are protected as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import keys_of
from hookplane_operator.state.runtime import Name

_DATABASE = "the way into a database"


def reserved(gateways: Iterable[Object]) -> dict[Name, str]:
    """Namespace and name of each Secret → what it is."""
    return {
        (body["metadata"]["namespace"], name): what
        for body in gateways
        for name, what in _of(body["metadata"]["name"], body.get("spec") or {})
        if name
    }


def _of(gateway: str, spec: Object) -> Iterator[tuple[str, str]]:
    for database in (spec.get("store") or {}).values():
        for key in ("dsn", "migrationDSN"):
            ref = ((database or {}).get(key) or {}).get("secretKeyRef") or {}
            yield ref.get("name", ""), _DATABASE
    tls = (spec.get("receiver") or {}).get("tls") or {}
    yield (tls.get("certificateRef") or {}).get("name", ""), "a receiver's key"
    yield keys_of(gateway), "an encryption key"
