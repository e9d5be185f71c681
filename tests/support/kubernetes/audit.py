"""Who wrote what, as the API server's audit log says."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]


def requested(entries: list[Entry], namespace: str) -> list[Entry]:
    """Writes there that operators asked for."""
    return [
        x
        for x in entries
        if x["userAgent"].startswith("hookplane")
        and x["verb"] not in ("get", "list", "watch")
        and x["objectRef"].get("namespace") == namespace
    ]


def is_done(entry: Entry) -> bool:
    return bool(entry["responseStatus"]["code"] < 300)


def is_lease(entry: Entry) -> bool:
    return bool(entry["objectRef"]["resource"] == "leases")


def is_told(entry: Entry) -> bool:
    """It changed what users see of objects."""
    return is_done(entry) and entry["objectRef"]["resource"] not in ("leases", "events")


def about(entry: Entry) -> tuple[str, str]:
    """Resource and name."""
    return entry["objectRef"]["resource"], entry["objectRef"].get("name", "")


def user_of(entry: Entry) -> str:
    return str(entry["user"]["username"])


def out_of_turn(entries: list[Entry], holder: str) -> list[Entry]:
    """What somebody told who had not written the Lease last; `holder` led before. What arrived
    before another had the Lease is in turn, however late it was answered."""
    leases = [(x["stageTimestamp"], x) for x in entries if is_lease(x) and is_done(x)]
    others = [(x["requestReceivedTimestamp"], x) for x in entries if is_told(x)]
    found = []
    for _, entry in sorted(leases + others, key=lambda x: x[0]):
        if is_lease(entry):
            holder = user_of(entry)
        elif user_of(entry) != holder:
            found.append(entry)
    return found
