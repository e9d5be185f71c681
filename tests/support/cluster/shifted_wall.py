"""`python -m support.cluster.shifted_wall FILE MODULE …`: runs a module with a wrong wall clock.

The file holds by how many milliseconds, eight bytes, little-endian; they may change meanwhile.
Everything in Python asks these two functions for the time of day. Monotonic clocks stay right, as
they do on a machine whose clock is set.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

_FORMAT = "<q"


def write_shift(file: Path, millis: int) -> None:
    """Sets the clock of a process that runs, or will run, with this file."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(struct.pack(_FORMAT, millis))


def _shift_time(file: Path) -> None:
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), struct.calcsize(_FORMAT), access=mmap.ACCESS_READ)
    right = time.time_ns

    def time_ns() -> int:
        (millis,) = struct.unpack_from(_FORMAT, shared)
        return right() + int(millis) * 1_000_000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def main() -> None:
    file, module, *arguments = sys.argv[1:]
    _shift_time(Path(file))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
