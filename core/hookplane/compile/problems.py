"""Collects the problems of one object while it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from hookplane.compile.model import Absent, Problem, Resource, Severity, kind_of
from hookplane.errors import InvalidValue
from hookplane.kinds.conditions import Reason

T = TypeVar("T")

_OF_MISSING_SECRETS: Final = frozenset({Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_NOT_FOUND})


class Problems:
    """The problems of one object. Compiling goes on after each of them, so that people hear of all
    at once."""

    def __init__(self, resource: Resource) -> None:
        self.namespace = resource.metadata.namespace
        self._kind = kind_of(resource)
        self.name = resource.metadata.name
        self.found: list[Problem] = []
        self.not_ready = ""
        """Why the object cannot work yet: the first such reason that was met."""

    @property
    def failed(self) -> bool:
        """Whether there is an error, so that the object gets no document."""
        return any(problem.severity is Severity.ERROR for problem in self.found)

    @property
    def lacks_secret(self) -> bool:
        """Whether a Secret that the object refers to, or a key of it, is not there."""
        return any(problem.reason in _OF_MISSING_SECRETS for problem in self.found)

    def error(self, path: str, message: str, reason: Reason = Reason.INVALID) -> None:
        """The field at `path` is not as it must be."""
        self._add(path, message, Severity.ERROR, reason)

    def missing(
        self, path: str, message: str, reason: Reason, absent: Absent | None = None
    ) -> None:
        """Something that the object needs is not there: it is compiled, but not ready."""
        self.mark_not_ready(message)
        self.missing_part(path, message, reason, absent)

    def missing_part(
        self, path: str, message: str, reason: Reason, absent: Absent | None = None
    ) -> None:
        """Something that a part of the object needs is not there; the rest of it works."""
        self._add(path, message, Severity.MISSING, reason, absent)

    def mark_not_ready(self, reason: str) -> None:
        """The object is not ready, and becomes so without anybody's help."""
        self.not_ready = self.not_ready or reason

    def note(self, path: str, message: str, reason: Reason = Reason.ACCEPTED) -> None:
        """Something worth knowing; nothing is wrong. `reason`: that of the condition that tells it
        in a cluster, if one does."""
        self._add(path, message, Severity.NOTE, reason)

    def checked(
        self, path: str, make: Callable[[], T], reason: Reason = Reason.INVALID
    ) -> T | None:
        """What `make` gives; None when it raises InvalidValue, which becomes an error at `path`."""
        with self.checking(path, reason):
            return make()
        return None

    @contextmanager
    def checking(self, path: str, reason: Reason = Reason.INVALID) -> Iterator[None]:
        """Turns an InvalidValue that is raised inside into an error at `path`."""
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
        place = (self._kind, self.namespace, self.name, path)
        self.found.append(Problem(*place, message, severity, absent, reason))
