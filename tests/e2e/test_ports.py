"""Processes of tests that run at the same time are never given the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from support.cluster.ports import BLOCK, free_port

SUPPORT = Path(__file__).parents[1] / "support"
ELSEWHERE = """
import sys; sys.path.insert(0, sys.argv[1])
from support.cluster.ports import BLOCK, free_port
print(*(free_port() for _ in range(BLOCK)), flush=True)
sys.stdin.read()
"""


def test_two_processes_have_no_port_in_common() -> None:
    own = {free_port() for _ in range(BLOCK)}
    command = [sys.executable, "-c", ELSEWHERE, str(SUPPORT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        other.communicate("")
    assert len(theirs) > BLOCK / 2
    assert own & theirs == set()


def test_a_port_that_somebody_listens_at_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        assert port not in {free_port() for _ in range(BLOCK)}
