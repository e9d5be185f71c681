"""What runs, as it runs: rights of pods and accounts, and that no secret shows up anywhere."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.clocks.blocking import until
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.manifests import Object, key_of
from support.node.release import SYSTEM, Release, is_failing
from support.node.tenant import Tenant

GOLDEN: Final = Path(__file__).parent / "golden" / "rights.txt"
ACCOUNTS: Final = ("hookplane-operator", "default-receiver", "default-dispatcher", "default")
ROLES: Final = ("operator", "receiver", "dispatcher")
TOKEN_FOLDER: Final = "/var/run/secrets/kubernetes.io"
NO_CAPABILITIES: Final = "0000000000000000"
SHOW_PROCESSES: Final = """
import pathlib
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ"):
        try:
            print(process.name, name, (process / name).read_bytes().replace(b"\\0", b" "))
        except OSError:
            pass
"""


def inside(release: Release, pod: str, *command: str) -> str:
    return release.kubectl.run("exec", pod, "--", *command)


def status_of(release: Release, pod: str) -> dict[str, str]:
    """/proc/1/status."""
    lines = inside(release, pod, "cat", "/proc/1/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_every_namespace_of_ours_holds_pods_to_the_strictest_standard(release: Release) -> None:
    """The API server admitted them all; nothing was let off."""
    labels = release.kubectl.get("namespace", SYSTEM)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    roles = {x["metadata"]["labels"]["app.kubernetes.io/component"] for x in release.every_pod()}
    assert roles == {"operator", "postgresql", "receiver", "dispatcher", "console"}


def test_processes_have_no_rights_that_they_do_not_need(release: Release) -> None:
    for pod in release.every_pod():
        name = pod["metadata"]["name"]
        status = status_of(release, name)
        assert status["Uid"].split()[0] != "0", name
        assert {status[x] for x in ("CapEff", "CapPrm", "CapBnd")} == {NO_CAPABILITIES}, name
        assert status["NoNewPrivs"] == "1", name
        assert status["Seccomp"] == "2", name
        refused = release.kubectl.attempt("exec", name, "--", "touch", "/written")
        assert "Read-only file system" in refused.stderr, name


def test_only_the_operator_has_a_token(release: Release) -> None:
    for pod in release.every_pod():
        role = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        shown = release.kubectl.attempt("exec", pod["metadata"]["name"], "--", "ls", TOKEN_FOLDER)
        assert (shown.returncode == 0) == (role == "operator"), role


def test_accounts_may_do_what_the_golden_file_says(release: Release) -> None:
    """Besides what every account may. `HOOKPLANE_UPDATE_GOLDEN=1` writes it anew."""
    parts = []
    for account in ACCOUNTS:
        for namespace in (SYSTEM, "default"):
            kubectl = Kubectl(release.kubectl.config, namespace)
            more = sorted(rights(kubectl, account) - rights(kubectl, "one-that-nobody-knows"))
            parts.append("\n".join([f"# {account}, in {namespace}", *(more or ["nothing"]), ""]))
    text = "\n".join(parts)
    if os.environ.get("HOOKPLANE_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def rights(kubectl: Kubectl, account: str) -> set[str]:
    """Lines of `kubectl auth can-i --list`."""
    user = f"system:serviceaccount:{SYSTEM}:{account}"
    shown = kubectl.run("auth", "can-i", "--list", "--no-headers", f"--as={user}")
    return {re.sub(r" {2,}", "  ", line).strip() for line in shown.splitlines()}


def test_what_faces_the_internet_may_do_nothing_at_the_api_server(release: Release) -> None:
    for account in ("default-receiver", "default-dispatcher"):
        user = f"system:serviceaccount:{SYSTEM}:{account}"
        for verb, resource in (("get", "secrets"), ("list", "pods"), ("get", "webhookendpoints")):
            asked = release.kubectl.attempt("auth", "can-i", verb, resource, f"--as={user}")
            assert asked.stdout.strip() == "no", (account, verb, resource)


def test_network_policies_let_in_no_more_than_the_ports_of_each_role(release: Release) -> None:
    """Read, not tried: the network of this node enforces no policies."""
    found = {x["metadata"]["name"]: x["spec"] for x in release.kubectl.list("networkpolicies")}
    ports = {
        name: sorted(port["port"] for rule in spec["ingress"] for port in rule["ports"])
        for name, spec in found.items()
    }
    assert ports["default-receiver"] == [8080, 8081]
    assert ports["default-dispatcher"] == [8081]
    assert ports["default-console"] == [8081]
    for name, spec in found.items():
        role = name.removeprefix("default-")
        labels = spec["podSelector"]["matchLabels"].items()
        pods = release.kubectl.list("pods", "-l", f"app.kubernetes.io/component={role}")
        assert pods
        assert all(labels <= pod["metadata"]["labels"].items() for pod in pods), name


def test_no_secret_and_no_payload_shows_up_anywhere(release: Release, shop: Tenant) -> None:
    shop.kubectl.run("annotate", "whe", "orders", "hookplane.dev/rotate=1")
    until(lambda: "previous" in shop.kubectl.get("secret", "orders-verification")["data"], "a key")
    shop.ask("sender", "start?rate=20&seconds=2")
    until(lambda: shop.ask("subscriber", "events"), "deliveries")
    shop.ask("subscriber", "behave?status=503")
    shop.ask("sender", "start?rate=5&seconds=3")
    shop.kubectl.until("whs", "shop", is_failing)
    hidden = dict(secrets_of(release, shop))
    assert len(hidden) >= 10, "there is something to look for"
    places = dict(seen_by_people(release, shop))
    assert all(places.values()), "there is somewhere to look"
    hits = [
        (what, where)
        for where, text in places.items()
        for what, value in hidden.items()
        if value in text
    ]
    assert hits == []


def secrets_of(release: Release, shop: Tenant) -> Iterator[tuple[str, str]]:
    """What it is → the text that must be nowhere: keys as they are stored and their inner part,
    passwords, encryption keys, and what senders sent."""
    for kubectl in (release.kubectl, shop.kubectl):
        for found in kubectl.list("secrets"):
            if found["type"].startswith("helm.sh/"):
                continue
            for key in found.get("data", {}):
                name = f"{found['metadata']['name']}/{key}"
                value = key_of(kubectl, found["metadata"]["name"], key).strip()
                yield name, value
                yield f"{name}, its inner part", re.split(r"[_:]", value, maxsplit=1)[-1]
    yield "a payload", f'"number": "{shop.ask("sender", "report")["accepted"][0]}"'
    yield "a payload, packed", base64.b64encode(b'{"type": "order.created"').decode()[:-4]


def seen_by_people(release: Release, shop: Tenant) -> Iterator[tuple[str, str]]:
    """Where → the text there."""
    kubectl = release.kubectl
    for pod in release.every_pod():
        name = pod["metadata"]["name"]
        yield f"log of {name}", kubectl.run("logs", name, "--all-containers") or "(empty)"
        yield f"spec and status of {name}", str(pod)
    for role in ROLES:
        for name in release.pods(role):
            path = f"/api/v1/namespaces/{SYSTEM}/pods/{name}:8081/proxy/metrics"
            yield f"metrics of {name}", kubectl.run("get", "--raw", path)
            yield f"processes of {name}", inside(release, name, "python3", "-c", SHOW_PROCESSES)
    yield "statuses", kubectl.run("get", "webhooks", "-A", "-o", "yaml")
    yield "events", kubectl.run("get", "events", "-A", "-o", "yaml")
    yield "deployments", kubectl.run("get", "deployments,statefulsets,configmaps", "-o", "yaml")
    yield "describe", shop.kubectl.run("describe", "whe,whs")


def test_the_search_finds_what_is_there(release: Release) -> None:
    """Or the one above could not fail."""
    name = release.pods("receiver")[0]
    assert "HOOKPLANE_STORE_FILE" in inside(release, name, "python3", "-c", SHOW_PROCESSES)


@pytest.fixture(autouse=True, scope="module")
def _settled(release: Release) -> None:
    """Pods of rollouts before are gone."""
    release.settle()
    expected = {"operator": 2, "receiver": 2, "dispatcher": 2, "postgresql": 1}
    until(lambda: {x: len(all_pods(release, x)) for x in expected} == expected, "rollouts to end")


def all_pods(release: Release, role: str) -> list[Object]:
    return release.kubectl.list("pods", "-l", f"app.kubernetes.io/component={role}")
