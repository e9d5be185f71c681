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
    assert f"{tmp_path} was not made by Hookplane" in said
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("command", ["run", "remove"])
def test_an_environment_of_somebody_else_is_left_alone(empty: Path, command: str) -> None:
    (empty / "notes.txt").touch()
    with pytest.raises(environment.Blocked, match="was not made by Hookplane"):
        environment.main(command, empty)
    assert (empty / "notes.txt").exists()
    assert (empty / "pyvenv.cfg").exists()


def test_what_is_no_folder_is_left_alone(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to("/nowhere")
    for path in (file, link):
        with pytest.raises(environment.Blocked, match="is no folder"):
            environment.main("run", path)
    assert file.exists()
    assert link.is_symlink()


def test_only_what_is_ours_is_removed(empty: Path) -> None:
    beside = empty.parent / "beside.txt"
    beside.touch()
    environment.write_marker(empty, environment.UNFINISHED)
    (empty / "link").symlink_to(beside.parent)
    environment.main("remove", empty)
    assert list(beside.parent.iterdir()) == [beside]
    environment.main("remove", empty)  # nothing is there any more


def test_a_folder_that_is_being_emptied_is_known_as_ours(empty: Path) -> None:
    # whoever is killed on the way leaves the marker
    environment.write_marker(empty, environment.UNFINISHED)
    environment.empty(empty)
    assert list(empty.iterdir()) == [environment.marker(empty)]
    environment.check_ours(empty)


@pytest.fixture
def ready(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that promises all; its pip fails or does what PIP_SAYS says."""
    monkeypatch.setenv("ANY_PYTHON", "yes")
    (empty / "bin/hookplane").touch()
    content = {"is": environment.fingerprint(), "python": environment.python_of(empty)}
    environment.write_marker(empty, content | {"level": "develop"})
    package = empty / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages/pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PIP)
    return empty


PIP = """
import os, sys
print(os.environ.get("PIP_SAYS", ""), flush=True)
sys.exit("install" in sys.argv)
"""


def outdated(folder: Path) -> object:
    """Makes the promise of an environment too old, and gives it."""
    old = environment.read_marker(folder) | {"is": "other packages"}
    environment.write_marker(folder, old)
    return old


def test_what_failed_before_it_changed_anything_leaves_what_was_there(ready: Path) -> None:
    old = outdated(ready)
    with pytest.raises(environment.Blocked):
        environment.main("run", ready)
    assert environment.read_marker(ready) == old
    assert environment.reason_to_begin_anew(ready) is None


def test_what_failed_half_way_begins_again(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outdated(ready)
    monkeypatch.setenv("PIP_SAYS", "Installing collected packages: idna, aiohttp")
    with pytest.raises(environment.Blocked):
        environment.main("run", ready)
    assert "interrupted" in (environment.reason_to_begin_anew(ready) or "")


def test_what_it_promises_it_does_not_install_again(ready: Path) -> None:
    content = environment.read_marker(ready)
    assert environment.up_to_date("run", ready)
    assert environment.up_to_date("develop", ready)
    for changed, wanted in (
        ({"level": "run"}, "develop"),
        ({"level": "a later one"}, "run"),
        ({"is": "other packages"}, "run"),
        ({"python": "3.9"}, "run"),
    ):
        environment.write_marker(ready, content | changed)
        assert not environment.up_to_date(wanted, ready), changed
    environment.write_marker(ready, content | {"level": "run"})
    assert environment.up_to_date("run", ready)


def test_a_program_that_is_gone_is_installed_again(ready: Path) -> None:
    (ready / "bin/hookplane").unlink()
    assert not environment.up_to_date("run", ready)


def test_pip_is_not_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example.com/simple")
    assert "PIP_TARGET" not in environment.variables()
    assert "PIP_INDEX_URL" in environment.variables()


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
        # nothing that it calls an error: the last line
        ("Looking in indexes: https://a.example\nno route", "no route"),
        ("ERROR: Exception:\nTraceback\nValueError: 7", "ValueError: 7"),
        # a password in an address stays hidden
        ("ERROR: cannot ask https://me:secret@index.example.com/simple", "//***@index.example.com"),
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
