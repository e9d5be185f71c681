"""Changes of files are noticed, whatever way editors write them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookplane_cli.local.watch import concerns, watch
from support.clocks.until import until


@asynccontextmanager
async def watched(*sources: Path) -> AsyncIterator[list[None]]:
    """Grows with every change; the watch is known to be at work when the body begins."""
    changes: list[None] = []
    task = asyncio.create_task(watch(sources, lambda: changes.append(None)))
    first = sources[0]
    probe = first / "probe.yaml" if first.is_dir() else first
    tick = 0
    while not changes:
        tick += 1
        probe.write_text(str(tick))
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    changes.clear()
    try:
        yield changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def replace_file(folder: Path) -> None:
    (folder / "draft").write_text("new")
    (folder / "draft").replace(folder / "a.yaml")


def remove_file(folder: Path) -> None:
    (folder / "a.yaml").unlink()


def write_below(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "b.yaml").write_text("new")


@pytest.mark.parametrize("change", [replace_file, remove_file, write_below])
async def test_folders(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "a.yaml").write_text("old")
    async with watched(tmp_path) as changes:
        change(tmp_path)
        await until(lambda: changes, "the change")


async def test_a_file_that_is_put_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old")
    async with watched(file) as changes:
        for _ in range(2):
            replace_file(tmp_path)
            await until(lambda: changes, "the change")
            changes.clear()


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("a.yaml", True),
        ("sub/b.json", True),
        ("sub", True),
        ("..data", True),  # a mounted ConfigMap changes by this link
        (".hookplane/hookplane.db", False),
        (".git/x.yaml", False),
        (".a.yaml.swp", False),
        ("notes.txt", False),
    ],
)
def test_what_matters(path: str, matters: bool) -> None:
    assert concerns(Path(path)) is matters
