"""Which cluster this is, as the databases of its gateways know it."""

from __future__ import annotations

import contextlib
from typing import Final

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import Forbidden, NotFound
from hookplane_operator.kube.kinds import NAMESPACE

KUBE_SYSTEM: Final = "kube-system"
"""A namespace whose uid is what people take for the identity of a cluster."""


class ClusterIdentity:
    """The uid of kube-system; for an operator that may not read it, that of its own namespace.

    An API server that starts refuses for a moment what is allowed. So what could not be read is
    asked for again, and a database that knows this cluster by the other uid is its own, too.
    """

    def __init__(self, kube: Kube, own: str) -> None:
        """`own`: the operator's namespace."""
        self._kube = kube
        self._own = own
        self._uids: dict[str, str] = {}

    async def look(self) -> None:
        """Asks for what is not known yet. Raises ApiError."""
        for name in (KUBE_SYSTEM, self._own):
            if name not in self._uids:
                with contextlib.suppress(Forbidden, NotFound):
                    body = await self._kube.get(NAMESPACE, None, name)
                    self._uids[name] = str(body["metadata"]["uid"])

    def owner(self, namespace: str, name: str) -> str:
        """Of the database of a gateway, by its namespace and name."""
        own = self._uids.get(self._own, self._own)
        return f"{self._uids.get(KUBE_SYSTEM, own)}/{namespace}/{name}"

    def other_owner(self, namespace: str, name: str) -> str:
        """The same gateway as it was called while kube-system could not be read; empty: never."""
        own = self._uids.get(self._own)
        return f"{own}/{namespace}/{name}" if own else ""
