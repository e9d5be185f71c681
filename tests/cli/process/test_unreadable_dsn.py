"""Every program that is given a database says what is wrong with its DSN, and nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hookplane_cli.main import main

PROGRAMS = ["receiver", "dispatcher", "console", "migrate", "apply"]
PASSWORDS = ["hunter/two", "hunter#two", "12?hunter", "hunter[two", "hunter℀two"]


def start(program: str, folder: Path, **variables: str) -> str:
    keys = folder / "keys"
    keys.write_text("k1:" + "01" * 32 + "\n")
    more = ["-f", str(folder)] if program == "apply" else []
    environment = {"HOOKPLANE_SEALING_KEYS_FILE": str(keys)} | variables
    result = CliRunner().invoke(main, [program, *more], env=environment)
    assert result.exit_code != 0
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_it_is_refused_unseen(program: str, password: str, tmp_path: Path) -> None:
    dsn = f"postgresql://user:{password}@host:5432/database"
    file = tmp_path / "dsn"
    file.write_text(dsn)
    for variables in ({"HOOKPLANE_STORE": dsn}, {"HOOKPLANE_STORE_FILE": str(file)}):
        said = start(program, tmp_path, **variables)
        (name,) = variables
        assert f"{name}: the DSN cannot be read" in said
        assert "hunter" not in said


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_file_that_is_no_text_is_not_shown(program: str, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_bytes(b"postgresql://user:hunter\xe9@host")
    said = start(program, tmp_path, HOOKPLANE_STORE_FILE=str(file))
    assert "HOOKPLANE_STORE_FILE: it is not UTF-8 text" in said
    assert "0xe9" not in said
