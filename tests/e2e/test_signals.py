"""What asks `hookplane run` to end, and that it then ends as it should."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.cluster.e2e import Plane

ENDPOINT = (
    "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookEndpoint\nmetadata: {name: in}\nspec: {}"
)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
async def test_each_is_graceful(tmp_path: Path, number: signal.Signals) -> None:
    plane = Plane(tmp_path)
    plane.write("in", ENDPOINT)
    await plane.start()
    assert await plane.stop(number) == 0
    assert not (plane.data / "run.json").exists()


async def test_what_nohup_keeps_away_does_not_end_it(tmp_path: Path) -> None:
    plane = Plane(tmp_path)
    plane.write("in", ENDPOINT)
    await plane.start(under=("nohup",))
    assert plane.process is not None
    os.kill(plane.process.pid, signal.SIGHUP)
    status, _ = await plane.ask("GET", "/endpoints")
    assert status == 200
    assert await plane.stop() == 0
