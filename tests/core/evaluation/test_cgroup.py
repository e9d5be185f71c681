"""What a process may have is what the strictest of its groups allows."""

from __future__ import annotations

from pathlib import Path

from hookplane.evaluation.cgroup import memory_limit


def test_the_strictest_group_counts(tmp_path: Path) -> None:
    groups, own = tmp_path / "groups", tmp_path / "cgroup"
    (groups / "pod" / "container").mkdir(parents=True)
    own.write_text("0::/pod/container\n")
    assert memory_limit(groups, own) is None
    (groups / "pod" / "container" / "memory.max").write_text("max\n")
    assert memory_limit(groups, own) is None
    (groups / "pod" / "memory.max").write_text("1000\n")
    (groups / "memory.max").write_text("3000\n")
    assert memory_limit(groups, own) == 1000


def test_the_root_is_the_container_where_it_sees_no_other(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("2000\n")
    assert memory_limit(tmp_path, tmp_path / "nowhere") == 2000


def test_the_former_version(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    file = tmp_path / "memory" / "memory.limit_in_bytes"
    file.write_text("9223372036854771712\n")
    assert memory_limit(tmp_path, tmp_path / "nowhere") is None
    file.write_text("4000\n")
    assert memory_limit(tmp_path, tmp_path / "nowhere") == 4000
