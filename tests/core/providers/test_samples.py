"""Samples are what their preset reads them as."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookplane.errors import InvalidValue
from hookplane.providers import registry
from hookplane.providers.extract import Facts, dedup_key, event_type
from hookplane.providers.registry import key_reader, reader
from hookplane.providers.samples import sample, types

GOLDEN = Path(__file__).parent / "golden" / "samples.txt"
NOW = 1_700_000_000_000
CASES = [(name, kind) for name in registry.PRESETS for kind in types(name)]


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_a_sample_has_the_type_that_was_asked_for(provider: str, kind: str) -> None:
    one = sample(provider, kind, NOW)
    preset = registry.get(provider)
    if provider != "Generic":
        assert event_type(reader(preset.event_type), Facts(one.headers, one.body)) == kind


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_every_sample_is_a_new_event(provider: str, kind: str) -> None:
    one, other = sample(provider, kind, NOW), sample(provider, kind, NOW)
    assert one.id != other.id
    source = registry.get(provider).variant().dedup_key
    if source is not None and not (source.header or "").endswith("-id"):
        keys = [dedup_key(key_reader(source), Facts(s.headers, s.body)) for s in (one, other)]
        assert keys[0] is None or keys[0] != keys[1]


def test_the_empty_type_is_the_usual_one() -> None:
    assert sample("WhatsApp", "", NOW).type == "messages"


def test_unknown_types_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match="there are: messages, statuses"):
        sample("WhatsApp", "calls", NOW)
    assert sample("StandardWebhooks", "any.thing", NOW).type == "any.thing"


def shown(provider: str, kind: str) -> str:
    """A sample as it goes over the wire, with the same random bytes each time."""
    one = sample(provider, kind, NOW, lambda count: bytes(range(count)))
    lines = [f"{name}: {value}" for name, value in one.headers]
    return "\n".join([f"## {provider} {kind} ({one.id})", *lines, "", one.body.decode(), ""])


def test_samples_are_what_providers_send() -> None:
    """`HOOKPLANE_UPDATE_GOLDEN=1` writes the file anew, after somebody looked at the change."""
    text = "\n".join(shown(*case) for case in CASES)
    if os.environ.get("HOOKPLANE_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert GOLDEN.read_text("utf-8") == text
