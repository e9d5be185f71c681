"""Realistic requests of each provider, unsigned: `signatures.request.sign_request` signs them.

Shapes follow the providers' public payload pages; all values are made up.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.ids import RandomBytes
from hookplane.providers import registry
from hookplane.providers.sample_forms import Headers, Seed


@dataclass(frozen=True, slots=True)
class Sample:
    """A request that is ready to be signed."""

    id: str
    """Fresh in every sample; {id} of what is signed."""
    type: str
    headers: Headers
    """Names in lower case."""
    body: bytes


def types(provider: str) -> tuple[str, ...]:
    """Event types that there are samples of; the first is the usual one. Raises InvalidValue."""
    return registry.get(provider).samples.types


def sample(
    provider: str,
    type: str,  # noqa: A002
    now: Millis,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Sample:
    """A request of this type; the empty type is the usual one. Raises InvalidValue for a type
    that the provider's samples do not have."""
    known = types(provider)
    kind = registry.get(provider).samples
    wanted = type or known[0]
    if wanted not in known and not kind.open:
        raise InvalidValue(f'no sample "{wanted}" for {provider}; there are: {", ".join(known)}')
    seed = Seed(wanted, random_bytes(12).hex(), now)
    headers, body = kind.build(seed)
    return Sample(f"msg_{seed.id}", wanted, headers, body)
