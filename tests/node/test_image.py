"""The image, as it is in a pod."""

from __future__ import annotations

import json

from support.node.release import Release

INSTALLED = """
import importlib.metadata
for found in importlib.metadata.distributions():
    print(f"pkg:pypi/{found.metadata['Name'].lower().replace('_', '-')}@{found.version}")
"""


def test_the_sbom_lists_what_is_in_it(release: Release) -> None:
    pod = release.pods("receiver")[0]
    text = release.kubectl.run("exec", pod, "--", "cat", "/opt/hookplane/sbom.cdx.json")
    bom = json.loads(text)
    listed = {x["purl"] for x in (*bom["components"], bom["metadata"]["component"])}
    python = "/opt/hookplane/bin/python"
    installed = release.kubectl.run("exec", pod, "--", python, "-c", INSTALLED).split()
    assert {x for x in listed if x.startswith("pkg:pypi/")} == set(installed)
    names = {x["name"] for x in bom["components"] if x["purl"].startswith("pkg:deb/")}
    query = ("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n")
    lines = release.kubectl.run("exec", pod, "--", *query).splitlines()
    assert names == {x.split()[0] for x in lines if x.endswith(" installed")}
    assert "libc6" in names


def test_nothing_of_it_can_install_more(release: Release) -> None:
    pod = release.pods("receiver")[0]
    done = release.kubectl.attempt("exec", pod, "--", "/opt/hookplane/bin/python", "-m", "pip")
    assert "No module named pip" in done.stderr
