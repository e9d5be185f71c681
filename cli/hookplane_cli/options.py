"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from hookplane.compile.model import ALLOW_REFERENCE, Options
from hookplane.errors import InvalidValue
from hookplane.network.addresses import AddressPolicy, check_url

DEFAULT_DATA: Final = ".hookplane"
DEFAULT_NAMESPACE: Final = "default"
_ANYWHERE: Final = AddressPolicy(loopback=True, allowed=("0.0.0.0/0", "::/0"))
"""Only the form of a URL is checked here; where deliveries may go is for compile to say."""
_SERVICE_NAME: Final = re.compile(r"([a-z0-9][-a-z0-9]*/)?[a-z0-9][-a-z0-9]*")

CHECKING: Final = Options(
    loopback_allowed=True,
    allowed_cidrs=("0.0.0.0/0", "::/0"),
    cluster_services=True,
    public_url="https://hooks.example.com",
    gateways=True,
    receiver_tls=True,
)
"""Whatever depends on where the manifests will be in force is taken to be there."""

manifests_option: Final = click.option(
    "-f",
    "--filename",
    "sources",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="DIR|FILE",
    help="Manifests (*.yaml, *.yml, *.json); may be given several times.",
)
labelled_secrets_option: Final = click.option(
    "--labelled-secrets",
    is_flag=True,
    help=f'Refer to no Secret without the label {ALLOW_REFERENCE}: "true", as gateways with '
    "allowedSecrets.from: Labelled.",
)
store_option: Final = click.option(
    "--store",
    metavar="DSN",
    help="postgresql://user@host:5432/database; without it HOOKPLANE_STORE or HOOKPLANE_STORE_FILE "
    "counts. A password belongs into HOOKPLANE_STORE_PASSWORD_FILE: others on the machine can read "
    "a command line.",
)
data_option: Final = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=DEFAULT_DATA,
    envvar="HOOKPLANE_DATA",
    show_default=True,
    help="Data folder of the `hookplane run` to ask.",
)
namespace_option: Final = click.option(
    "-n", "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="Namespace of names."
)


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


def address_taken(address: tuple[str, int], option: str, error: OSError) -> click.ClickException:
    """The error of a command that cannot listen at an address."""
    where = f"{address[0]}:{address[1]}"
    if error.errno == errno.EADDRINUSE:
        return click.ClickException(f"{where} is in use; give another one with {option} HOST:PORT")
    return click.ClickException(f"cannot listen on {where}: {error.strerror}")


class ServiceType(click.ParamType[tuple[str, str]]):
    """`bot=http://127.0.0.1:9000` or, for one namespace only, `chat/bot=http://127.0.0.1:9000`."""

    name = "NAME=URL"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, url = str(value).partition("=")
        if not equals or not _SERVICE_NAME.fullmatch(name):
            self.fail(f"{value} is not NAME=URL, such as bot=http://127.0.0.1:9000", param, ctx)
        try:
            check_url(url, _ANYWHERE)
        except InvalidValue as error:
            self.fail(str(error), param, ctx)
        return name, url


class ParsedType(click.ParamType[Any]):
    """A value that one of our parsers reads; its error message is shown as it is."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def authority(address: tuple[str, int]) -> str:
    """("127.0.0.1", 8080) → `127.0.0.1:8080`."""
    return f"{address[0]}:{address[1]}"
