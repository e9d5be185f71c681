"""How many objects of a kind a namespace may have in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hookplane.compile.model import Resource, kind_of, uid_of
from hookplane.compile.problems import Problems
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.subscription import WebhookSubscription


class Room:
    """What is in force, and how much more may be. What is in force stays, whatever the bound."""

    def __init__(self, most: Mapping[str, int], known: Iterable[Document]) -> None:
        """`most`: kind → so many in each namespace; others have no bound."""
        self._most = most
        self._taken: dict[tuple[str, str], set[str]] = {}
        for document in known if most else ():
            if not (isinstance(document, EndpointConfig) and document.builtin):
                self._of(_kind_of(document), document.namespace).add(document.uid)

    def has(self, resource: Resource, problems: Problems) -> bool:
        """Whether there is room for it; if not, that is told."""
        kind, namespace = kind_of(resource), resource.metadata.namespace
        most, taken = self._most.get(kind), self._of(kind, namespace)
        if most is None or uid_of(resource) in taken or len(taken) < most:
            return True
        problems.error("", _no_room(kind, namespace, most), Reason.QUOTA_EXCEEDED)
        return False

    def take(self, resource: Resource) -> None:
        """It will be in force."""
        self._of(kind_of(resource), resource.metadata.namespace).add(uid_of(resource))

    def _of(self, kind: str, namespace: str) -> set[str]:
        return self._taken.setdefault((kind, namespace), set())


def _kind_of(document: Document) -> str:
    kind = WebhookEndpoint if isinstance(document, EndpointConfig) else WebhookSubscription
    return kind.__name__


def _no_room(kind: str, namespace: str, most: int) -> str:
    return (
        f"namespace {namespace} may have {most} of {kind} in force on this gateway, and has as "
        "many; delete one, or have the gateway's spec.quotas.perNamespace raised"
    )
