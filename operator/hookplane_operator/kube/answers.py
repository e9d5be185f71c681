"""What an answer to a request says. Pure: whatever comes from outside is an object of the kind that
was asked for, or an ApiError."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hookplane_operator.kube.errors import ApiError, Conflict, Forbidden, NotFound, Unreadable
from hookplane_operator.kube.kinds import SECRET, Object, Resource

LONGEST_WAIT: Final = 60.0
"""Seconds that we let an answer send us away: a proxy may ask for a year."""
_SHOWN: Final = 80
"""Bytes of an unreadable answer that an error shows."""
_ERRORS: Final = {403: Forbidden, 404: NotFound, 409: Conflict}

Expected = Callable[[Object, Resource], bool]
"""Whether the body of a 2xx is what was asked for."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """As it came over the wire."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A line of a watch."""

    type: str
    """ADDED, MODIFIED, DELETED, or BOOKMARK, which tells a version alone."""
    body: Object

    @property
    def version(self) -> str:
        return str(self.body["metadata"].get("resourceVersion", ""))


def is_object(body: Object, resource: Resource) -> bool:
    """One object of this kind."""
    return _is_named(body) and body.get("kind") == resource.kind


def is_list(body: Object, _: Resource) -> bool:
    """A page of a list. An empty one says so, and be it with null: whatever is no list must not be
    taken for a cluster from which everything is gone."""
    items = body.get("items", ...)
    objects = items is None or (isinstance(items, list) and all(map(_is_named, items)))
    return _is_of_a_kind(body, "List") and _has_metadata(body) and objects


def is_discovery(body: Object, _: Resource) -> bool:
    """The resources of a group and version."""
    found = body.get("resources")
    return isinstance(found, list) and all(isinstance(x, dict) and "name" in x for x in found)


def is_any(body: Object, _: Resource) -> bool:
    """Any object of an API, such as the Status that answers a deletion."""
    return _is_of_a_kind(body, "")


def read(answer: ApiAnswer, asked: str, resource: Resource, expected: Expected) -> Object:
    """The body of a 2xx. `asked`: method and path of the request. Raises ApiError."""
    if not 200 <= answer.status < 300:
        kind = _ERRORS.get(answer.status, ApiError)
        raise kind(answer.status, _words(answer), asked=asked)
    body = _parsed(answer.body)
    if isinstance(body, dict) and expected(body, resource):
        return body
    shown = "" if resource is SECRET else _first_bytes(answer.body)
    said = f"not an API server's answer ({answer.content_type or 'no type'}) {shown}".rstrip()
    raise Unreadable(answer.status, said, asked=asked)


def read_event(line: bytes, asked: str, resource: Resource) -> WatchEvent:
    """Raises ApiError for what is no event, and for one that tells of an error, such as a version
    that is too old."""
    found = _parsed(line)
    body = found.get("object") if isinstance(found, dict) else None
    if isinstance(body, dict):
        event = WatchEvent(str(found.get("type")), body)
        if event.type == "ERROR":
            code = body.get("code")
            raise ApiError(code if isinstance(code, int) else 0, _message(body), asked=asked)
        if _has_metadata(body) and (event.type == "BOOKMARK" or is_object(body, resource)):
            return event
    shown = "" if resource is SECRET else _first_bytes(line)
    raise Unreadable(200, f"not a line of a watch: {shown}", asked=asked)


def seconds_away(answer: ApiAnswer) -> float:
    """How long it asks to be left alone, within reason."""
    text = answer.retry_after
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _words(answer: ApiAnswer) -> str:
    """The message of a Status, or the first bytes of whatever it is."""
    body = _parsed(answer.body)
    return _message(body) if isinstance(body, dict) else _first_bytes(answer.body)


def _message(status: Object) -> str:
    return str(status.get("message", ""))[:500]


def _first_bytes(raw: bytes) -> str:
    text = raw[:_SHOWN].decode("utf-8", "backslashreplace")
    return "".join(x if x.isprintable() else " " for x in text) or "without a body"


def _has_metadata(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("metadata"), dict)


def _is_named(body: Any) -> bool:
    return _has_metadata(body) and isinstance(body["metadata"].get("name"), str)


def _is_of_a_kind(body: Object, ending: str) -> bool:
    kind = body.get("kind")
    return isinstance(kind, str) and kind.endswith(ending)
