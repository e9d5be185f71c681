"""The local subscriber, over real HTTP, signed by an independent library."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import aiohttp
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

from hookplane.clock import Millis, SystemClock
from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane_cli.commands.sink import behaviour_of, command
from hookplane_cli.sink.arrival import Arrival, json_line, text_line, type_of
from hookplane_cli.sink.behaviour import WELL_BEHAVED, Behaviour, SinkAnswer, bad_answer
from hookplane_cli.sink.check import Checker, Signature
from hookplane_cli.sink.secrets import read_secrets
from hookplane_cli.sink.sink import Sink

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
BODY = b'{"type":"order.created","amount":42}'
NOW = SystemClock().now()


def signed(
    secret: str = SECRET, body: bytes = BODY, id_: str = "msg_1", now: Millis = NOW
) -> dict[str, str]:
    at = datetime.fromtimestamp(now // 1000, UTC)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(now // 1000),
        "webhook-signature": Webhook(secret).sign(id_, at, body.decode()),
    }


def signed_now() -> dict[str, str]:
    """For a sink that runs: it refuses what is older than some minutes."""
    return signed(now=SystemClock().now())


@pytest.mark.parametrize(
    ("secrets", "headers", "body", "found"),
    [
        ([SECRET], signed(), BODY, "ok"),
        # during a rotation both are known, and both sign
        ([OTHER, SECRET], signed(), BODY, "ok"),
        ([SECRET], {**signed(), "webhook-signature": "v1,AAAA " + signed()["webhook-signature"]},
         BODY, "ok"),
        ([OTHER], signed(), BODY, "bad"),
        ([SECRET], signed(), BODY + b" ", "bad"),
        ([SECRET], {**signed(), "webhook-id": "msg_2"}, BODY, "bad"),
        ([SECRET], {**signed(), "webhook-timestamp": "1"}, BODY, "bad"),
        ([SECRET], {**signed(), "webhook-signature": "v1,"}, BODY, "bad"),
        ([SECRET], {**signed(), "webhook-signature": "nonsense ,, v1"}, BODY, "bad"),
        ([SECRET], {"webhook-id": "msg_1"}, BODY, "none"),
        ([], signed(), BODY, "unchecked"),
    ],
)  # fmt: skip
def test_check(secrets: list[str], headers: dict[str, str], body: bytes, found: str) -> None:
    checker = Checker([Secret(secret) for secret in secrets])
    assert checker.check(headers, body, NOW) == found


@pytest.mark.parametrize("off", [-301_000, 301_000])
def test_a_right_signature_of_another_time_is_old(off: int) -> None:
    checker = Checker([Secret(SECRET)])
    assert checker.check(signed(), BODY, NOW + off) is Signature.OLD


def test_ed25519() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = "whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode()
    headers = signed()
    content = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    signature = base64.b64encode(private.sign(content)).decode()
    checker = Checker([Secret(public)])
    assert checker.check({**headers, "webhook-signature": f"v1a,{signature}"}, BODY, NOW) == "ok"
    assert checker.check(headers, BODY, NOW) is Signature.BAD
    own = Checker([Secret("whsk_" + base64.b64encode(bytes(range(32))).decode())])
    assert own.check({**headers, "webhook-signature": f"v1a,{signature}"}, BODY, NOW) == "ok"


@pytest.mark.parametrize("text", ["", "abc", "whsec_", "whsec_!!", "whpk_AAAA", "whsk_AAAA"])
def test_secrets_that_are_none(text: str) -> None:
    with pytest.raises(InvalidValue):
        Checker([Secret(text)])


def test_secrets_from_files(tmp_path: Path) -> None:
    plain, generated = tmp_path / "plain", tmp_path / "generated.json"
    plain.write_text(f"{SECRET}\n{OTHER}\n")
    generated.write_text(json.dumps({"key": SECRET, "previous": OTHER, "made": 1}))
    assert read_secrets(None, plain) == [Secret(SECRET), Secret(OTHER)]
    assert read_secrets(None, generated) == [Secret(SECRET), Secret(OTHER)]
    assert read_secrets(SECRET, None) == [Secret(SECRET)]
    with pytest.raises(InvalidValue, match="cannot be read"):
        read_secrets(None, tmp_path / "none")
    plain.write_text("{")
    with pytest.raises(InvalidValue, match="neither a secret nor JSON"):
        read_secrets(None, plain)


def statuses(behaviour: Behaviour, count: int) -> list[int]:
    random = Random(7)
    return [behaviour.reply(number, random).status for number in range(1, count + 1)]


def test_when_it_fails() -> None:
    assert statuses(WELL_BEHAVED, 3) == [200, 200, 200]
    assert statuses(Behaviour(first=2), 4) == [503, 503, 200, 200]
    assert statuses(Behaviour(SinkAnswer(410)), 3) == [410, 410, 410]
    assert statuses(Behaviour(percent=0), 20) == [200] * 20
    assert statuses(Behaviour(percent=100), 20) == [503] * 20
    assert set(statuses(Behaviour(percent=50), 50)) == {200, 503}


def test_how_it_fails() -> None:
    assert bad_answer(None, gone=False, throttle=None, stall=None) is None
    assert bad_answer(500, gone=False, throttle=None, stall=None) == SinkAnswer(500)
    assert bad_answer(None, gone=True, throttle=None, stall=None) == SinkAnswer(410)
    assert bad_answer(None, gone=False, throttle=9, stall=None) == SinkAnswer(429, retry_after=9)
    assert bad_answer(None, gone=False, throttle=None, stall=50) == SinkAnswer(200, stall=50)
    assert behaviour_of(None, None, None) == WELL_BEHAVED
    assert behaviour_of(None, 2, None) == Behaviour(first=2)
    assert behaviour_of(SinkAnswer(410), None, None) == Behaviour(SinkAnswer(410))


class Running:
    """A sink that listens, and what arrived."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.changed = asyncio.Event()
        self.sink = Sink(
            checker=Checker([Secret(SECRET)]),
            behaviour=WELL_BEHAVED,
            clock=SystemClock(),
            random=Random(7),
            arrived=self.take,
        )
        self.url = ""

    def take(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self.changed.set()

    async def post(self, headers: dict[str, str], body: bytes = BODY) -> aiohttp.ClientResponse:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/orders", data=body, headers=headers) as answer,
        ):
            return answer


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    one = Running()
    one.url = await one.sink.start("127.0.0.1", 0)
    yield one
    await one.sink.stop()


async def test_deliveries_are_told(running: Running) -> None:
    assert (await running.post(signed_now())).status == 200
    assert (await running.post({**signed_now(), "hookplane-replay": "r"})).status == 200
    assert (await running.post({})).status == 200
    first, again, bare = running.arrivals
    assert (first.path, first.type, first.size) == ("/orders", "order.created", len(BODY))
    assert (first.signature, first.attempt, first.replay) == (Signature.OK, 1, False)
    assert (again.attempt, again.replay) == (2, True)
    assert (bare.signature, bare.webhook_id, bare.attempt) == (Signature.NONE, "", 1)


async def test_it_fails_as_told(running: Running) -> None:
    running.sink.behave(Behaviour(SinkAnswer(429, retry_after=7), first=1))
    refused, taken = await running.post(signed_now()), await running.post(signed_now())
    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert taken.status == 200


async def test_the_body_is_taken_as_sent(running: Running) -> None:
    """A body that claims to be compressed is signed over the bytes on the wire."""
    headers = {**signed_now(), "Content-Encoding": "gzip"}
    assert (await running.post(headers)).status == 200
    assert running.arrivals[0].signature is Signature.OK


async def test_a_stalled_answer_ends_with_the_sink(running: Running) -> None:
    running.sink.behave(Behaviour(SinkAnswer(stall=3_600_000)))
    request = asyncio.create_task(running.post(signed_now()))
    async with asyncio.timeout(30):
        await running.changed.wait()
        await running.sink.stop()
        assert (await request).status == 200


def test_types() -> None:
    assert type_of(BODY) == "order.created"
    for body in (b"", b"[1]", b'{"type":7}', b"\xff", b'"type"'):
        assert type_of(body) == ""


ARRIVAL = Arrival(
    at=43_201_000,
    path="/orders",
    webhook_id="evt_01jdb3q9k2ffffffffffffffff",
    type="order.created",
    size=1126,
    signature=Signature.OK,
    attempt=2,
    replay=False,
    status=503,
)


def test_lines() -> None:
    assert text_line(ARRIVAL, UTC) == (
        "12:00:01 sink       /orders   evt_01jdb3q9k2ffffffffffffffff   order.created   1.1 KB   "
        "signature ok   attempt 2   answered 503"
    )
    assert json.loads(json_line(ARRIVAL)) == {
        "at": "1970-01-01T12:00:01.000Z",
        "webhookID": "evt_01jdb3q9k2ffffffffffffffff",
        "path": "/orders",
        "type": "order.created",
        "size": 1126,
        "signature": "ok",
        "attempt": 2,
        "replay": False,
        "status": 503,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail", "1", "--fail-percent", "5"], "exclude each other"),
        (["--gone", "--stall", "1"], "exclude each other"),
        (["--gone", "--status", "500"], "exclude each other"),
        (["--secret", "abc"], "begins with whsec_"),
        (["--listen", "9000"], "is not HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "is not HOST:PORT"),
    ],
)
def test_options_that_do_not_go(options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code != 0
    assert message in result.output
