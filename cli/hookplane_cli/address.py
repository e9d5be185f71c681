"""HOST:PORT as users write it, and what to say when it is taken."""

from __future__ import annotations

import errno

import click


class AddressType(click.ParamType[tuple[str, int]]):
    """`127.0.0.1:9000` → ("127.0.0.1", 9000); `[::1]:9000` keeps its brackets; port 0 takes any."""

    name = "HOST:PORT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65_536):
            self.fail(f"{value} is not HOST:PORT, such as 127.0.0.1:9000", param, ctx)
        return host, int(port)


def taken(address: tuple[str, int], option: str, error: OSError) -> click.ClickException:
    """What to say when binding fails."""
    where = f"{address[0]}:{address[1]}"
    if error.errno == errno.EADDRINUSE:
        return click.ClickException(f"{where} is in use; give another one with {option} HOST:PORT")
    return click.ClickException(f"cannot listen on {where}: {error.strerror}")
