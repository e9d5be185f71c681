"""What every request passes: the guard, the form of errors, headers that browsers heed.

The guard keeps web pages of strangers away from an admin API without passwords. A browser on the
same machine reaches it, so a page could too: by DNS rebinding (a name of the page's own that
resolves to 127.0.0.1; the `Host` header gives it away) or by a cross-site form or fetch (the
`Origin` header and the content type give it away).
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hookplane.errors import StoreUnavailable, UnknownObject
from hookplane_console.responses import Refusal, error_body, json_response

SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_AUTHORITY: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]@/]+))(?::[0-9]*)?")
_LOCAL_NAME: Final = "localhost"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_log: Final = logging.getLogger(__name__)


def guarded(guard: Guard) -> Middleware:
    """The outermost: a request that the guard refuses is read no further."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            guard.check(request.method, request.headers)
            response = await handler(request)
        except Refusal as refusal:
            response = json_response(error_body(refusal.message, refusal.field), refusal.status)
        response.headers.update(SAFE_HEADERS)
        return response

    return middleware


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes a Refusal; one that is not expected is logged, without the request."""
    try:
        return await handler(request)
    except Refusal:
        raise
    except UnknownObject as error:
        raise Refusal(404, str(error)) from error
    except StoreUnavailable as error:
        raise Refusal(503, "the store cannot answer now; try again") from error
    except web.HTTPException as error:
        raise Refusal(error.status, error.reason) from error
    except Exception as error:
        _log.exception("a request of the admin API failed")
        raise Refusal(500, "something went wrong; the log says what") from error


class Guard:
    """Checks a request's headers; `listen` is the host that the console is bound to."""

    def __init__(self, listen: str) -> None:
        self._listen = listen.strip("[]").lower()
        address = _address(self._listen)
        self._anywhere = address is not None and address.is_unspecified

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Raises Refusal."""
        host = headers.get("Host", "")
        if not self._is_ours(host_name(host)):
            raise Refusal(421, "the Host header names neither this machine nor the address given")
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise Refusal(403, "requests from other web pages are refused")
        media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if method not in _SAFE_METHODS and media_type != "application/json":
            raise Refusal(415, "send Content-Type: application/json")

    def _is_ours(self, host: str) -> bool:
        """A console that listens at all addresses accepts any address as the host: what DNS
        rebinding needs is a name."""
        if host in (_LOCAL_NAME, self._listen):
            return True
        address = _address(host)
        return address is not None and (address.is_loopback or self._anywhere)


def host_name(authority: str) -> str:
    """`[::1]:8081` → `::1`, `LocalHost:8081` → `localhost`; empty for what is no host with or
    without a port (RFC 3986 §3.2), such as `[::1]evil`."""
    found = _AUTHORITY.fullmatch(authority)
    return "" if found is None else (found[1] or found[2]).lower()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
