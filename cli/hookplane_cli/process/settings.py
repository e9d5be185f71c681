"""The settings of one of many processes, from environment variables and files alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hookplane.compile.model import Options
from hookplane.errors import InvalidValue
from hookplane.network.addresses import OwnPlace, parse_place
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.drivers import Driver, driver_of
from hookplane.store.maintenance import Retention
from hookplane.store.process_registry import Role
from hookplane_cli.options import authority
from hookplane_cli.process import variables as read
from hookplane_cli.process.variables import LIMITS, Variable, read_all, unknown_variables
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.settings import QuotaSettings, ReceiverSettings, TlsSettings


def _dsn(text: str) -> Secret:
    """The DSN of a store that there is a driver for."""
    driver_of(text.strip())
    return Secret(text.strip())


STORE: Final = (
    Variable("store", _dsn, None, "DSN of the database, postgresql://user@host/database"),
    Variable("store_file", read.existing_file, None, "A file with the DSN, in place of it"),
    Variable("store_password_file", read.existing_file, None, "Read again for each connection"),
    Variable("store_tls_ca_file", read.existing_file, None, "Whom to believe about the server"),
    Variable("store_tls_certificate_file", read.existing_file, None, "Our own certificate"),
    Variable("store_tls_key_file", read.existing_file, None, "Its key"),
    Variable("sealing_keys_file", read.existing_path, None, "KEYID:hex lines; the first seals"),
)
PROCESS: Final = (
    *STORE,
    Variable("instance", read.name, None, "Unique among live processes; host name and pid"),
    Variable("listen", read.address, None, "[::]:8080; of a console 127.0.0.1:8090"),
    Variable("tls_listen", read.address, None, "Where TLS ends; [::]:8443 with a certificate"),
    Variable("tls_certificate_file", read.existing_file, None, "What the receiver shows there"),
    Variable("tls_key_file", read.existing_file, None, "Its key; both are read when they change"),
    Variable("health", read.address_or_off, "[::]:8081", "Health and metrics, or off"),
    Variable("trusted_proxies", read.ranges, "", "Proxies whose X-Forwarded-For is believed"),
    *LIMITS,
    Variable("allowed_cidrs", read.ranges, "", "Private ranges that targets may live in"),
    Variable("refused_targets", read.places, "", "HOST or HOST:PORT that no target may lead to"),
    Variable("allow_loopback", read.switch, "false", "Targets may be on this machine"),
    Variable("receiver_url", read.name, None, "Where receivers are, for the console"),
    Variable("trigger", read.switch, "false", "The console may sign samples; it needs the keys"),
    Variable("log", read.one_of("text", "json", "quiet"), "json", "Style of the activity"),
    Variable("stop_delay", read.duration, "0s", "For which it goes on answering when told to stop"),
    Variable("grace", read.duration, "20s", "For what is under way when it stops"),
    Variable("gateway", read.name, None, "Gateway whose processes these are, for messages"),
    Variable("quota_stored_bytes", read.size, None, "Bodies that one namespace may have stored"),
    Variable(
        "quota_events_per_second", read.count(1_000_000), None, "Of one namespace, altogether"
    ),
    Variable("retention_events", read.duration, "168h", "How long events are kept"),
    Variable("retention_attempts", read.duration, "168h", "How long attempts are kept"),
    Variable("retention_size", read.size, "100Gi", "Bodies of all events together"),
)
TLS_LISTEN: Final = ("[::]", 8443)
LISTEN: Final = ("[::]", 8080)
CONSOLE_LISTEN: Final = ("127.0.0.1", 8090)
"""It asks nobody for a password."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the store and read what is sealed in it."""

    driver: Driver
    access: StoreAccess
    keys: Path | None
    """None: nothing that is sealed is needed."""


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Everything about one process."""

    store: StoreSettings
    instance: str
    listen: tuple[str, int]
    tls: TlsSettings | None
    health: tuple[str, int] | None
    trusted_proxies: tuple[str, ...]
    limits: IngressLimits
    allowed_cidrs: tuple[str, ...]
    allow_loopback: bool
    own: frozenset[OwnPlace]
    """What belongs to Hookplane and the cluster itself, where nothing is sent."""
    receiver_url: str
    trigger: bool
    """Whether a console may sign samples."""
    log: str
    stop_delay: int
    grace: int
    retention: Retention
    quotas: QuotaSettings
    """Of one namespace."""
    warnings: tuple[str, ...]
    """About variables that nobody reads."""

    def receiver(self) -> ReceiverSettings:
        """The part of them that a receiver needs."""
        return ReceiverSettings(
            listen=authority(self.listen),
            trusted_proxies=self.trusted_proxies,
            limits=self.limits,
            quotas=self.quotas,
            tls=self.tls,
        )


def process_settings(role: str, environment: Mapping[str, str] = os.environ) -> ProcessSettings:
    """Raises InvalidValue with all problems, a line each."""
    values, problems = read_all(PROCESS, environment)
    is_console = role == Role.CONSOLE
    if is_console and values.get("trigger") is False:
        values["sealing_keys_file"] = None  # who opens nothing is not to have them
    elif values.get("sealing_keys_file") is None and not _names(problems, "SEALING_KEYS_FILE"):
        problems.append("HOOKPLANE_SEALING_KEYS_FILE: it is missing; name a file of sealing keys")
    store, more = _store(values, role)
    problems += more + _half_a_pair(values)
    if problems or store is None:
        raise InvalidValue("\n".join(problems))
    retention = (values.pop(f"retention_{x}") for x in ("events", "attempts", "size"))
    names = ("health", "trusted_proxies", "allowed_cidrs", "allow_loopback", "trigger", "log")
    return ProcessSettings(
        store=store,
        instance=values["instance"] or f"{socket.gethostname()}-{os.getpid()}",
        listen=values["listen"] or (CONSOLE_LISTEN if is_console else LISTEN),
        own=_own(values["refused_targets"], store, environment),
        tls=_tls(values),
        receiver_url=values["receiver_url"] or "",
        stop_delay=values["stop_delay"],
        grace=values["grace"],
        retention=Retention(*retention),
        limits=IngressLimits(**{limit.name: values[limit.name] for limit in LIMITS}),
        quotas=QuotaSettings(
            values["quota_stored_bytes"], values["quota_events_per_second"], values["gateway"] or ""
        ),
        warnings=tuple(unknown_variables(PROCESS, environment)),
        **{name: values[name] for name in names},
    )


def store_settings(
    purpose: str, given: str | None = None, environment: Mapping[str, str] = os.environ
) -> StoreSettings:
    """`given`: a DSN from the command line, which is used rather than a variable. Raises
    InvalidValue."""
    if given:
        environment = {**environment, "HOOKPLANE_STORE": given}
        environment.pop("HOOKPLANE_STORE_FILE", None)
    values, problems = read_all(STORE, environment)
    store, more = _store(values, purpose)
    if problems + more or store is None:
        raise InvalidValue("\n".join(problems + more))
    return store


def compile_options(
    services: Mapping[str, str],
    public_url: str | None,
    environment: Mapping[str, str] = os.environ,
    *,
    receiver_tls: bool = False,
    labelled_secrets: bool = False,
) -> Options:
    """What compiling depends on, from the variables that the processes have too. Raises
    InvalidValue."""
    names = ("allowed_cidrs", "allow_loopback", "refused_targets", "retention_events")
    table = [variable for variable in PROCESS if variable.name in names]
    values, problems = read_all(table, environment)
    if problems:
        raise InvalidValue("\n".join(problems))
    return Options(
        loopback_allowed=values["allow_loopback"],
        allowed_cidrs=values["allowed_cidrs"],
        own=frozenset(values["refused_targets"]),
        retention_events=values["retention_events"],
        services=services,
        public_url=public_url,
        labelled_secrets=labelled_secrets,
        receiver_tls=receiver_tls,
    )


def _own(
    named: Iterable[OwnPlace], store: StoreSettings, environment: Mapping[str, str]
) -> frozenset[OwnPlace]:
    """Kubernetes tells every pod where its API server is."""
    api_server = environment.get("KUBERNETES_SERVICE_HOST")
    text = f"[{api_server}]" if api_server and ":" in api_server else api_server
    return frozenset((*named, *store.access.places(), *([parse_place(text)] if text else [])))


def _tls(values: Mapping[str, Any]) -> TlsSettings | None:
    if values["tls_certificate_file"] is None:
        return None
    host, port = values["tls_listen"] or TLS_LISTEN
    files = (values["tls_certificate_file"], values["tls_key_file"])
    return TlsSettings(f"{host}:{port}", *files)


def _half_a_pair(values: Mapping[str, Any]) -> list[str]:
    names = ("tls_certificate_file", "tls_key_file")
    missing = [name for name in names if name in values and values[name] is None]
    if values.get("tls_listen") and not any(values.get(name) for name in names):
        return ["HOOKPLANE_TLS_LISTEN: there is no HOOKPLANE_TLS_CERTIFICATE_FILE to show there"]
    if len(missing) != 1:
        return []
    return [f"HOOKPLANE_{missing[0].upper()}: it is missing; certificate and key go together"]


def _store(values: dict[str, Any], purpose: str) -> tuple[StoreSettings | None, list[str]]:
    dsn, file = values.get("store"), values.get("store_file")
    problems = []
    if dsn and file:
        problems.append("HOOKPLANE_STORE and HOOKPLANE_STORE_FILE: give one of them only")
    if "store" in values and "store_file" in values and not (dsn or file):
        problems.append(
            "HOOKPLANE_STORE: it is missing; name the database, postgresql://user@host/database"
        )
    if values.get("store_tls_key_file") and not values.get("store_tls_certificate_file"):
        problems.append("HOOKPLANE_STORE_TLS_CERTIFICATE_FILE: it is missing for the key")
    dsn = dsn or _from_file(file, problems)
    if problems or dsn is None:
        return None, problems
    files = ("password_file", "tls_ca_file", "tls_certificate_file", "tls_key_file")
    access = StoreAccess(
        dsn=dsn,
        application=f"hookplane {purpose}",
        **{name: values.get(f"store_{name}") for name in files},
    )
    driver = driver_of(dsn.reveal().decode())
    return StoreSettings(driver, access, values.get("sealing_keys_file")), problems


def _from_file(file: Path | None, problems: list[str]) -> Secret | None:
    if file is None:
        return None
    try:
        return _dsn(file.read_text("utf-8"))
    except (OSError, InvalidValue) as error:
        problems.append(f"HOOKPLANE_STORE_FILE: {error}")
    except UnicodeDecodeError:  # it tells bytes of the text
        problems.append("HOOKPLANE_STORE_FILE: it is not UTF-8 text")
    return None


def _names(problems: list[str], variable: str) -> bool:
    return any(f"HOOKPLANE_{variable}:" in problem for problem in problems)
