"""An event as expressions see it: the variable `event` (docs/spec/cel.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.units import format_time

MAX_PARSED_BYTES: Final = 4 << 20
"""A longer body is not parsed, because parsing blocks the event loop."""


@dataclass(slots=True)
class EventView:
    """One event; its body is parsed at most once, however many expressions look at it."""

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
    _variables: dict[str, Any] | None = field(default=None, init=False, repr=False)
    _error: str = field(default="", init=False, repr=False)

    def variables(self) -> dict[str, Any]:
        """`{"event": {…}}`. Raises InvalidValue when the body cannot be read."""
        if self._error:
            raise InvalidValue(self._error)
        if self._variables is None:
            self._variables = {"event": self._event()}
        return self._variables

    def _event(self) -> dict[str, Any]:
        try:
            body = parse_body(self.body, claims_json(self.headers))
        except InvalidValue as error:
            self._error = str(error)
            raise
        return {
            "id": self.event_id,
            "type": self.type,
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


def parse_body(body: bytes, must_be_json: bool) -> Any:
    """The JSON value, or the text of what is not JSON and does not claim to be.

    Raises InvalidValue for more than MAX_PARSED_BYTES, for what is not UTF-8, and for a body that
    claims to be JSON and is not (NaN, numbers out of range, lone surrogates, nested deeper than
    1024).
    """
    if len(body) > MAX_PARSED_BYTES:
        raise InvalidValue(f"body is longer than {MAX_PARSED_BYTES} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if must_be_json:
            raise InvalidValue(f"body is not JSON: {error.msg}") from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidValue("body is neither JSON nor UTF-8 text") from None
