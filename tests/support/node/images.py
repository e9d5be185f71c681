"""Images made without a registry: of Debian's packages and of the project's own Containerfile.

Each is an archive in the cache folder, under a name that changes when what it is made of does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.cluster.cache import cache_folder
from support.kubernetes.control_plane import ROOT
from support.node.node import PAUSE

FILES: Final = ROOT / "tests" / "images"
HOOKPLANE: Final = "localhost/hookplane:test"
NEXT: Final = "localhost/hookplane:next"
"""Another image of the same programs, to roll out."""
POSTGRESQL: Final = "localhost/postgresql:test"
SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
"""Of that suite of Debian."""
GLIBC: Final = 36
TOOLS: Final = ("buildah", "mmdebstrap")
_POSTGRESQL_PROGRAMS: Final = "/usr/lib/postgresql/15/bin:"
_NO_SERVER: Final = (
    'mkdir -p "$1/etc/postgresql-common" && '
    'echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.conf"'
)
_USER: Final = 'chroot "$1" sh -c "usermod -u 999 postgres && groupmod -g 999 postgres"'
"""As in the official image, which the chart expects."""
_LEFT_OUT: Final = ("doc", "info", "locale", "man")
_POLICY: Final = '{"default": [{"type": "insecureAcceptAnything"}]}'
"""Of signatures: nothing is pulled."""


def missing() -> list[str]:
    """Programs that are not there; empty: images can be made."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


@dataclass(frozen=True)
class Images:
    """Archives by what they are of."""

    pause: Path
    postgresql: Path
    hookplane: Path
    next: Path

    def all(self) -> tuple[Path, ...]:
        return self.pause, self.postgresql, self.hookplane, self.next


def make_images(binaries: Path) -> Images:
    """All that the suite needs. Raises CalledProcessError."""
    with _locked():
        hookplane = _hookplane()
        return Images(_pause(binaries), _postgresql(), hookplane, _next(hookplane))


def _pause(binaries: Path) -> Path:
    program = binaries / "pause"
    key = _key(program.read_bytes(), _text("pause"))

    def make(archive: Path, folder: Path) -> None:
        shutil.copy(program, folder / "pause")
        _build(folder, FILES / "pause.Containerfile", PAUSE, {})
        _save(PAUSE, archive)

    return _archive("pause", key, make)


def _postgresql() -> Path:
    hooks = (f"--essential-hook={_NO_SERVER}", f"--customize-hook={_USER}")
    rootfs = _rootfs("postgresql", ["postgresql"], *hooks)
    key = _key(rootfs.name, _text("rootfs"), _POSTGRESQL_PROGRAMS)

    def make(archive: Path, _: Path) -> None:
        _build_rootfs(rootfs, POSTGRESQL, _POSTGRESQL_PROGRAMS)
        _save(POSTGRESQL, archive)

    return _archive("postgresql", key, make)


def _hookplane() -> Path:
    rootfs = _rootfs("python", ["ca-certificates", "python3", "python3-venv"])
    wheels = _wheels()
    sources = _sources()
    key = _key(rootfs.name, wheels.name, _text("rootfs"), *_contents(sources))

    def make(archive: Path, folder: Path) -> None:
        for source in sources:
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        shutil.copytree(wheels, folder / "wheels")
        _pip("wheel", "--no-deps", "--wheel-dir", folder / "wheels", folder)
        base = _build_rootfs(rootfs, "localhost/python:test")
        _build(folder, folder / "Containerfile", HOOKPLANE, {"BASE_IMAGE": base})
        _save(HOOKPLANE, archive)

    return _archive("hookplane", key, make)


def _next(hookplane: Path) -> Path:
    def make(archive: Path, folder: Path) -> None:
        _buildah("pull", _policy(), f"docker-archive:{hookplane}")
        _build(folder, FILES / "next.Containerfile", NEXT, {"IMAGE": HOOKPLANE})
        _save(NEXT, archive)

    return _archive("next", _key(hookplane.name, _text("next")), make)


def _rootfs(name: str, packages: list[str], *options: str) -> Path:
    """Debian with these packages, as an archive of files."""
    slim = [f"--dpkgopt=path-exclude=/usr/share/{x}/*" for x in _LEFT_OUT]
    key = _key(SUITE, *packages, *options, *slim)

    def make(archive: Path, _: Path) -> None:
        wanted = f"--include={','.join(packages)}"
        _run(
            "mmdebstrap",
            "--format=tar",
            "--variant=minbase",
            *slim,
            *options,
            wanted,
            SUITE,
            archive,
        )

    return _archive(f"rootfs-{name}", key, make)


def _wheels() -> Path:
    """A folder of everything that Hookplane is installed with, for the image's Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["operator"], *extras["sbom"]]
    constraints = ROOT / "constraints.txt"
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC + 1)]

    def make(folder: Path, _: Path) -> None:
        target = ["--only-binary=:all:", f"--python-version={PYTHON}", *platforms]
        target.append(f"--platform=manylinux2014_{machine}")
        _pip("download", *target, "--constraint", constraints, "--dest", folder, *wanted)

    return _archive("wheels", _key(PYTHON, *wanted, constraints.read_text()), make)


def _sources() -> list[Path]:
    """What .containerignore lets in, and the Containerfile."""
    lines = (ROOT / ".containerignore").read_text().splitlines()
    roots = [ROOT / line[1:] for line in lines if line.startswith("!")]
    found = [ROOT / "Containerfile", ROOT / ".containerignore"]
    for root in roots:
        found += [root] if root.is_file() else root.rglob("*")
    return sorted(x for x in found if x.is_file() and "__pycache__" not in x.parts)


def _contents(files: Iterable[Path]) -> Iterator[str | bytes]:
    for file in files:
        yield str(file.relative_to(ROOT))
        yield file.read_bytes()


def _archive(name: str, key: str, make: Callable[[Path, Path], None]) -> Path:
    """`make(archive, a folder to work in)`, once for each key; others of that name go."""
    home = cache_folder() / "images"
    home.mkdir(parents=True, exist_ok=True)
    archive = home / f"{name}-{key}"
    if archive.exists():
        return archive
    _say(f"Making {name} (once)…")
    with tempfile.TemporaryDirectory(prefix="hookplane-image-") as folder:
        unfinished = home / f".{name}.new"
        _remove(unfinished)
        work = Path(folder) / "work"
        work.mkdir()
        for old in home.glob(f"{name}-*"):
            _remove(old)
        make(unfinished, work)
        unfinished.rename(archive)
        _buildah("rmi", "--prune", "--force")
    return archive


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _build_rootfs(rootfs: Path, tag: str, programs: str = "") -> str:
    """The tag."""
    values = {"ROOTFS": rootfs.name, "PROGRAMS": programs}
    _build(rootfs.parent, FILES / "rootfs.Containerfile", tag, values)
    return tag


def _build(context: Path, file: Path, tag: str, values: dict[str, str]) -> None:
    arguments = [f"--build-arg={name}={value}" for name, value in values.items()]
    how = ("--pull-never", "--isolation=chroot", "--network=host", "--format=docker")
    _buildah("build", _policy(), *how, *arguments, "--file", file, "--tag", tag, context)


def _save(tag: str, archive: Path) -> None:
    archive.unlink(missing_ok=True)
    _buildah("push", _policy(), tag, f"docker-archive:{archive}:{tag}")


def _buildah(command: str, *arguments: str | Path) -> None:
    """With a store of images of our own."""
    home = cache_folder() / "buildah"
    home.mkdir(parents=True, exist_ok=True)
    store = ("--root", home / "images", "--runroot", home / "run", "--storage-driver=overlay")
    _run("buildah", *store, command, *arguments)


def _policy() -> str:
    """The option that says whose signatures an image needs."""
    policy = cache_folder() / "buildah" / "policy.json"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text(_POLICY)
    return f"--signature-policy={policy}"


def _pip(command: str, *arguments: str | Path) -> None:
    _run(sys.executable, "-m", "pip", command, "--quiet", *arguments)


def _run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if done.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _key(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else part.encode())
        total.update(b"\0")
    return total.hexdigest()[:12]


def _text(name: str) -> str:
    return (FILES / f"{name}.Containerfile").read_text()


def _say(text: str) -> None:
    sys.__stderr__.write(f"{text}\n") if sys.__stderr__ else None


@contextmanager
def _locked() -> Iterator[None]:
    """One maker of images at a time."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "images.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    os.environ.setdefault("TMPDIR", str(cache_folder()))
    made = make_images(cache_folder() / "components" / "bin")
    print(*made.all(), sep="\n")
