"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
"""How long an example takes says how busy the machine is."""


def pytest_configure() -> None:
    """Programs that tests start are to end by signals, as from a terminal, even where whoever runs
    the tests ignores some, such as `nohup`, or a shell that puts them into the background."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
