"""A database that tells the time of a test's clock instead of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hookplane.clock import Millis
from hookplane.store.access import StoreAccess
from support.clocks.manual import ManualClock
from support.postgres.server import connected

NOW_MILLIS: Final = """
create or replace function hookplane.now_millis() returns bigint
language sql volatile security definer as
$$ select pg_read_file('%s')::bigint $$
"""


class DatabaseClock:
    """Follows a clock through a file that the server reads. Right until it is shifted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._right: Millis = 0
        self._shift: Millis = 0

    @classmethod
    async def install(
        cls, settings: StoreAccess, folder: Path, clock: ManualClock
    ) -> DatabaseClock:
        """In a database with our schema. `folder`: one that the server may read."""
        made = cls(folder / f"clock-{settings.dsn.reveal().decode().rpartition('/')[2][:64]}")
        clock.follow(made._follow)
        async with connected(settings) as db:
            await db.execute(NOW_MILLIS % made._file)
        return made

    def shift(self, millis: Millis) -> None:
        """From now on it tells so much more than the clock that it follows."""
        self._shift = millis
        self._write()

    def _follow(self, now: Millis) -> None:
        self._right = now
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(str(self._right + self._shift))
        new.replace(self._file)  # never half of it
