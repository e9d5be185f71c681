"""Lets the process have as many connections as the system allows it."""

from __future__ import annotations

import resource


def allow_open_files() -> None:
    """Raises the soft limit to the hard one: the usual 1,024 is less than what many subscriptions
    may have in flight together."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
