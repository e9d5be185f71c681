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
x-auth x-access-key x-bearer x-jwt x-partner_key x-sig x-api.keys x-csrf x-pwd x-passphrase
x-gateway-sid x-sso x-otp key auth x-sso-ticket
"""
KEPT = """
content-type user-agent x-github-event x-github-delivery x-shopify-topic webhook-id
webhook-timestamp x-request-id traceparent idempotency-key x-forwarded-for
x-keyboard x-author x-design x-passenger x-event-key x-idempotency-key
"""


@pytest.mark.parametrize("name", DROPPED.split())
def test_what_opens_doors_is_dropped(name: str) -> None:
    assert without_credentials(((name, "x"),), OWN) == ()


@pytest.mark.parametrize("name", KEPT.split())
def test_what_says_something_is_kept(name: str) -> None:
    assert without_credentials(((name, "x"),), OWN) == ((name, "x"),)


def test_what_an_endpoint_reads_its_events_from_is_kept_unless_it_is_surely_a_credential() -> None:
    headers = (("x-routing-key", "a"), ("x-token", "b"), ("x-other-key", "c"), ("x-erp-sig", "d"))
    telling = frozenset({"x-routing-key", "x-token", "x-erp-sig"})
    assert without_credentials(headers, OWN, telling) == headers[:1]


def test_repetitions_are_found() -> None:
    headers = (("a", "1"), ("b", "1"), ("a", "2"))
    assert repeated(headers, frozenset({"a"})) == "a"
    assert repeated(headers, frozenset({"b", "c"})) == ""
