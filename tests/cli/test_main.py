"""The program: a table of commands, and help that loads none of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hookplane_cli.main import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_help_lists_all_and_an_unknown_command_is_said() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(f"  {name} " in output for name in COMMANDS)
    assert "No such command 'rum'" in CliRunner().invoke(main, ["rum"]).output


def test_help_is_quick_because_it_imports_no_command() -> None:
    script = (
        "import sys; from hookplane_cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "assert not {'aiohttp', 'pydantic', 'hookplane_cli.commands.check'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_run_loads_nothing_of_databases_that_it_never_asks() -> None:
    script = "import sys, hookplane_cli.commands.run; assert 'asyncpg' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "options", [["--tls-key", "tls.key"], ["--tls-listen", "127.0.0.1:0"]], ids=str
)
def test_https_without_a_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tls.key").touch()
    result = CliRunner().invoke(main, ["run", "-f", ".", *options])
    assert result.exit_code == 2
    assert "--tls-certificate and --tls-key are both needed" in result.output


def test_a_terminal_without_a_character_shows_another() -> None:
    """Bodies and messages hold every character; latin-1 has no ellipsis."""
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    script = "import click; from hookplane_cli.main import main; " + (
        "main.callback(); click.echo('more…')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True
    )
    assert done.stdout == b"more?\n"
