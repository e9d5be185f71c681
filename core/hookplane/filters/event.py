"""An event as expressions see it: the variable `event` (docs/spec/cel.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from hookplane import lenient_json
from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.filters.readings import UNREADABLE, leave_out, put_null, repair, stand_in_for_nul
from hookplane.units import format_time

MAX_PARSED_BYTES: Final = 4 << 20
"""A longer body is not parsed, because parsing blocks the event loop."""
_ESCAPED_NUL: Final = b"\\u0000"


class Readings(NamedTuple):
    """An event for an expression: `{"event": {…}}`, twice where something in it cannot be read."""

    variables: tuple[dict[str, Any], ...]
    """What an expression gives counts when it is the same for all."""
    unreadable: str = ""
    """What cannot be read, in words; empty: there is one reading."""
    nul: str = ""
    """The character that stands for NUL; empty: none does."""


@dataclass(frozen=True, slots=True)
class EventView:
    """One event. Its parsed body is not kept: it takes many times the room of its bytes, and an
    expression costs more than parsing."""

    event_id: str
    type: str
    endpoint: str
    """Its name."""
    namespace: str
    received: Millis
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    """As it was received."""
    key: str = ""
    """What it is about, such as a customer; empty: it has no key."""

    @property
    def size(self) -> int:
        """Bytes of all that an expression can look at, about."""
        texts = (self.event_id, self.type, self.endpoint, self.namespace, self.key)
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.body) + headers + sum(map(len, texts))

    def readings(self, *, with_nul: bool = True) -> Readings:
        """What an expression may look at. `with_nul`: another character may stand for NUL."""
        try:
            body, strict = parse_body(self.body, claims_json(self.headers))
            problem = "body has a text with NUL, or a value that is nested too deep"
        except InvalidValue as error:
            body, strict, problem = UNREADABLE, False, str(error)
        event = self._event(body)
        nul = "" if strict or not with_nul else stand_in_for_nul(self.body)
        spots = [] if strict else repair(event, nul)
        if not spots:
            return Readings(({"event": event},), nul=nul)
        leave_out(spots)
        return Readings(({"event": event}, {"event": self._with_nulls(nul)}), problem, nul)

    def _with_nulls(self, nul: str) -> dict[str, Any]:
        try:
            body, _ = parse_body(self.body, claims_json(self.headers))
        except InvalidValue:
            body = UNREADABLE
        event = self._event(body)
        put_null(repair(event, nul))
        return event

    def _event(self, body: Any) -> dict[str, Any]:
        return {
            "id": self.event_id,
            "type": self.type,
            "key": self.key,
            "endpoint": self.endpoint,
            "namespace": self.namespace,
            "receivedTime": format_time(self.received),
            "headers": joined(self.headers),
            "body": body,
        }


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name; repeated ones are joined by a comma (RFC 9110 §5.3)."""
    together: dict[str, str] = {}
    for name, value in headers:
        together[name] = f"{together[name]}, {value}" if name in together else value
    return together


def claims_json(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether Content-Type says JSON: `application/json`, `application/cloudevents+json`."""
    return any(name == "content-type" and "json" in value.lower() for name, value in headers)


def parse_body(body: bytes, must_be_json: bool) -> tuple[Any, bool]:
    """The JSON value, or the text of what is not JSON and does not claim to be; and whether all of
    it can be read for sure.

    Raises InvalidValue for more than MAX_PARSED_BYTES, for a body that claims to be JSON and is
    not, and for one that is neither JSON nor UTF-8.
    """
    if len(body) > MAX_PARSED_BYTES:
        raise InvalidValue(f"body is longer than {MAX_PARSED_BYTES} bytes")
    try:
        return orjson.loads(body), _ESCAPED_NUL not in body
    except orjson.JSONDecodeError:
        return _parse_leniently(body, must_be_json), False


def _parse_leniently(body: bytes, must_be_json: bool) -> Any:
    if must_be_json or body.lstrip()[:1] in {b"{", b"["}:
        try:
            return lenient_json.parse(body)
        except ValueError as error:
            if must_be_json:
                raise InvalidValue(f"body is not JSON: {error}") from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidValue("body is neither JSON nor UTF-8 text") from None


def check_json(body: bytes) -> None:
    """Raises InvalidValue for what is no JSON by its grammar, which half an emoji is (RFC 8259
    §8.2), or what is too long or too deep to be looked at."""
    if len(body) > MAX_PARSED_BYTES:
        raise InvalidValue(f"body is longer than {MAX_PARSED_BYTES} bytes")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        _check_grammar(body)


def _check_grammar(body: bytes) -> None:
    try:
        json.loads(body.decode(), parse_constant=_refuse, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"body is not JSON: {error}") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
