"""What an API server may answer instead of what was asked for."""

from __future__ import annotations

from hookplane.errors import HookplaneError


class ApiError(HookplaneError):
    """The API server refused, gave no answer, or something in front of it answered in its place;
    `status` is the HTTP status, 0 when there was no answer. The only error of the client besides
    NotLeader."""

    def __init__(self, status: int, said: str, *, asked: str = "") -> None:
        """`asked`: method and path of the request, if it was one."""
        what = f"{status}: {said}" if status else said
        super().__init__(f"{asked}: {what}" if asked else what)
        self.status = status
        self.said = said
        """The API server's own words, or ours for an answer that is not its."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """Somebody else changed it, or it exists already."""


class Forbidden(ApiError):
    """Our rights do not reach so far."""


class Unreadable(ApiError):
    """A 2xx whose body is not what was asked for: a load balancer's page, nothing at all, half an
    object. Whether a write was done is not known."""


class NotLeader(HookplaneError):
    """Only the leader writes, and this is not the leader any more."""
