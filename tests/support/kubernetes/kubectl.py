"""kubectl, and what it is asked about objects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Kubectl:
    """kubectl with a kubeconfig and a namespace."""

    config: Path
    namespace: str = "default"
    warnings: list[str] = field(default_factory=list)
    """Lines on standard error of all that succeeded."""

    @property
    def command(self) -> list[str]:
        return [kubectl_binary(), "--kubeconfig", str(self.config), "-n", self.namespace]

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What it prints. Raises AssertionError with its words when it fails."""
        done = self.attempt(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        self.warnings += [line for line in done.stderr.splitlines() if line.strip()]
        return done.stdout

    def attempt(
        self, *arguments: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            timeout=240,
            env={"PATH": os.environ["PATH"], "HOME": str(self.config.parent)},
        )

    def apply(self, *objects: dict[str, Any]) -> str:
        return self.run("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def refused(self, *objects: dict[str, Any]) -> str:
        """The words in which the API server refuses to take these."""
        done = self.attempt("apply", "-f", "-", given=yaml.safe_dump_all(objects))
        assert done.returncode != 0, f"accepted: {done.stdout}"
        return done.stderr

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("get", kind, "-o", "json", *options))[
            "items"
        ]
        return found

    def until(
        self, kind: str, name: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 120
    ) -> dict[str, Any]:
        """The object, as soon as it is there and `holds`."""
        end = time.monotonic() + seconds
        while True:
            found = self.find(kind, name)
            if found is not None and holds(found):
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{kind} {name}: {json.dumps(found, indent=1)}")
            time.sleep(0.1)


@cache
def kubectl_binary() -> str:
    """That of the Python package, or one of the machine."""
    packaged = Path(sysconfig.get_path("scripts")) / "kubectl"
    found = str(packaged) if packaged.exists() else shutil.which("kubectl")
    assert found, "kubectl is not installed"
    return found


def condition(found: dict[str, Any], wanted: str) -> dict[str, Any]:
    """That condition of an object; empty when it has none."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((x for x in conditions if x["type"] == wanted), {})


def is_ready(found: dict[str, Any]) -> bool:
    """In force as it is now."""
    current = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    return current and condition(found, "Ready").get("status") == "True"
