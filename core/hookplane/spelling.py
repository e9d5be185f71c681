"""Which known word was meant by one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "timeout"?`; empty: none is close."""
    by_case = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), by_case, n=1)
    return f'did you mean "{by_case[close[0]]}"?' if close else ""
