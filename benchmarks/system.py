"""`hookplane run` as users run it: a process of its own on a data folder and manifests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from benchmarks.machine import Usage, on_cores, usage
from benchmarks.manifests import Manifest, text

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02


class System:
    """Its folder may be used again after `kill` or `stop`."""

    def __init__(self, folder: Path, cores: frozenset[int], *, listen: str = "127.0.0.1:0") -> None:
        self.url = ""
        self._admin = ""
        self._folder = folder
        self._cores = cores
        self._listen = listen
        self._data, self._manifests = folder / "data", folder / "manifests"
        self._manifests.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    def apply(self, name: str, *manifests: Manifest) -> None:
        """Puts a file in place; a running system takes it in by itself."""
        draft = self._manifests / f".{name}.draft"
        draft.write_text(text(*manifests))
        draft.replace(self._manifests / f"{name}.yaml")

    def remove(self, name: str) -> None:
        (self._manifests / f"{name}.yaml").unlink()

    def spawn(self) -> None:
        """Starts it and does not wait."""
        (self._data / "run.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "hookplane_cli", "run", "--quiet"]
        command += ["-f", str(self._manifests), "--data", str(self._data)]
        command += ["--listen", self._listen, "--admin", "127.0.0.1:0"]
        with on_cores(self._cores), (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def start(self) -> Self:
        """Starts it and waits until it serves. Raises RuntimeError."""
        self.spawn()
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            facts = self._facts()
            if facts is not None:
                self.url, self._admin = facts["url"], facts["admin"]
                return self
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"hookplane run did not get ready: {self.output()}")

    def _facts(self) -> dict[str, Any] | None:
        if self._running().poll() is not None:
            raise RuntimeError(f"hookplane run ended: {self.output()}")
        try:
            facts: dict[str, Any] = json.loads((self._data / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return facts if facts["pid"] == self.pid else None

    def endpoint(self, name: str) -> str:
        """Its URL."""
        return f"{self.url}/default/{name}"

    def subscriptions(self) -> list[dict[str, Any]]:
        """What the admin API says of each."""
        connection = HTTPConnection(urlsplit(self._admin).netloc, timeout=10)
        try:
            connection.request("GET", "/api/v1/subscriptions")
            items: list[dict[str, Any]] = json.loads(connection.getresponse().read())["items"]
        finally:
            connection.close()
        return items

    def usage(self) -> Usage:
        return usage(self.pid)

    def output(self) -> str:
        """What it printed; with --quiet these are problems."""
        return (self._folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """`kill -9`."""
        self._running().kill()
        self._running().wait()

    def stop(self) -> None:
        """SIGTERM; what does not end is killed."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()
