"""Appends to a store from many tasks and prints each event id once it is acknowledged.

Arguments: the folder, and optionally how big a file may get, so that the disk fails.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from hookplane.clock import SystemClock
from hookplane.ids import event_id
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.event_log import NewEvent
from hookplane.store.sqlite.driver import SQLiteStore

TASKS = 50
BODY = b"x" * 1_000


async def main(folder: Path) -> None:
    clock = SystemClock()
    store = await SQLiteStore.open(folder, clock)
    row = ConfigRow(ConfigKind.ENDPOINT, "e", b"{}")
    await store.apply_config(ConfigChange(upserts=(row,)))

    async def append() -> None:
        while True:
            now = clock.now()
            new = event_id(now)
            event = NewEvent("e", new, now, "t", (), BODY, new.encode(), now + 1_000_000)
            appended = await store.append(event)
            sys.stdout.write(appended.event_id + "\n")
            sys.stdout.flush()

    await asyncio.gather(*(append() for _ in range(TASKS)))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    asyncio.run(main(Path(sys.argv[1])))
