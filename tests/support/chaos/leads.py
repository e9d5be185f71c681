"""Who wrote what when, as the API server's audit log says: never two leaders at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from support.kubernetes.audit import Entry, about, is_done, is_lease, is_told, out_of_turn, user_of

GRACE_SECONDS: Final = 15.0
"""After somebody else wrote the Lease: the leader reads it every 2 s, and its requests take their
time."""
READING: Final = ("get", "list", "watch")


class Turns:
    """Reads the log as it grows."""

    def __init__(self, audit: Path, users: tuple[str, ...]) -> None:
        self._audit = audit
        self._users = users
        self._place = 0
        self._holder = ""

    def broken(self, touched: Iterable[float]) -> list[str]:
        """Writes since the last call of one who did not hold the Lease."""
        entries = [x for x in self._new() if user_of(x) in self._users]
        found = out_of_turn(entries, self._holder) if self._holder else []
        taken = [user_of(x) for x in entries if is_lease(x) and is_done(x)]
        self._holder = taken[-1] if taken else self._holder
        return [_described(x) for x in found if not _is_excused(x, touched)]

    def _new(self) -> list[Entry]:
        with self._audit.open("rb") as log:
            log.seek(self._place)
            lines = log.readlines()
            if lines and not lines[-1].endswith(b"\n"):
                lines.pop()
            self._place += sum(map(len, lines))
        entries = [orjson.loads(x) for x in lines if b'"watch"' not in x]
        return [x for x in entries if x["verb"] not in READING and x.get("objectRef")]


def _is_excused(entry: Entry, touched: Iterable[float]) -> bool:
    at = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
    return any(0 <= at - x < GRACE_SECONDS for x in touched)


def _described(entry: Entry) -> str:
    assert is_told(entry)
    when = entry["requestReceivedTimestamp"]
    return f"{user_of(entry)} wrote {' '.join(about(entry))} at {when} without holding the Lease"
