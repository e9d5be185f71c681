"""Appending: order, duplicates, rejections."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hookplane.errors import RejectedEvent, UnknownObject
from hookplane.store.config_store import ConfigKind
from hookplane.store.event_log import Appended, Content, EndpointReport, LogEntry, NewEvent
from hookplane.store.notifications import Topic
from hookplane.store.queries import Page, Sought
from support.clocks.manual import START
from support.planes.store import DAY, Scene

WINDOW = 1_000


async def test_an_event_comes_back_as_it_was(scene: Scene) -> None:
    headers = (("x-twice", "1"), ("x-twice", "2"), ("x-umlaut", "ü"))
    event = scene.event(headers=headers, body=b"\x00\xff raw", key="cus_ü")
    assert await scene.store.append(event) == Appended(event.event_id)
    entry = LogEntry("e", 1, event.event_id, START, "order.created", 6, "cus_ü")
    content = Content(headers, b"\x00\xff raw")
    assert await scene.store.read_log("e", 0, 10) == [entry]
    assert await scene.store.read_contents("e", [1]) == {1: content}
    assert await scene.store.find_event(event.event_id) == (entry, content)


async def test_sequences_are_dense_and_per_endpoint(scene: Scene) -> None:
    await scene.endpoints("f")
    events = [scene.event("ef"[i % 2]) for i in range(60)]
    await asyncio.gather(*(scene.store.append(event) for event in events))
    for endpoint in "ef":
        log = await scene.store.read_log(endpoint, 0, 100)
        assert [entry.sequence for entry in log] == list(range(1, 31))
        assert [x.event_id for x in log] == [x.event_id for x in events if x.endpoint == endpoint]


async def test_the_log_is_read_in_bounded_pieces(scene: Scene) -> None:
    await scene.fill(5)
    log = await scene.store.read_log("e", 1, 2)
    assert [entry.sequence for entry in log] == [2, 3]
    assert await scene.store.read_log("e", 5, 2) == []


async def test_small_contents_come_with_the_log(scene: Scene) -> None:
    headers = (("x-a", "1"),)
    for body in (b"", b"1234", b"12345"):
        await scene.store.append(scene.event(headers=headers, body=body))
    entries = await scene.store.read_log("e", 0, 10)
    contents = [Content(headers, b""), Content(headers, b"1234"), None]
    assert await scene.store.read_events("e", 0, 10, 4) == list(zip(entries, contents, strict=True))
    assert await scene.store.read_events("e", 1, 1, 4) == [(entries[1], contents[1])]
    assert await scene.store.read_events("e", 3, 1, 4) == []
    with pytest.raises(UnknownObject):
        await scene.store.read_events("nobody", 0, 1, 1)


async def test_contents_that_are_not_there_are_absent(scene: Scene) -> None:
    await scene.fill(2)
    assert set(await scene.store.read_contents("e", [2, 3, 99])) == {2}


async def test_a_duplicate_gets_the_id_of_its_original(scene: Scene) -> None:
    first = scene.event(dedup_key=b"k", dedup_window=WINDOW)
    second = scene.event(dedup_key=b"k", dedup_window=WINDOW)
    await scene.store.append(first)
    assert await scene.store.append(second) == Appended(first.event_id, duplicate=True)
    assert len(await scene.store.read_log("e", 0, 10)) == 1


async def test_duplicates_within_a_group_are_one_event(scene: Scene) -> None:
    events = [scene.event(dedup_key=b"k", dedup_window=WINDOW) for _ in range(20)]
    outcomes = await asyncio.gather(*(scene.store.append(event) for event in events))
    assert {outcome.event_id for outcome in outcomes} == {events[0].event_id}
    assert [outcome.duplicate for outcome in outcomes] == [False] + [True] * 19


async def test_another_body_under_the_same_key_is_a_conflict(scene: Scene) -> None:
    first = scene.event(dedup_key=b"k", dedup_window=WINDOW, body=b"1")
    second = scene.event(dedup_key=b"k", dedup_window=WINDOW, body=b"2")
    outcomes = await asyncio.gather(scene.store.append(first), scene.store.append(second))
    later = await scene.append(dedup_key=b"k", dedup_window=WINDOW, body=b"3")
    assert list(outcomes) == [Appended(first.event_id), Appended(first.event_id, True, True)]
    assert later == Appended(first.event_id, True, True)
    assert (await scene.store.read_contents("e", [1]))[1].body == b"1"


async def test_keys_belong_to_their_endpoint(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.append("e", dedup_key=b"k", dedup_window=WINDOW)
    assert not (await scene.append("f", dedup_key=b"k", dedup_window=WINDOW)).duplicate


async def test_a_key_is_free_again_when_its_window_has_ended(scene: Scene) -> None:
    await scene.append(dedup_key=b"k", dedup_window=WINDOW)
    scene.clock.advance(1_000)
    again = scene.event(dedup_key=b"k", dedup_window=WINDOW)
    assert await scene.store.append(again) == Appended(again.event_id)
    third = await scene.append(dedup_key=b"k", dedup_window=WINDOW)
    assert third == Appended(again.event_id, duplicate=True)


@pytest.mark.parametrize("days", [2, -2], ids=["ahead", "behind"])
async def test_a_receiver_whose_clock_is_wrong_knows_repeats(scene: Scene, days: int) -> None:
    """The clock of the store tells for all receivers how long a key is known."""
    known: dict[str, Any] = {"dedup_key": b"k", "dedup_window": DAY}
    first = await scene.append(**known)
    wrong = replace(scene.event(**known), received=START + days * DAY)
    assert await scene.store.append(wrong) == Appended(first.event_id, duplicate=True)
    scene.clock.advance(DAY - 1)
    assert (await scene.store.append(wrong)).duplicate
    scene.clock.advance(1)
    assert await scene.store.append(wrong) == Appended(wrong.event_id)
    assert await scene.append(**known) == Appended(wrong.event_id, duplicate=True)
    scene.clock.advance(DAY)
    assert not (await scene.append(**known)).duplicate


async def test_without_a_key_the_event_id_is_the_key(scene: Scene) -> None:
    event = scene.event()
    await scene.store.append(event)
    assert await scene.store.append(event) == Appended(event.event_id, duplicate=True)
    other = await scene.store.append(replace(event, body=b"other"))
    assert other == Appended(event.event_id, duplicate=True, conflict=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"dedup_key": b"k" * 65},  # longer than allowed
        {"event_id": ""},
        {"event_id": "x" * 65},
        {"received": 1 << 63},  # no database has such a number
        {"received": -1},
    ],
)
async def test_one_bad_event_fails_alone(scene: Scene, changes: dict[str, Any]) -> None:
    events: list[NewEvent] = [scene.event() for _ in range(9)]
    events.insert(4, scene.event(**changes))
    outcomes = await asyncio.gather(
        *(scene.store.append(event) for event in events), return_exceptions=True
    )
    assert isinstance(outcomes.pop(4), RejectedEvent)
    assert all(isinstance(outcome, Appended) for outcome in outcomes)
    log = await scene.store.read_log("e", 0, 100)
    assert [entry.sequence for entry in log] == list(range(1, 10))


async def test_unknown_and_deleted_endpoints_take_nothing(scene: Scene) -> None:
    await scene.endpoints("gone")
    await scene.delete(ConfigKind.ENDPOINT, "gone")
    outcomes = await asyncio.gather(
        *(scene.append(uid) for uid in ("gone", "e", "nobody")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [UnknownObject, Appended, UnknownObject]


async def test_an_endpoint_that_comes_back_goes_on_counting(scene: Scene) -> None:
    await scene.fill(2)
    await scene.delete(ConfigKind.ENDPOINT, "e")
    await scene.endpoints("e")
    assert [entry.sequence for entry in await scene.fill(1)] == [3]


async def test_text_is_made_storable(scene: Scene) -> None:
    event = scene.event(type="a\x00b\ud800", headers=(("x", "\udcff!"),))
    await scene.store.append(event)
    entry, content = await scene.store.find_event(event.event_id)
    assert entry.type == "a\ufffdb\ufffd"
    assert content.headers == (("x", "\ufffd!"),)


async def test_a_commit_wakes_the_listeners_of_new_events(scene: Scene) -> None:
    woken: list[str] = []
    scene.store.listen(Topic.EVENTS, woken.append)
    event = scene.event()
    await scene.store.append(event)
    assert woken == ["e"]
    await scene.store.append(event)  # a duplicate is nothing new
    assert woken == ["e"]


async def test_reports_add_up(scene: Scene) -> None:
    await scene.store.report_endpoints(
        [EndpointReport("e", 1, 0, {"TooLarge": 2}, START, "TooLarge", "2 MB")]
    )
    await scene.store.report_endpoints(
        [
            EndpointReport("e", 2, 1, {"TooLarge": 1, "Malformed": 1}),
            EndpointReport("nobody", duplicates=1),
        ]
    )
    await scene.fill(2)
    (status,) = await scene.store.endpoint_stats(["e"])
    assert (status.accepted, status.stored, status.last_accepted) == (2, 2, START)
    assert (status.duplicates, status.conflicts) == (3, 1)
    assert status.rejected == {"TooLarge": 3, "Malformed": 1}
    assert status.last_rejected == START
    assert (status.last_rejected_reason, status.last_rejected_detail) == ("TooLarge", "2 MB")


async def test_events_are_listed_newest_first(scene: Scene) -> None:
    await scene.endpoints("f")
    first, second, third = [
        await scene.append("e", type="a", key="cus_1"),
        await scene.append("f", type="b"),
        await scene.append("e", type="b", key="cus_2"),
    ]

    async def listed(
        page: Page, endpoint: str | None = None, kind: str | None = None, key: str | None = None
    ) -> list[str]:
        rows = (await scene.store.events(page, endpoint, Sought(kind, key))).rows
        return [row.entry.event_id for row in rows]

    assert await listed(Page(2)) == [third.event_id, second.event_id]
    assert await listed(Page(2, second.event_id)) == [first.event_id]
    assert await listed(Page(), "e") == [third.event_id, first.event_id]
    assert await listed(Page(), None, "b") == [third.event_id, second.event_id]
    assert await listed(Page(), "f", "a") == []
    assert await listed(Page(), key="cus_1") == [first.event_id]
    assert await listed(Page(), "e", "b", "cus_2") == [third.event_id]
    assert await listed(Page(), "e", "a", "cus_2") == []
    assert await listed(Page(), key="*_2") == [third.event_id]
    assert await listed(Page(), "e", "*") == [third.event_id, first.event_id]
    (of_f,) = (
        await scene.store.events(Page(), None, Sought(log_ids=frozenset({"f", "gone"})))
    ).rows
    assert of_f.entry.event_id == second.event_id


async def test_what_is_not_there_is_unknown(scene: Scene) -> None:
    with pytest.raises(UnknownObject):
        await scene.store.find_event("evt_nobody")
    with pytest.raises(UnknownObject):
        await scene.store.read_log("nobody", 0, 1)
    assert await scene.store.endpoint_stats(["nobody"]) == []


async def test_the_same_event_twice_in_one_group_is_one(scene: Scene) -> None:
    plain, keyed = scene.event(), scene.event(dedup_key=b"k", dedup_window=WINDOW)
    group = (plain, plain, replace(plain, body=b"other"), keyed, keyed)
    outcomes = await asyncio.gather(*(scene.store.append(event) for event in group))
    assert outcomes == [
        Appended(plain.event_id),
        Appended(plain.event_id, duplicate=True),
        Appended(plain.event_id, duplicate=True, conflict=True),
        Appended(keyed.event_id),
        Appended(keyed.event_id, duplicate=True),
    ]
    assert len(await scene.store.read_log("e", 0, 10)) == 2


async def test_the_same_event_with_the_same_key_later_is_a_duplicate(scene: Scene) -> None:
    event = scene.event(dedup_key=b"k", dedup_window=WINDOW)
    await scene.store.append(event)
    assert await scene.store.append(event) == Appended(event.event_id, duplicate=True)
    assert len(await scene.store.read_log("e", 0, 10)) == 1


async def test_the_same_key_in_one_group_belongs_to_each_endpoint(scene: Scene) -> None:
    await scene.endpoints("f")
    group = [scene.event(uid, dedup_key=b"k", dedup_window=WINDOW) for uid in ("e", "f", "e", "f")]
    outcomes = await asyncio.gather(*(scene.store.append(event) for event in group))
    assert [x.event_id for x in outcomes] == [group[i].event_id for i in (0, 1, 0, 1)]
    assert [x.duplicate for x in outcomes] == [False, False, True, True]


async def test_a_key_and_an_event_id_of_the_same_bytes_are_two(scene: Scene) -> None:
    plain = scene.event()
    keyed = scene.event(dedup_key=plain.event_id.encode(), dedup_window=WINDOW)
    outcomes = await asyncio.gather(*(scene.store.append(event) for event in (plain, keyed)))
    assert outcomes == [Appended(plain.event_id), Appended(keyed.event_id)]


async def test_a_key_holds_until_its_window_ends_and_a_duplicate_does_not_extend_it(
    scene: Scene,
) -> None:
    first = await scene.append(dedup_key=b"k", dedup_window=WINDOW)
    scene.clock.advance(999)
    again = await scene.append(dedup_key=b"k", dedup_window=WINDOW)
    assert again == Appended(first.event_id, duplicate=True)
    scene.clock.advance(1)
    assert not (await scene.append(dedup_key=b"k", dedup_window=WINDOW)).duplicate


async def test_a_key_that_is_used_again_is_that_of_the_newer_body(scene: Scene) -> None:
    await scene.append(dedup_key=b"k", dedup_window=WINDOW, body=b"old")
    scene.clock.advance(1_000)
    newer = await scene.append(dedup_key=b"k", dedup_window=WINDOW, body=b"new")
    outcomes = [
        await scene.append(dedup_key=b"k", dedup_window=WINDOW, body=body)
        for body in (b"new", b"old")
    ]
    assert outcomes == [Appended(newer.event_id, True), Appended(newer.event_id, True, True)]


async def test_the_last_arrival_is_the_latest_whatever_the_order(scene: Scene) -> None:
    await scene.append(received=START + 5)
    await scene.append(received=START + 1)
    (stats,) = await scene.store.endpoint_stats(["e"])
    assert stats.last_accepted == START + 5


async def test_the_latest_rejection_stays_whatever_the_order_of_reports(scene: Scene) -> None:
    for at, reason in ((START + 5, "Malformed"), (START + 1, "TooLarge"), (0, "")):
        report = EndpointReport(
            "e",
            rejected={},
            last_rejected=at,
            last_rejected_reason=reason,
            last_rejected_detail=f"of {reason}",
        )
        await scene.store.report_endpoints([report])
    (stats,) = await scene.store.endpoint_stats(["e"])
    assert (stats.last_rejected, stats.last_rejected_reason) == (START + 5, "Malformed")
    assert stats.last_rejected_detail == "of Malformed"
    newer = EndpointReport("e", last_rejected=START + 5, last_rejected_reason="TooLarge")
    await scene.store.report_endpoints([newer])
    (stats,) = await scene.store.endpoint_stats(["e"])
    assert (stats.last_rejected, stats.last_rejected_reason) == (START + 5, "TooLarge")


async def test_where_logs_end(scene: Scene) -> None:
    await scene.endpoints("f")
    await scene.fill(3)
    assert await scene.store.bounds(["e", "f", "gone"]) == {"e": (0, 3), "f": (0, 0)}
    assert await scene.store.bounds([]) == {}
