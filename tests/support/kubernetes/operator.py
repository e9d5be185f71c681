"""The operator as a real process against a real API server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from support.cluster.ports import free_port

PATIENCE = 60.0


class OperatorProcess:
    """One replica of the operator."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        settings: dict[str, Any],
        folder: Path,
        name: str = "operator-0",
        wall: Path | None = None,
    ) -> None:
        """`wall`: a file by which its time of day is wrong: see `support.cluster.shifted_wall`."""
        self.name = name
        under = ["-m", "support.cluster.shifted_wall", str(wall)] if wall else ["-m"]
        self._command = [sys.executable, *under, "hookplane_cli", "operator"]
        self.log = folder / f"{name}.log"
        self.health = free_port()
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(settings))
        own = {k: v for k, v in os.environ.items() if "HOOKPLANE" not in k and "KUBE" not in k}
        self._environment = {
            **own,
            "KUBECONFIG": str(kubeconfig),
            "HOOKPLANE_OPERATOR_SETTINGS_FILE": str(file),
            "HOOKPLANE_NAMESPACE": namespace,
            "HOOKPLANE_INSTANCE": name,
            "HOOKPLANE_HEALTH": f"127.0.0.1:{self.health}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> OperatorProcess:
        """Returns when its caches are filled."""
        self.spawn()
        end = time.monotonic() + PATIENCE
        while not answers_ready(self.health):
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the operator is not ready: {self.output()[-5000:]}")
            time.sleep(0.05)
        return self

    def spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        assert self._process is not None
        return self._process.poll()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def leads(self) -> bool:
        return self.metrics()["hookplane_operator_leader"] == 1.0

    def is_at_work(self) -> bool:
        """It leads and has told everything."""
        return self.leads() and self.metrics()["hookplane_operator_status_waiting"] == 0

    def unanswered(self) -> float:
        """Requests to the API server that got no answer so far."""
        calls = ((k, v) for k, v in self.metrics().items() if "_api_calls_total" in k)
        return sum(v for k, v in calls if 'code="0"' in k)

    def metrics(self) -> dict[str, float]:
        """Sample → value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in pairs}


def answers_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
