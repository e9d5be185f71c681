"""How a status that an object has differs from the one that it is to have; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hookplane.kinds.conditions import ConditionType

Operation = dict[str, Any]
"""Of a JSON patch (RFC 6902)."""
_CONDITIONS: Final = "conditions"


def without_empty(value: Any) -> Any:
    """Without fields that are empty, at every depth: an API server stores those of a map that
    becomes empty as null, and refuses that."""
    if isinstance(value, Mapping):
        kept = {name: without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in ([], {}, None)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_empty(each) for each in value]
    return value


def is_same(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whatever order conditions have."""
    return bool(_plain(told) == _plain(wanted))


def essence(status: Mapping[str, Any]) -> object:
    """What a person would call a change: conditions, states and addresses, but not numbers, times
    and sentences."""
    conditions = {
        x.get("type"): (x.get("status"), x.get("reason")) for x in status.get(_CONDITIONS) or ()
    }
    words = [status.get(x) for x in ("observedGeneration", "state", "url", "target")]
    summaries = [(status.get(x) or {}).get("summary") for x in ("receivers", "dispatchers")]
    circuit = (status.get("delivery") or {}).get("circuit")
    return conditions, words, summaries, (status.get("store") or {}).get("state"), circuit


def is_reconciling(status: Mapping[str, Any]) -> bool:
    types = {x.get("type") for x in status.get(_CONDITIONS) or ()}
    return ConditionType.RECONCILING.value in types


def removals(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Operation]:
    """A patch that takes out of `told` what others have put there: a server-side apply leaves that
    alone."""
    return list(_removals(told, wanted, "/status"))


def _removals(told: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> Iterator[Operation]:
    for name, value in told.items():
        here = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if value in ([], {}, None, ""):
            continue
        if name not in wanted:
            yield {"op": "remove", "path": here}
        elif name == _CONDITIONS:
            yield from _foreign_conditions(value, wanted[name], here)
        elif isinstance(value, Mapping) and isinstance(wanted[name], Mapping):
            yield from _removals(value, wanted[name], here)
        elif isinstance(value, list) and value != wanted[name]:
            yield {"op": "replace", "path": here, "value": wanted[name]}


def _foreign_conditions(
    told: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], path: str
) -> Iterator[Operation]:
    """From the last to the first, so that numbers stay right."""
    own = {x["type"] for x in wanted}
    for number, condition in reversed(list(enumerate(told))):
        if condition["type"] not in own:
            yield {"op": "test", "path": f"{path}/{number}/type", "value": condition["type"]}
            yield {"op": "remove", "path": f"{path}/{number}"}


def _plain(status: Mapping[str, Any]) -> dict[str, Any]:
    """For comparing: without empty fields, and with conditions by type."""
    plain = without_empty({name: value for name, value in status.items() if value != ""})
    plain[_CONDITIONS] = {
        x.get("type"): {k: v for k, v in x.items() if v != ""}
        for x in status.get(_CONDITIONS) or ()
    }
    return dict(plain)
