"""The settings file: every problem with its path."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane_operator.settings import parse_settings

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
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_settings(text, "settings.yaml")
    assert words in str(raised.value)
    assert str(raised.value).startswith("settings.yaml: ")
