"""Which events of a group are the same one."""

from __future__ import annotations

from hookplane.store.dedup_identity import spare_keys
from hookplane.store.event_log import NewEvent


def event(key: bytes | None, body: bytes, endpoint: str = "e", identical: bool = True) -> NewEvent:
    return NewEvent(endpoint, "evt", 0, "t", (), body, key, repeats_identical=identical)


def spares(*events: NewEvent) -> list[bytes | None]:
    return list(spare_keys(events))


def test_a_spare_key_is_that_of_the_key_with_the_body() -> None:
    first, repeat, body, key = spares(
        *(event(k, b) for k, b in [(b"k", b"1")] * 2 + [(b"k", b"2"), (b"l", b"1")])
    )
    assert first == repeat
    assert len({first, body, key}) == 3
    assert first is not None
    assert len(first) <= 64


def test_there_is_none_without_a_key_or_where_repeats_differ() -> None:
    assert spares(event(None, b"1"), event(b"k", b"1", identical=False)) == [None, None]


def test_the_first_of_a_key_decides_for_its_endpoint() -> None:
    lax = event(b"k", b"1", identical=False)
    assert spares(lax, event(b"k", b"2"))[1] is None
    assert spares(event(b"k", b"2"), lax)[1] is not None
    assert spares(lax, event(b"k", b"2", "f"))[1] is not None


def test_parts_of_key_and_body_are_not_mixed_up() -> None:
    assert spares(event(b"k", b"12")) != spares(event(b"k1", b"2"))
