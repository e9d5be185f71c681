"""Which names are those of credentials."""

from __future__ import annotations

import pytest

from hookplane.network.credentials import is_credential, is_surely_credential
from hookplane.network.headers import CONNECTION_HEADERS
from hookplane.providers.registry import FACTS


@pytest.mark.parametrize(
    ("name", "is_one", "surely"),
    [
        ("authorization", True, True),
        ("x-my-tokens", True, True),
        ("x-auth", True, False),
        ("x_access_key", True, False),
        ("x.sig.v1", True, False),
        ("x-authors", False, False),
        ("x-keyword", False, False),
        ("idempotency-key", False, False),
        ("x-event-key", False, False),
        ("content-type", False, False),
        ("", False, False),
    ],
)
def test_parts_count_wherever_they_are_and_words_alone(
    name: str, is_one: bool, surely: bool
) -> None:
    assert (is_credential(name), is_surely_credential(name)) == (is_one, surely)


@pytest.mark.parametrize("name", sorted(FACTS | CONNECTION_HEADERS))
def test_what_providers_say_of_an_event_is_none(name: str) -> None:
    assert not is_credential(name)
