"""`reach.py SECONDS URL=STATUS …`: waits until each URL answers with its status, for so many
seconds in all. The exit code is 0 when all of them have."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request

PAUSE = 1.0
PATIENCE = 5.0


def main(seconds: str, *wanted: str) -> int:
    """The exit code."""
    end = time.monotonic() + float(seconds)
    pairs = [one.rpartition("=") for one in wanted]
    answers = [has_answered(url, status, end) for url, _, status in pairs]
    return 0 if all(answers) else 1


def has_answered(url: str, status: str, end: float) -> bool:
    """One try at least; others until `end`, of the monotonic clock."""
    while (found := answer(url)) != status and time.monotonic() < end:
        time.sleep(PAUSE)
    good = found == status
    print(f"{url} answers {found}" + ("" if good else f", not {status}"), flush=True)
    return good


def answer(url: str) -> str:
    """The status, or why there is none."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:  # noqa: S310 - the chart's
            return str(response.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except (OSError, ValueError) as error:
        return f"nothing ({error})"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
