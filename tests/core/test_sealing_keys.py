"""Files of sealing keys: what is in them, and how they are rotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.sealing_keys import new_sealing_key, parse_sealing_keys, read_sealing_keys


def test_sealing_keys_can_be_rotated(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(new_sealing_key())
    old = read_sealing_keys(keys)
    sealed = old.seal(b"secret", "aad")
    both = tmp_path / "both"
    both.write_text(new_sealing_key() + keys.read_text())
    rotated = read_sealing_keys(both)
    assert rotated.open(sealed, "aad") == b"secret"
    assert rotated.is_stale(f'{{"key": "{sealed}"}}'.encode())
    assert not rotated.is_stale(f'{{"key": "{rotated.seal(b"x", "aad")}"}}'.encode())


def test_a_folder_of_files_seals_with_the_first_key_of_the_first_name(tmp_path: Path) -> None:
    first, second = new_sealing_key(), new_sealing_key()
    (tmp_path / "b").write_text(second)
    (tmp_path / "a").write_text(first)
    (tmp_path / "folder").mkdir()
    both = read_sealing_keys(tmp_path)
    for name, stale in (("a", False), ("b", True)):
        sealed = read_sealing_keys(tmp_path / name).seal(b"secret", "aad")
        assert both.open(sealed, "aad") == b"secret"
        assert both.is_stale(f'{{"key": "{sealed}"}}'.encode()) is stale


@pytest.mark.parametrize("text", ["", "k1:zz", "k1", ":" + "ab" * 32, "k1:" + "ab" * 31])
def test_a_file_without_a_right_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(SecretUnreadable, match="sealing key") as caught:
        read_sealing_keys(file)
    assert "ab" * 31 not in str(caught.value)


def test_the_line_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidValue, match="key 2 is not a sealing key"):
        parse_sealing_keys(f"{new_sealing_key()}k1:zz".encode())
