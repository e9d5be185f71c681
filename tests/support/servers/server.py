"""Real servers as targets, each a process of its own. All speak the same paths, as far as they can:

`/` reads the request and says how long its body was and from which port it came; `/early` answers
before it has read the body; `/reset` reads the request and resets the connection. The others are
named after what they answer: `/204`, `/304`, `/304-length`, `/large`, `/chunked`, `/interim`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.clocks.until import PATIENCE
from support.cluster.cache import cache_folder
from support.cluster.missing import left_out
from support.cluster.ports import free_port
from support.http.targets import Identity

PROGRAMS: Final = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Setup:
    """What a server is started with."""

    folder: Path
    idle_seconds: int = 60
    """So long it keeps a connection that nobody uses."""
    identity: Identity | None = None
    """For TLS."""
    clients: str | None = None
    """Authorities whose certificates clients must show."""
    more: str = ""
    """Of the configuration of nginx."""
    port: int = field(default_factory=free_port)

    @property
    def pem(self) -> Path | None:
        """The identity as a file."""
        if self.identity is None:
            return None
        return _written(self.folder / "identity.pem", self.identity.key + self.identity.certificate)

    @property
    def clients_pem(self) -> Path | None:
        """The authorities as a file."""
        return (self.clients and _written(self.folder / "clients.pem", self.clients)) or None


@dataclass(frozen=True)
class RealServer:
    """A server that runs."""

    name: str
    setup: Setup
    process: subprocess.Popen[bytes]

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        scheme = "https" if self.setup.identity else "http"
        return f"{scheme}://{host}:{self.setup.port}{path}"

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def recorded(self) -> list[str]:
        """The ids of deliveries to `/` that nginx or gunicorn answered well, or nearly so."""
        record = self.setup.folder / "record"
        lines = record.read_text().splitlines() if record.exists() else []
        return [line.removesuffix(" 200") for line in lines if line.endswith(" 200")]

    def output(self) -> str:
        return (self.setup.folder / "log").read_text(errors="replace")


@dataclass(frozen=True)
class Program:
    """How a server is started, and what it can do."""

    command: Callable[[Setup], list[str]]
    paths: frozenset[str]
    keeps_connections: bool = True
    secure: bool = True
    """It speaks TLS."""


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


# Commands ---------------------------------------------------------------------------------------


def _nginx(setup: Setup) -> list[str]:
    unpacked = cache_folder() / "tools" / "nginx"
    found = str(unpacked) if unpacked.exists() else shutil.which("nginx")
    if found is None:
        left_out("nginx is not installed; scripts/test-tools unpacks it")
    config = _written(setup.folder / "nginx.conf", _nginx_config(setup))
    return [found, "-c", str(config), "-p", str(setup.folder), "-e", "stderr"]


def _nginx_config(setup: Setup) -> str:
    tls = {"ssl_certificate": setup.pem, "ssl_certificate_key": setup.pem}
    clients = {"ssl_client_certificate": setup.clients_pem, "ssl_verify_client": "on"}
    directives = {**(tls if setup.pem else {}), **(clients if setup.clients_pem else {})}
    words = {
        "user": "user root;" if os.getuid() == 0 else "",
        "folder": setup.folder,
        "idle": setup.idle_seconds,
        "port": setup.port,
        "behind": free_port(),
        "secure": "ssl" if setup.pem else "",
        "tls": " ".join(f"{name} {value};" for name, value in directives.items()),
        "more": setup.more,
    }
    text = (PROGRAMS / "nginx.conf").read_text()
    return re.sub("@([a-z]+)@", lambda word: str(words[word[1]]), text)


def _gunicorn(*options: str) -> Callable[[Setup], list[str]]:
    def command(setup: Setup) -> list[str]:
        tls = _options(setup, "--certfile", "--keyfile")
        idle = f"--keep-alive={setup.idle_seconds}"
        base = ["--workers=2", "--graceful-timeout=10", "--no-control-socket", idle]
        where = f"--bind=127.0.0.1:{setup.port}"
        return [*_module("gunicorn"), *base, *options, where, *tls, "wsgi:application"]

    return command


def _uvicorn(http: str) -> Callable[[Setup], list[str]]:
    def command(setup: Setup) -> list[str]:
        tls = _options(setup, "--ssl-certfile", "--ssl-keyfile")
        idle = f"--timeout-keep-alive={setup.idle_seconds}"
        base = [f"--http={http}", "--no-access-log", f"--port={setup.port}", idle]
        return [*_module("uvicorn"), *base, *tls, "asgi:application"]

    return command


def _hypercorn(setup: Setup) -> list[str]:
    tls = _options(setup, "--certfile", "--keyfile")
    idle = f"--keep-alive={setup.idle_seconds}"
    return [*_module("hypercorn"), f"--bind=127.0.0.1:{setup.port}", idle, *tls, "asgi:application"]


def _wsgiref(setup: Setup) -> list[str]:
    return [sys.executable, "wsgi.py", str(setup.port)]


def _node(setup: Setup) -> list[str]:
    found = shutil.which("node")
    if found is None:
        left_out("node is not installed; scripts/test-tools installs it")
    identity = [str(setup.pem)] if setup.pem else []
    return [found, "target.js", str(setup.port), str(setup.idle_seconds), *identity]


def _go(setup: Setup) -> list[str]:
    binary = cache_folder() / "components" / "bin" / "http-target"
    if not binary.exists():
        left_out("http-target is not built; scripts/test-components builds it")
    tls = ["-identity", str(setup.pem)] if setup.pem else []
    clients = ["-clients", str(setup.clients_pem)] if setup.clients_pem else []
    where = f"-listen=127.0.0.1:{setup.port}"
    return [str(binary), where, f"-idle={setup.idle_seconds}s", *tls, *clients]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _options(setup: Setup, certificate: str, key: str) -> list[str]:
    return [certificate, str(setup.pem), key, str(setup.pem)] if setup.pem else []


_COMMON: Final = frozenset({"/", "/early", "/204", "/304", "/large", "/chunked"})
_LENGTH: Final = frozenset({"/304-length"})

SERVERS: Final[Mapping[str, Program]] = {
    "nginx": Program(_nginx, _COMMON - {"/large"} | {"/reset", "/early-reset"}),
    "gunicorn sync": Program(
        _gunicorn("--worker-class=sync"), _COMMON | _LENGTH | {"/reset"}, keeps_connections=False
    ),
    "gunicorn gthread": Program(
        _gunicorn("--worker-class=gthread", "--threads=4"), _COMMON | _LENGTH | {"/reset"}
    ),
    "uvicorn httptools": Program(_uvicorn("httptools"), _COMMON | _LENGTH),
    "uvicorn h11": Program(_uvicorn("h11"), _COMMON | _LENGTH),
    "hypercorn": Program(_hypercorn, _COMMON | _LENGTH),
    "wsgiref": Program(_wsgiref, _COMMON | _LENGTH, keeps_connections=False, secure=False),
    "node": Program(_node, _COMMON | _LENGTH | {"/204-length", "/interim", "/reset"}),
    "go": Program(_go, _COMMON | _LENGTH | {"/interim", "/reset"}),
}

# Running ----------------------------------------------------------------------------------------


@contextmanager
def running(name: str, setup: Setup) -> Iterator[RealServer]:
    """Starts one of SERVERS, returns when it listens, and ends it with its workers. Skips the test
    when this machine does not have it."""
    setup.folder.mkdir(parents=True, exist_ok=True)
    command = SERVERS[name].command(setup)
    with (setup.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=PROGRAMS,
            env={**os.environ, "RECORD": str(setup.folder / "record")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = RealServer(name, setup, process)
        _await(server)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(server: RealServer) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.setup.port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"{server.name} does not listen: {server.output()}")


@dataclass(frozen=True)
class Told:
    """What `/` says of a request."""

    port: int
    """From which it came: each connection has its own."""
    length: int
    """Of its body, as the server read it."""


def told(body: bytes) -> Told:
    return Told(**json.loads(body))
