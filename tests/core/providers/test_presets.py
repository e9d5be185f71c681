"""The table of presets names only what exists."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.providers import presets
from hookplane.providers.extract import EXTRACTORS, reader
from hookplane.providers.handshakes import HANDSHAKES
from hookplane.secret import Secret

ALL = list(presets.PRESETS.values())
IDS = list(presets.PRESETS)


@pytest.mark.parametrize("preset", ALL, ids=IDS)
def test_everything_named_exists(preset: presets.Preset) -> None:
    reader(preset.event_type)
    assert preset.handshake is None or preset.handshake in HANDSHAKES
    sources = [v.dedup_key for v in preset.variants] + [preset.event_type]
    names = {source.extractor for source in sources if source is not None and source.extractor}
    assert names <= set(EXTRACTORS)


@pytest.mark.parametrize("preset", ALL, ids=IDS)
def test_the_last_variant_takes_any_key_and_headers_are_in_lower_case(
    preset: presets.Preset,
) -> None:
    assert preset.variants[-1].key_prefix == ""
    for variant in preset.variants:
        scheme = variant.signature
        assert scheme is None or scheme.header == scheme.header.lower()
        assert preset.name == "Generic" or scheme is not None
    assert preset.doc


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match='"Strip" is not a provider; known are: Discord, Gen'):
        presets.get("Strip")


def test_keys_of_two_forms_are_refused() -> None:
    with pytest.raises(InvalidValue, match="of one form"):
        presets.get("GitLab").variant([Secret("whsec_AAAA"), Secret("my-token")])
