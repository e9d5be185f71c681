"""Full lists of a kind, and the deletions that they show.

A watch that was interrupted for long begins again with a list. Objects that were deleted in between
are not in it, and no event tells of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import NotFound
from hookplane_operator.kube.kinds import CHILDREN, GATEWAY, NAMESPACE, USER_KINDS, Object, Resource
from hookplane_operator.kube.names import GATEWAY_LABEL
from hookplane_operator.kube.objects import Objects, uid_of
from hookplane_operator.settings import Scope


class Listing(NamedTuple):
    """Where all objects of a kind are found that the operator looks at."""

    resource: Resource
    namespaces: tuple[str | None, ...]
    selector: str = ""


def listings(scope: Scope) -> list[Listing]:
    """Of all kinds that a cluster must have; first what the others depend on. Pure."""
    found = [Listing(GATEWAY, scope.gateways)]
    found += [] if scope.user_namespaces else [Listing(NAMESPACE, (None,))]
    found += [
        Listing(x, scope.gateways, GATEWAY_LABEL) for x in CHILDREN.values() if not x.optional
    ]
    return found + [Listing(x, scope.lists) for x in USER_KINDS]


class FullLists:
    """Compares what is known with full lists."""

    def __init__(self, kube: Kube, objects: Objects, scope: Scope) -> None:
        self._kube = kube
        self._objects = objects
        self._listings = {x.resource.kind: x for x in listings(scope)}

    async def read(self, listing: Listing, *, metadata_only: bool = False) -> AsyncIterator[Object]:
        """Raises ApiError."""
        for namespace in listing.namespaces:
            async for body in self._kube.list(
                listing.resource, namespace, selector=listing.selector, metadata_only=metadata_only
            ):
                yield body

    async def missing(self, kind: str) -> list[Object]:
        """Objects that were known before and that a full list does not have. Raises ApiError."""
        if (listing := self._listings.get(kind)) is None:
            return []
        before = {uid_of(body): body for body in self._objects.all(kind)}
        try:
            async for body in self.read(listing, metadata_only=True):
                before.pop(uid_of(body), None)
        except NotFound:
            return []  # a CRD that is gone tells nothing of what was meant to go
        return list(before.values())
