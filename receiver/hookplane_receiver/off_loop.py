"""Work on bodies, which may be large: then it is done in a thread, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
LARGE: Final = 1 << 20
"""Bytes. Hashing as many takes some milliseconds at most, and a thread costs a tenth of one."""


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives; `size`: bytes that it works on. It must release the interpreter's lock
    while it does, as hashing does, or others gain nothing."""
    if size < LARGE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
