"""Which headers open doors and are not kept, and which are repeated."""

from __future__ import annotations

import pytest

from hookplane_receiver.credentials import repeated, without_credentials

OWN = frozenset({"x-erp-sig"})
DROPPED = """
authorization proxy-authorization cookie set-cookie connection keep-alive transfer-encoding te
upgrade host content-length expect x-api-key x-gitlab-token x-telegram-bot-api-secret-token
x-hub-signature x-hub-signature-256 stripe-signature x-shopify-hmac-sha256 x-erp-sig
x-forwarded-access-token x-auth-password x-amz-security-token x-session-id www-authenticate
"""
KEPT = """
content-type user-agent x-github-event x-github-delivery x-shopify-topic webhook-id
webhook-timestamp x-request-id traceparent idempotency-key x-forwarded-for
"""


@pytest.mark.parametrize("name", DROPPED.split())
def test_what_opens_doors_is_dropped(name: str) -> None:
    assert without_credentials(((name, "x"),), OWN) == ()


@pytest.mark.parametrize("name", KEPT.split())
def test_what_says_something_is_kept(name: str) -> None:
    assert without_credentials(((name, "x"),), OWN) == ((name, "x"),)


def test_repetitions_are_found() -> None:
    headers = (("a", "1"), ("b", "1"), ("a", "2"))
    assert repeated(headers, frozenset({"a"})) == "a"
    assert repeated(headers, frozenset({"b", "c"})) == ""
