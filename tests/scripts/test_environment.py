"""The environment that the Makefile makes: what it refuses, when it begins again, what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts import environment

ROOT = Path(__file__).parents[2]


def run(folder: Path, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [ROOT / "scripts/environment", "run"],
        env={**os.environ, "VENV": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def any_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_PYTHON", "yes")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A Python environment in a path with a space, without pip."""
    folder = tmp_path / "a folder"
    venv.create(folder, symlinks=True)
    return folder


def test_a_python_that_is_not_there_is_named() -> None:
    code, said = run(Path("nowhere"), PYTHON="no-such-python")
    assert code == 1
    assert said.startswith(
        "Hookplane needs Python 3.11 or newer, and no-such-python is not working"
    )


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    code, said = run(tmp_path)
    assert code == 1
    assert f"{tmp_path} holds other things than a Python environment" in said
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.usefixtures("any_python")
def test_what_it_promises_it_does_not_install_again(empty: Path) -> None:
    content = {"is": environment.fingerprint(), "python": environment.python_of(empty)}
    environment.write_marker(empty, content | {"level": "develop"})
    assert environment.up_to_date("run", empty)
    assert environment.up_to_date("develop", empty)
    environment.write_marker(empty, content | {"level": "run"})
    assert environment.up_to_date("run", empty)
    assert not environment.up_to_date("develop", empty)
    environment.write_marker(empty, content | {"level": "run", "is": "other packages"})
    assert not environment.up_to_date("run", empty)


@pytest.mark.usefixtures("any_python")
def test_it_begins_again_after_an_interruption_and_when_nothing_works(empty: Path) -> None:
    assert "no pip that works" in (environment.reason_to_begin_anew(empty) or "")
    environment.write_marker(empty, environment.UNFINISHED)
    assert "interrupted" in (environment.reason_to_begin_anew(empty) or "")
    for name in ("python", "python3"):
        (empty / "bin" / name).unlink()
        (empty / "bin" / name).symlink_to("/nowhere/python")
    environment.marker(empty).unlink()
    assert "does not start" in (environment.reason_to_begin_anew(empty) or "")
    assert not environment.up_to_date("run", empty)


def test_only_the_python_that_was_named_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANY_PYTHON", raising=False)
    assert environment.suits("{}.{}".format(*sys.version_info))
    assert not environment.suits("3.99")
    monkeypatch.setenv("ANY_PYTHON", "yes")
    assert environment.suits("3.99")
    assert not environment.suits("3.9")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        # a full disk
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        # no network: pip tries several times, and then finds no distribution
        ("NewConnectionError('…')\nERROR: No matching distribution found for x", "check network"),
        # something else: the first error that pip names
        ("WARNING: old\nERROR: No matching distribution found for x\nhint", "No matching"),
        ("", "it said nothing"),
    ],
)
def test_a_failure_becomes_one_sentence(said: str, sentence: str) -> None:
    message = environment.explain(said.splitlines(keepends=True))
    assert sentence in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("aiohttp<4,>=3.14", "aiohttp"),
        ("pydantic-core==2.50.4", "pydantic-core"),
        ("uvloop-0.23.0-cp311-cp311-manylinux_2_17_x86_64.whl", "uvloop-0.23.0"),
        ("hookplane[operator,sbom]", "hookplane"),
    ],
)
def test_packages_are_called_by_their_names(text: str, name: str) -> None:
    assert environment.name_of(text) == name
