"""Processes of a simulation: what they do, and what they no longer do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hookplane.clock import Millis
from support.clocks.virtual import START
from support.simulation.processes import SimulatedProcess, SimulationLoop


@pytest.fixture
def loop() -> Iterator[SimulationLoop]:
    loop = SimulationLoop()
    yield loop
    loop.close()


class Diary:
    """A process that writes down each second, and that it ended."""

    def __init__(self, loop: SimulationLoop) -> None:
        self.process = SimulatedProcess(loop, "a")
        self.seconds: list[float] = []
        self.ended = False
        self.process.spawn(self._write())

    async def _write(self) -> None:
        try:
            while True:
                await asyncio.sleep(1)
                self.seconds.append(self.process.monotonic())
        finally:
            self.ended = True


def test_time_passes_only_when_all_wait(loop: SimulationLoop) -> None:
    diary = Diary(loop)

    async def course() -> None:
        await asyncio.sleep(3.5)
        await diary.process.bury()

    loop.run_until_complete(course())
    assert diary.seconds == [1, 2, 3]


def test_nothing_of_a_killed_process_runs(loop: SimulationLoop) -> None:
    diary = Diary(loop)

    async def course() -> None:
        await asyncio.sleep(2.5)
        diary.process.kill()
        await asyncio.sleep(60)
        assert diary.seconds == [1, 2]
        assert not diary.ended
        await diary.process.bury()

    loop.run_until_complete(course())
    assert diary.ended


def test_a_stopped_process_goes_on_where_it_was(loop: SimulationLoop) -> None:
    diary = Diary(loop)

    async def course() -> None:
        await asyncio.sleep(1.5)
        diary.process.pause()
        await asyncio.sleep(10)
        assert diary.seconds == [1]
        diary.process.go_on()
        await asyncio.sleep(1.2)
        await diary.process.bury()

    loop.run_until_complete(course())
    assert diary.seconds == [1, 11.5, 12.5]


def test_a_task_that_was_woken_when_its_process_was_killed_can_be_ended(
    loop: SimulationLoop,
) -> None:
    diary = Diary(loop)

    async def course() -> None:
        diary.process.kill()
        await asyncio.sleep(5)  # its first second is over, but it was not told
        await diary.process.bury()

    loop.run_until_complete(course())
    assert diary.seconds == []


@pytest.mark.parametrize("offset", [0, 1_500, -86_400_000])
def test_a_process_has_a_wall_clock_of_its_own(loop: SimulationLoop, offset: Millis) -> None:
    process = SimulatedProcess(loop, "a")
    process.wall_offset = offset
    loop.run_until_complete(asyncio.sleep(2))
    assert process.now() == START + 2_000 + offset
    assert process.monotonic() == 2


def test_who_is_busy_without_an_end_is_found(loop: SimulationLoop) -> None:
    async def spin() -> None:
        while not loop.stuck:  # noqa: ASYNC110 - to be busy is the point
            await asyncio.sleep(0)

    loop.run_until_complete(spin())
    assert loop.stuck
