"""Registers as a dispatcher, prints its registration, and stays. Argument: the DSN."""

from __future__ import annotations

import asyncio
import sys

from hookplane.clock import SystemClock
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.process_registry import Presence, Role


async def main(dsn: str) -> None:
    store = await PostgresStore.open(StoreAccess(Secret(dsn)), SystemClock())
    process = await store.register(Role.DISPATCHER, "killed", Presence(ready=True, version=1))
    sys.stdout.write(f"{process}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
