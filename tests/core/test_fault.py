"""What is shown of an exception that nobody foresaw."""

from __future__ import annotations

from typing import Any

from hookplane import fault
from hookplane.errors import StoreUnfit
from hookplane.filters.types import Glob

NOT_A_TEXT: Any = 1


def test_its_type_and_the_last_line_of_ours_but_never_its_message() -> None:
    try:
        Glob(NOT_A_TEXT)
    except AttributeError as error:
        shown = fault.describe(error)
    assert shown.startswith(
        "a fault of Hookplane's own (AttributeError at hookplane.filters.types:"
    )
    assert "split" not in shown


def test_without_a_line_of_ours_the_type_alone() -> None:
    shown = fault.describe(KeyError("hush-hush"))
    assert shown == "a fault of Hookplane's own (KeyError); please report it"


def test_who_speaks_for_himself() -> None:
    assert fault.words(StoreUnfit("no right to read")) == "no right to read"
    missing = FileNotFoundError(2, "No such file or directory", "a.yaml")
    assert fault.words(missing) == "a.yaml: No such file or directory"
    assert fault.words(OSError("hush-hush")) == fault.describe(OSError())
