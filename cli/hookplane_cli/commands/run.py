"""`hookplane run`: the command line, made into settings."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, Final

import click

from hookplane.clock import SystemClock
from hookplane.errors import HookplaneError, InvalidValue, StoreLocked
from hookplane.network.addresses import AddressPolicy, check_url
from hookplane.store.maintenance import Retention
from hookplane.units import parse_duration, parse_size
from hookplane_cli.all_in_one.serve import serve
from hookplane_cli.all_in_one.settings import RunSettings
from hookplane_cli.options import (
    DEFAULT_DATA,
    AddressType,
    ParsedType,
    ServiceType,
    authority,
    labelled_secrets_option,
    manifests_option,
)
from hookplane_cli.process.variables import LIMITS, strange_variables
from hookplane_cli.serving.loop import run_until_signal
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.settings import TlsSettings

_LEAST_RETENTION: Final = 60_000
_TLS_LISTEN: Final = ("127.0.0.1", 8443)


def _retention(text: str) -> int:
    millis = parse_duration(text)
    if millis < _LEAST_RETENTION:
        raise InvalidValue(f'"{text}" is too short; it is at least 1m')
    return millis


def _range(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def _url(text: str) -> str:
    check_url(text, AddressPolicy(loopback=True))
    return text.rstrip("/")


def _limit_options(command: click.Command) -> click.Command:
    """The limits of a receiver that is a process of its own, by the same names."""
    for limit in LIMITS:
        option = click.Option(
            [f"--{limit.name.replace('_', '-')}"],
            type=ParsedType("LIMIT", limit.read),
            default=limit.default,
            show_default=True,
            help=limit.meaning + ".",
        )
        command.params.append(option)
    return command


@_limit_options
@click.command(name="run")
@manifests_option
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    envvar="HOOKPLANE_DATA",
    show_default=True,
    help="Folder for events and generated keys.",
)
@click.option("--listen", type=AddressType(), default="127.0.0.1:8080", show_default=True)
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Serve https too, with this certificate (PEM); read again when it changes.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The certificate's key (PEM).",
)
@click.option(
    "--tls-listen",
    type=AddressType(),
    help="Where https is served, with a certificate.  [default: 127.0.0.1:8443]",
)
@click.option(
    "--admin",
    type=AddressType(),
    default="127.0.0.1:8081",
    show_default=True,
    help="Health, metrics, admin API; it asks nobody for a password.",
)
@click.option(
    "--service",
    "services",
    type=ServiceType(),
    multiple=True,
    help="Where a Service is, such as bot=http://127.0.0.1:9000.",
)
@click.option(
    "--public-url",
    type=ParsedType("URL", _url),
    help="The URL that providers see, for those that sign it.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    type=ParsedType("CIDR", _range),
    multiple=True,
    help="Addresses of proxies whose X-Forwarded-For is believed.",
)
@click.option(
    "--allow-cidr",
    "allowed_ranges",
    type=ParsedType("CIDR", _range),
    multiple=True,
    help="Private addresses that targets may have, besides this machine's.",
)
@labelled_secrets_option
@click.option(
    "--retention",
    type=ParsedType("DURATION", _retention),
    default="168h",
    show_default=True,
    help="How long events and attempts are kept.",
)
@click.option(
    "--max-store-size",
    type=ParsedType("SIZE", parse_size),
    default="10Gi",
    show_default=True,
    help="All events together; the oldest of the namespace with most go first.",
)
@click.option("--log", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", is_flag=True, help="Print problems only.")
def command(
    sources: tuple[Path, ...],
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_listen: tuple[str, int] | None,
    services: tuple[tuple[str, str], ...],
    retention: int,
    max_store_size: int,
    log: str,
    quiet: bool,
    **given: Any,
) -> None:
    """Serve everything on this machine from manifests, until Ctrl-C.

    Files are watched and loaded again when they change; while something in them is wrong, what was
    in force before stays in force.
    """
    for source in sources:
        if not source.exists():
            raise click.ClickException(f"{source}: there is no such file or folder")
    for name in sorted(strange_variables(os.environ)):
        click.echo(f"warning: `hookplane run` does not read {name}; it takes options", err=True)
    run(
        RunSettings(
            sources=sources,
            tls=_tls(tls_certificate, tls_key, tls_listen),
            services=dict(services),
            retention=Retention(retention, retention, max_store_size),
            style="quiet" if quiet else log,
            limits=IngressLimits(**{limit.name: given.pop(limit.name) for limit in LIMITS}),
            **given,
        )
    )


def _tls(
    certificate: Path | None, key: Path | None, listen: tuple[str, int] | None
) -> TlsSettings | None:
    if certificate is None and key is None and listen is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--tls-certificate and --tls-key are both needed for https")
    return TlsSettings(authority(listen or _TLS_LISTEN), certificate, key)


def run(settings: RunSettings) -> None:
    """Serves until a signal comes. Raises click.ClickException when it cannot."""
    try:
        run_until_signal(lambda stopped: serve(settings, SystemClock(), stopped))
    except StoreLocked as error:
        raise click.ClickException(
            f"the data folder {settings.data} is in use by another `hookplane run`; stop that one, "
            "or give this one a folder of its own with --data DIR"
        ) from error
    except (HookplaneError, OSError) as error:
        raise click.ClickException(str(error)) from error
