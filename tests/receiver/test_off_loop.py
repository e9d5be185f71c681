"""Work on large bodies runs beside the event loop, and that on small ones in it."""

from __future__ import annotations

import threading

from hookplane_receiver.off_loop import LARGE, off_loop


async def test_large_work_leaves_the_loop_to_others() -> None:
    here = threading.get_ident()
    assert await off_loop(LARGE - 1, threading.get_ident) == here
    assert await off_loop(LARGE, threading.get_ident) != here
