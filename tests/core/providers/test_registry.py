"""The table of presets names only what exists."""

from __future__ import annotations

import pkgutil
import re
from typing import get_args

import pytest
from pydantic import TypeAdapter

from hookplane.config.endpoint import Source
from hookplane.errors import InvalidValue
from hookplane.kinds.endpoint import ProviderName, Verification
from hookplane.providers import presets, registry
from hookplane.providers.preset import Preset
from hookplane.providers.registry import EXTRACTORS, HANDSHAKES, reader, repeats_identical
from hookplane.secret import Secret

ALL = list(registry.PRESETS.values())
IDS = list(registry.PRESETS)


@pytest.mark.parametrize("preset", ALL, ids=IDS)
def test_everything_named_exists(preset: Preset) -> None:
    reader(preset.event_type)
    assert preset.handshake is None or preset.handshake in HANDSHAKES
    sources = [v.dedup_key for v in preset.variants] + [preset.event_type]
    names = {source.extractor for source in sources if source is not None and source.extractor}
    assert names <= set(EXTRACTORS)


@pytest.mark.parametrize("preset", ALL, ids=IDS)
def test_the_last_variant_takes_any_key_and_headers_are_in_lower_case(
    preset: Preset,
) -> None:
    assert preset.variants[-1].key_prefix == ""
    for variant in preset.variants:
        scheme = variant.signature
        assert scheme is None or scheme.header == scheme.header.lower()
        assert preset.name == "Generic" or scheme is not None
    assert preset.doc


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    known = ", ".join(sorted(registry.PRESETS))
    told = rf'"Strip" is not a provider; known are: {known}; did you mean "Stripe"\?$'
    with pytest.raises(InvalidValue, match=told):
        registry.get("Strip")
    with pytest.raises(InvalidValue, match=f"known are: {known}$"):
        registry.get("Nobody")


def test_keys_of_two_forms_are_refused() -> None:
    with pytest.raises(InvalidValue, match="of one form"):
        registry.get("GitLab").variant([Secret("whsec_AAAA"), Secret("my-token")])


@pytest.mark.parametrize("name", IDS)
def test_an_endpoint_can_name_every_provider(name: str) -> None:
    assert TypeAdapter(ProviderName).validate_python(name) == name


def test_an_endpoint_can_name_every_handshake_and_no_other() -> None:
    names, _ = get_args(Verification.model_fields["handshake"].annotation)
    assert set(get_args(names)) == set(HANDSHAKES)


def test_every_file_of_a_preset_is_listed() -> None:
    files = {module.name for module in pkgutil.iter_modules(presets.__path__)}
    listed = {re.sub(r"(?<=d)W", "_w", name).lower() for name in registry.PRESETS}
    assert files == listed


def test_a_name_in_documents_means_one_function() -> None:
    for preset in ALL:
        assert all(registry.EXTRACTORS[name] == own for name, own in preset.extractors.items())
        assert all(registry.HANDSHAKES[name] == own for name, own in preset.handshakes.items())


def test_it_is_known_whose_repeats_are_the_same_bytes() -> None:
    identical = {preset.name for preset in ALL if any(v.repeats_identical for v in preset.variants)}
    assert identical == {"GitHub", "GitLab", "Telegram", "Discord", "Svix", "StandardWebhooks"}


@pytest.mark.parametrize("preset", ALL, ids=IDS)
def test_repeats_are_known_of_a_providers_own_key_only(preset: Preset) -> None:
    for variant in preset.variants:
        known = repeats_identical(preset.name, variant.dedup_key)
        assert known == variant.repeats_identical
    assert not repeats_identical(preset.name, Source(header="x-order"))
    assert not repeats_identical(preset.name, None)


def test_of_unknown_providers_nothing_is_known() -> None:
    assert not repeats_identical("Hookplane", None)
