from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hookplane.ids import RandomPool, event_id

MILLIS = st.integers(min_value=0, max_value=(1 << 48) - 1)


@given(MILLIS)
def test_shape(now: int) -> None:
    assert re.fullmatch(r"evt_[0-9a-hjkmnp-tv-z]{26}", event_id(now))


@given(MILLIS, MILLIS)
def test_sorted_by_time(one: int, other: int) -> None:
    fixed = event_id(one, bytes), event_id(other, bytes)
    assert (one < other) == (fixed[0] < fixed[1])


def test_no_two_alike() -> None:
    assert len({event_id(1) for _ in range(10_000)}) == 10_000


def test_a_pool_gives_every_byte_once() -> None:
    draws: list[int] = []

    def source(count: int) -> bytes:
        draws.append(count)
        return bytes(range(256)) * (count // 256)

    pool = RandomPool(source)
    given = b"".join(pool(10) for _ in range(409))
    assert given == (bytes(range(256)) * 16)[:4090]
    assert draws == [RandomPool.SIZE]
    assert len(pool(10)) == 10
    assert len(draws) == 2
