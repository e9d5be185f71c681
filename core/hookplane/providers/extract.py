"""Event types and deduplication keys out of requests: by header, by path into the body, or by a
named function where a provider needs more.

When nothing is found the type is `unknown` and there is no key: equal bodies alone are not the
same event. Nothing here raises: a body that is not what it should be has no type, that is all.
Bodies are bounded by the endpoint's limit, their depth by the parser.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from hookplane.lenient_json import parse, parse_with_digits

UNKNOWN_TYPE: Final = "unknown"
MAX_TYPE_CHARACTERS: Final = 128
MAX_KEY_BYTES: Final = 64
"""Longer keys are stored as their SHA-256."""
MAX_EVENT_KEY_CHARACTERS: Final = 256
MAX_FORM_FIELDS: Final = 100
_SCALAR: Final = re.compile(r'".*|-?[0-9].*|true|false|NaN|-?Infinity', re.DOTALL)
"""Texts that could be taken for a value of another kind, or for one that was marked."""
_NEGATIVE_ZERO: Final = b"-0"
_FORM: Final = "application/x-www-form-urlencoded"


class Facts:
    """A request as extractors see it; the body is parsed when first asked for, and once."""

    __slots__ = ("_json", "body", "headers", "hurried", "put_off")

    _json: Any

    def __init__(
        self, headers: Sequence[tuple[str, str]], body: bytes, *, hurried: bool = False
    ) -> None:
        """`headers`: names in lower case. `hurried`: what takes long is not read, as if it were
        not there, and `put_off` says whether there was any."""
        self.headers = headers
        self.body = body
        self.hurried = hurried
        self.put_off = False

    def header(self, name: str) -> str:
        """The value of a header, or the empty string."""
        for header, value in self.headers:
            if header == name:
                return value
        return ""

    @property
    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return self._json
        except AttributeError:
            self._json = _parsed(self.body)
            return self._json

    def number(self, steps: Sequence[str]) -> str:
        """The number at a path into the body, digit for digit. Only a fraction and what is too
        large for 64 bits need the body to be read once more, which takes seconds for 32 MiB; and a
        zero, where something in the body may be a negative one."""
        value = walk(self.json, steps)
        if type(value) is int and (value or _NEGATIVE_ZERO not in self.body):
            return str(value)
        if self.hurried:
            self.put_off = True
            return ""
        try:
            return str(walk(parse_with_digits(self.body), steps))
        except ValueError:
            return ""

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form; empty when the body is none."""
        if not self.header("content-type").lower().startswith(_FORM):
            return {}
        try:
            text = self.body.decode("utf-8", "replace")
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
        except ValueError:
            return {}

    @property
    def message(self) -> Mapping[str, Any]:
        """The JSON object in the body, or in the form field `payload`; empty when neither is."""
        form = self.form
        return as_object(_parsed(form["payload"]) if "payload" in form else self.json)


Read = Callable[[Facts], str]
"""Finds a text in a request; the empty string when it is not there."""


@dataclass(frozen=True, slots=True)
class Extractor:
    """A named way to read, and the headers that it depends on."""

    read: Read
    headers: tuple[str, ...] = ()


def from_header(name: str) -> Extractor:
    """Reads a header; `name` in lower case."""
    return Extractor(lambda facts: facts.header(name), (name,))


def from_body(path: str) -> Extractor:
    """Reads what stands at a path into the JSON body: names and indexes, separated by dots."""
    steps = tuple(path.split("."))
    return Extractor(lambda facts: as_text(walk(facts.json, steps)))


def key_from_body(path: str) -> Extractor:
    """The same for keys: numbers digit for digit, since different ones may be the same double, and
    marked texts that read like numbers, so that 1 and "1" are two keys."""
    steps = tuple(path.split("."))

    def read(facts: Facts) -> str:
        value = walk(facts.json, steps)
        if isinstance(value, str):
            return json.dumps(value) if _SCALAR.fullmatch(value) else value
        if isinstance(value, bool):
            return as_text(value)
        return facts.number(steps) if isinstance(value, int | float) else ""

    return Extractor(read)


def scalar_from_body(path: str) -> Extractor:
    """The same for what an event is about: numbers digit for digit, and 1 and "1" are the same."""
    steps = tuple(path.split("."))

    def read(facts: Facts) -> str:
        value = walk(facts.json, steps)
        if isinstance(value, bool | str):
            return as_text(value)
        return facts.number(steps) if isinstance(value, int | float) else ""

    return Extractor(read)


def key_of_headers(*required: str, beside: tuple[str, ...] = ()) -> Extractor:
    """A key of several parts: nothing without the required ones; those beside may be missing."""
    names = (*required, *beside)

    def read(facts: Facts) -> str:
        values = [facts.header(name) for name in names]
        return joined(*values) if all(values[: len(required)]) else ""

    return Extractor(read, names)


def key_of_parts(parts: Sequence[Extractor]) -> Extractor:
    """A key of several parts, which are all needed."""

    def read(facts: Facts) -> str:
        values = [part.read(facts) for part in parts]
        return joined(*values) if all(values) else ""

    return Extractor(read, tuple(header for part in parts for header in part.headers))


def joined(*parts: str) -> str:
    """One text that no other parts have."""
    return "".join(f"{len(part)}:{part}," for part in parts)


def constant(value: str) -> Extractor:
    """The same for every request."""
    return Extractor(lambda _: value)


def event_type(extractor: Extractor, facts: Facts) -> str:
    """At most 128 printable characters, or `unknown`."""
    text = extractor.read(facts)[:MAX_TYPE_CHARACTERS]
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text.strip() or UNKNOWN_TYPE


def event_key(extractor: Extractor, facts: Facts) -> str:
    """What an event is about: at most 256 printable characters, blanks around them left out. The
    empty string: it has no key, since cut off or mended it could be the key of something else."""
    text = extractor.read(facts).strip()
    return text if len(text) <= MAX_EVENT_KEY_CHARACTERS and text.isprintable() else ""


def dedup_key(extractor: Extractor, facts: Facts) -> bytes | None:
    """At most 64 bytes that are the same for the same event; None: it has no key."""
    text = extractor.read(facts)
    if not text:
        return None
    key = text.encode("utf-8", "surrogatepass")
    return key if len(key) <= MAX_KEY_BYTES else hashlib.sha256(key).digest()


def _parsed(text: bytes | str) -> Any:
    try:
        return parse(text)
    except ValueError:
        return None


def walk(value: Any, steps: Sequence[str]) -> Any:
    """What stands at a path into parsed JSON; None when there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 10:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def as_text(value: Any) -> str:
    """Text, numbers and truth values as text; the empty string for all else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ""


def as_object(value: Any) -> Mapping[str, Any]:
    """The value when it is an object; otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
