"""`python charts/generate.py [--check]`: what the chart repeats of other files.

- `files/crds/`: a chart can carry only what lies inside of its folder.
- `definitions.gatewaySpec` of `values.schema.json`, from the CRD, so that a typo in
  `defaultGateway.spec` is found before anything is installed.
- `README.md`, from the comments of `values.yaml`: `# ## Heading` and the text below it, and `# --`
  before a value; `@default --` stands for a default that is too long for a table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
CHART: Final = ROOT / "charts" / "hookplane"
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>.*)$")
_COMMENT: Final = re.compile(r"^ *# ?(?P<text>.*)$")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` found files that are not as they should be."""
    parser = argparse.ArgumentParser(prog="charts/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what drifted")
    check = parser.parse_args(arguments).check
    stale = [path for path, text in generated().items() if not _holds(path, text)]
    for path in stale:
        if not check:
            path.write_text(generated()[path], "utf-8")
        print(f"{'drifted' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def generated() -> dict[Path, str]:
    """What each file is to hold."""
    crds = {
        CHART / "files" / "crds" / path.name: path.read_text("utf-8")
        for path in sorted((ROOT / "crds").glob("*.yaml"))
    }
    return {**crds, CHART / "values.schema.json": _schema(), CHART / "README.md": _readme()}


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


# values.schema.json -----------------------------------------------------------------------------


def _schema() -> str:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    crd = yaml.safe_load((ROOT / "crds" / "webhookgateways.yaml").read_text("utf-8"))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    wanted = strict(spec)
    # the chart writes these: which database it is follows from `postgresql`
    wanted.pop("required", None)
    store = wanted["properties"]["store"]
    store.pop("required", None)
    del store["properties"]["postgresql"]
    schema["definitions"]["gatewaySpec"] = wanted
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def strict(node: Mapping[str, Any]) -> dict[str, Any]:
    """A CRD's schema as plain JSON Schema that refuses what it does not know."""
    taken = ("enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "maxItems")
    made: dict[str, Any] = {name: node[name] for name in taken if name in node}
    if node.get("x-kubernetes-int-or-string"):
        return {**made, "type": ["integer", "string"]}
    made["type"] = node["type"]
    if "items" in node:
        made["items"] = strict(node["items"])
    if "properties" in node:
        made["properties"] = {name: strict(part) for name, part in node["properties"].items()}
        made["additionalProperties"] = False
        made |= {"required": node["required"]} if "required" in node else {}
    elif isinstance(node.get("additionalProperties"), Mapping):
        made["additionalProperties"] = strict(node["additionalProperties"])
    return made


# README.md --------------------------------------------------------------------------------------


def _readme() -> str:
    introduction = (CHART / "README.head.md").read_text("utf-8")
    text = (CHART / "values.yaml").read_text("utf-8")
    return introduction + "\n".join(_tables(text, yaml.safe_load(text))) + "\n"


def _tables(text: str, values: Mapping[str, Any]) -> Iterator[str]:
    path: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            said.append(comment["text"])
            continue
        if said and said[0].startswith("## "):
            heading, *below = said
            yield from _table_head(heading.removeprefix("## "), " ".join(below))
            said = []
        if key := _KEY.match(line):
            path = [*path[: len(key["indent"]) // 2], key["key"]]
            if said and said[0].startswith("-- "):
                yield _row(path, said, values)
        said = []


def _table_head(title: str, text: str = "") -> Iterator[str]:
    yield f"\n### {title}\n" + (f"\n{text}\n" if text else "")
    yield "| Value | Default | What it is |\n| --- | --- | --- |"


def _row(path: Sequence[str], said: Sequence[str], values: Mapping[str, Any]) -> str:
    described = " ".join(said).removeprefix("-- ")
    text, _, stands_for = described.partition(" @default -- ")
    default = stands_for or f"`{json.dumps(_at(values, path), ensure_ascii=False)}`"
    cells = (f"`{'.'.join(path)}`", default, text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _at(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    node: Any = values
    for name in path:
        node = node[name]
    return node


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
