"""`hookplane console`."""

from __future__ import annotations

from typing import Final

from hookplane.store.process_registry import Role
from hookplane_cli.process.command import role_command

command: Final = role_command(Role.CONSOLE, "Serve the admin API over the store of many processes.")
