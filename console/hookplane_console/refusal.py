"""Why a request of the admin API is not carried out, in the form that every answer has."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Becomes an answer: `{"error": {"field": …, "message": …}}`."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        """`field`: the parameter or member that is wrong; empty: the request as a whole."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field


def error_body(message: str, field: str = "") -> dict[str, Any]:
    return {"error": {"field": field, "message": message}}
