"""Deletions that wait for a word."""

from __future__ import annotations

import re

from support.kubernetes.kubectl import Kubectl, condition


def held_deletions(kubectl: Kubectl) -> str:
    """What the default gateway says of them, as soon as it does."""
    found = kubectl.until(
        "whg", "default", lambda x: condition(x, "SweepBlocked").get("status") == "True"
    )
    return str(condition(found, "SweepBlocked")["message"])


def confirm_deletions(kubectl: Kubectl) -> None:
    """With the very words of the condition."""
    words = re.search(r"hookplane\.dev/confirm-deletions=\S+", held_deletions(kubectl))
    assert words
    kubectl.run("annotate", "whg", "default", "--overwrite", words[0].rstrip("."))
