"""The tour of README.md, with ports of its own: what people are told to do, and what they see."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.clocks.until import PATIENCE, until
from support.cluster.e2e import Plane, plane
from support.cluster.ports import free_port

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
COMMAND = (sys.executable, "-m", "hookplane_cli")
PAID = '\n  filter: {types: ["order.paid"]}\n  endpointRefs:\n'


class Tour:
    """`hookplane run` on the quickstart, and a terminal."""

    def __init__(self, running: Plane) -> None:
        self.plane = running
        self.port = free_port()
        """Where the subscriber would listen."""
        self.text = QUICKSTART.read_text().replace("127.0.0.1:9000", f"127.0.0.1:{self.port}")

    async def type(self, *words: str) -> str:
        """What the command says; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            *("--data", str(self.plane.data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def save(self, old: str, new: str, expected: str) -> None:
        """Edits the file, until the first terminal says what is expected of it."""
        assert old in self.text
        self.plane.write("quickstart", self.text.replace(old, new))
        await until(lambda: expected in self.plane.output(), f"to be told {expected}")


@pytest.fixture
async def tour(tmp_path: Path) -> AsyncIterator[Tour]:
    """At the beginning nobody listens at the target."""
    async with plane(tmp_path) as running:
        made = Tour(running)
        running.write("quickstart", made.text)
        await running.start()
        yield made


async def test_what_is_not_signed_is_refused(tour: Tour) -> None:
    assert (await tour.plane.post("orders", b"{}", {}))[0] == 401


async def test_a_change_and_a_mistake(tour: Tour) -> None:
    await tour.save("\n  endpointRefs:\n", PAID, "changed: subscription default/orders-to-shop")
    wrong = PAID.replace("filter", "filtre")
    await tour.save("\n  endpointRefs:\n", wrong, "spec.filtre")
    assert "did you mean" in tour.plane.output()
    status = await tour.type("status")
    assert "orders-to-shop" in status
    assert "1 problem in the manifests; what has an error stays as it was:\n  " in status
    assert "spec.filtre: unknown field; did you mean" in status
    await tour.save("\n  endpointRefs:\n", PAID, "no problems any more")
    assert "problem" not in await tour.type("status")
    await tour.type("trigger", "orders")


async def test_nobody_listens_and_then_somebody_does(tour: Tour) -> None:
    await tour.type("trigger", "orders", "--count", "3")
    await tour.plane.until_api(
        "/subscriptions/default/orders-to-shop",
        lambda found: found["delivery"]["retrying"] == 3,
        "all to have failed once",
    )
    assert "Failing" in await tour.type("status")
    assert (await tour.type("deliveries", "--subscription", "orders-to-shop")).count("evt_") == 3
    async with sink(tour.port):
        words = ("replay", "orders-to-shop", "--since", "1h", "--state", "retrying", "--wait")
        assert "3 delivered" in await tour.type(*words)


@asynccontextmanager
async def sink(port: int) -> AsyncIterator[None]:
    """`hookplane sink`, as soon as it listens."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "sink", "--listen", f"127.0.0.1:{port}", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield
    finally:
        process.kill()
        await process.wait()
