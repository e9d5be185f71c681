"""kstatus as Flux and kpt compute it: its own library, in a small program of the tests."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from support.kubernetes.control_plane import require_components


def kstatus(found: dict[str, Any]) -> str:
    """InProgress, Current, Failed or Terminating."""
    binary = require_components() / "kstatus"
    done = subprocess.run(
        [binary], check=False, input=json.dumps(found), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["status"])
