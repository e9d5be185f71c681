"""What is signed, as a template: text with {id} {timestamp} {method} {url} {body} filled in.

A signature covers bytes and not parts. Where these can be cut in two ways, whoever has one signed
request can send another: its id with the first bytes of its body, say. So every part must end
where no other cut is possible. Times have a fixed form (`verify`), the method is POST, and the body
is what is left; an id ends at the text beside it, and a URL by how a query is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from hookplane.errors import InvalidValue
from hookplane.network.headers import TEXT_ERRORS, header_bytes

BODY: Final = "{body}"
ID: Final = "{id}"
TIMESTAMP: Final = "{timestamp}"
METHOD: Final = "{method}"
URL: Final = "{url}"
_PLACEHOLDER: Final = re.compile(r"(\{(?:id|timestamp|method|url|body)\})")
_QUERY: Final = re.compile(r"\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
"""A query as RFC 3986 §3.4 has it; no JSON and no XML begins with one of its characters."""


WRITTEN_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
"""RFC 3339, as a regular expression. No such text begins or ends with another one, so that it ends
at one place whatever stands beside it."""
_TIME: Final = rf"(?:[0-9]{{10}}|[0-9]{{13}}|{WRITTEN_TIME})"
"""All times that `verify` takes, and no others, since a query with one is refused: seconds have
ten digits and milliseconds thirteen, from 2001 to 2286."""
_AHEAD: Final = 256
"""Bytes of the body of which a time could be that begins in front of it."""


class _Cuts(NamedTuple):
    """What must hold of a request, so that its signed bytes can be cut in one way only."""

    id_ends: tuple[str, ...]
    """Characters that no id may have."""
    query_ends: tuple[str, ...]
    """Characters that no query may have."""
    url_before_body: bool
    """Nothing stands between the URL and the body."""
    url_after_body: bool
    url_before_time: tuple[tuple[str, re.Pattern[str]], ...]
    """Where a text and a time follow a URL: all that does, and what these two look like. The first
    that looks so is where the URL ends, and a query may have the text's characters."""


def check_template(template: str) -> None:
    """Raises InvalidValue for a template whose bytes could be cut in two ways, with one that
    would be right."""
    parts = _parts(template)
    if parts.count(BODY) > 1:
        raise InvalidValue(f"{BODY} is there more than once; it can be there once")
    body = parts.index(BODY) if BODY in parts else len(parts)
    for place, part in enumerate(parts):
        neighbour = _neighbour(parts, place)
        if _is_part(neighbour) and not _ends_beside(part, neighbour, before_body=place < body):
            first, second = (part, neighbour) if place < body else (neighbour, part)
            raise InvalidValue(
                f'"{first}{second}" can be read in two ways: nothing tells where {part} ends, so '
                "that bytes could be moved between the two; a text must stand between them that "
                f'{part} never has, as in "{first}.{second}"'
            )


def _ends_beside(part: str, neighbour: str, *, before_body: bool) -> bool:
    if part == URL:
        return neighbour == BODY or not before_body
    return part != ID


def signed_content(template: str, body: bytes, values: Mapping[str, str]) -> bytes:
    """The bytes to sign. `values`: placeholder in braces → text, for all but {body}."""
    if template == BODY:
        return body
    return b"".join(
        [
            body if part == BODY else header_bytes(values.get(part, part))
            for part in _parts(template)
        ]
    )


def refused_id(template: str, value: str) -> str:
    """Why the signed bytes could be cut elsewhere with this id; empty: they cannot."""
    return _refused(_cuts(template).id_ends, value)


def refused_url(template: str, values: Mapping[str, str], body: bytes) -> str:
    """The same for the URL of a request. A query is the only part of it that senders choose.
    `values`: as for `signed_content`."""
    if URL not in template:
        return ""
    cuts = _cuts(template)
    url = values[URL]
    public, mark, query = url.partition("?")
    query = mark + query
    if cuts.url_before_body and not _ends_at_body(query, body):
        return "has a query that could go on in the body, or the body begins like one"
    if cuts.url_after_body and url.rfind(public) > 0:
        return "has itself in its query"
    if any(_has_time(query, rest, time, values, body) for rest, time in cuts.url_before_time):
        return "has something in its query that could be the signed time"
    why = _refused(cuts.query_ends, query)
    return f"has a query that {why}" if why else ""


def _has_time(
    query: str, rest: str, time: re.Pattern[str], values: Mapping[str, str], body: bytes
) -> bool:
    """Whether what looks like the text and the time behind a URL begins in its query."""
    behind = signed_content(rest, body[:_AHEAD], values).decode("utf-8", TEXT_ERRORS)
    found = time.search(query + behind)
    return found is not None and found.start() < len(query)


def _refused(ends: Sequence[str], value: str) -> str:
    return next((f'must not contain "{end}"' for end in ends if end in value), "")


def _ends_at_body(query: str, body: bytes) -> bool:
    """Whether all that looks like a query is the query."""
    signed = query + body[:1].decode("utf-8", TEXT_ERRORS)
    found = _QUERY.match(signed)
    return query == ("" if found is None else found[0])


@lru_cache(maxsize=1024)
def _cuts(template: str) -> _Cuts:
    parts = _parts(template)
    beside = [(part, _neighbour(parts, place)) for place, part in enumerate(parts)]
    body = parts.index(BODY) if BODY in parts else len(parts)
    return _Cuts(
        id_ends=tuple(_ends(parts, ID, body)),
        query_ends=tuple(_ends(parts[:body], URL, body)),
        url_before_body=(URL, BODY) in beside[:body],
        url_after_body=URL in parts[body:],
        url_before_time=tuple(_times_behind_urls(parts[:body], parts)),
    )


def _times_behind_urls(
    before_body: Sequence[str], parts: Sequence[str]
) -> Iterator[tuple[str, re.Pattern[str]]]:
    for place, part in enumerate(before_body):
        if part == URL and _is_before_time(before_body, place):
            text, _, *rest = parts[place + 1 :]
            behind = rest[0] if rest and not _is_part(rest[0]) else ""
            pattern = re.compile(re.escape(text) + _TIME + re.escape(behind))
            yield "".join(parts[place + 1 :]), pattern


def _is_before_time(parts: Sequence[str], place: int) -> bool:
    """Whether a text and a time follow the part at `place`."""
    behind = parts[place + 1 : place + 3]
    return len(behind) == 2 and behind[1] == TIMESTAMP and not _is_part(behind[0])


def _ends(parts: Sequence[str], wanted: str, body: int) -> Iterator[str]:
    """The characters of literal texts at which `wanted` ends."""
    for place, part in enumerate(parts):
        neighbour = _neighbour(parts, place)
        by_time = part == URL and place < body and _is_before_time(parts[:body], place)
        if part == wanted and neighbour and not _is_part(neighbour) and not by_time:
            yield neighbour[0] if place < body else neighbour[-1]


def _neighbour(parts: Sequence[str], place: int) -> str:
    """What stands beside a part on the side of the body: bytes are cut from both ends, and the
    body is the rest. Empty: nothing does."""
    body = parts.index(BODY) if BODY in parts else len(parts)
    beside = place + (1 if place < body else -1)
    return parts[beside] if 0 <= beside < len(parts) else ""


def _is_part(text: str) -> bool:
    return _PLACEHOLDER.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[str, ...]:
    return tuple(part for part in _PLACEHOLDER.split(template) if part)
