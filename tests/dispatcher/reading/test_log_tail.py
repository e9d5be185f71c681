"""What tails keep, all together."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from hookplane.filters.types import Interest
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.audience import LogListener
from hookplane_dispatcher.reading.log_tail import PAGE, LogTail, TailBudget

MIB = 1 << 20


def held_bytes(make: Callable[[], object]) -> int:
    """Bytes that are there after the call because of what it gives."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del made
        return after - before
    finally:
        tracemalloc.stop()


def entries(endpoint: str, first: int, count: int) -> list[LogEntry]:
    """As they come from a store: nothing but the endpoint's uid is shared."""
    return [
        LogEntry(
            endpoint, n, f"evt_{n:026d}", 1_700_000_000_000 + n, f"order.created.{n}", 1_000 + n
        )
        for n in range(first, first + count)
    ]


def tail_of(budget: TailBudget, endpoint: str = "e", count: int = 0) -> LogTail:
    tail = LogTail(endpoint, 0, budget)
    tail.append(entries(endpoint, 1, count))
    return tail


def test_all_endpoints_together_stay_within_the_budget() -> None:
    budget = TailBudget(2 * MIB)

    def fill() -> list[LogTail]:
        tails = [LogTail(f"e{number}", 0, budget) for number in range(60)]
        for page in range(4):
            for tail in tails:
                tail.append(entries(tail.endpoint, page * PAGE + 1, PAGE))
        return tails

    assert held_bytes(fill) < 2.2 * MIB
    assert MIB < budget.used <= 2 * MIB


def test_what_is_counted_is_what_is_held() -> None:
    budget = TailBudget(100 * MIB)
    held = held_bytes(lambda: tail_of(budget, count=10_000))
    assert 0.9 * held < budget.used < 1.2 * held


def test_the_largest_gives_first() -> None:
    budget = TailBudget(MIB)
    small = tail_of(budget, "small", 100)
    large = tail_of(budget, "large", 10_000)
    assert small.after(0) == entries("small", 1, 100)
    assert large.after(0) is None
    assert large.after(9_999) == entries("large", 10_000, 1)


def test_the_newest_are_kept() -> None:
    tail = tail_of(TailBudget(MIB), count=1_000)
    tail.give_half()
    assert tail.after(499) is None
    assert tail.after(500) == entries("e", 501, PAGE)


def test_an_idle_one_gives_all_back() -> None:
    budget = TailBudget(MIB)
    tail = tail_of(budget, count=10)
    tail.rest()
    assert tail.after(9) == entries("e", 10, 1)  # somebody is not quite at the end
    tail.rest()
    assert tail.kept > 0
    tail.rest()
    assert (tail.kept, budget.used) == (0, 0)
    assert tail.after(9) is None
    assert tail.after(10) == []


def test_one_that_is_closed_leaves_its_bytes_to_others() -> None:
    budget = TailBudget(MIB)
    tail_of(budget, count=10).close()
    assert budget.used == 0


def test_a_budget_below_one_event_keeps_none_and_wakes_all_the_same() -> None:
    woken: list[int] = []
    tail = LogTail("e", 0, TailBudget(1))
    LogListener(tail.audience, Interest(), lambda: woken.append(tail.end), lambda _: None)
    tail.append(entries("e", 1, 3))
    assert woken == [3]
    assert tail.after(2) is None
