"""The health check in docs/kubernetes.md, run as Argo CD does: by Lua 5.1, the object in `obj`."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

from lupa.lua51 import LuaRuntime

from support.kubernetes.control_plane import ROOT

_HEADER: Final = "resource.customizations.health.hookplane.dev_"


def health(found: dict[str, Any]) -> str:
    """Healthy, Progressing or Degraded."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(found, recursive=True)
    return str(lua.execute(script())["status"])


def script() -> str:
    """The very text."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    pattern = rf"^    {re.escape(_HEADER)}\w+: \|\n((?:      .*\n)+)"
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return textwrap.dedent(found)
