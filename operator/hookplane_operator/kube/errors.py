"""What an API server may answer instead of what was asked for."""

from __future__ import annotations

from hookplane.errors import HookplaneError


class ApiError(HookplaneError):
    """The API server refused; `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, status: int, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.retry_after = retry_after
        """Seconds that it asks to be left alone."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """Somebody else changed it, or it exists already."""


class Forbidden(ApiError):
    """Our rights do not reach so far."""


class NotLeader(HookplaneError):
    """Only the leader writes, and this is not the leader any more."""
