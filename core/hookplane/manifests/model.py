"""What reading manifests gives: resources, Secrets, and problems with their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hookplane.compile.model import ObjectKey, Problem, Resource, SecretObject, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and the place in the files where it is."""

    problem: Problem
    file: str = ""
    line: int = 0
    """0: not known."""

    def __str__(self) -> str:
        """`file:line: Kind namespace/name: path: message`, without the parts that are not known.
        One line, whatever line breaks and control characters the manifest has."""
        problem = self.problem
        name = f"{problem.namespace}/{problem.name}" if problem.namespace else problem.name
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{problem.kind} {name}".strip()
        line = ": ".join(part for part in (place, subject, problem.path, problem.message) if part)
        return "".join(char if char.isprintable() else "�" for char in line)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object is written, so that a problem that is found later can name the line."""

    file: str
    lines: Mapping[str, int] = field(default_factory=dict)
    """Path → line; "" is the object itself. Empty: the format has no lines."""

    def line(self, path: str) -> int:
        """The line of a field, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 0)


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that a set of manifest files holds."""

    resources: tuple[Resource, ...] = ()
    secrets: tuple[SecretObject, ...] = ()
    findings: tuple[Finding, ...] = ()
    origins: Mapping[ObjectKey, Origin] = field(default_factory=dict)
    """Where each object is written; broken ones too, if their kind and name are known."""
    broken: frozenset[ObjectKey] = frozenset()
    """Objects that are written in the files but have errors."""
    complete: bool = True
    """False: something could not be read, so the files may hold objects that are not in `origins`.
    An object that is missing must not be taken for deleted then."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Kind → number of objects that were ignored, because the kind is not one of ours."""
    files: int = 0
    objects: int = 0
    """Number of objects of our kinds and Secrets, with or without errors."""

    @property
    def failed(self) -> bool:
        """Whether anything is an error."""
        return any(finding.problem.severity is Severity.ERROR for finding in self.findings)

    def locate(self, problem: Problem) -> Finding:
        """The finding for a problem of one of the objects."""
        key = ObjectKey(problem.kind, problem.namespace, problem.name)
        origin = self.origins.get(key, Origin(""))
        return Finding(problem, origin.file, origin.line(problem.path))
