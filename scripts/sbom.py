"""Lists what an image is made of: its Python distributions and its Debian packages.

    python sbom.py /opt/hookplane >sbom.cdx.json

The form is CycloneDX 1.6 in JSON. The same image gives the same list: it says no time, and its
serial number follows from its content.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

PROJECT: Final = "hookplane"
DPKG: Final = Path("/var/lib/dpkg/status")
"""Not there where the base is no Debian: then the list has none of its packages."""
_NAMESPACE: Final = uuid.UUID("0b5c5b9e-7c0c-4a5e-9d4c-5d9f3c1c6f10")


def main(environment: Path) -> str:
    """`environment`: folder of a virtual environment."""
    folders = [str(folder) for folder in environment.glob("lib/python3*/site-packages")]
    found = [_python(x) for x in distributions(path=folders)]
    found += map(_debian, _paragraphs(DPKG))
    root = next(x for x in found if x.name == PROJECT)
    others = [x for x in found if x is not root]
    bom = Bom(components=others)
    bom.metadata.component = root
    bom.register_dependency(root, others)
    return _stable(JsonV1Dot6(bom).output_as_string())


def _python(found: Distribution) -> Component:
    name = found.metadata["Name"].lower()
    # those of today say it as an expression, those of before in words of their own
    licence = found.metadata["License-Expression"] or found.metadata["License"]
    short = licence if licence and "\n" not in licence else None
    purl = PackageURL("pypi", name=name, version=found.version)
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        name=name,
        version=found.version,
        purl=purl,
        licenses=[LicenseFactory().make_from_string(short)] if short else [],
    )


def _debian(paragraph: dict[str, str]) -> Component:
    name, version = paragraph["Package"], paragraph["Version"]
    purl = PackageURL("deb", "debian", name, version, {"arch": paragraph["Architecture"]})
    return Component(
        type=ComponentType.LIBRARY, bom_ref=str(purl), name=name, version=version, purl=purl
    )


def _paragraphs(file: Path) -> Iterator[dict[str, str]]:
    """Of installed packages; lines that go on are left out, since none of them is wanted."""
    if not file.exists():
        return
    for text in file.read_text("utf-8").split("\n\n"):
        lines = [line for line in text.splitlines() if line[:1].strip()]
        found = dict(_field(line) for line in lines)
        if found.get("Status", "").endswith(" installed"):
            yield found


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _stable(text: str) -> str:
    made: dict[str, Any] = json.loads(text)
    made["metadata"].pop("timestamp", None)
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, _identity(made['components']))}"
    made["dependencies"] = [x for x in made["dependencies"] if x.get("dependsOn")]
    return json.dumps(made, indent=1, sort_keys=True)


def _identity(components: Iterable[dict[str, Any]]) -> str:
    return "\n".join(sorted(x["purl"] for x in components))


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
