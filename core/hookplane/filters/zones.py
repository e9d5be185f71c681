"""Time zones that an expression names. The engine opens a zone as a file, wherever that is, and
keeps what it has read: whoever could choose a name could have it open pipes, and fill memory. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hookplane.filters.checked import Call, Constant, Node, children

_TAKE_ZONE: Final = {
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
    *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
}
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}|[+-]?[0-9]{2}:[0-9]{2}")
"""A name of https://www.iana.org/time-zones, or an offset."""


def bad_zones(node: Node) -> Iterator[Call]:
    """Calls whose time zone is not written out, or is no name of one."""
    match node:
        case Call(function, (_, zone)) if function in _TAKE_ZONE and not _is_zone(zone):
            yield node
    for part in children(node):
        yield from bad_zones(part)


def _is_zone(node: Node) -> bool:
    return isinstance(node, Constant) and _ZONE.fullmatch(node.text or "") is not None
