"""Parameters of the admin API, out of query strings and JSON bodies, checked and bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.queries import Page
from hookplane.units import parse_duration, parse_time
from hookplane_console.api.directory import QualifiedName
from hookplane_console.responses import Refusal

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500
"""Entries of one page."""
MAX_TEXT_LENGTH: Final = 256
"""Characters of a type or a key."""
MAX_HEADERS: Final = 32
"""Of one request."""
DEFAULT_NAMESPACE: Final = "default"

PAGE: Final = frozenset({"limit", "before"})
"""What a listing takes that comes page by page."""
NAMESPACE: Final = frozenset({"namespace"})

_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
PLACE: Final = re.compile(
    r"evt_[0-9a-z]{26}|[0-9a-f]{1,16}(?:\.[0-9a-f]{1,16}){0,255}(?:-evt_[0-9a-z]{26})?"
)
"""Where a page begins: at an id of ours, or at places in logs, as listings write them."""
PLACE_OF_ATTEMPTS: Final = re.compile(r"evt_[0-9a-z]{26}(?:\.[0-9]{1,9})?")
"""Likewise, or within an event."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]{0,1024}")
_OF_THE_CONNECTION: Final = frozenset(
    [
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def check_known(query: Mapping[str, str], known: frozenset[str]) -> None:
    """Refuses a parameter that would be ignored: its sender believes that it counts."""
    for name in query:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise Refusal(400, f"unknown parameter; there is: {there}", name[:64])


def page_of(query: Mapping[str, str], place: re.Pattern[str] = PLACE) -> Page:
    """`limit` and `before`, of the form `place`."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise Refusal(400, f"a number from 1 to {MAX_LIMIT}", "limit")
    before = query.get("before", "")
    if before and not place.fullmatch(before):
        raise Refusal(400, "neither an event id nor what `next` was", "before")
    return Page(limit=int(text), before=before)


def event_id_of(text: str, field: str) -> str:
    if not _EVENT_ID.fullmatch(text):
        raise Refusal(400, "not an event id; it looks like evt_01jdb3q9k2m4n6p8r0s2t4v6w8", field)
    return text


def name_of(text: str, field: str) -> QualifiedName:
    """`shop` → ("default", "shop"); `chat/crm` → ("chat", "crm")."""
    namespace, slash, name = text.rpartition("/")
    key = (namespace if slash else DEFAULT_NAMESPACE, name)
    if not all(map(_NAME.fullmatch, key)):
        raise Refusal(400, "a name, or namespace/name", field)
    return key


def namespace_of(query: Mapping[str, str]) -> str | None:
    text = query.get("namespace")
    if text is not None and not _NAME.fullmatch(text):
        raise Refusal(400, "not a namespace", "namespace")
    return text


def only_one(query: Mapping[str, str], one: str, whole: str) -> None:
    """Refuses `whole` beside `one`, which says its namespace itself."""
    if query.get(one) and whole in query:
        raise Refusal(400, f"goes without {one}", whole)


def type_of(text: str | None) -> str | None:
    return _printable(text, "type")


def key_of(text: str | None) -> str | None:
    """The key of an event."""
    return _printable(text, "key")


def _printable(text: str | None, field: str) -> str | None:
    if text is not None and not (0 < len(text) <= MAX_TEXT_LENGTH and text.isprintable()):
        raise Refusal(400, f"1 to {MAX_TEXT_LENGTH} characters that can be printed", field)
    return text


def headers_of(given: Any, field: str) -> tuple[tuple[str, str], ...]:
    """Headers of a request (RFC 9110 §5), names in lower case; None: none."""
    if given is None:
        return ()
    if not isinstance(given, dict) or len(given) > MAX_HEADERS:
        raise Refusal(400, f"names and texts, at most {MAX_HEADERS}", field)
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OF_THE_CONNECTION:
            raise Refusal(400, f'"{name[:64]}" is no header that can be chosen', field)
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise Refusal(400, f"{name}: a text of at most 1,024 printable ASCII characters", field)
    return tuple((name.lower(), value) for name, value in given.items())


def states_of(text: str, field: str) -> frozenset[DeliveryState]:
    """`dead,retrying`, in any case; empty: none."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = {state.value for state in DeliveryState} - {DeliveryState.BEHIND.value}
    for name in names:
        if name not in known:
            raise Refusal(
                400, f'no state "{name[:32]}"; there is: {", ".join(sorted(known))}', field
            )
    return frozenset(DeliveryState(name) for name in names)


def time_of(text: str, now: Millis, field: str) -> Millis:
    """RFC 3339, or a duration before now."""
    try:
        return parse_time(text) if "T" in text else now - parse_duration(text)
    except (InvalidValue, OverflowError) as error:
        message = f'"{text[:40]}" is neither a time (2026-11-21T00:00:00Z) nor a time ago (1h)'
        raise Refusal(400, message, field) from error


def object_of(body: bytes, members: frozenset[str]) -> dict[str, Any]:
    """A JSON object that has no other members than these; an empty body is an empty one."""
    try:
        data = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "the body is not JSON") from error
    if not isinstance(data, dict):
        raise Refusal(400, "the body is not a JSON object")
    for name in data:
        if name not in members:
            known = ", ".join(sorted(members)) or "nothing"
            raise Refusal(400, f"unknown; there is: {known}", str(name)[:64])
    return data


def text_of(body: Mapping[str, Any], name: str) -> str | None:
    """A member that is a string; absent or null: None."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Refusal(400, "must be a string", name)
    return value


def required(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        raise Refusal(400, "is needed", name)
    return query[name]
