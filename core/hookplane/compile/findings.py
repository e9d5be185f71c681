"""Collects what is wrong with one object while it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from hookplane.compile.model import Absent, Problem, Resource, Severity
from hookplane.errors import InvalidValue
from hookplane.kinds.conditions import Reason

T = TypeVar("T")

PLURALS: Final = {
    "WebhookEndpoint": "webhookendpoints",
    "WebhookSubscription": "webhooksubscriptions",
    "WebhookReplay": "webhookreplays",
    "WebhookGateway": "webhookgateways",
}


def kind_of(resource: Resource) -> str:
    """`WebhookEndpoint` and so on."""
    return type(resource).__name__


def uid_of(resource: Resource) -> str:
    """The object's uid in a cluster, `<plural>/<namespace>/<name>` on a laptop."""
    metadata = resource.metadata
    return metadata.uid or local_uid(kind_of(resource), metadata.namespace, metadata.name)


def local_uid(kind: str, namespace: str, name: str) -> str:
    """Identity on a laptop: the name."""
    return f"{PLURALS[kind]}/{namespace}/{name}"


class Findings:
    """Problems of one object; compiling goes on after each, so that all are told at once."""

    def __init__(self, resource: Resource) -> None:
        self.namespace = resource.metadata.namespace
        self._kind = kind_of(resource)
        self._name = resource.metadata.name
        self.problems: list[Problem] = []
        self.not_ready = ""
        """The first thing that is missing and without which the object cannot work."""

    @property
    def failed(self) -> bool:
        """Something is wrong, so there is no document."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def error(self, path: str, message: str, reason: Reason = Reason.INVALID) -> None:
        self._add(path, message, Severity.ERROR, reason)

    def missing(
        self, path: str, message: str, reason: Reason, absent: Absent | None = None
    ) -> None:
        """The object is compiled, but not ready."""
        self.wait(message)
        self.lacking(path, message, reason, absent)

    def lacking(
        self, path: str, message: str, reason: Reason, absent: Absent | None = None
    ) -> None:
        """A part of the object has no effect yet; the rest works."""
        self._add(path, message, Severity.MISSING, reason, absent)

    def wait(self, reason: str) -> None:
        """Not ready, and nothing that anybody need do about it."""
        self.not_ready = self.not_ready or reason

    def note(self, path: str, message: str) -> None:
        self._add(path, message, Severity.NOTE, Reason.ACCEPTED)

    def checked(
        self, path: str, make: Callable[[], T], reason: Reason = Reason.INVALID
    ) -> T | None:
        """What `make` gives; InvalidValue becomes an error at `path`."""
        with self.checking(path, reason):
            return make()
        return None

    @contextmanager
    def checking(self, path: str, reason: Reason = Reason.INVALID) -> Iterator[None]:
        """InvalidValue becomes an error at `path`."""
        try:
            yield
        except InvalidValue as error:
            self.error(path, str(error), reason)

    def _add(
        self,
        path: str,
        message: str,
        severity: Severity,
        reason: Reason,
        absent: Absent | None = None,
    ) -> None:
        place = (self._kind, self.namespace, self._name, path)
        self.problems.append(Problem(*place, message, severity, absent, reason))
