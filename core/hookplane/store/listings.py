"""What listings and replays ask a driver, step by step: each page looks at a bounded number of
rows, whatever it finds. A step names a statement that both drivers have; its rows come back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from hookplane.filters.types import Interest, InterestFilter
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_numbers import endpoint_of
from hookplane.store.log_walk import AttemptPlace, Picked, Row, WalkPlace, by_log, merged, pick
from hookplane.store.queries import ANY_EVENT, ANYTHING, Page, Sought
from hookplane.store.rows import ENTRY, WITH_ROW

SCANNED: Final = 1_000
"""So many entries are looked at for one page."""
JUDGED: Final = 400
"""So many events, when attempts say what became of them."""
ROWS_SCANNED: Final = 250
"""So many deliveries with a row, when each needs its event besides."""
ATTEMPTS_SCANNED: Final = 10_000
"""So many attempts, which an index alone tells apart."""
PASSED_OVER: Final = 4_000
"""Events at which a page of a replay looks to see when they arrived."""
NEWEST: Final = "z" * 65
"""Greater than every event id."""

T = TypeVar("T")


class Question(NamedTuple):
    """One statement; arguments are numbers, texts and lists of those."""

    statement: str
    arguments: tuple[Any, ...]


Steps = Generator[Question, list[Row], T]


class Found(NamedTuple):
    """A page in rows."""

    rows: list[Row]
    following: str | None
    looked_at: int


class FoundCandidates(NamedTuple):
    """A page of a replay: entries with their state."""

    rows: list[Row]
    position: int | None
    exhausted: bool


def events(
    page: Page, endpoint: int | None, sought: Sought, among: frozenset[int] | None = None
) -> Steps[Found]:
    """Rows of entries; `among`: of these endpoints alone, where it is not of one."""
    if endpoint is None:
        return (yield from _newest_events(page, sought, among))
    place = yield from _place(page)
    logs = yield Question("find_log", (endpoint,))
    most = max(0 if sought == ANY_EVENT else SCANNED, page.limit)
    rows = yield from _walk("walk_events", place, logs, page.limit, most)
    is_sought = _sought(sought)
    picked = pick(rows, lambda row: place.is_before(row) and is_sought(row), page.limit)
    return _found([row[:ENTRY] for row in picked.rows], picked, place, len(logs))


def deliveries(
    page: Page,
    subscription: int,
    states: frozenset[DeliveryState],
    interest: Interest = ANYTHING,
) -> Steps[Found]:
    """Rows of entries, then (state, attempts, due, status code, error)."""
    place = yield from _place(page)
    logs = yield Question("find_logs", (subscription,))
    if states <= WITH_ROW:
        return (yield from _deliveries_with_row(page, place, logs, subscription, states))
    most = page.limit if states >= frozenset(DeliveryState) else max(JUDGED, page.limit)
    rows = yield from _walk("walk_events", place, logs, page.limit, most)
    outcomes = yield from _outcomes(subscription, [row for row, _ in rows])
    outcomes |= _of_no_concern(outcomes, rows, interest)

    def is_wanted(row: Row) -> bool:
        state, *_, is_early = outcomes.get(row[0], _NOT_ITS_OWN)
        is_listed = state in states and not (is_early and state == DeliveryState.FILTERED)
        return is_listed and place.is_before(row)

    picked = pick(rows, is_wanted, page.limit)
    ids = [row[1] for row in picked.rows]
    results = yield Question("find_results", (subscription, ids))
    known = {event_id: tuple(result) for event_id, *result in results}
    listed = [
        (*row[:ENTRY], *_with_result(outcomes[row[0]], known.get(row[1], (0, 0, ""))))
        for row in picked.rows
    ]
    return _found(listed, picked, place, len(logs))


def attempts(
    page: Page,
    subscriptions: Sequence[int] | None,
    event_id: str | None,
) -> Steps[Found]:
    """Rows of attempts of these subscriptions; None: of all."""
    place = AttemptPlace.of(page.before)
    if event_id:
        rows = yield Question("find_attempts", ([event_id], subscriptions))
        rows = place.rest_of(rows) if place.event_id == event_id else rows
        return _cut(rows, page.limit, None, len(rows))
    begun: list[Row] = []
    if place.left:
        begun = yield Question("find_attempts", ([place.event_id], subscriptions))
        begun = place.rest_of(begun)
    if len(begun) > page.limit:
        return _cut(begun, page.limit, None, len(begun))
    most = max(page.limit - len(begun), 1)
    scanned = most if subscriptions is None else max(ATTEMPTS_SCANNED, most)
    tried = yield Question("scan_attempts", (place.event_id or NEWEST, scanned, subscriptions))
    ids, following, looked_at = _tried(tried, most, scanned)
    rows = yield Question("find_attempts", (ids, subscriptions))
    return _cut([*begun, *rows], page.limit, following, len(begun) + looked_at)


def _tried(tried: list[Row], most: int, scanned: int) -> tuple[list[str], str | None, int]:
    """The events whose attempts make a page, where the next one begins, and how many attempts were
    looked at."""
    ids, looked_at, found = list[str](), 0, 0
    for tried_id, matching, number in tried:
        ids += [tried_id] if matching else []
        looked_at, found = looked_at + number, found + matching
        if found >= most:
            break
    more = looked_at >= scanned or found >= most
    return ids, tried_id if more else None, looked_at


def _cut(rows: list[Row], limit: int, following: str | None, looked_at: int) -> Found:
    """At most `limit` attempts; what is left of the last event begins the next page."""
    if len(rows) <= limit:
        return Found(rows, following, looked_at)
    last = rows[limit - 1][2]
    left = sum(row[2] == last for row in rows[limit:])
    return Found(rows[:limit], AttemptPlace(last, left).text(), looked_at)


def candidates(
    replay: int,
    subscription: int,
    position: int,
    between: tuple[int, int],
    states: Sequence[str],
    limit: int,
) -> Steps[FoundCandidates]:
    """Of a replay, those that arrived `between` two times, the second left out. Pending ones are
    passed over."""
    if WITH_ROW.issuperset(states):
        arguments = (replay, position, ROWS_SCANNED, subscription)
        rows = yield Question("walk_row_ranges", arguments)
        known = {row[0]: row[ENTRY] for row in rows}
        scanned = ROWS_SCANNED
    else:
        rows = yield Question("walk_ranges", (replay, position, PASSED_OVER))
        scanned = PASSED_OVER
        in_time = [row for row in rows if _is_between(row, between)][:JUDGED]
        if len(in_time) == JUDGED:
            rows, scanned = [row for row in rows if row[0] <= in_time[-1][0]], 0
        outcomes = yield from _outcomes(subscription, in_time)
        known = {number: outcome[0] for number, outcome in outcomes.items()}
    picked = pick(
        [(row, len(rows) >= scanned and row is rows[-1]) for row in rows],
        lambda row: _is_between(row, between) and known.get(row[0]) in states,
        limit,
    )
    last = picked.looked_at[-1][0] if picked.looked_at else None
    found = [(*row[:ENTRY], known[row[0]]) for row in picked.rows]
    return FoundCandidates(found, last, picked.ended)


_NOT_ITS_OWN: Final = (None, False)


def _sought(sought: Sought) -> Callable[[Row], bool]:
    wanted = InterestFilter(sought.interest())
    return lambda row: wanted.matches(row[3], row[5])


def _is_between(row: Row, between: tuple[int, int]) -> bool:
    return row[2] is not None and between[0] <= row[2] < between[1]


def _place(page: Page) -> Steps[WalkPlace]:
    event_id = WalkPlace.event_of(page.before)
    if not event_id:
        return WalkPlace.of(page.before, None) if page.before else WalkPlace({})
    found = yield Question("find_number", (event_id,))
    return WalkPlace.of(page.before, found[0][0] if found else None)


def _newest_events(page: Page, sought: Sought, among: frozenset[int] | None) -> Steps[Found]:
    scanned = max(SCANNED, page.limit)
    rows = yield Question("find_newest", (page.before or NEWEST, scanned))
    marked = [(row, len(rows) == scanned and row is rows[-1]) for row in rows]
    is_sought = _sought(sought)

    def is_wanted(row: Row) -> bool:
        is_there = row[ENTRY] and (among is None or endpoint_of(row[0]) in among)
        return is_there and is_sought(row)

    picked = pick(marked, is_wanted, page.limit)
    following = None if picked.ended else picked.looked_at[-1][1]
    return Found([row[:ENTRY] for row in picked.rows], following, len(picked.looked_at))


def _walk(
    statement: str, place: WalkPlace, logs: Sequence[Row], limit: int, most: int, *more: Any
) -> Steps[list[tuple[Row, bool]]]:
    """At most `most` rows of all logs, in order, and whether each is the last that was read."""
    each = max(limit, most // max(len(logs), 1))
    pieces = place.pieces((endpoint, above) for endpoint, above in logs)
    above, below = [piece.above for piece in pieces], [piece.below for piece in pieces]
    rows = yield Question(statement, (above, below, each, *more))
    walked = list(islice(merged(by_log(rows), each), most))
    if len(walked) == most:
        walked[-1] = (walked[-1][0], True)
    return walked


def _outcomes(subscription: int, rows: Iterable[Row]) -> Steps[dict[int, Row]]:
    """Number → (state, attempts, due, status code, error, whether the subscription is younger)."""
    columns = [list(column) for column in zip(*((x[0], x[1], x[ENTRY]) for x in rows), strict=True)]
    found = yield Question("find_outcomes", (subscription, *(columns or ([], [], []))))
    return {number: tuple(outcome) for number, *outcome in found}


def _of_no_concern(
    outcomes: Mapping[int, Row], rows: Sequence[tuple[Row, bool]], interest: Interest
) -> dict[int, Row]:
    """Events that wait only until a cursor is moved past them are filtered already."""
    concerns = InterestFilter(interest)
    return {
        row[0]: (DeliveryState.FILTERED, *outcomes[row[0]][1:])
        for row, _ in rows
        if outcomes.get(row[0], _NOT_ITS_OWN)[0] == DeliveryState.PENDING
        and not concerns.matches(row[3], row[5])
    }


def _with_result(outcome: Row, tried: Row) -> Row:
    """What a row does not tell is taken from the attempts."""
    state, attempts, due, status_code, error, _ = outcome
    if attempts is not None:
        return state, attempts, due, status_code, error
    times, last_code, last_error = tried
    return state, times, 0, last_code, last_error


def _deliveries_with_row(
    page: Page,
    place: WalkPlace,
    logs: Sequence[Row],
    subscription: int,
    states: frozenset[DeliveryState],
) -> Steps[Found]:
    most = page.limit if states == WITH_ROW else max(SCANNED, page.limit)
    rows = yield from _walk("walk_rows", place, logs, page.limit, most, subscription)
    picked = pick(rows, lambda row: place.is_before(row) and row[2] in states, page.limit)
    listed = yield Question("find_rows", (subscription, [row[0] for row in picked.rows]))
    by_number = {row[0]: row for row in listed}
    shown = [by_number[row[0]] for row in picked.rows if row[0] in by_number]
    return _found(shown, picked, place, len(logs))


def _found(rows: list[Row], picked: Picked, place: WalkPlace, logs: int) -> Found:
    following = None if picked.ended else place.after(picked.looked_at, logs)
    return Found(rows, following, len(picked.looked_at))
