"""What every request passes: the guard, the form of errors, headers that browsers heed."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hookplane.errors import StoreUnavailable, UnknownObject
from hookplane_console.api.context import answer
from hookplane_console.guard import Guard
from hookplane_console.refusal import Refusal, error_body

_log: Final = logging.getLogger(__name__)

SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def guarded(guard: Guard) -> Middleware:
    """Outermost: nothing of a request that the guard refuses is looked at."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            guard.check(request.method, request.headers)
            response = await handler(request)
        except Refusal as refusal:
            response = answer(error_body(refusal.message, refusal.field), refusal.status)
        response.headers.update(SAFE_HEADERS)
        return response

    return middleware


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever is raised becomes a Refusal; what nobody foresaw is logged without the request."""
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
