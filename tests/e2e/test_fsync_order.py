"""A 2xx means: on the disk. Seen in the system calls of a running process."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from support.cluster.e2e import Plane, plane
from support.cluster.missing import left_out
from support.cluster.strace import Kind, Step, steps, unsynced

STRACE = shutil.which("strace")
CALLS = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fdatasync,fsync"
MANIFEST = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: a-token}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: orders}
spec:
  provider: Generic
  verification: {bearer: {tokens: [{secretKeyRef: {name: keys, key: token}}]}}
"""


async def test_a_sync_lies_between_each_request_and_its_answer(tmp_path: Path) -> None:
    if STRACE is None:
        left_out("strace is not installed; scripts/test-tools installs it")
    async with plane(tmp_path) as running:
        running.write("orders", MANIFEST)
        log = tmp_path / "strace"
        await running.start(under=(STRACE, "-f", "-s", "4096", "-e", CALLS, "-o", str(log)))
        request_of: dict[str, str] = {}
        for group in range(5):  # 8 at once, so that they are committed in groups
            numbers = range(group * 8, group * 8 + 8)
            ids = await asyncio.gather(*(_send(running, number) for number in numbers))
            request_of.update(zip(ids, map(str, numbers), strict=True))
        assert await running.stop() == 0
    seen = list(steps(log.read_text(errors="replace").splitlines()))
    answered = [name for step in seen if step.kind is Kind.ANSWER for name in step.names]
    assert sorted(answered) == sorted(request_of)
    assert unsynced(seen, request_of) == []
    without: list[Step] = [step for step in seen if step.kind is not Kind.SYNC]
    assert sorted(unsynced(without, request_of)) == sorted(request_of.values())


async def _send(running: Plane, number: int) -> str:
    status, answer = await running.post(
        "orders", f'{{"n": "canary-{number}-"}}'.encode(), {"authorization": "Bearer a-token"}
    )
    assert status == 200, answer
    event: str = json.loads(answer)["id"]
    return event


ARRIVAL = '1 recvfrom(9, "canary-1-", 99) = 9\n'
ANSWER = '1 write(9, "HTTP/1.1 200 {}") = 9\n'


@pytest.mark.parametrize(
    ("trace", "early"),
    [
        (f"{ARRIVAL}2 fdatasync(5) = 0\n{ANSWER}", []),  # in order
        (f"2 fdatasync(5) = 0\n{ARRIVAL}{ANSWER}", ["1"]),  # the sync was there before the request
        (f"{ARRIVAL}2 fdatasync(5) = -1 EIO\n{ANSWER}", ["1"]),  # it failed
        # it had begun before the request came
        (
            f"2 fdatasync(5 <unfinished ...>\n{ARRIVAL}2 <... fdatasync resumed>) = 0\n{ANSWER}",
            ["1"],
        ),
        # it had begun, and was not done
        (
            f"{ARRIVAL}2 fdatasync(5 <unfinished ...>\n{ANSWER}2 <... fdatasync resumed>) = 0",
            ["1"],
        ),
    ],
)
def test_the_reader_of_traces(trace: str, early: list[str]) -> None:
    event = "evt_" + "0" * 26
    lines = trace.replace("{}", event).splitlines()
    assert unsynced(steps(lines), {event: "1"}) == early
