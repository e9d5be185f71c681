"""What a test needs and this machine lacks."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def left_out(why: str) -> NoReturn:
    """Ends the test: as failed in CI, where nothing may be lacking, as skipped elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
