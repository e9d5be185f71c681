"""`python docs/generate.py [--check]`: writes the tables of `architecture.md`, `rooms.md`,
`spec/providers.md` and `spec/cel.md`.

The rooms repeat `contracts.toml`, which `lint-imports` holds against the code, and the first
sentence of each module's docstring; providers are told from their presets. So the pages can say
nothing about these that is not so.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hookplane.providers.extract import Extractor
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.registry import FACTS, PRESETS, key_reader, reader
from hookplane.providers.stored_headers import GENERAL
from hookplane.signatures.scheme import Algorithm, SignatureScheme
from hookplane.units import format_duration

ROOT: Final = Path(__file__).resolve().parent.parent
CONTRACTS: Final = ROOT / "contracts.toml"
PACKAGES: Final = ROOT / "docs" / "architecture.md"
"""Has the tables of whole packages; what lies deeper has a page of its own."""
FOLDERS: Final = ROOT / "docs" / "rooms.md"
PROVIDERS: Final = ROOT / "docs" / "spec" / "providers.md"
SOURCE_ROOTS: Final = ("core", "receiver", "dispatcher", "operator", "console", "cli")
BEGIN: Final = "<!-- rooms: written by docs/generate.py from contracts.toml -->"
END: Final = "<!-- end of rooms -->"
PROVIDERS_BEGIN: Final = "<!-- providers: written by docs/generate.py from the presets -->"
PROVIDERS_END: Final = "<!-- end of providers -->"
EXPRESSIONS: Final = ROOT / "docs" / "spec" / "cel.md"
STORED_BEGIN: Final = "<!-- stored headers: written by docs/generate.py from the presets -->"
STORED_END: Final = "<!-- end of stored headers -->"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` found pages that are not as they should be."""
    parser = argparse.ArgumentParser(prog="docs/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what drifted")
    check = parser.parse_args(arguments).check
    wanted = generated(tomllib.loads(CONTRACTS.read_text("utf-8")))
    stale = [path for path, text in wanted.items() if path.read_text("utf-8") != text]
    for path in stale:
        if not check:
            path.write_text(wanted[path], "utf-8")
        print(f"{'drifted' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def generated(contracts: Mapping[str, Any]) -> dict[Path, str]:
    """What each page is to hold."""
    levels = {
        container: contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        for container in contract.get("containers", ())
    }
    deep = {name: layers for name, layers in levels.items() if "." in name}
    whole = {name: layers for name, layers in levels.items() if "." not in name}
    return {
        PACKAGES: _with_rooms(PACKAGES, whole),
        FOLDERS: _with_rooms(FOLDERS, deep),
        PROVIDERS: _between(PROVIDERS, PROVIDERS_BEGIN, PROVIDERS_END, [*_providers(), ""]),
        EXPRESSIONS: _between(EXPRESSIONS, STORED_BEGIN, STORED_END, [*_stored(), ""]),
    }


def _with_rooms(path: Path, levels: Mapping[str, Sequence[str]]) -> str:
    tables = [line for name, layers in levels.items() for line in _table(name, layers)]
    return _between(path, BEGIN, END, tables)


def _between(path: Path, begin: str, end: str, lines: Sequence[str]) -> str:
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, also_found, after = rest.partition(end)
    if not (found and also_found):
        raise ValueError(f"{path.name} needs the lines {begin} and {end}")
    return "\n".join([f"{before}{begin}", "", *lines, f"{end}{after}"])


def _providers() -> Iterator[str]:
    yield "| provider | signed | age | type | deduplication key |"
    yield "|---|---|---|---|---|"
    for name, preset in sorted(PRESETS.items()):
        for variant in preset.variants:
            if variant.signature is not None and variant.dedup_key is not None:
                yield "| " + " | ".join(_provider(name, preset, variant)) + " |"


def _provider(name: str, preset: Preset, variant: Variant) -> Iterator[str]:
    scheme, key = variant.signature, variant.dedup_key
    if scheme is None or key is None:
        return
    time = scheme.timestamp
    equality = scheme.algorithm is Algorithm.EQUALITY
    yield f"{name}, key `{variant.key_prefix}…`" if variant.key_prefix else name
    yield "the key itself" if equality else f"`{scheme.content}`"
    yield "any" if time is None or time.tolerance is None else format_duration(time.tolerance)
    yield _told(reader(preset.event_type), scheme)
    yield _told(key_reader(key), scheme)


def _told(extractor: Extractor, scheme: SignatureScheme) -> str:
    """Where something is read, and whether that is only claimed."""
    signed = {scheme.id_header} if "{id}" in scheme.content else set()
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(extractor.headers))
    if not names or set(extractor.headers) <= signed:
        return names or "body"
    return f"{names} (not signed)"


def _stored() -> Iterator[str]:
    yield "| stored by | headers |"
    yield "|---|---|"
    yield f"| every endpoint | {_names(GENERAL)} |"
    yield f"| the same, as words of a provider | {_names(FACTS)} |"
    for name, preset in sorted(PRESETS.items()):
        if preset.stored:
            yield f"| {name} | {_names(preset.stored)} |"


def _names(headers: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(headers))


def _table(container: str, layers: Sequence[str]) -> Iterator[str]:
    yield f"**`{_folder(container)}`**"
    yield ""
    yield "| level | room | what lives there |"
    yield "|---|---|---|"
    for place, layer in enumerate(layers):
        for name in (part.strip(" ()") for part in layer.split("|")):
            path = source(f"{container}.{name}")
            shown = f"{name}/" if path.name == "__init__.py" else f"{name}.py"
            yield f"| {len(layers) - place} | `{shown}` | {first_sentence(path)} |"
    yield ""


def _folder(module: str) -> str:
    return source(module).parent.relative_to(ROOT).as_posix()


def source(module: str) -> Path:
    """The file of a module, or the `__init__.py` of a package. Raises LookupError."""
    parts = module.split(".")
    for root in SOURCE_ROOTS:
        path = ROOT.joinpath(root, *parts)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.exists():
                return file
    raise LookupError(f"contracts.toml names {module}, which is not there")


def first_sentence(path: Path) -> str:
    """Of a module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return paragraph.split(". ")[0].removesuffix(".").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
