"""Ctrl-C and SIGTERM: the first one asks, the second one does not wait."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED: Final = 128
"""Shells report 128 and the signal's number."""


def stop_on_signals(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """An event that the first signal sets; the second ends the process, which loses nothing that
    was acknowledged."""
    stopped = asyncio.Event()

    def handle(number: int) -> None:
        if stopped.is_set():
            os._exit(_KILLED + number)
        stopped.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, handle, number)
    return stopped
