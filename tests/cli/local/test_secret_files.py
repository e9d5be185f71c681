"""Keys of a data folder: made once, for their owner alone, replaced by schedule or on request."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from hookplane.compile.model import SecretObject, WantedSecret
from hookplane.compile.rotation import DEFAULT_OVERLAP
from hookplane.errors import SecretUnreadable
from hookplane.signatures.signing import GeneratedKind
from hookplane_cli.local.secret_files import SecretFiles, open_sealer

WANTED = WantedSecret("default", "a-verification", GeneratedKind.WHSEC, "uid")
ROTATED = WantedSecret("default", "a-verification", GeneratedKind.WHSEC, "uid", 1000, 200)


def text(secret: SecretObject, key: str = "key") -> str:
    return secret.data[key].reveal().decode()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_sealing_key_is_made_once(tmp_path: Path) -> None:
    sealed = open_sealer(tmp_path).seal(b"x", "aad")
    assert open_sealer(tmp_path).open(sealed, "aad") == b"x"
    assert mode(tmp_path / "sealing.key") == 0o600


def test_a_damaged_sealing_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "sealing.key").write_text("garbage")
    with pytest.raises(SecretUnreadable, match="is not a sealing key"):
        open_sealer(tmp_path)


def test_a_generated_secret_is_made_once(tmp_path: Path) -> None:
    (first,) = SecretFiles(tmp_path).make_or_rotate([WANTED], 0)
    (second,) = SecretFiles(tmp_path).make_or_rotate([WANTED], 10**12)
    assert (text(first), first.generated) == (text(second), True)
    assert text(first).startswith("whsec_")
    path = tmp_path / "secrets" / "default" / "a-verification.json"
    assert json.loads(path.read_bytes())["key"] == text(first)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_rotation_with_overlap(tmp_path: Path) -> None:
    generated = SecretFiles(tmp_path)
    (first,) = generated.make_or_rotate([ROTATED], 0)
    assert generated.due == 1000
    (second,) = generated.make_or_rotate([ROTATED], 1000)
    assert text(second, "previous") == text(first) != text(second)
    assert generated.due == 1200
    (third,) = generated.make_or_rotate([ROTATED], 1199)
    assert third == second
    (fourth,) = generated.make_or_rotate([ROTATED], 1200)
    assert (text(fourth), "previous" in fourth.data) == (text(second), False)
    assert generated.due == 2000


def asking(rotate: str) -> WantedSecret:
    return dataclasses.replace(WANTED, rotate=rotate)


def test_an_annotation_asks_for_a_new_key(tmp_path: Path) -> None:
    """Once for each value, also after a restart, and also when it is taken away."""
    (first,) = SecretFiles(tmp_path).make_or_rotate([WANTED], 0)
    (second,) = SecretFiles(tmp_path).make_or_rotate([asking("now")], 5)
    assert text(second, "previous") == text(first) != text(second)
    for rotate in ("now", "", "now"):
        assert SecretFiles(tmp_path).make_or_rotate([asking(rotate)], 6) == [second]
    generated = SecretFiles(tmp_path)
    (third,) = generated.make_or_rotate([asking("again")], 7)
    assert text(third, "previous") == text(second)
    assert generated.due == 7 + DEFAULT_OVERLAP


def test_a_key_that_is_new_fulfils_the_annotation(tmp_path: Path) -> None:
    (first,) = SecretFiles(tmp_path).make_or_rotate([asking("now")], 0)
    assert SecretFiles(tmp_path).make_or_rotate([asking("now")], 1) == [first]


def test_an_annotation_from_before_it_was_heeded_changes_nothing(tmp_path: Path) -> None:
    (first,) = SecretFiles(tmp_path).make_or_rotate([WANTED], 0)
    path = tmp_path / "secrets" / "default" / "a-verification.json"
    path.write_text(
        json.dumps({x: y for x, y in json.loads(path.read_text()).items() if x != "rotated"})
    )
    assert SecretFiles(tmp_path).make_or_rotate([asking("long ago")], 1) == [first]
    (second,) = SecretFiles(tmp_path).make_or_rotate([asking("now")], 2)
    assert text(second) != text(first)


def test_without_overlap_the_old_key_goes_at_once(tmp_path: Path) -> None:
    wanted = WantedSecret("default", "x", GeneratedKind.HEX, "uid", 1000, 0)
    generated = SecretFiles(tmp_path)
    generated.make_or_rotate([wanted], 0)
    assert set(generated.make_or_rotate([wanted], 1000)[0].data) == {"key"}


def test_an_overlap_ends_even_if_rotation_was_taken_away(tmp_path: Path) -> None:
    generated = SecretFiles(tmp_path)
    generated.make_or_rotate([ROTATED], 0)
    generated.make_or_rotate([ROTATED], 1000)
    assert set(generated.make_or_rotate([WANTED], 1100)[0].data) == {"key", "previous"}
    assert generated.due == 1200
    assert set(generated.make_or_rotate([WANTED], 1200)[0].data) == {"key"}
    assert generated.due is None


def test_another_kind_of_key_is_made_anew(tmp_path: Path) -> None:
    generated = SecretFiles(tmp_path)
    generated.make_or_rotate([WANTED], 0)
    wanted = WantedSecret("default", "a-verification", GeneratedKind.WHSK, "uid")
    assert text(generated.make_or_rotate([wanted], 0)[0]).startswith("whsk_")


def test_a_damaged_file_is_never_overwritten(tmp_path: Path) -> None:
    generated = SecretFiles(tmp_path)
    generated.make_or_rotate([WANTED], 0)
    path = tmp_path / "secrets" / "default" / "a-verification.json"
    path.write_text('{"key": "whsec_precious"')
    with pytest.raises(SecretUnreadable, match="is not a generated Secret any more") as refused:
        generated.make_or_rotate([WANTED], 0)
    assert "precious" not in str(refused.value)
    assert "precious" in path.read_text()
