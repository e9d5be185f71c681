"""The first lines of `hookplane run`: what is served where, and where the keys are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hookplane.compile.change import Configured
from hookplane.compile.generated import VERIFICATION_SUFFIX
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane_cli.all_in_one.settings import RunSettings
from hookplane_cli.human import counted
from hookplane_cli.local.reload import Loaded
from hookplane_cli.options import DEFAULT_DATA, DEFAULT_NAMESPACE

_GAP: Final = "     "


def banner(
    settings: RunSettings,
    documents: Iterable[Configured],
    loaded: Loaded,
    url: str,
    admin: str,
    tls_url: str = "",
) -> list[str]:
    """The lines, for people. `url`, `admin`, `tls_url`: where the receiver and the console are."""
    known = sorted(documents, key=lambda x: (x.namespace, x.name))
    endpoints = [x for x in known if isinstance(x, EndpointConfig) and not x.builtin]
    subscriptions = [x for x in known if isinstance(x, SubscriptionConfig)]
    generated = {want.name for want in loaded.wanted}
    return [
        _head(settings, len(endpoints), len(subscriptions)),
        *_endpoints(endpoints, url, generated, settings.data),
        *([f"  the same at {tls_url}"] if tls_url else []),
        *_waiting(subscriptions),
        f"  console {admin}",
    ]


def _head(settings: RunSettings, endpoints: int, subscriptions: int) -> str:
    served = f"{counted(endpoints, 'endpoint')}, {counted(subscriptions, 'subscription')}"
    sources = ", ".join(map(str, settings.sources))
    store = f"{settings.data}/ (SQLite)"
    return f"Hookplane {version('hookplane')}   store: {store}   {served} from {sources}"


def _endpoints(
    endpoints: Sequence[EndpointConfig], url: str, generated: set[str], data: Path
) -> list[str]:
    rows = [(f"{url}{x.path}", x.provider, _remark(x, generated, data)) for x in endpoints]
    left = max((len(row[0]) for row in rows), default=0)
    middle = max((len(row[1]) for row in rows), default=0)
    lines = (f"  POST {row[0]:<{left}}{_GAP}{row[1]:<{middle}}   {row[2]}" for row in rows)
    return [line.rstrip() for line in lines]


def _remark(endpoint: EndpointConfig, generated: set[str], data: Path) -> str:
    secret = endpoint.name + VERIFICATION_SUFFIX
    if endpoint.not_ready:
        return f"503: {endpoint.not_ready}"
    if endpoint.suspended:
        return "503: suspended"
    if secret in generated:
        return f"key: {secret_command(secret, endpoint.namespace, data)}"
    return ""


def secret_command(secret: str, namespace: str, data: Path) -> str:
    """What to type to see a generated key."""
    where = "" if namespace == DEFAULT_NAMESPACE else f" -n {namespace}"
    folder = "" if str(data) == DEFAULT_DATA else f" --data {data}"
    return f"hookplane secret {secret}{where}{folder}"


def _waiting(subscriptions: Iterable[SubscriptionConfig]) -> list[str]:
    """Subscriptions that send nothing, and why."""
    return [
        f"  {x.namespace}/{x.name} keeps its events: {x.not_ready or 'suspended'}"
        for x in subscriptions
        if x.not_ready or x.suspended
    ]
