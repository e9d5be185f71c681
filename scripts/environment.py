"""Makes the Python environment of this folder, or brings it up to date, and says what it does.

    scripts/environment run|develop|remove

A marker in the environment says that it is ours and what is installed in it, so a second call costs
nothing. What has no marker is somebody else's, and is neither changed nor removed. The marker stays
from the first step to the last and says "unfinished" meanwhile: after an interruption the next call
begins again. A call that fails before packages are put in place, because there is no network, say,
leaves the environment as it was. One call at a time works; others wait for it. Ends with 0 when
the environment is ready, else with 1 and one sentence on what is wrong and what to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

EXTRAS: Final = {"run": "", "develop": "[dev]"}
"""Level → what is installed of the project; each level holds the ones before it."""
TAKES: Final = {
    "run": "150 MB, 20 to 60 seconds",
    "develop": "900 MB, one to three minutes",
}
UNFINISHED: Final = "unfinished"
"""What stands in the marker while an installation is under way."""
SHOW_SECONDS: Final = 3.0
"""Between two lines of progress where the output is no terminal."""
STOP_SECONDS: Final = 10.0
"""How long pip has to end after an interruption."""
READ_ONLY: Final = (
    "name other folders: make VENV=/tmp/hookplane HOOKPLANE_DATA=/tmp/hookplane-data run"
)
REDIRECTIONS: Final = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DRY_RUN")
"""Variables that would have pip install elsewhere, or nothing."""
ANOTHER: Final = "remove it, or name another folder: make VENV=/tmp/hookplane run"
CAUSES: Final = {
    "No space left on device": "the disk is full",
    "CERTIFICATE_VERIFY_FAILED": "this machine does not trust the package index's certificate",
    "NewConnectionError": "the package index cannot be reached; check network and proxy",
    "ConnectTimeout": "the package index does not answer; check network and proxy",
    "Read timed out": "the package index does not answer; check network and proxy",
    "ProxyError": "the proxy in HTTPS_PROXY cannot be reached",
    "Read-only file system": f"nothing can be written there; {READ_ONLY}",
    "Permission denied": f"nothing can be written there; {READ_ONLY}",
}
"""Words in pip's output → what they mean to people, the first that is found."""


class Blocked(Exception):
    """The environment cannot be made; the message says why and what helps."""


def main(command: str, folder: Path) -> None:
    """Returns when the environment in `folder` has what the level `command` needs, or with the
    command `remove` is gone. Raises Blocked."""
    if command == "remove":
        remove(folder)
    elif not up_to_date(command, folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            if not up_to_date(command, folder):
                make(command, folder, Progress())


def up_to_date(level: str, folder: Path) -> bool:
    """Whether the marker of the environment promises what `level` needs."""
    found = read_marker(folder)
    if not isinstance(found, dict) or found.get("is") != fingerprint():
        return False
    levels = list(EXTRAS)
    enough = found.get("level") in levels[levels.index(level) :]
    there = (folder / "bin/hookplane").exists() and found.get("python") == python_of(folder)
    return enough and there and suits(found["python"])


def make(level: str, folder: Path, progress: Progress) -> None:
    """Installs into the environment, or into a new one where there is none that works."""
    started = time.monotonic()
    check_possible(folder)
    progress.say(f"Making the environment in {folder}, once ({TAKES[level]}).")
    anew = reason_to_begin_anew(folder)
    if anew:
        progress.say(anew)
    if anew or not folder.exists():
        create(folder, progress)
    install(level, folder, progress)
    if not (folder / "bin/hookplane").exists():
        raise Blocked("pip installed Hookplane elsewhere; look at `pip config list`")
    write_marker(folder, {"level": level, "is": fingerprint(), "python": python_of(folder)})
    progress.say(f"The environment is ready after {time.monotonic() - started:.0f} s.")


# What is there


def marker(folder: Path) -> Path:
    return folder / ".hookplane"


def read_marker(folder: Path) -> Any:
    try:
        return json.loads(marker(folder).read_text())
    except (OSError, ValueError):
        return None


def write_marker(folder: Path, content: object) -> None:
    """All of it or nothing: half a marker would say that the folder is somebody else's."""
    new = folder / ".hookplane.new"
    new.write_text(json.dumps(content) + "\n")
    new.replace(marker(folder))


def fingerprint() -> str:
    """Of all that decides what is installed. The place counts: an environment cannot be moved."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    parts = [project["build-system"], project["project"], project["tool"]["hatch"]]
    parts += [Path("constraints.txt").read_text(), str(Path.cwd())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def python_of(folder: Path) -> str | None:
    """The version of the environment's Python, as 3.11; None if it does not start."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run(  # noqa: S603 - our own environment
            [folder / "bin/python", "-c", code], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def suits(version: str) -> bool:
    """Whether an environment of this Python may be used: where one was named, only that one."""
    if "ANY_PYTHON" in os.environ:
        return tuple(map(int, version.split("."))) >= (3, 11)
    return version == "{}.{}".format(*sys.version_info)


def reason_to_begin_anew(folder: Path) -> str | None:
    """Why what is in the folder is thrown away; None to go on with it."""
    if not folder.exists():
        return None
    version = python_of(folder)
    if read_marker(folder) == UNFINISHED:
        return "The last installation was interrupted; beginning again."
    if version is None:
        return "The Python of the environment does not start any more; beginning again."
    if not suits(version):
        return f"The environment is of Python {version}; beginning again with another."
    pip: list[str | Path] = [folder / "bin/python", "-m", "pip", "--version"]
    tried = subprocess.run(pip, capture_output=True, check=False)  # noqa: S603 - the same
    if tried.returncode:
        return "The environment has no pip that works; beginning again."
    return None


def check_possible(folder: Path) -> None:
    """Raises Blocked."""
    check_ours(folder)
    parent = folder.absolute().parent
    if not os.access(folder if folder.exists() else parent, os.W_OK):
        raise Blocked(f"{parent} cannot be written to; {READ_ONLY}")
    if not importlib.util.find_spec("ensurepip"):
        raise Blocked("this Python cannot make environments; on Debian install python3-venv")


def check_ours(folder: Path) -> None:
    """Raises Blocked for what this file has not made, or what it has not finished making."""
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise Blocked(f"{folder} is no folder; {ANOTHER}")
    elif not marker(folder).exists() and any(folder.iterdir()):
        raise Blocked(f"{folder} was not made by Hookplane; {ANOTHER}")


# What is done


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Waits until nobody else works on the environment. Raises Blocked."""
    parent = folder.absolute().parent
    try:
        descriptor = os.open(parent, os.O_RDONLY)
    except OSError as error:
        raise Blocked(f"{parent} cannot be opened: {error.strerror}") from error
    # the programs that are started hold it too, so that one which outlives us still counts
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another call is making the environment; waiting for it…", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def create(folder: Path, progress: Progress) -> None:
    """An empty environment with pip. Raises Blocked."""
    progress.step(f"[1/3] an empty environment of Python {sys.version.split()[0]}")
    base = Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info)
    python = base if sys.prefix != sys.base_prefix else Path(sys.executable)
    folder.mkdir(exist_ok=True)
    write_marker(folder, UNFINISHED)
    empty(folder)
    watch([python, "-m", "venv", folder], progress, lambda _: None)
    progress.done()


def empty(folder: Path) -> None:
    """Removes all but the marker, so that whoever comes after an interruption knows the folder."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != marker(folder):
            entry.unlink()


def remove(folder: Path) -> None:
    """Removes the environment, or nothing if it is somebody else's. Raises Blocked."""
    check_ours(folder)
    if folder.is_dir():
        with only_one(folder):
            empty(folder)
            marker(folder).unlink(missing_ok=True)
            if not folder.is_symlink():
                folder.rmdir()


def install(level: str, folder: Path, progress: Progress) -> None:
    """The packages of a level. Raises Blocked."""
    progress.step("[2/3] packages")
    packages, before = Packages(folder, progress), read_marker(folder)
    command: list[str | Path] = [
        *(folder / "bin/python", "-m", "pip", "install", "--disable-pip-version-check"),
        *("--no-input", "--progress-bar", "off", "--no-warn-script-location"),
        *("--constraint", "constraints.txt", "--editable", "." + EXTRAS[level]),
    ]
    write_marker(folder, UNFINISHED)
    try:
        watch(command, progress, packages.read, packages.look)
    except BaseException:
        if not packages.installing:  # pip has ended, and has changed nothing
            write_marker(folder, before)
        raise
    progress.done()


class Packages:
    """Says from the lines of pip, and from what lies in the environment, how far it is."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._found = 0
        self._wanted: list[str] = []
        self._before = 0

    @property
    def installing(self) -> bool:
        """Whether packages are being put in place; before that they are only fetched."""
        return bool(self._wanted)

    def read(self, line: str) -> None:
        words = line.split()
        match words[:3]:
            case ["Installing", "build", *_]:
                self._progress.detail("the build tool")
            case ["Collecting", name, *_]:
                self._found += 1
                self._progress.detail(f"{self._found} found, {name_of(name)}")
            case ["Downloading", name, *_]:
                self._progress.detail(f"{self._found} found, fetching {name_of(name)} {size(line)}")
            case ["WARNING:", "Retrying", *_]:
                self._progress.detail("the package index does not answer; trying again")
            case ["Installing", "collected", "packages:"]:
                self._wanted = [word.strip(",") for word in words[3:]]
                self._before = len(self._installed())
                self._progress.done()
                self._progress.step(f"[3/3] installing {counted(len(self._wanted))}")

    def look(self) -> None:
        """What pip does not say: which of them are there by now."""
        if self._wanted:
            number = min(len(self._installed()) - self._before, len(self._wanted) - 1)
            self._progress.detail(f"{number} done, {self._wanted[max(number, 0)]}")

    def _installed(self) -> list[Path]:
        return list(self._folder.glob("lib/python*/site-packages/*.dist-info"))


def counted(packages: int) -> str:
    return f"{packages} package" + ("" if packages == 1 else "s")


def name_of(requirement: str) -> str:
    """`aiohttp` of `aiohttp<4,>=3.14` or of `aiohttp-3.14.5-cp311-….whl`."""
    for end in "<>=!~[;(":
        requirement = requirement.split(end, maxsplit=1)[0]
    return requirement.rsplit("/", 1)[-1].split("-cp3", 1)[0].removesuffix("-py3-none-any.whl")


def size(line: str) -> str:
    """`4.0 MB` of `Downloading x.whl (4.0 MB)`; empty if it does not say."""
    return line.rsplit("(", 1)[1].rstrip(")") if line.endswith(")") else ""


def watch(
    command: list[str | Path],
    progress: Progress,
    read: Callable[[str], None],
    look: Callable[[], None] = lambda: None,
) -> None:
    """Runs a command and hands over the lines of its output. Raises Blocked when it fails."""
    process = subprocess.Popen(  # noqa: S603 - venv and pip
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=False,
        env=variables(),
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_forward, args=(process, lines), daemon=True).start()
    said: list[str] = []
    try:
        while (line := _next(lines)) is not None:
            if line:
                said.append(line)
                read(line.strip())
            look()
            progress.show()
        code = process.wait()
        if code:
            raise Blocked("pip was killed" if code < 0 else explain(said))
    except BaseException:
        stop(process)
        raise


def variables() -> dict[str, str]:
    """Variables for venv and pip."""
    kept = {name: value for name, value in os.environ.items() if name not in REDIRECTIONS}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _forward(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with process.stdout as output:
        for line in output:
            lines.put(line)
    lines.put(None)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    """A line, an empty one after a while without any, None at the end."""
    try:
        return lines.get(timeout=0.2)
    except queue.Empty:
        return ""


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def explain(said: list[str]) -> str:
    """One sentence of what a program said before it failed."""
    text = "".join(said)
    for words, meaning in CAUSES.items():
        if words in text:
            return meaning
    errors = [line for line in said if line.startswith("ERROR") and "Exception:" not in line]
    sentence = (errors or said[-1:] or ["it said nothing"])[0].strip().removeprefix("ERROR: ")
    return re.sub(r"//[^/@\s]+@", "//***@", sentence)


class Progress:
    """One line that changes on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._step = ""
        self._detail = ""
        self._started = time.monotonic()
        self._last = ""
        self._shown = 0.0

    def say(self, sentence: str) -> None:
        print(sentence, flush=True)

    def step(self, name: str) -> None:
        self._step, self._detail, self._started, self._shown = name, "", time.monotonic(), 0.0
        self.show()

    def detail(self, text: str) -> None:
        self._detail = text

    def show(self) -> None:
        now = time.monotonic()
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + self._line()[:width].ljust(width), end="", flush=True)
        elif now - self._shown >= SHOW_SECONDS:
            self._shown = now
            print(self._line(), flush=True)

    def done(self) -> None:
        """The step is over."""
        self._detail = "done"
        self._shown = 0.0
        self.show()
        if self._terminal:
            print(flush=True)

    def _line(self) -> str:
        elapsed = f"{time.monotonic() - self._started:.0f} s"
        return ", ".join(part for part in (self._step, self._detail, elapsed) if part)


def fail(sentence: str, code: int = 1) -> NoReturn:
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    sys.exit(code)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(os.environ["VENV"]))
    except Blocked as error:
        fail(f"The environment could not be made: {error}.\nThe same command tries again.")
    except OSError as error:
        fail(f"The environment could not be made: {error}.\nThe same command tries again.")
    except KeyboardInterrupt:
        fail("Interrupted; the same command begins again.", 130)
