"""What `hookplane run` says about itself: the banner, reloads, faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

import orjson

from hookplane.clock import Clock
from hookplane.compile.change import Configured, kind_of
from hookplane.manifests.model import Finding
from hookplane.units import format_time
from hookplane_cli.human import clock_time, counted
from hookplane_cli.local.reload import Loaded

_WIDTH: Final = 10


class Announcer:
    """Writes lines in the style of the log of activity: `text` for people, `json` for machines,
    `quiet` for problems alone."""

    def __init__(self, style: str, out: TextIO, errors: TextIO, clock: Clock) -> None:
        self._style = style
        self._out = errors if style == "quiet" else out
        self._clock = clock
        self._problems: tuple[str, ...] = ()
        self._notes: frozenset[str] = frozenset()

    def ready(self, banner: Sequence[str], facts: dict[str, Any]) -> None:
        """Everything runs."""
        if self._style == "json":
            self._json("ready", facts)
        elif self._style == "text":
            self._lines(banner)

    def loaded(self, loaded: Loaded) -> None:
        """What a load changed, and what is wrong with the manifests or worth knowing if that is
        new."""
        if self._style == "json":
            self._json("config", _as_json(loaded))
            return
        notes = _texts(loaded.report.notes)
        if self._style == "text":
            self._lines(self._stamped("config", _changes(loaded)))
            self._lines(self._stamped("note", [x for x in notes if x not in self._notes]))
        self._notes = frozenset(notes)
        problems = _texts(loaded.report.problems)
        if problems != self._problems:
            self._lines(self._stamped("problem", problems) if problems else self._mended())
        self._problems = problems

    def stopping(self) -> None:
        """A signal came."""
        if self._style == "json":
            self._json("stopping", {})
        elif self._style == "text":
            self._lines(self._stamped("stopping", ["Ctrl-C again does not wait for deliveries"]))

    def fault(self, message: str) -> None:
        """Something went wrong, and no manifest is to blame."""
        if self._style == "json":
            self._json("trouble", {"message": message})
        else:
            self._lines(self._stamped("trouble", [message]))

    def first(self, loaded: Loaded) -> None:
        """The load at the start. Unlike `loaded` it does not list the changes: the banner does."""
        if self._style == "json":
            self._json("config", _as_json(loaded))
            return
        findings: Iterable[Finding] = loaded.report.problems
        if self._style == "text":
            findings = (*loaded.report.problems, *loaded.report.notes)
        self._lines(_texts(findings))
        self._problems = _texts(loaded.report.problems)
        self._notes = frozenset(_texts(loaded.report.notes))

    def _mended(self) -> list[str]:
        return self._stamped("config", ["no problems any more"])

    def _stamped(self, word: str, messages: Iterable[str]) -> list[str]:
        time = clock_time(self._clock.now())
        return [f"{time} {word:<{_WIDTH}} {message}" for message in messages]

    def _json(self, event: str, facts: dict[str, Any]) -> None:
        head = {"at": format_time(self._clock.now()), "event": event}
        self._lines([orjson.dumps(head | facts).decode()])

    def _lines(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self._out.write(text)
            self._out.flush()


def _texts(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(str(finding) for finding in findings)


def _changes(loaded: Loaded) -> list[str]:
    change = loaded.change.of_users()
    parts = (("new", change.created), ("changed", change.changed), ("gone", change.deleted))
    lines = [f"{word}: {_names(documents)}" for word, documents in parts if documents]
    lines += [f"replay begun: {name}" for name in loaded.replays]
    lines += [
        f"{x.namespace}/{x.name} is not ready: {x.not_ready}"
        for x in (*change.created, *change.changed)
        if x.not_ready
    ]
    return lines


def _names(documents: Sequence[Configured]) -> str:
    shown = [f"{kind_of(x)} {x.namespace}/{x.name}" for x in documents[:10]]
    more = len(documents) - len(shown)
    return ", ".join(shown) + (f" and {counted(more, 'more object')}" if more else "")


def _as_json(loaded: Loaded) -> dict[str, Any]:
    change = loaded.change.of_users()
    return {
        "created": [_object(x) for x in change.created],
        "changed": [_object(x) for x in change.changed],
        "deleted": [_object(x) for x in change.deleted],
        "replays": list(loaded.replays),
        **loaded.report.as_json(),
    }


def _object(document: Configured) -> dict[str, str]:
    return {
        "kind": kind_of(document).value,
        "namespace": document.namespace,
        "name": document.name,
        "notReady": document.not_ready,
    }
