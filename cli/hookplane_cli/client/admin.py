"""Asks the admin API, over HTTP/1.1. No proxy is used: the API is on this machine, or at the other
end of a tunnel that begins on it."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import click
import orjson

TIMEOUT_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 64 << 20
_CONNECTIONS: Final[dict[str, type[http.client.HTTPConnection]]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


class AdminClient:
    """One admin API. Every failure is a click.ClickException whose message is for people."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in _CONNECTIONS or not parts.hostname:
            raise click.ClickException(f"{url} is not a URL; write it like http://127.0.0.1:8081")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._scheme, self._netloc = parts.scheme, parts.netloc
        self._base = parts.path.rstrip("/") + "/api/v1"

    def get(self, path: str, parameters: Mapping[str, str | int | None] | None = None) -> Any:
        """The answer of a GET. Parameters that are None are left out."""
        given = {k: v for k, v in (parameters or {}).items() if v is not None}
        return self._ask("GET", path + ("?" + urlencode(given) if given else ""))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, orjson.dumps(body))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        connection = _CONNECTIONS[self._scheme](self._netloc, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(
                method, self._base + path, body, {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            status, payload = response.status, response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(
                f"nothing answers at {self.url} ({error}); is `hookplane run` running there?"
            ) from error
        finally:
            connection.close()
        return self._data(status, payload)

    def _data(self, status: int, payload: bytes) -> Any:
        try:
            data = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise click.ClickException(
                f"{self.url} is not Hookplane's admin API: it answered {status} and no JSON"
            ) from error
        if status >= 400:
            raise click.ClickException(_told(status, data))
        return data


def _told(status: int, data: Any) -> str:
    error = data.get("error", {}) if isinstance(data, dict) else {}
    field = f"{error['field']}: " if error.get("field") else ""
    return f"{field}{error.get('message') or f'the admin API answered {status}'}"


def object_path(kind: str, name: str, namespace: str) -> str:
    """`endpoints`, `orders` → `/endpoints/default/orders`; `chat/crm` names its own namespace."""
    own, slash, rest = name.rpartition("/")
    return f"/{kind}/{quote(own if slash else namespace, safe='')}/{quote(rest, safe='')}"


def event_path(event_id: str) -> str:
    return f"/events/{quote(event_id, safe='')}"


def full_name(name: str, namespace: str) -> str:
    return name if "/" in name else f"{namespace}/{name}"
