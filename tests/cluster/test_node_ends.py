"""A node of ours leaves nothing behind, however its test ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.clocks.blocking import until
from support.node.node import INTERFACE, Node
from support.node.real import require_node

STARTS = """
import sys, time
from pathlib import Path
from support.node.node import Node
node = Node(Path(sys.argv[1])).start([])
print(node.pid, flush=True)
time.sleep(600)
"""


def test_whoever_is_killed_takes_the_node_along() -> None:
    binaries = require_node()
    with subprocess.Popen(
        [sys.executable, "-c", STARTS, str(binaries)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")},
        stdout=subprocess.PIPE,
        text=True,
    ) as test:
        assert test.stdout is not None
        first = test.stdout.readline().strip()
        namespace = Path(f"/proc/{first}/ns/pid").readlink()
        assert inside(namespace), "there are processes in it"
        test.kill()
    until(lambda: not inside(namespace), "the end of all its processes")
    link = ["ip", "link", "show", INTERFACE]
    assert subprocess.run(link, capture_output=True, check=False).returncode != 0
    left = Node(binaries)
    assert str(left.folder) not in Path("/proc/mounts").read_text()
    left.clean()
    assert not left.folder.exists()


def inside(namespace: Path) -> list[str]:
    """Processes of a pid namespace."""
    return [x.name for x in Path("/proc").glob("[0-9]*") if of(x) == namespace]


def of(process: Path) -> Path | None:
    try:
        return (process / "ns" / "pid").readlink()
    except OSError:
        return None
