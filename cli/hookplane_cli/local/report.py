"""A report on manifests: problems, and notes on what they need from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hookplane.compile.model import Problem, Severity
from hookplane.manifests.model import Finding, Manifests
from hookplane_cli.human import counted

_NAMES: Final = " (manifests are *.yaml, *.yml and *.json)"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Findings about a set of manifests."""

    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    objects: int
    files: int

    def summary(self) -> str:
        """`2 problems in 14 objects`."""
        objects = counted(self.objects, "object")
        if self.problems:
            return f"{counted(len(self.problems), 'problem')} in {objects}"
        if not self.objects:
            return f"nothing was checked: no objects in {counted(self.files, 'file')}{_NAMES}"
        rest = f", and {counted(len(self.notes), 'note')} (exit code 0)"
        told = f"{objects} in {counted(self.files, 'file')}, no problems"
        return told + rest if self.notes else told

    def as_json(self) -> dict[str, Any]:
        return {
            "objects": self.objects,
            "files": self.files,
            "problems": [_as_json(finding) for finding in self.problems],
            "notes": [_as_json(finding) for finding in self.notes],
        }


def make_report(
    manifests: Manifests, problems: Iterable[Problem], *, strict: bool = False
) -> CheckReport:
    """Sorts what reading and compiling found. What only needs something from elsewhere is a note,
    one line for each thing that an object needs; with `strict` it is a problem."""
    found = _sorted([*manifests.findings, *map(manifests.locate, problems)])
    needs = _needs([finding for finding in found if finding.problem.absent is not None])
    rest = [finding for finding in found if finding.problem.absent is None]
    wrong = [x for x in rest if x.problem.severity is not Severity.NOTE]
    notes = [x for x in rest if x.problem.severity is Severity.NOTE]
    if strict:
        wrong += needs
    else:
        notes += needs
    return CheckReport(
        _sorted(wrong), _sorted(notes + _passed_over(manifests)), manifests.objects, manifests.files
    )


def _needs(findings: Iterable[Finding]) -> list[Finding]:
    """One line for each Secret that an object needs, whatever the number of keys; other findings
    stay as they are."""
    secrets: dict[tuple[str, ...], list[Finding]] = {}
    others = []
    for finding in findings:
        problem, absent = finding.problem, finding.problem.absent
        if absent is not None and absent.kind == "Secret":
            group = (problem.kind, problem.namespace, problem.name, absent.name)
            secrets.setdefault(group, []).append(finding)
        else:
            others.append(finding)
    return others + [_need(name, found) for (*_, name), found in secrets.items()]


def _need(secret: str, findings: Sequence[Finding]) -> Finding:
    """`needs Secret partner-erp with keys hmac, api-key, ca.crt`."""
    keys = dict.fromkeys(x.problem.absent.key for x in findings if x.problem.absent)
    noun = "key" if len(keys) == 1 else "keys"
    first = findings[0]
    message = f"needs Secret {secret} with {noun} {', '.join(keys)}"
    return replace(first, problem=replace(first.problem, path="", message=message))


def _passed_over(manifests: Manifests) -> list[Finding]:
    if not manifests.others:
        return []
    kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(manifests.others.items()))
    message = f"passed over objects of other kinds: {kinds}"
    return [Finding(Problem("", "", "", "", message, Severity.NOTE))]


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda x: (x.file, x.line, x.problem.path)))


def _as_json(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "file": finding.file,
        "line": finding.line,
        "kind": problem.kind,
        "namespace": problem.namespace,
        "name": problem.name,
        "path": problem.path,
        "message": problem.message,
        "severity": problem.severity.value,
    }
