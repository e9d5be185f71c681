"""Reads the texts of manifests. One bad object never stops the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hookplane.compile.model import ObjectKey, Problem, Resource, SecretObject
from hookplane.manifests.files import SourceText
from hookplane.manifests.model import Finding, Manifests, Origin
from hookplane.manifests.nodes import Malformed, Node, read_json, read_yaml
from hookplane.manifests.objects import ParsedObject, is_ours, parse_object


def read_manifests(texts: Sequence[SourceText]) -> Manifests:
    """Reads all texts. Objects of other kinds are ignored and counted; an object that is written
    twice counts once, with a finding for the second."""
    reader = _ManifestReader()
    for text in texts:
        reader.add_text(text)
    return reader.result(len(texts))


class _ManifestReader:
    """Collects what was read so far."""

    def __init__(self) -> None:
        self._values: dict[ObjectKey, Resource | SecretObject] = {}
        self._origins: dict[ObjectKey, Origin] = {}
        self._broken: set[ObjectKey] = set()
        self._others: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._complete = True
        self._objects = 0

    def result(self, files: int) -> Manifests:
        values = self._values.values()
        return Manifests(
            resources=tuple(x for x in values if not isinstance(x, SecretObject)),
            secrets=tuple(x for x in values if isinstance(x, SecretObject)),
            findings=tuple(self._findings),
            origins=self._origins,
            broken=frozenset(self._broken),
            complete=self._complete,
            others=dict(self._others),
            files=files,
            objects=self._objects,
        )

    def add_text(self, text: SourceText) -> None:
        if text.problem:
            self._unreadable(text.file, text.problem)
            return
        try:
            for document in _documents(text):
                self._document(text.file, document)
        except Malformed as error:
            self._unreadable(text.file, str(error), error.line)

    def _document(self, file: str, node: Node) -> None:
        data = node.plain()
        if data is None:
            return
        if not isinstance(data, dict) or not {"apiVersion", "kind"} <= data.keys():
            self._unreadable(
                file, "has no apiVersion and kind, so it is no Kubernetes object", node.line
            )
        elif data["apiVersion"] == "v1" and data["kind"] == "List":
            for item in _items(node):
                self._document(file, item)
        elif is_ours(data):
            self._object(file, node, data)
        else:
            self._others[str(data["kind"])] += 1

    def _object(self, file: str, node: Node, data: Mapping[str, Any]) -> None:
        self._objects += 1
        parsed = parse_object(data)
        origin = Origin(file, dict(node.lines()))
        if parsed.key is None:
            self._complete = False
        elif parsed.key in self._origins:
            self._report(origin, [self._duplicate(parsed.key)])
            return
        else:
            self._origins[parsed.key] = origin
            self._keep(parsed.key, parsed)
        self._report(origin, parsed.problems)

    def _keep(self, key: ObjectKey, parsed: ParsedObject) -> None:
        if parsed.value is None:
            self._broken.add(key)
        else:
            self._values[key] = parsed.value

    def _duplicate(self, key: ObjectKey) -> Problem:
        first = self._origins[key]
        place = f"{first.file}:{first.line('')}" if first.lines else first.file
        message = f"stands already in {place}, which counts; remove one of them"
        return Problem(*key, path="", message=message)

    def _report(self, origin: Origin, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._findings.append(Finding(problem, origin.file, origin.line(problem.path)))

    def _unreadable(self, file: str, message: str, line: int = 0) -> None:
        """A part of a file could not be read, so nobody knows which objects it holds."""
        self._complete = False
        self._findings.append(Finding(Problem("", "", "", "", message), file, line))


def _documents(text: SourceText) -> Iterator[Node]:
    if text.file.endswith(".json"):
        yield read_json(text.content)
    else:
        yield from read_yaml(text.content)


def _items(node: Node) -> list[Node]:
    members = node.content if isinstance(node.content, dict) else {}
    items = members.get("items", Node([], node.line, 1))
    if not isinstance(items.content, list):
        raise Malformed("items of a List must be a list", items.line)
    return items.content
