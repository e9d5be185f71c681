"""Headers of a request: refuses what could change its framing, adds what is always sent."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from hookplane.errors import HookplaneError
from hookplane.network.headers import CONNECTION_HEADERS, USER_AGENT, Headers

_DEFAULTS: Final = {
    "user-agent": f"user-agent: {USER_AGENT}\r\n",
    "accept-encoding": "accept-encoding: identity\r\n",
}
"""Answers are kept as sent, for people to read: so they are asked for uncompressed."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 §5.6.2"""
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110 §5.5, all control characters but the tab."""


class BadHeader(HookplaneError):
    """A header cannot be sent; the message names it, never its value."""


def head_lines(headers: Headers) -> bytes:
    """The lines of these headers, and of the defaults that they do not have. Raises BadHeader."""
    given = {_checked(name) for name, _ in headers}
    if _UNSAFE.search("".join([value for _, value in headers])):
        raise BadHeader(
            f"{_unsafe_name(headers)} has a line break or another control character in it"
        )
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    lines += [line for name, line in _DEFAULTS.items() if name not in given]
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as error:
        raise BadHeader("a header has a character in it that is none") from error


def _unsafe_name(headers: Headers) -> str:
    return next(name for name, value in headers if _UNSAFE.search(value))


@lru_cache(1024)
def _checked(name: str) -> str:
    """The name in lower case."""
    if not _NAME.fullmatch(name):
        raise BadHeader("a header's name has a character in it that names do not have")
    lower = name.lower()
    if lower in CONNECTION_HEADERS:
        raise BadHeader(f"{lower} is set by the client alone")
    return lower
