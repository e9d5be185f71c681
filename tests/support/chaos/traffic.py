"""Providers that send all the while, and the account of what they were promised."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from support.chaos.tenants import path_of
from support.http.subscriber import Arrival
from support.kubernetes.manifests import Sender
from support.kubernetes.operator import answers_ready
from support.kubernetes.pods import Pods

PAUSE_SECONDS: Final = 0.1
Name = tuple[str, str]
"""Namespace and name."""
Reader = tuple[str, str]
"""Uid of the namespace, and name of a subscription in it."""


@dataclass(frozen=True)
class Promise:
    """An event that was accepted."""

    endpoint: Name
    owed: frozenset[Reader]
    """Those who read the endpoint before it was sent, and nobody has touched them since."""


@dataclass
class Account:
    """Who is owed what; whoever is not certain is owed nothing new."""

    accepted: dict[str, Promise] = field(default_factory=dict)
    certain: dict[Reader, frozenset[Name]] = field(default_factory=dict)
    """Subscriptions of which it was seen that they are in force, and the endpoints they read."""

    def owed(self, endpoint: Name) -> frozenset[Reader]:
        return frozenset(x for x, read in list(self.certain.items()) if endpoint in read)

    def doubt(self, concerned: Callable[[Reader], bool] = lambda _: True) -> None:
        """Somebody is about to touch them."""
        for reader in [x for x in list(self.certain) if concerned(x)]:
            self.certain.pop(reader, None)

    def missing(
        self, arrivals: Iterable[Arrival], there: Iterable[Reader]
    ) -> dict[Reader, set[str]]:
        """What was promised to those who are there at the end, and did not come."""
        come: dict[str, set[str]] = {}
        for one in arrivals:
            come.setdefault(one.path, set()).add(event_of(one))
        found = {x: self._promised(x) - come.get(path_of(*x), set()) for x in there}
        return {reader: events for reader, events in found.items() if events}

    def _promised(self, reader: Reader) -> set[str]:
        return {event for event, promise in self.accepted.items() if reader in promise.owed}


def event_of(arrival: Arrival) -> str:
    with suppress(ValueError, KeyError):
        return str(json.loads(arrival.body)["mark"])
    return ""


class Traffic:
    """Sends to what `keys` names, one after the other, in a thread of its own."""

    def __init__(self, pods: Pods) -> None:
        self.account = Account()
        self.keys: Mapping[Name, str] = {}
        """Endpoint → the key that its provider has."""
        self._pods = pods
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(15)

    def post(self, endpoint: Name, key: str) -> int:
        """The status of the answer; 0: none."""
        url = self._url()
        if not url:
            return 0
        event, before = f"chaos-{next(self._numbers)}", self.account.owed(endpoint)
        sender = Sender(f"{url}/{'/'.join(endpoint)}", key)
        try:
            status = sender.post(event, type="order.created", mark=event)
        except OSError:
            return 0
        if status < 300:
            owed = before & self.account.owed(endpoint)
            self.account.accepted[event] = Promise(endpoint, owed)
        return status

    def _url(self) -> str:
        ready = [x.url for x in self._pods.of("receiver") if answers_ready(x.health)]
        return ready[0] if ready else ""

    def _run(self) -> None:
        while not self._ended.is_set():
            for endpoint, key in self.keys.items():
                self.post(endpoint, key)
                self._ended.wait(PAUSE_SECONDS)
            self._ended.wait(PAUSE_SECONDS)
