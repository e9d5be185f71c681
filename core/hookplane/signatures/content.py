"""What is signed: literal text with {id} {timestamp} {method} {url} {body} filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from hookplane.signatures.encoding import to_bytes

BODY_ONLY: Final = "{body}"
_PLACEHOLDER: Final = re.compile(r"(\{(?:id|timestamp|method|url|body)\})")


def signed_content(template: str, body: bytes, values: Mapping[str, str]) -> bytes:
    """The bytes to sign. `values`: placeholder in braces → text, for all but {body}."""
    if template == BODY_ONLY:
        return body
    parts = [
        body if part == BODY_ONLY else to_bytes(values.get(part, part)) for part in _parts(template)
    ]
    return b"".join(parts)


@lru_cache(maxsize=1024)
def delimiter_after_id(template: str) -> str:
    """The character that ends {id} in the signed bytes; an id with it in it could be cut
    elsewhere, so that other contents have the same signature. Empty: there is none."""
    parts = _parts(template)
    if "{id}" not in parts:
        return ""
    rest = parts[parts.index("{id}") + 1 :]
    return "" if not rest or _PLACEHOLDER.fullmatch(rest[0]) else rest[0][0]


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[str, ...]:
    return tuple(part for part in _PLACEHOLDER.split(template) if part)
