"""What has a bound that is linear in the event, and what has none."""

from __future__ import annotations

import pytest

from hookplane.filters.cel import Program
from hookplane.filters.cost import READ, WRITE, Cost, cost


def of(text: str, *, written: bool = False) -> Cost | None:
    return cost(Program(text).serialized, written=written)


BOUNDED = [
    "event.body.amount > 10",
    "event.type == 'order.created' && has(event.body.a) || !(event.body.b in ['x', 'y'])",
    "event.type.split('.')[0] == 'order'",
    "event.headers['x-github-event'] in ['push', 'release']",
    "event.body.name.lowerAscii().contains('ann')",
    "event.body.a + event.body.b == 'x'",
    "event.body.mail.matches('^[^@]+@example[.]com$')",
    "event.body.items.exists(x, x.sku == 'abc')",
    "event.body.items.exists_one(x, x.n > 3)",
    "event.body.items.all(x, x.tags.exists(t, t == 'a'))",
    "['a', 'b'].exists(x, event.body.kind == x)",
    "timestamp(event.receivedTime).getFullYear() == 2027",
    "event.body.n % 100 == 0 ? true : size(event.body.l) < 3",
]
UNBOUNDED = [
    "event.body.s.replace('a', 'aaaaaaaaaa') == ''",
    "event.body.s.matches('(a?){30}b')",
    r"event.body.s.matches('\\pL+')",
    "event.body.s.matches(event.type)",
    "event.body.s.contains(event.body.t)",
    f"event.body.s.contains('{'a' * 257}')",
    "event.body.l.map(x, x.n) == []",
    "event.body.l.filter(x, x.n == 1) == []",
    "event.body.l.exists(x, x == event.type)",
    "event.body.l.exists(x, event.body.l.exists(y, x == y))",
    "event.body.l.all(x, x.t.exists(y, y == x.n))",
    "event.body.l.join(',') == ''",
    "'%s%s'.format([event.body, event.body]) == ''",
]


@pytest.mark.parametrize("text", BOUNDED)
def test_what_people_write_has_a_bound(text: str) -> None:
    found = of(text)
    assert found is not None
    assert found.of(2_000) < 20_000_000


@pytest.mark.parametrize("text", UNBOUNDED)
def test_what_grows_faster_than_the_event_has_none(text: str) -> None:
    assert of(text) is None


def test_a_list_that_is_written_out_multiplies() -> None:
    once, thrice = (
        of("['a'].exists(x, size(event.body) == 1)"),
        of("['a', 'b', 'c'].exists(x, size(event.body) == 1)"),
    )
    assert once is not None
    assert thrice is not None
    base = of("true")
    assert base is not None
    assert thrice.per_byte - base.per_byte == 3 * (once.per_byte - base.per_byte)


def test_what_is_written_counts_for_each_time_the_event_is_in_it() -> None:
    once, twice = of("event", written=True), of("[event, {'a': event.body}]", written=True)
    assert once is not None
    assert twice is not None
    base = of("1", written=True)
    assert base is not None
    assert base.per_byte == READ
    assert (once.per_byte, twice.per_byte) == (READ + WRITE, READ + 2 * WRITE)


def test_loops_cost_no_more_than_the_turns_that_the_engine_allows() -> None:
    found = Cost(fixed=1, per_byte=0, per_turn=100)
    assert found.of(2_000) == 1 + 100 * 1_001
    assert found.of(1 << 30) == 1 + 100 * 10_000


@pytest.mark.parametrize("found", [Cost(500, 400, 0), Cost(500, 400, 1_000), Cost(10, 1, 0)])
def test_the_largest_event_is_the_last_that_fits(found: Cost) -> None:
    largest = found.largest_event(1_000_000)
    assert found.of(largest) <= 1_000_000 < found.of(largest + 1)


def test_nothing_fits_where_the_expression_alone_is_too_dear() -> None:
    assert Cost(2_000_000, 400, 0).largest_event(1_000_000) == 0


@pytest.mark.parametrize("text", BOUNDED)
def test_a_bound_is_linear_in_the_event(text: str) -> None:
    bound = of(text)
    assert bound is not None
    assert bound.of(20_000) <= 2 * bound.of(10_000)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("true", 0),
        ("event.a == event.b", 40),
        ("event.a == 'x'", 0),
        ("event.a < event.b", 5),
        ("event.a.startsWith(event.b)", 2),
        ("size(event.a)", 5),
        ("string(event.a)", 5),
        ("event.a[0]", 5),
        ("event.a + event.b", 10 * 2),
        ("event.a + event.b == event.c + event.d", 20 + 20 + 40 * 2),
        ("event.a in ['x', 'y']", 20 * 2),
        ("'x' in event.a", 20),
        ("event.a.matches('abc')", 20 * (3 + 1)),
        ("event.a.contains('ab')", 20 + 2),
        ("event.a.split('ab')", 250 + 2),
        ("event.a.split('ab') == event.b", 252 + 40),
        ("(true ? event.a : 'x') == event.b", 40),
        # what gives something small is compared at no cost
        ("event.a % 2 == event.b", 0),
        ("size(event.a) == event.b", 5),
        ("(event.a == event.b) == event.c", 40),
        ("event.a.contains('ab') == event.b", 22),
        ("event.a.matches('abc') == event.b", 80),
        ("(event.a in ['x']) == event.b", 20),
        ("['a', 'b'].exists(x, event.a == event.b)", 40 * 2),
        ("['a', 'b'].exists(x, true) && event.a == event.b", 40),
    ],
)
def test_what_each_operation_costs_for_each_byte(text: str, rate: int) -> None:
    found = of(text)
    assert found is not None
    assert found.per_byte == READ + rate


def test_each_operation_has_a_fixed_part_and_those_of_a_loop_one_for_each_turn() -> None:
    assert of("true") == Cost(100, READ, 0)
    assert of("1 + 1") == Cost(300 + 2 * 4 * 10, READ, 0)
    assert of("[1, 2].exists(x, true)") == Cost(100 + 300 + 2 * 800, READ, 0)
    assert of("event.l.exists(x, true)") == Cost(300, READ, 800)


def test_what_is_looked_for_may_be_so_long() -> None:
    assert of(f"event.a.contains('{'a' * 256}')") is not None
    assert of(f"event.a.contains('{'a' * 257}')") is None


SEVENTY = f"[{', '.join(['1'] * 70)}]"
LONG = f"'{'a' * 4_000}'"


def doubled(times: int) -> str:
    """A text that a loop in a loop makes twice as long each time."""
    text = "true"
    for number in range(times, 0, -1):
        text = f"[v{number - 1} + v{number - 1}].all(v{number}, {text})"
    return f"['aaa'].all(v0, {text})"


@pytest.mark.parametrize(
    "text",
    [
        f"{SEVENTY}.all(i, {SEVENTY}.all(j, size({LONG}.split('')) > 0))",
        f"{SEVENTY}.all(i, {SEVENTY}.all(j, 'a'.matches('(?i)[a-z]{'(?i)[a-z]' * 6}')))",
        doubled(23),
        f"{LONG}.split('').all(x, size(event.body) > 0)",
        "{'a': 1, 'b': 2}.all(x, size(event.body) > 0)",
        "(event.body.items + ['x']).exists(x, x == 'a')",
    ],
)
def test_work_on_what_is_written_out_is_paid_for(text: str) -> None:
    bound = of(text)
    assert bound is None or bound.largest_event(10_000_000) == 0


def test_a_pattern_is_compiled_for_each_part() -> None:
    bound = of(f"event.body.all(x, x.matches('{'(?i)[a-z]' * 7}'))")
    assert bound is not None
    assert bound.largest_event(10_000_000) < 200
