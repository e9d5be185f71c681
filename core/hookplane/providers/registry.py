"""All presets by name, with the functions and handshakes that they bring.

A new provider is a file in `presets` and its name in this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.errors import InvalidValue
from hookplane.providers.extract import (
    Extractor,
    constant,
    from_body,
    from_header,
    key_from_body,
    key_of_parts,
    scalar_from_body,
)
from hookplane.providers.handshakes import Handshake
from hookplane.providers.preset import Preset
from hookplane.providers.presets import (
    discord,
    generic,
    github,
    gitlab,
    instagram,
    messenger,
    shopify,
    slack,
    standard_webhooks,
    stripe,
    svix,
    telegram,
    whatsapp,
)
from hookplane.spelling import did_you_mean

_MODULES: Final = (
    standard_webhooks,
    whatsapp,
    messenger,
    instagram,
    telegram,
    discord,
    stripe,
    github,
    gitlab,
    slack,
    shopify,
    svix,
    generic,
)
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {module.PRESET.name: module.PRESET for module in _MODULES}
)
FACTS: Final = frozenset(name for preset in PRESETS.values() for name in preset.facts)
"""Headers by which some provider says what an event is. They travel from any endpoint: others, such
as Gitea, say it by the same names."""
EXTRACTORS: Final[Mapping[str, Extractor]] = MappingProxyType(
    {
        name: extractor
        for preset in PRESETS.values()
        for name, extractor in preset.extractors.items()
    }
)
HANDSHAKES: Final[Mapping[str, Handshake]] = MappingProxyType(
    {name: shake for preset in PRESETS.values() for name, shake in preset.handshakes.items()}
)


def get(name: str) -> Preset:
    """The preset of this name. Raises InvalidValue, which lists the names that there are."""
    try:
        return PRESETS[name]
    except KeyError:
        known = ", ".join(sorted(PRESETS))
        near = did_you_mean(name, PRESETS)
        told = f'"{name}" is not a provider; known are: {known}'
        raise InvalidValue(f"{told}; {near}" if near else told) from None


def repeats_identical(provider: str, dedup_key: Source | None) -> bool:
    """Whether a repeat has the body of its original. Known of a provider with its own key only: who
    sets another key says by it which events are the same."""
    preset = PRESETS.get(provider)
    return preset is not None and any(
        variant.repeats_identical and variant.dedup_key == dedup_key for variant in preset.variants
    )


def key_reader(source: Source) -> Extractor:
    """Makes the source of a deduplication key ready to be used for every request."""
    if source.parts:
        return key_of_parts([key_reader(part) for part in source.parts])
    return reader(source) if source.body_path is None else key_from_body(source.body_path)


def event_key_reader(source: Source) -> Extractor:
    """Makes the source of what events are about ready."""
    return reader(source) if source.body_path is None else scalar_from_body(source.body_path)


def reader(source: Source) -> Extractor:
    """Makes any other source ready."""
    if source.extractor is not None:
        return EXTRACTORS[source.extractor]
    if source.header is not None:
        return from_header(source.header)
    if source.body_path is not None:
        return from_body(source.body_path)
    return constant(source.value or "")
