"""What there is at one moment: objects, rows, and how URLs answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from support.chaos.tenants import HOME, KEY
from support.chaos.traffic import Name
from support.chaos.world import World

Object = dict[str, Any]
CHILDREN: Final = (
    "Deployment",
    "Service",
    "ServiceAccount",
    "PodDisruptionBudget",
    "NetworkPolicy",
)
MADE_OF: Final = "hookplane.dev/gateway"
"""Label of everything that a gateway is made of."""
ROWS: Final = "select kind, uid from hookplane.config where document is not null"
WRONG_KEY: Final = base64.b64encode(b"a key that nobody has ever given").decode()


@dataclass(frozen=True)
class Answers:
    """Of one URL; 0: none."""

    right: int
    """To a request that is signed with the key in force."""
    wrong: int
    """To one that is signed with another."""


@dataclass(frozen=True)
class Seen:
    """All that the oracle looks at."""

    gateways: tuple[Object, ...] = ()
    endpoints: tuple[Object, ...] = ()
    subscriptions: tuple[Object, ...] = ()
    children: tuple[Object, ...] = ()
    secrets: Mapping[Name, Object] = field(default_factory=dict)
    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Name → uid, of those that are there to stay."""
    rows: frozenset[tuple[str, str]] = frozenset()
    """Kind and uid of what is in force in the database."""
    answers: Mapping[Name, Answers] = field(default_factory=dict)
    """Of every URL that there ever was."""


def key_source(endpoint: Object) -> tuple[str, str]:
    """Secret and key that hold an endpoint's verification key."""
    keys = endpoint["spec"].get("verification", {}).get("keys")
    if keys:
        ref = keys[0]["secretKeyRef"]
        return ref["name"], ref["key"]
    return f"{endpoint['metadata']['name']}-verification", KEY


def key_in(secrets: Mapping[Name, Object], endpoint: Object) -> str:
    """As a provider has it; empty: there is none."""
    name, key = key_source(endpoint)
    found = secrets.get((endpoint["metadata"]["namespace"], name), {})
    with suppress(binascii.Error, UnicodeDecodeError):
        raw = base64.b64decode(found.get("data", {}).get(key, ""))
        return raw.decode().removeprefix("whsec_")
    return ""


def name_of(one: Object) -> Name:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def is_going(one: Object) -> bool:
    return "deletionTimestamp" in one["metadata"]


def look(world: World, urls: set[Name]) -> Seen:
    """Raises Declined, OSError. `urls`: all that there ever were; those that are new are added."""
    endpoints, secrets = tuple(world.api.list("WebhookEndpoint")), _secrets(world)
    keys = {name_of(x): key_in(secrets, x) for x in endpoints}
    urls |= keys.keys()
    world.traffic.keys = {name: key for name, key in keys.items() if key}
    return Seen(
        tuple(world.api.list("WebhookGateway")),
        endpoints,
        tuple(world.api.list("WebhookSubscription")),
        _children(world),
        secrets,
        _namespaces(world),
        frozenset((kind, uid) for kind, uid in world.sql(ROWS)),
        {name: _ask(world, name, keys.get(name, "")) for name in sorted(urls)},
    )


def _ask(world: World, url: Name, key: str) -> Answers:
    post = world.traffic.post
    return Answers(post(url, key or WRONG_KEY), post(url, WRONG_KEY))


def _secrets(world: World) -> dict[Name, Object]:
    return {name_of(x): x for x in world.api.list("Secret")}


def _children(world: World) -> tuple[Object, ...]:
    query = f"labelSelector={MADE_OF}"
    return tuple(x for kind in CHILDREN for x in world.api.list(kind, HOME, query))


def _namespaces(world: World) -> dict[str, str]:
    stays = [x["metadata"] for x in world.api.list("Namespace") if not is_going(x)]
    return {x["name"]: x["uid"] for x in stays}
