"""Reads `.sql` files made of named blocks: a line `-- name: find_event`, then one statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

from hookplane.errors import InvalidValue

_NAME_LINE: Final = re.compile(r"^-- name: (.*)$", re.MULTILINE)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def load_statements(package: str, file: str) -> Mapping[str, str]:
    """Name → statement of a file that lies beside the modules of a package."""
    return named_statements(resources.files(package).joinpath(file).read_text("utf-8"))


def named_statements(text: str) -> dict[str, str]:
    """Name → statement. Raises InvalidValue for a bad or repeated name and for text before one."""
    head, *parts = _NAME_LINE.split(text)
    if _statement(head):
        raise InvalidValue("a statement stands before the first `-- name:` line")
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if not _NAME.fullmatch(name) or name in statements:
            raise InvalidValue(f'"{name}" is not a new name in lower case with underscores')
        statements[name] = _statement(body)
    return statements


def _statement(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";")
