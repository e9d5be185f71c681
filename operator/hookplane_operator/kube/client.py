"""All requests to the API server, on the asyncio client of the package `kubernetes`.

Objects are JSON, as the server sent them. The models of that package are not used, because they
refuse fields that they do not know; only its authentication, TLS and connections are.
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import orjson
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from hookplane.pacing.backoff import pause_after
from hookplane_operator.kube.errors import ApiError, Conflict, Forbidden, NotFound, NotLeader
from hookplane_operator.kube.kinds import Object, Resource
from hookplane_operator.metrics import Metrics

MANAGER: Final = "hookplane"
"""Our field manager."""
AGENT: Final = "hookplane-operator"
PAGE: Final = 500
TIMEOUT_SECONDS: Final = 15.0
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_ONLY_METADATA: Final = (
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
)
_DISCOVERY: Final = Resource("APIResourceList", "apis", "v1", namespaced=False)
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 8.0
"""Seconds without requests after a 429, when it asks for less."""
_ERRORS: Final = {403: Forbidden, 404: NotFound, 409: Conflict}


class Kube:
    """One for the process. Writes go through only while `may_write()` holds."""

    def __init__(
        self, client: ApiClient, metrics: Metrics, may_write: Callable[[], bool] | None = None
    ) -> None:
        """Use `connect`."""
        self._client = client
        self._metrics = metrics
        self._away_until = 0.0
        self._refused = 0
        """Pauses in a row that a 429 asked for."""
        self._may_write = may_write or _never

    @classmethod
    async def connect(cls, metrics: Metrics, may_write: Callable[[], bool] | None = None) -> Self:
        """With the pod's own service account, or with the kubeconfig that KUBECONFIG names.
        `may_write`: whether writes go through now; None: never."""
        configuration = Configuration()
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            kube_config.load_incluster_config(client_configuration=configuration)
        else:
            file = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
            await kube_config.load_kube_config(
                config_file=file, client_configuration=configuration, persist_config=False
            )
        configuration.client_session_kwargs = {"trust_env": _has_proxy()}
        client = ApiClient(configuration)
        client.user_agent = AGENT
        return cls(client, metrics, may_write)

    async def close(self) -> None:
        await self._client.close()

    # Reading ------------------------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Raises NotFound, ApiError."""
        return await self._send("GET", resource, resource.path(namespace, name))

    async def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The object, or None when there is none. Raises ApiError."""
        try:
            return await self.get(resource, namespace, name)
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Object]:
        """All objects of a kind, read page by page; `namespace` None: of all namespaces. Raises
        ApiError."""
        query: dict[str, str] = {"limit": str(PAGE)}
        if selector:
            query["labelSelector"] = selector
        accept = _ONLY_METADATA if metadata_only else _JSON
        while True:
            path = resource.path(namespace)
            page = await self._send("GET", resource, path, query=query, accept=accept)
            for item in page.get("items") or ():
                yield item
            following = page.get("metadata", {}).get("continue")
            if not following:
                return
            query["continue"] = following

    async def is_served(self, resource: Resource, namespace: str | None) -> bool:
        """Whether the API server knows the kind, though it may refuse to show it. Raises
        ApiError."""
        try:
            await self._send("GET", resource, resource.path(namespace), query={"limit": "1"})
        except NotFound:
            return False
        except Forbidden:
            return True
        return True

    async def takes_new(self, resources: Collection[Resource]) -> bool:
        """Whether objects of all these kinds can be made. Those of a CRD that is being deleted
        cannot. Raises ApiError."""
        for version in {x.api_version for x in resources}:
            found = await self._send("GET", _DISCOVERY, f"/apis/{version}")
            verbs = {x["name"]: x.get("verbs", ()) for x in found.get("resources", ())}
            own = [x.plural for x in resources if x.api_version == version]
            if not all("create" in verbs.get(plural, ()) for plural in own):
                return False
        return True

    # Writing ------------------------------------------------------------------------------------

    async def apply(
        self, resource: Resource, body: Object, *, part: str = "", manager: str = MANAGER
    ) -> Object:
        """Server-side apply, by force. Raises NotLeader, ApiError."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], part)
        query = {"fieldManager": manager, "force": "true"}
        return await self._write("PATCH", resource, path, body, query=query, content=_APPLY)

    async def create(self, resource: Resource, body: Object, *, elected: bool = True) -> Object:
        """Makes a new object. `elected` False: a replica that does not lead may do it, too. Raises
        Conflict when there is one already, NotLeader, ApiError."""
        path = resource.path(body["metadata"].get("namespace"))
        query = {"fieldManager": MANAGER}
        return await self._write("POST", resource, path, body, query=query, elected=elected)

    async def replace(self, resource: Resource, body: Object, *, elected: bool = True) -> Object:
        """Replaces an object that nobody has changed since `body` was read. `elected` False: a
        replica that does not lead may do it, too. Raises Conflict, NotLeader, ApiError."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": MANAGER}
        return await self._write("PUT", resource, path, body, query=query, elected=elected)

    async def merge(self, resource: Resource, body: Object) -> Object:
        """A merge patch (RFC 7386). Raises NotLeader, ApiError."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": MANAGER}
        return await self._write("PATCH", resource, path, body, query=query, content=_MERGE)

    async def delete(self, resource: Resource, namespace: str | None, name: str, uid: str) -> None:
        """Deletes the object with this uid, not a later one of the same name. Nothing happens when
        it is gone. Raises NotLeader, ApiError."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._write("DELETE", resource, resource.path(namespace, name), body)
        except NotFound:
            return

    # Sending ------------------------------------------------------------------------------------

    async def _write(
        self,
        method: str,
        resource: Resource,
        path: str,
        body: Object,
        *,
        query: Mapping[str, str] | None = None,
        content: str = _JSON,
        elected: bool = True,
    ) -> Object:
        if elected and not self._may_write():
            raise NotLeader("only the leader writes")
        return await self._send(method, resource, path, body=body, query=query, content=content)

    async def _send(
        self,
        method: str,
        resource: Resource,
        path: str,
        *,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        accept: str = _JSON,
        content: str = _JSON,
    ) -> Object:
        await self._wait_out()
        status, raw, retry_after = 0, b"", 0.0
        try:
            status, raw, retry_after = await self._exchange(
                method, path, body, dict(query or {}), accept, content
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"no answer from the API server: {type(error).__name__}") from error
        finally:
            self._metrics.api_calls.labels(method, resource.plural, str(status)).inc()
        if 200 <= status < 300:
            self._refused = 0
            answer: Object = orjson.loads(raw)
            return answer
        if status == 429:
            self._stay_away(retry_after)
        raise _ERRORS.get(status, ApiError)(status, _message(raw), retry_after)

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Object | None,
        query: dict[str, str],
        accept: str,
        content: str,
    ) -> tuple[int, bytes, float]:
        headers = {"Accept": accept, "Content-Type": content}
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answer = await self._client.call_api(*request, _request_timeout=TIMEOUT_SECONDS)
            raw: bytes = await answer.read()
        return answer.status, raw, _seconds(answer.getheader("Retry-After"))

    async def _wait_out(self) -> None:
        """Every request waits while a 429 is in force, not only the one that got it."""
        left = self._away_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _stay_away(self, seconds: float) -> None:
        """No requests for at least so many seconds, and longer each time in a row. Requests that
        were under way together and are refused together count once."""
        now = asyncio.get_running_loop().time()
        if now >= self._away_until:
            self._refused += 1
        grown = pause_after(max(self._refused, 1), _FIRST_PAUSE, _LONGEST_PAUSE)
        self._away_until = max(self._away_until, now + max(seconds, grown))


def _never() -> bool:
    return False


def _has_proxy() -> bool:
    """Whether the environment names a proxy. Otherwise `trust_env` stays off: with it, aiohttp
    looks for a proxy and a .netrc in a thread before each request, which costs more than the
    request itself."""
    return not urllib.request.getproxies().keys().isdisjoint(("http", "https"))


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0


def _message(raw: bytes) -> str:
    try:
        said: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw[:200].decode("utf-8", "replace")
    return str(said.get("message", ""))[:500] if isinstance(said, dict) else ""
