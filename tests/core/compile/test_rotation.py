"""When a generated key is made, replaced and forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookplane.compile.model import WantedSecret
from hookplane.compile.rotation import GeneratedKey, current_key
from hookplane.signatures.signing import GeneratedKind

START = 1_764_000_000_000
WANT = WantedSecret("shop", "e-verification", GeneratedKind.HEX, "uid-1", 1_000, 100)
OLD = GeneratedKey(kind=GeneratedKind.HEX, owner="uid-1", key="old", since=START)
ROTATED = GeneratedKey(
    kind=GeneratedKind.HEX,
    owner="uid-1",
    key="new",
    since=START,
    previous="old",
    previous_until=START + 100,
)


def ones(count: int) -> bytes:
    return b"\x01" * count


NEW = "01" * 32


def test_the_first_key() -> None:
    key = current_key(None, WANT, START, random_bytes=ones)
    assert key == GeneratedKey(kind=GeneratedKind.HEX, owner="uid-1", key=NEW, since=START)
    assert {name: x.reveal() for name, x in key.data().items()} == {"key": NEW.encode()}
    assert key.as_object(WANT).generated


def test_nothing_changes_before_it_is_due() -> None:
    assert current_key(OLD, WANT, START + 999) is OLD
    assert current_key(ROTATED, WANT, START + 99) is ROTATED


def test_a_key_is_replaced_on_schedule_and_used_on_during_overlap() -> None:
    now = START + 1_000
    rotated = current_key(OLD, WANT, now, random_bytes=ones)
    assert (rotated.key, rotated.since) == (NEW, now)
    assert (rotated.previous, rotated.previous_until) == ("old", now + 100)
    assert set(rotated.data()) == {"key", "previous"}


def test_the_previous_key_is_forgotten_when_the_overlap_is_over() -> None:
    later = current_key(ROTATED, WANT, START + 100)
    assert (later.key, later.previous, later.previous_until) == ("new", "", 0)


def test_a_key_is_replaced_when_somebody_asks() -> None:
    never = replace(WANT, rotate_every=0)
    assert current_key(OLD, never, START + 10**9) is OLD
    asked = current_key(OLD, never, START + 1, asked=True, random_bytes=ones)
    assert (asked.key, asked.previous, asked.previous_until) == (NEW, "old", START + 101)


def test_without_overlap_the_old_key_is_gone_at_once() -> None:
    key = current_key(ROTATED, replace(WANT, overlap=0), START + 1, asked=True, random_bytes=ones)
    assert (key.key, key.previous, key.previous_until) == (NEW, "", 0)


def test_a_key_of_another_kind_is_of_no_use_any_more() -> None:
    want = replace(WANT, kind=GeneratedKind.WHSEC)
    key = current_key(OLD, want, START + 1, random_bytes=ones)
    assert key.key.startswith("whsec_")
    assert key.previous == ""


@pytest.mark.parametrize(
    ("key", "every", "due"),
    [
        (OLD, 0, None),
        (OLD, 1_000, START + 1_000),
        (ROTATED, 0, START + 100),  # the previous key is to be forgotten
        (ROTATED, 1_000, START + 100),
        (ROTATED, 50, START + 50),
    ],
)
def test_when_it_next_changes(key: GeneratedKey, every: int, due: int | None) -> None:
    assert key.due(replace(WANT, rotate_every=every)) == due


def test_it_shows_no_key() -> None:
    assert "new" not in f"{ROTATED!r} {ROTATED}"
