"""What the benchmarks ask of an API server: many objects at once, and what its audit log says."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson

from hookplane.kinds.base import API_VERSION
from support.kubernetes.control_plane import ControlPlane

AT_ONCE: Final = 16
_PLURALS: Final = {
    "WebhookEndpoint": "webhookendpoints",
    "WebhookSubscription": "webhooksubscriptions",
    "Service": "services",
}

Object = dict[str, Any]


class ApiServer:
    """One namespace, with every right."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        """Use `connected`."""
        self._session = session
        self._namespace = namespace

    async def create(self, objects: Iterable[Object]) -> None:
        """So many at once. Raises aiohttp.ClientResponseError."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(made: Object) -> None:
            async with gate:
                path = self._path(made["apiVersion"], made["kind"])
                await self._send("POST", path, made, "application/json")

        await asyncio.gather(*map(one, objects))

    async def merge(self, kind: str, name: str, change: Object) -> Object:
        """The object after a merge patch. Raises aiohttp.ClientResponseError."""
        path = f"{self._path(API_VERSION, kind)}/{name}"
        return await self._send("PATCH", path, change, "application/merge-patch+json")

    def _path(self, version: str, kind: str) -> str:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{self._namespace}/{_PLURALS[kind]}"

    async def _send(self, method: str, path: str, body: Object, content: str) -> Object:
        headers = {"Content-Type": content}
        async with self._session.request(
            method, path, data=orjson.dumps(body), headers=headers
        ) as answer:
            answer.raise_for_status()
            found: Object = orjson.loads(await answer.read())
            return found


@asynccontextmanager
async def connected(plane: ControlPlane, namespace: str) -> AsyncIterator[ApiServer]:
    context = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    context.load_cert_chain(plane.folder / "admin.crt", plane.folder / "admin.key")
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(plane.url, connector=connector) as session:
        yield ApiServer(session, namespace)


class Audit:
    """What the operators of one namespace wrote from now on."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._file = plane.audit
        self._namespace = namespace
        self._start = self._file.stat().st_size

    def writes(self) -> list[Object]:
        """Without those of the Lease."""
        with self._file.open("rb") as lines:
            lines.seek(self._start)
            return [
                entry
                for line in lines
                if b'"userAgent":"hookplane' in line and b'"watch"' not in line
                if self._is_write(entry := orjson.loads(line))
            ]

    def statuses(self) -> list[Object]:
        return [x for x in self.writes() if x["objectRef"].get("subresource") == "status"]

    def _is_write(self, entry: Object) -> bool:
        about = entry.get("objectRef") or {}
        return (
            entry["verb"] not in ("get", "list", "watch")
            and about.get("namespace") == self._namespace
            and about.get("resource") != "leases"
        )


def most_in_a_second(writes: Iterable[Object]) -> int:
    """Of requests as the API server received them."""
    counts = Counter(x["requestReceivedTimestamp"][:19] for x in writes)
    return max(counts.values(), default=0)
