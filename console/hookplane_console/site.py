"""Where a small server of aiohttp listens."""

from __future__ import annotations

from aiohttp import web

from hookplane.listening import EVERYWHERE, listen_everywhere


def site(runner: web.BaseRunner, host: str, port: int) -> web.BaseSite:
    """`host` may stand in brackets; `[::]` is every address of both families. Raises OSError when
    that is taken; else `start` does."""
    bare = host.strip("[]")
    if bare == EVERYWHERE:
        return web.SockSite(runner, listen_everywhere(port))
    return web.TCPSite(runner, bare, port)
