"""All requests to the API server, on the asyncio client of the package `kubernetes`.

Objects are JSON, as the server sent them. The models of that package are not used, because they
refuse fields that they do not know; only its authentication, TLS and connections are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import urllib.request
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Final, Self

import aiohttp
import yaml
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTResponse
from kubernetes.aio.config.config_exception import ConfigException

from hookplane.errors import InvalidValue
from hookplane.pacing.backoff import pause_after
from hookplane_operator.kube.answers import (
    ApiAnswer,
    Expected,
    WatchEvent,
    is_any,
    is_discovery,
    is_list,
    is_object,
    read,
    read_event,
    seconds_away,
)
from hookplane_operator.kube.errors import ApiError, Forbidden, NotFound, NotLeader
from hookplane_operator.kube.kinds import Object, Resource
from hookplane_operator.kube.service_account import ServiceAccount
from hookplane_operator.metrics import Metrics

MANAGER: Final = "hookplane"
"""Our field manager."""
AGENT: Final = "hookplane-operator"
PAGE: Final = 500
TIMEOUT_SECONDS: Final = 15.0
LATE_SECONDS: Final = 5.0
"""So long after its time a watch that has not ended is taken for silent."""
EARLY_SECONDS: Final = 1.0
"""So long before its time a watch may end."""
LONGEST_LINE: Final = 1 << 24
"""Bytes. etcd takes no object of a tenth of it."""
_APPLY: Final = "application/apply-patch+yaml"
_EDIT: Final = "application/json-patch+json"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_ONLY_METADATA: Final = (
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
)
_DISCOVERY: Final = Resource("APIResourceList", "apis", "v1", namespaced=False)
_ONE: Final = {"limit": "1"}
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 8.0
"""Seconds without requests after a 429, when it asks for less."""
_OUTSIDE: Final = (
    aiohttp.ClientError,
    OSError,
    EOFError,
    TimeoutError,
    ValueError,  # what is no HTTP, no text or no address
    ConfigException,
)
"""What a request may end with that the API server, the network or a file of ours brings about."""


def _always() -> bool:
    return True


class Kube:
    """One for the process. Writes go through only while `may_write()` holds."""

    def __init__(
        self,
        configuration: Configuration,
        metrics: Metrics,
        may_write: Callable[[], bool] | None = None,
        account: ServiceAccount | None = None,
    ) -> None:
        """Use `connect`."""
        self._configuration = configuration
        self._client = _client(configuration)
        self._metrics = metrics
        self._away_until = 0.0
        self._refused = 0
        """Pauses in a row that a 429 asked for."""
        self._may_write = may_write or _never
        self._account = account

    @classmethod
    async def connect(
        cls,
        metrics: Metrics,
        may_write: Callable[[], bool] | None = None,
        account: ServiceAccount | None = None,
    ) -> Self:
        """As `account`, by default with the pod's own service account; outside of a pod with the
        kubeconfig that KUBECONFIG names. `may_write`: whether writes go through now; None: never.
        Raises ApiError while the account's files are not there, InvalidValue for the kubeconfig."""
        configuration = Configuration()
        if account is None and ServiceAccount.is_there():
            account = ServiceAccount()
        if account is None:
            await _load_kubeconfig(configuration)
        else:
            account.configure(configuration)
        configuration.client_session_kwargs = {"trust_env": _has_proxy()}
        configuration.connection_pool_maxsize = 0  # no bound: each watch holds a connection
        return cls(configuration, metrics, may_write, account)

    async def close(self) -> None:
        await self._client.close()

    # Reading ------------------------------------------------------------------------------------

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Raises NotFound, ApiError."""
        return await self._send("GET", resource, resource.path(namespace, name), is_object)

    async def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The object, or None when there is none. Raises ApiError."""
        try:
            return await self.get(resource, namespace, name)
        except NotFound:
            return None

    async def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False
    ) -> AsyncIterator[Object]:
        """All objects of a kind; `namespace` None: of all namespaces. Raises ApiError."""
        async for page in self.pages(resource, namespace, metadata_only=metadata_only):
            for item in page.get("items") or ():
                yield item

    async def pages(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Object]:
        """The same as lists, all of one version. Raises ApiError."""
        query: dict[str, str] = {"limit": str(PAGE)}
        if selector:
            query["labelSelector"] = selector
        accept = _ONLY_METADATA if metadata_only else _JSON
        while True:
            path = resource.path(namespace)
            page = await self._send("GET", resource, path, is_list, query=query, accept=accept)
            yield page
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        version: str,
        seconds: float,
        *,
        within: float,
        selector: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        """What happens after `version`, for so many seconds. `within`: seconds until it must have
        begun. Raises ApiError when the watch is refused, breaks, begins late, ends before its time,
        or falls silent, which shows when it should end."""
        path = resource.path(namespace)
        asked, loop = f"WATCH {path}", asyncio.get_running_loop()
        query = {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(seconds)),
            "allowWatchBookmarks": "true",
        } | ({"labelSelector": selector} if selector else {})
        end = loop.time() + int(seconds) - EARLY_SECONDS
        lines = self._lines(resource, path, asked, query, seconds, within)
        async with contextlib.aclosing(lines):
            async for line in lines:
                yield read_event(line, asked, resource)
        if loop.time() < end:
            raise ApiError(0, "it ended before its time", asked=asked)

    async def is_served(self, resource: Resource, namespace: str | None) -> bool:
        """Whether the API server knows the kind, though it may refuse to show it. Raises
        ApiError."""
        try:
            await self._send("GET", resource, resource.path(namespace), is_list, query=_ONE)
        except NotFound:
            return False
        except Forbidden:
            return True
        return True

    async def takes_new(self, resources: Collection[Resource]) -> bool:
        """Whether objects of all these kinds can be made. Those of a CRD that is being deleted
        cannot. Raises ApiError."""
        for version in {x.api_version for x in resources}:
            found = await self._send("GET", _DISCOVERY, f"/apis/{version}", is_discovery)
            verbs = {x["name"]: x.get("verbs") or () for x in found["resources"]}
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

    async def edit(
        self, resource: Resource, body: Object, patch: Sequence[Object], *, part: str = ""
    ) -> Object:
        """A JSON patch (RFC 6902) of the object with the uid of `body`. Raises NotLeader,
        ApiError."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], part)
        same = {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}
        query = {"fieldManager": MANAGER}
        return await self._write(
            "PATCH", resource, path, [same, *patch], query=query, content=_EDIT
        )

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
        body: Object | Sequence[Object],
        *,
        query: Mapping[str, str] | None = None,
        content: str = _JSON,
        elected: bool = True,
    ) -> Object:
        expected = is_any if method == "DELETE" else is_object
        allowed = self._may_write if elected else _always
        return await self._send(
            method, resource, path, expected, allowed, body=body, query=query, content=content
        )

    async def _send(
        self,
        method: str,
        resource: Resource,
        path: str,
        expected: Expected,
        allowed: Callable[[], bool] = _always,
        *,
        body: Object | Sequence[Object] | None = None,
        query: Mapping[str, str] | None = None,
        accept: str = _JSON,
        content: str = _JSON,
    ) -> Object:
        """What answers, if it is as `expected`. `allowed`: asked last of all, because a request may
        have to wait before it leaves. Raises NotLeader, ApiError."""
        asked, status = f"{method} {path}", 0
        _require(allowed)
        await self._wait_out()
        headers = {"Accept": accept, "Content-Type": content}
        try:
            answer = await self._exchange(method, path, body, query or {}, headers, allowed)
            status = answer.status
        except _OUTSIDE as error:
            raise ApiError(0, f"no answer: {type(error).__name__}", asked=asked) from error
        finally:
            self._metrics.api_calls.labels(method, resource.plural, str(status)).inc()
        return self._judge(answer, asked, resource, expected)

    def _judge(
        self, answer: ApiAnswer, asked: str, resource: Resource, expected: Expected
    ) -> Object:
        """Raises ApiError, and stays away for a while after a 429."""
        if answer.status == 429:
            self._stay_away(seconds_away(answer))
        found = read(answer, asked, resource, expected)
        self._refused = 0
        return found

    async def _lines(
        self,
        resource: Resource,
        path: str,
        asked: str,
        query: Mapping[str, str],
        seconds: float,
        within: float,
    ) -> AsyncGenerator[bytes, None]:
        """Of a watch. Raises ApiError."""
        status, response = 0, None
        try:
            async with asyncio.timeout(within):
                await self._wait_out()
                late = seconds + LATE_SECONDS
                response = await self._open("GET", path, None, query, {"Accept": _JSON}, late)
            status = response.status
            if status != 200:
                self._judge(await _answer(response), asked, resource, is_any)
            async for line in _split(response.response.content.iter_any()):
                yield line
        except _OUTSIDE as error:
            why = "it fell silent" if isinstance(error, TimeoutError) and status else "no answer"
            raise ApiError(0, f"{why}: {type(error).__name__}", asked=asked) from error
        finally:
            self._metrics.api_calls.labels("WATCH", resource.plural, str(status)).inc()
            if response is not None:
                response.response.close()

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Object | Sequence[Object] | None,
        query: Mapping[str, str],
        headers: dict[str, str],
        allowed: Callable[[], bool],
    ) -> ApiAnswer:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response = await self._open(
                method, path, body, query, headers, TIMEOUT_SECONDS, allowed
            )
            return await _answer(response)

    async def _open(
        self,
        method: str,
        path: str,
        body: Object | Sequence[Object] | None,
        query: Mapping[str, str],
        headers: dict[str, str],
        seconds: float,
        allowed: Callable[[], bool] = _always,
    ) -> RESTResponse:
        """Sends a request; the answer is to be over within so many seconds."""
        if self._account is not None:
            await self._renew_client(self._account)
            headers["Authorization"] = f"Bearer {self._account.token()}"
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        _require(allowed)
        return await self._client.call_api(*request, _request_timeout=seconds)

    async def _renew_client(self, account: ServiceAccount) -> None:
        """With the certificates that are to be believed now. Requests under way on the former ones
        end without an answer."""
        if account.takes_new_ca():
            former, self._client = self._client, _client(self._configuration)
            await former.close()

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


async def _answer(response: RESTResponse) -> ApiAnswer:
    raw: bytes = await response.read()
    told = (response.getheader(x) or "" for x in ("Content-Type", "Retry-After"))
    return ApiAnswer(response.status, raw, *told)


async def _split(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines; the last one may lack its end. Raises ValueError when one never ends."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > LONGEST_LINE:
            raise ValueError("a line without end")
    if rest:
        yield rest


async def _load_kubeconfig(configuration: Configuration) -> None:
    file = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    try:
        await kube_config.load_kube_config(
            config_file=file, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidValue(f"KUBECONFIG: {file} cannot be used: {error}") from error


def _client(configuration: Configuration) -> ApiClient:
    made = ApiClient(configuration)
    made.user_agent = AGENT
    return made


def _require(allowed: Callable[[], bool]) -> None:
    if not allowed():
        raise NotLeader("only the leader writes")


def _never() -> bool:
    return False


def _has_proxy() -> bool:
    """Whether the environment names a proxy. Otherwise `trust_env` stays off: with it, aiohttp
    looks for a proxy and a .netrc in a thread before each request, which costs more than the
    request itself."""
    return not urllib.request.getproxies().keys().isdisjoint(("http", "https"))
