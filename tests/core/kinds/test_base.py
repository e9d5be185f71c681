"""Field types that more than one kind uses."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from hookplane.errors import InvalidValue
from hookplane.kinds.base import CIDR, HttpURL, SecretKeyRef, Time, check_time, field_name

# python name, name in a manifest
FIELDS = [
    ("token_url", "tokenURL"),
    ("client_id", "clientID"),
    ("allowed_cidrs", "allowedCIDRs"),
    ("max_in_flight", "maxInFlight"),
    # the first word is never spelled out
    ("url_from", "urlFrom"),
]


@pytest.mark.parametrize(("python", "manifest"), FIELDS)
def test_field_names(python: str, manifest: str) -> None:
    assert field_name(python) == manifest


# text, whether it is a time
TIMES = [
    ("2026-11-21T00:00:00Z", True),
    # an offset, fractions
    ("2026-11-21T00:00:00.123456789+05:30", True),
    # no such day
    ("2026-02-30T00:00:00Z", False),
    # no offset
    ("2026-11-21T00:00:00", False),
    # ISO 8601, but not RFC 3339
    ("20261121T000000Z", False),
    ("2026-W47-6T00:00:00Z", False),
    ("2026-11-21 00:00:00Z", False),
    ("2026-11-21T00:00Z", False),
]


@pytest.mark.parametrize(("text", "good"), TIMES)
def test_times(text: str, good: bool) -> None:
    if good:
        check_time(text)
        assert TypeAdapter(Time).validate_python(text) == text
    else:
        with pytest.raises(InvalidValue, match="write it like 2026-11-21T00:00:00Z"):
            check_time(text)


# text, whether it is a URL that we would use
URLS = [
    ("https://shop.example.com", True),
    ("http://127.0.0.1:9000/orders?x=a@b", True),
    ("http://[::1]:9000/", True),
    # the user name that a reader takes for the host
    ("https://shop.example.com@evil.example/", False),
    ("https://shop.example.com\\@evil.example/", False),
    ("HTTPS://shop.example.com", False),
    ("https://", False),
    ("https://a b.example/", False),
    ("https://a.example/\r\nX: y", False),
]


@pytest.mark.parametrize(("text", "good"), URLS)
def test_urls(text: str, good: bool) -> None:
    adapter = TypeAdapter(HttpURL)
    if good:
        assert adapter.validate_python(text) == text
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


def test_ranges_stay_as_they_were_written() -> None:
    assert TypeAdapter(CIDR).validate_python("10.1.2.3/8") == "10.1.2.3/8"


def test_names_of_secrets_may_have_dots_and_keys_may_not_be_paths() -> None:
    SecretKeyRef(name="tls.example.com", key="ca.crt")
    with pytest.raises(ValidationError):
        SecretKeyRef(name="a", key="../b")


def test_errors_do_not_show_what_was_written() -> None:
    """Somebody may have written the secret itself where a reference belongs."""
    with pytest.raises(ValidationError) as caught:
        SecretKeyRef.model_validate({"name": "hunter2 hunter2", "key": "k"})
    assert "hunter2" not in str(caught.value)
