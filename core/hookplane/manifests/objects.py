"""Turns one object of a manifest into a typed resource or Secret, or says what is wrong with it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from hookplane import fault
from hookplane.compile.model import (
    ObjectKey,
    Problem,
    Resource,
    SecretObject,
    allows_reference,
)
from hookplane.errors import InvalidValue
from hookplane.kinds.base import API_VERSION, GROUP, OWN_NAME_PATTERN, ObjectMeta
from hookplane.kinds.conditions import Reason
from hookplane.kinds.registry import KIND_BY_NAME
from hookplane.manifests.explain import explain, nearest, no_text
from hookplane.secret import Secret

MAX_SECRET_BYTES: Final = 1 << 20
"""All values of a Secret together, as in Kubernetes."""

_TOP_LEVEL: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_LABEL: Final = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_SUBDOMAIN: Final = re.compile(
    r"^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
)
_DATA_KEY: Final = re.compile(r"^[-._a-zA-Z0-9]{1,253}$")
_OWN_NAME: Final = "lower case letters, digits and -, at most 52 characters"
_OTHER_NAME: Final = "lower case letters, digits, - and dots, at most 253 characters"


class SecretManifest(BaseModel):
    """A Secret of core v1, as it is written in a manifest."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    metadata: ObjectMeta
    type: str = "Opaque"
    data: dict[str, str] = {}
    stringData: dict[str, str] = {}  # noqa: N815 - Kubernetes' name


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """What became of one object. `value` is None when there are problems."""

    key: ObjectKey | None
    """None: kind or name cannot be told."""
    value: Resource | SecretObject | None = None
    problems: tuple[Problem, ...] = ()


def is_ours(data: Mapping[str, Any]) -> bool:
    """Whether Hookplane reads the object: one of our kinds, in any version, or a Secret."""
    group = str(data.get("apiVersion", "")).partition("/")[0]
    return group == GROUP or _is_secret(data)


def parse_object(data: Mapping[str, Any]) -> ParsedObject:
    """Parses one object for which `is_ours` is true. Raises nothing."""
    subject = _Subject.of(data)
    unnamed = subject.check_kind(data) or subject.check_names()
    if unnamed:
        return replace(subject.refused(unnamed), key=None)
    model = SecretManifest if _is_secret(data) else KIND_BY_NAME[subject.kind].model
    try:
        made = model.model_validate(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        return subject.refused(explain(model, error))
    except Exception as error:  # other objects are read all the same
        return subject.refused([("", fault.describe(error))], Reason.INTERNAL_ERROR)
    if isinstance(made, SecretManifest):
        return subject.secret(made)
    unknown = [
        (name, f"unknown field; {nearest(name, _TOP_LEVEL)}")
        for name in data
        if name not in _TOP_LEVEL
    ]
    return subject.refused(unknown) if unknown else ParsedObject(subject.key, made)


def _is_secret(data: Mapping[str, Any]) -> bool:
    return data.get("apiVersion") == "v1" and data.get("kind") == "Secret"


Pairs = list[tuple[str, str]]
"""Pairs of a field's path and a message."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What an object says it is, before any of it is checked."""

    kind: str
    namespace: Any
    name: Any

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> _Subject:
        metadata = data.get("metadata")
        known = metadata if isinstance(metadata, dict) else {}
        return cls(str(data.get("kind", "")), known.get("namespace", "default"), known.get("name"))

    @property
    def key(self) -> ObjectKey | None:
        if isinstance(self.namespace, str) and isinstance(self.name, str):
            return ObjectKey(self.kind, self.namespace, self.name)
        return None

    def check_kind(self, data: Mapping[str, Any]) -> Pairs:
        if _is_secret(data):
            return []
        version = data.get("apiVersion")
        if version != API_VERSION:
            return [("apiVersion", f'"{version}" is not known; write {API_VERSION}')]
        if self.kind not in KIND_BY_NAME:
            return [("kind", f'"{self.kind}" is not known; {nearest(self.kind, KIND_BY_NAME)}')]
        return []

    def check_names(self) -> Pairs:
        own = self.kind in KIND_BY_NAME
        pattern, phrase = (OWN_NAME_PATTERN, _OWN_NAME) if own else (_SUBDOMAIN, _OTHER_NAME)
        problems = []
        if self.name is None:
            problems.append(("metadata.name", "is required"))
        elif not isinstance(self.name, str):
            problems.append(("metadata.name", no_text(self.name)))
        elif not pattern.fullmatch(self.name):
            problems.append(("metadata.name", f'"{self.name[:60]}" is not a name: {phrase}'))
        if not isinstance(self.namespace, str):
            problems.append(("metadata.namespace", no_text(self.namespace)))
        elif not _LABEL.fullmatch(self.namespace):
            shown = self.namespace[:60]
            problems.append(("metadata.namespace", f'"{shown}" is not the name of a namespace'))
        return problems

    def refused(self, problems: Pairs, reason: Reason = Reason.INVALID) -> ParsedObject:
        namespace = self.namespace if isinstance(self.namespace, str) else "default"
        name = self.name if isinstance(self.name, str) else "?"
        return ParsedObject(
            self.key,
            problems=tuple(
                Problem(self.kind or "object", namespace, name, path, message, reason=reason)
                for path, message in problems
            ),
        )

    def secret(self, made: SecretManifest) -> ParsedObject:
        data, problems = _values(made)
        if problems:
            return self.refused(problems)
        metadata = made.metadata
        secret = SecretObject(
            namespace=metadata.namespace,
            name=metadata.name,
            data=data,
            type=made.type,
            labelled=allows_reference(metadata.labels),
        )
        return ParsedObject(self.key, secret)


def _values(made: SecretManifest) -> tuple[dict[str, Secret], Pairs]:
    """The values of a Secret. `data` is base64; `stringData` is text and comes first, as in
    Kubernetes."""
    values: dict[str, Secret] = {}
    problems: Pairs = []
    for field, texts, read in (
        ("data", made.data, _from_base64),
        ("stringData", made.stringData, str.encode),
    ):
        for name, text in texts.items():
            try:
                values[name] = _value(name, text, read)
            except InvalidValue as error:
                problems.append((f"{field}.{name}", str(error)))
    if sum(len(value.reveal()) for value in values.values()) > MAX_SECRET_BYTES:
        problems.append(("", f"holds more than {MAX_SECRET_BYTES >> 20} MiB"))
    return values, problems


def _value(name: str, text: str, read: Callable[[str], bytes]) -> Secret:
    if not _DATA_KEY.fullmatch(name):
        raise InvalidValue("keys of a Secret are made of letters, digits, -, _ and dots")
    return Secret(read(text))


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise InvalidValue("is not base64; plain text belongs in stringData") from error
