"""The settings file: every problem with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.errors import InvalidValue
from hookplane_operator.settings import FILE, NAMESPACE, Scope, parse_settings, read_settings

GATEWAY = "{store: {postgresql: {dsn: {secretKeyRef: {name: a, key: b}}}}}"


def test_the_smallest_one() -> None:
    made = parse_settings(f"image: a\ndefaultGateway: {{spec: {GATEWAY}}}", "f")
    assert made.default_gateway.name == "default"
    assert made.watch_namespaces == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image: ''", "image: must have at least 1 character"),
        ("imag: a", "unknown field"),
        ("image: a\ndefaultGateway: {enabled: true}", "defaultGateway.spec: is required"),
        ("image: a\nwatchNamespaces: [A_B]", "watchNamespaces[0]"),
        ("image: [", "is not YAML"),
        ("image: a\ncaBundle: {configMapName: a, key: b/c}", "caBundle.key"),
        ("image: a\npods: {extraEnv: [{value: b}]}", "pods.extraEnv: each needs a name"),
        ("image: a\npods: {extraEnv: [{name: HOOKPLANE_LOG}]}", "HOOKPLANE_LOG is set by"),
        ("image: a\npods: {extraEnv: [{name: A}, {name: A}]}", "A is there twice"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_settings(text, "settings.yaml")
    assert words in str(raised.value)
    assert str(raised.value).startswith("settings.yaml: ")


@pytest.mark.parametrize(
    ("more", "gateways", "watched"),
    [("", ("own",), ()), ("gatewayNamespaces: [a, b]\nwatchNamespaces: [c]", ("a", "b"), ("c",))],
)
def test_where_gateways_live_and_who_is_looked_at(
    more: str, gateways: tuple[str, ...], watched: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"image: a\n{more}")
    settings, scope = read_settings({FILE: str(file), NAMESPACE: "own"})
    assert (settings.image, scope) == ("a", Scope("own", gateways, watched))


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, [FILE, NAMESPACE]), ({FILE: "f"}, [NAMESPACE]), ({NAMESPACE: "n"}, [FILE])],
)
def test_every_variable_that_is_missing_is_named(given: dict[str, str], missing: list[str]) -> None:
    with pytest.raises(InvalidValue) as raised:
        read_settings(given)
    assert str(raised.value).splitlines() == [f"{name}: it is missing" for name in missing]


def test_what_is_ours_is_refused_in_every_form_that_a_url_may_have() -> None:
    name = "hookplane-operator.system.svc.example.internal"
    made = parse_settings(f"image: a\nclusterDomain: example.internal\nownServices: [{name}]", "f")
    assert made.refused_targets == (name, "kubernetes.default.svc.example.internal")
    assert {host for host, _ in made.own_places()} == {
        "hookplane-operator.system",
        "hookplane-operator.system.svc",
        name,
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.example.internal",
    }


def test_a_scope_without_namespaces_holds_all_and_lists_them_at_once() -> None:
    everywhere, some = Scope("own", ("own",), ()), Scope("own", ("own",), ("a", "b"))
    assert (everywhere.holds("x"), everywhere.lists) == (True, (None,))
    assert (some.holds("a"), some.holds("own"), some.lists) == (True, False, ("a", "b"))
