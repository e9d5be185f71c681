"""Which files are read, in which order, and what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from hookplane.manifests.files import MAX_FILE_BYTES, MAX_FILES, SourceText, read_files


def test_folders_are_read_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "sub/c.json", ".git/d.yaml", ".e.yaml", "f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    texts = read_files([tmp_path, tmp_path / "a.yaml"])
    assert [text.content for text in texts] == ["a.yaml", "b.yml", "sub/c.json"]


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    file = tmp_path / "manifests.txt"
    file.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_files([file]) == [SourceText(str(file), "a: 1")]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(MAX_FILE_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.yaml")
    texts = read_files([tmp_path, tmp_path / "none.yaml"])
    assert [(Path(text.file).name, text.problem) for text in texts] == [
        ("large.yaml", "is larger than 4 MiB"),
        ("latin.yaml", "is not UTF-8 text"),
        ("pipe.yaml", "is not a regular file"),
        ("none.yaml", "there is no such file or folder"),
    ]


def test_a_folder_with_too_many_files_is_said_and_not_read_to_its_end(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.yaml").touch()
    *read, last = read_files([tmp_path])
    assert len(read) == MAX_FILES
    assert (last.file, last.problem) == (str(tmp_path), "holds more than 2000 manifests")


def test_a_link_to_itself_is_said_and_stops_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("a.yaml")
    (tmp_path / "b.yaml").write_text("b: 1")
    first, second = read_files([tmp_path])
    assert first.problem.startswith("cannot be read: ")
    assert second.content == "b: 1"
