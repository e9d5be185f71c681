"""Names to addresses, with the system's resolver."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a name as text. Raises socket.gaierror."""

THREADS: Final = 32
"""Own ones, because a name server that does not answer keeps a thread for many seconds, and the
event loop has only a handful for everything."""


class SystemLookup:
    """getaddrinfo(3): hosts file, search domains and name servers as the system is set up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "lookup")

    async def __call__(self, host: str) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)


def _addresses(host: str) -> Sequence[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
