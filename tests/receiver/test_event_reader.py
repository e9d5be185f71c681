"""What takes long to read of a body is read in a thread, of one event after the other."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from hookplane.providers.extract import Extractor, Facts, key_from_body
from hookplane_receiver.event_reader import LONG, EventReader
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.prepared import PreparedEndpoint, prepare_endpoint
from support.planes.receiver import endpoint


class Watched:
    """Reads the member `id` as a key, and notes where and beside how many others."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.at_once = self.most = 0
        self._by_path = key_from_body("id")

    def read(self, facts: Facts) -> str:
        self.threads.append(threading.get_ident())
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        found = self._by_path.read(facts)
        self.at_once -= 1
        return found

    def endpoint(self) -> PreparedEndpoint:
        metrics = ReceiverMetrics(CollectorRegistry())
        made = prepare_endpoint(endpoint("e"), metrics.endpoints.of("default/e"), 0.0)
        return replace(made, dedup_key=None, event_key=Extractor(self.read))


def body(number: str, size: int = LONG) -> bytes:
    start = b'{"type":"a","id":%b,"rest":"' % number.encode()
    return start + b"x" * (size - len(start) - 2) + b'"}'


@pytest.mark.parametrize(
    ("number", "size", "elsewhere"),
    [
        ("1.50", LONG, True),
        ("18446744073709551616", LONG, True),
        ("-0", LONG, True),
        ("1.50", LONG - 1, False),
        ("17", LONG, False),
        ("0", LONG, False),
    ],
)
async def test_only_what_takes_long_is_read_in_a_thread(
    number: str, size: int, elsewhere: bool
) -> None:
    watched, here = Watched(), threading.get_ident()
    told = await EventReader().read(watched.endpoint(), (), body(number, size))
    assert (told.type, told.key) == ("a", number)
    assert [x != here for x in watched.threads] == [False, True][: 1 + elsewhere]


async def test_several_that_take_long_are_read_one_after_the_other() -> None:
    watched, reader = Watched(), EventReader()
    made = watched.endpoint()
    reads = [reader.read(made, (), body(f"{x}.50")) for x in range(8)]
    told = await asyncio.gather(*reads)
    assert [x.key for x in told] == [f"{x}.50" for x in range(8)]
    assert (watched.most, len(watched.threads)) == (1, 16)
