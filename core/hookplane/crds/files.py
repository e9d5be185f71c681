"""The files that are generated, and whether they are up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from hookplane.crds.definition import crd
from hookplane.crds.reference import conditions_page, kind_page
from hookplane.kinds.registry import KINDS

BANNER: Final = "# Generated from core/hookplane/kinds by `make generate`; do not edit.\n"
MARKER: Final = (
    "<!-- What follows is generated from core/hookplane/kinds by `make generate`; do not edit. -->"
)
"""Divides a page: what stands before it is written by hand and stays."""


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, because not every reader of CRDs follows them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def generated(root: Path) -> dict[Path, str]:
    """Every generated file below `root` with the text that it should have."""
    crds = {Path("crds", f"{kind.plural}.yaml"): _yaml(crd(kind)) for kind in KINDS}
    pages = {Path("docs", "spec", f"{kind.singular}.md"): kind_page(kind) for kind in KINDS}
    pages[Path("docs", "spec", "conditions.md")] = conditions_page()
    texts = crds | {path: _head(root / path) + text for path, text in pages.items()}
    return {root / path: text for path, text in texts.items()}


def drifted(root: Path) -> list[Path]:
    """Files that are not as they should be, sorted."""
    return sorted(path for path, text in generated(root).items() if _text(path) != text)


def write(root: Path) -> list[Path]:
    """Brings every file up to date and returns those that were not, sorted."""
    texts, stale = generated(root), drifted(root)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return stale


def _yaml(document: dict[str, Any]) -> str:
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return BANNER + body


def _head(page: Path) -> str:
    """The part of a page that is written by hand; a title for a new page."""
    written, marker, _ = _text(page).partition(MARKER)
    head = written if marker else f"# {page.stem.capitalize()}\n\n"
    return f"{head}{MARKER}\n\n"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
