"""What listings and replays ask a driver, step by step: each page looks at a bounded number of
rows, whatever it finds. A step names a statement that both drivers have; its rows come back."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from hookplane.store.delivery_store import DeliveryState
from hookplane.store.log_walk import Picked, Row, WalkPlace, by_log, merged, pick
from hookplane.store.queries import ANY_EVENT, Page, Sought
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


def events(page: Page, endpoint: int | None, sought: Sought) -> Steps[Found]:
    """Rows of entries."""
    if endpoint is None:
        return (yield from _newest_events(page, sought))
    place = yield from _place(page)
    logs = yield Question("find_log", (endpoint,))
    most = max(0 if sought == ANY_EVENT else SCANNED, page.limit)
    rows = yield from _walk("walk_events", place, logs, page.limit, most)
    picked = pick(rows, lambda row: place.is_before(row) and _is_sought(row, sought), page.limit)
    return _found([row[:ENTRY] for row in picked.rows], picked, place, len(logs))


def deliveries(page: Page, subscription: int, states: frozenset[DeliveryState]) -> Steps[Found]:
    """Rows of entries, then (state, attempts, due, status code, error)."""
    place = yield from _place(page)
    logs = yield Question("find_logs", (subscription,))
    if states <= WITH_ROW:
        return (yield from _deliveries_with_row(page, place, logs, subscription, states))
    most = page.limit if states >= frozenset(DeliveryState) else max(JUDGED, page.limit)
    rows = yield from _walk("walk_events", place, logs, page.limit, most)
    outcomes = yield from _outcomes(subscription, [row for row, _ in rows])

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


def attempts(page: Page, subscription: int | None, event_id: str | None) -> Steps[Found]:
    """Rows of attempts; a page does not end within an event."""
    if event_id:
        rows = yield Question("find_attempts", ([event_id], subscription))
        return Found(rows, None, len(rows))
    scanned = page.limit if subscription is None else max(ATTEMPTS_SCANNED, page.limit)
    tried = yield Question("scan_attempts", (page.before or NEWEST, scanned, subscription))
    ids, looked_at, found = list[str](), 0, 0
    for tried_id, matching, number in tried:
        ids += [tried_id] if matching else []
        looked_at, found = looked_at + number, found + matching
        if found >= page.limit:
            break
    rows = yield Question("find_attempts", (ids, subscription))
    more = looked_at >= scanned or found >= page.limit
    return Found(rows, tried_id if more else None, looked_at)


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


def _is_sought(row: Row, sought: Sought) -> bool:
    return sought.type in (None, row[3]) and sought.key in (None, row[5])


def _is_between(row: Row, between: tuple[int, int]) -> bool:
    return row[2] is not None and between[0] <= row[2] < between[1]


def _place(page: Page) -> Steps[WalkPlace]:
    if not page.before or WalkPlace.is_exact(page.before):
        return WalkPlace.of(page.before, None)
    found = yield Question("find_number", (page.before,))
    return WalkPlace.of(page.before, found[0][0] if found else None)


def _newest_events(page: Page, sought: Sought) -> Steps[Found]:
    scanned = max(SCANNED, page.limit)
    rows = yield Question("find_newest", (page.before or NEWEST, scanned))
    marked = [(row, len(rows) == scanned and row is rows[-1]) for row in rows]
    picked = pick(marked, lambda row: row[ENTRY] and _is_sought(row, sought), page.limit)
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
