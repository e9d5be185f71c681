"""Programs that this one starts, speaks with by lines of JSON, and ends."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, Any, Final, Self

import orjson

from benchmarks.machine import on_cores

END_SECONDS: Final = 15.0
"""How long a program that was asked to end may take before it is killed."""


class Program:
    """`python -m MODULE …`, which ends when its standard input does."""

    def __init__(self, module: str, *arguments: str, cores: frozenset[int]) -> None:
        command = [sys.executable, "-m", module, *arguments]
        with on_cores(cores):
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **command: Any) -> dict[str, Any]:
        """One line there, one line back."""
        stdin = _pipe(self._process.stdin)
        stdin.write(orjson.dumps(command) + b"\n")
        stdin.flush()
        return self.listen()

    def listen(self) -> dict[str, Any]:
        """The next line. Raises RuntimeError when the program has ended."""
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def finish(self) -> None:
        """Tells it that nothing more will be asked; it may have a last line to say."""
        _pipe(self._process.stdin).close()

    def end(self) -> None:
        self.finish()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
