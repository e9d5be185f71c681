"""`python docs/generate.py [--check]`: the tables of rooms in `architecture.md`.

They repeat `contracts.toml`, which `lint-imports` holds against the code, and the first sentence of
each module's docstring. So the page can say nothing about the structure that is not so.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"
CONTRACTS: Final = ROOT / "contracts.toml"
SOURCE_ROOTS: Final = ("core", "receiver", "dispatcher", "operator", "console", "cli")
BEGIN: Final = "<!-- rooms: written by docs/generate.py from contracts.toml -->"
END: Final = "<!-- end of rooms -->"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` found that the page is not as it should be."""
    parser = argparse.ArgumentParser(prog="docs/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what drifted")
    check = parser.parse_args(arguments).check
    text = PAGE.read_text("utf-8")
    wanted = with_tables(text, tomllib.loads(CONTRACTS.read_text("utf-8")))
    if text == wanted:
        return 0
    if not check:
        PAGE.write_text(wanted, "utf-8")
    print(f"{'drifted' if check else 'written'}: {PAGE.relative_to(ROOT)}")
    return 1 if check else 0


def with_tables(page: str, contracts: Mapping[str, Any]) -> str:
    """The page with its tables as the contracts say. Raises ValueError without the two markers."""
    before, found, rest = page.partition(BEGIN)
    _, also_found, after = rest.partition(END)
    if not (found and also_found):
        raise ValueError(f"{PAGE.name} needs the lines {BEGIN} and {END}")
    tables = "\n".join(_tables(contracts))
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _tables(contracts: Mapping[str, Any]) -> Iterator[str]:
    for contract in contracts["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", ()):
            yield from _table(container, contract["layers"])


def _table(container: str, layers: Sequence[str]) -> Iterator[str]:
    yield f"**`{_folder(container)}`**"
    yield ""
    yield "| floor | room | what lives there |"
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
