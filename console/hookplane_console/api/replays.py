"""`/replays`: jobs that deliver events again."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.ids import EVENT_PREFIX, event_id
from hookplane.store.delivery_store import REPLAYABLE, DeliveryState, NewReplay
from hookplane_console.api.context import ApiRoute, Context, Routes, path_key
from hookplane_console.api.parameters import (
    NAMESPACE,
    name_of,
    namespace_of,
    object_of,
    text_of,
    time_of,
)
from hookplane_console.api.views import replay_view
from hookplane_console.responses import Refusal, json_response, whole

MAX_IDS: Final = 1000
_STATES: Final = {state.value: state for state in DeliveryState if state in REPLAYABLE}
_MEMBERS: Final = frozenset({"subscription", "ids", "since", "until", "states"})
_EVENT_ID: Final = re.compile(r"evt_[0-9a-z]{26}")


async def show_all(context: Context, request: web.Request) -> web.Response:
    jobs = await context.store.replays(namespace_of(request.query))
    return whole([replay_view(job, context.directory.name) for job in jobs])


async def show(context: Context, request: web.Request) -> web.Response:
    namespace, name = path_key(request)
    for job in await context.store.replays(namespace):
        if job.name == name:
            return json_response(replay_view(job, context.directory.name))
    raise UnknownObject(f"no replay {namespace}/{name}")


async def create(context: Context, request: web.Request) -> web.Response:
    body = object_of(await request.read(), _MEMBERS)
    subscription = context.directory.subscription(
        name_of(text_of(body, "subscription") or "", "subscription")
    )
    now = context.clock.now()
    replay = new_replay(subscription.uid, subscription.namespace, body, now, event_id(now))
    job = await context.store.create_replay(replay)
    return json_response(replay_view(job, context.directory.name), 201)


def new_replay(
    subscription: str, namespace: str, body: dict[str, Any], now: Millis, unique: str
) -> NewReplay:
    """The job that a request asks for; its uid says that no manifest made it. Raises Refusal."""
    name = "replay-" + unique.removeprefix(EVENT_PREFIX)
    ids = _ids(body)
    if bool(ids) == (body.get("since") is not None):
        raise Refusal(400, "give either ids or since", "ids")
    received_from, received_to = _bounds(body, now)
    return NewReplay(
        uid=f"requestedreplays/{namespace}/{name}",
        namespace=namespace,
        name=name,
        subscription=subscription,
        created=now,
        ids=ids,
        received_from=received_from,
        received_to=received_to,
        states=_states(body, REPLAYABLE if ids else frozenset({DeliveryState.DEAD})),
    )


def _bounds(body: dict[str, Any], now: Millis) -> tuple[Millis, Millis]:
    """From and to of a range; ids have none."""
    since, until = text_of(body, "since"), text_of(body, "until")
    if since is None:
        if until is not None:
            raise Refusal(400, "goes with since", "until")
        return 0, 0
    bounds = time_of(since, now, "since"), time_of(until or "0s", now, "until")
    if bounds[0] >= bounds[1]:
        raise Refusal(400, "must be before until", "since")
    return bounds


def _ids(body: dict[str, Any]) -> tuple[str, ...]:
    ids = body.get("ids", [])
    if not isinstance(ids, list) or len(ids) > MAX_IDS:
        raise Refusal(400, f"a list of at most {MAX_IDS} event ids", "ids")
    for index, text in enumerate(ids):
        if not isinstance(text, str) or not _EVENT_ID.fullmatch(text):
            raise Refusal(400, "not an event id: evt_ and 26 characters", f"ids[{index}]")
    return tuple(dict.fromkeys(ids))


def _states(body: dict[str, Any], default: frozenset[DeliveryState]) -> frozenset[DeliveryState]:
    names = body.get("states", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal(400, "a list of states", "states")
    lowered = [name.lower() for name in names]
    if lowered == ["all"]:
        return REPLAYABLE
    for index, name in enumerate(lowered):
        if name not in _STATES:
            known = ", ".join([*_STATES, "all"])
            raise Refusal(400, f"events to replay are: {known} (alone)", f"states[{index}]")
    return frozenset(_STATES[name] for name in lowered) or default


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/replays", show_all, NAMESPACE),
    ApiRoute("POST", "/replays", create),
    ApiRoute("GET", "/replays/{namespace}/{name}", show),
)
