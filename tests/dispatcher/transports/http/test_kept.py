"""No secret that went to a target comes back in what is kept of its answers."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.config.subscription import HttpTargetConfig, OAuth2Config
from hookplane.kinds.subscription import HIDDEN_HOST
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig, SigningScheme
from hookplane_dispatcher.egress.client import EgressError, OutboundResponse
from hookplane_dispatcher.transports.http.kept import forms_of, kept_answers, masked
from support.planes.dispatcher import subscription

PAIR = base64.b64encode(b"shop:pass/word")
WHSEC = b"whsec_bm9ib2R5IGtub3dzIHRoaXMgb25l"
OAUTH2 = OAuth2Config(token_url="https://x/t", client_id="me", client_secret=Secret("cl/ient+s"))


def kept(body: bytes, token: str = "", detail: str = "", **fields: Any) -> OutboundResponse:
    signing = SigningConfig(scheme=SigningScheme.STANDARD, keys=(Secret(WHSEC),))
    signing = fields.pop("signing", signing)
    facts = {"url": Secret("https://x/hook"), "host": "x"} | fields
    target = HttpTargetConfig(**facts)
    answers = kept_answers(subscription(target=target, signing=signing), target)
    error = EgressError.TOKEN if detail else None
    return answers.of(OutboundResponse(200, 1, body, error=error, detail=detail), token)


def headers(*pairs: tuple[str, bytes]) -> dict[str, Any]:
    return {"headers": tuple((name, Secret(value)) for name, value in pairs)}


BEARER = headers(("Authorization", b"Bearer tok/en-1"))
BASIC = headers(("Authorization", b"Basic " + PAIR))
PARTS = {
    "url": Secret("https://x/T1/XXXsecretXXX/s3cr%3Dt%2Bkey?to=abcdef+123456"),
    "host": HIDDEN_HOST,
}
HIDDEN = {"url": Secret("https://x/services/T0/B0?key=abcd"), "host": HIDDEN_HOST}


@pytest.mark.parametrize(
    ("fields", "echoed"),
    [
        (BEARER, b"Bearer tok/en-1"),
        (BEARER, b"tok/en-1"),
        (BEARER, b"tok\\/en-1"),
        (BEARER, b"tok%2Fen-1"),
        (BEARER, base64.b64encode(b"tok/en-1")),
        (BASIC, b"Basic " + PAIR),
        (BASIC, PAIR),
        (BASIC, PAIR.rstrip(b"=")),
        (BASIC, b"shop:pass/word"),
        (BASIC, b"pass/word"),
        (headers(("X-Key", b'a"b&c')), b'a"b&c'),
        (headers(("X-Key", b'a"b&c')), json.dumps('a"b&c')[1:-1].encode()),
        (headers(("X-Key", b'a"b&c')), html.escape('a"b&c').encode()),
        (headers(("X-Key", "schlüssel".encode())), "schlüssel".encode()),
        (headers(("X-Key", "schlüssel".encode())), b"schl\\u00fcssel"),
        ({"oauth2": OAUTH2}, b"cl/ient+s"),
        ({"oauth2": OAUTH2}, quote("cl/ient+s").encode()),
        ({}, WHSEC),
        ({}, WHSEC.removeprefix(b"whsec_")),
        (HIDDEN, b"https://x/services/T0/B0?key=abcd"),
        (HIDDEN, b"/services/T0/B0"),
        (HIDDEN, b"key=abcd"),
        (PARTS, b"XXXsecretXXX"),
        (PARTS, b"s3cr=t+key"),
        (PARTS, b"abcdef 123456"),
        (headers(("Authorization", b"Token abcdef12")), b"abcdef12"),
        (headers(("Authorization", b"bearer abcdef12")), b"abcdef12"),
        (headers(("Authorization", b"basic " + PAIR)), b"pass/word"),
        (headers(("X-Key", b"pw&<X9")), b"pw\\u0026\\u003cX9"),
        (headers(("X-Key", b"pw'\"X9")), b"pw&#39;&#34;X9"),
        (headers(("X-Key", b"pw/X9=")), b"pw%2fX9%3d"),
    ],
)
def test_what_comes_back_is_masked(fields: dict[str, Any], echoed: bytes) -> None:
    answer = kept(b'{"a": "' + echoed + b'", "b": "' + echoed + b'"}', **fields)
    assert answer.body == b'{"a": "***", "b": "***"}'
    assert answer.status_code == 200


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_request_that_comes_back_encoded_shows_no_token(
    before: int, encode: Callable[[bytes], bytes]
) -> None:
    """But for some bits at its ends, which are encoded together with what stands beside it."""
    token = b"to>>ken-with-?-and-more"
    answer = kept(encode(b"x" * before + token + b"\r\n\r\n"), **headers(("X-Key", token)))
    left = answer.body.replace(b"*", b"")
    assert b"***" in answer.body
    assert len(left) <= 2 * 4 + 4


def test_an_access_token_is_masked_in_the_answer_to_its_request() -> None:
    assert kept(b"you sent Bearer t0ken, t0ken", "Bearer t0ken").body == b"you sent ***, ***"


def test_what_is_told_of_a_failure_is_masked() -> None:
    answer = kept(b"", detail="the token endpoint answered 400: cl/ient+s", oauth2=OAUTH2)
    assert answer.detail == "the token endpoint answered 400: ***"


def test_what_is_no_secret_stays() -> None:
    body = b'{"url": "https://x/hook", "host": "x", "id": "me", "tok": 1}'
    assert kept(body, **BEARER).body == body
    assert kept(b"1 and 123", **headers(("X-Version", b"123"))).body == b"1 and 123"
    assert kept(b"1 and 1234", **headers(("X-Pin", b"1234"))).body == b"1 and ***"


def test_nothing_is_kept_where_nobody_wants_it() -> None:
    answer = kept(b"anything", keep_answers=False)
    assert (answer.body, answer.status_code) == (b"", 200)


def test_a_secret_across_the_end_of_what_is_kept_leaves_no_part_of_itself() -> None:
    for ahead in range(1000, 1030):
        answer = kept(b"." * ahead + b"tok/en-1" + b"." * 20, **BEARER).body
        assert answer[:ahead].rstrip(b"*") == b"." * min(ahead, 1024)
        assert b"t" not in answer
        assert len(answer) <= 1027


def test_what_stands_behind_is_not_drawn_into_what_is_kept() -> None:
    """Masks are shorter than secrets, so that the first bytes would reach further."""
    body = b"tok/en-1" * 128 + b"tok/en"
    assert kept(body, **BEARER).body == b"***" * 128


def test_secrets_that_overlap_leave_nothing_between_them() -> None:
    assert masked(b"x abcdefgh y", [b"abcdef", b"defgh"], 100) == b"x *** y"
    assert masked(b"x abcdefgh y", [b"abcdefgh", b"cdef"], 100) == b"x *** y"
    assert masked(b"abcdabcd", [b"abcd"], 100) == b"******"


secret_texts = st.binary(min_size=4, max_size=12)


@given(secrets=st.lists(secret_texts, max_size=4), noise=st.binary(max_size=20), data=st.data())
def test_no_form_of_a_secret_is_left(
    secrets: list[bytes], noise: bytes, data: st.DataObject
) -> None:
    forms = list(forms_of(secrets))
    pieces = data.draw(st.lists(st.sampled_from([*forms, noise, b" "]), max_size=8))
    text = b" ".join(pieces)
    most = data.draw(st.integers(0, len(text)))
    for piece in masked(text, forms, most).split(b"***"):
        assert not any(form in piece for form in forms)
