"""`hookplane run` as a process of its own: real files, real HTTP, real signals."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook
from yarl import URL

from hookplane_cli.main import main
from support.clocks.until import PATIENCE, until
from support.cluster.e2e import Plane, Received, Subscriber, plane, subscriber

MANIFEST = """
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: orders}}
spec: {endpoint}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {{name: shop}}
spec:
  endpointRefs: [{{name: orders}}]
  target: {{url: "{url}/in"}}
  delivery:
    retry: {{schedule: [100ms, 100ms, 100ms, 1s, 1s, 1s, 1s, 1s]}}
    circuit: {{failures: 1000}}
"""
BODY = b'{"type":"order.created","data":{}}'


@pytest.fixture
async def shop() -> AsyncIterator[Subscriber]:
    async with subscriber() as running:
        yield running


@pytest.fixture
async def laptop(tmp_path: Path) -> AsyncIterator[Plane]:
    async with plane(tmp_path) as running:
        yield running


def manifest(url: str, endpoint: str = "{}") -> str:
    return MANIFEST.format(url=url, endpoint=endpoint)


def key(laptop: Plane, name: str) -> str:
    file = laptop.data / "secrets" / "default" / f"{name}.json"
    return str(json.loads(file.read_bytes())["key"])


async def send(laptop: Plane, event: str, secret: str = "") -> int:
    """A signed event; gives the status code."""
    now = datetime.now(UTC)
    signature = Webhook(secret or key(laptop, "orders-verification")).sign(
        event, now, BODY.decode()
    )
    headers = {
        "webhook-id": event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    return (await laptop.post("orders", BODY, headers))[0]


async def output_has(laptop: Plane, text: str) -> None:
    await until(lambda: text in laptop.output(), f"{text!r} in the output")


async def run_once(*arguments: str) -> tuple[int | None, str]:
    """A command that ends by itself: exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookplane_cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, out.decode()


async def test_from_a_signed_post_to_a_signed_delivery(laptop: Plane, shop: Subscriber) -> None:
    laptop.write("a", manifest(shop.url))
    await laptop.start()
    assert await send(laptop, "one") == 200
    await until(lambda: shop.received, "the delivery")
    (seen,) = shop.received
    assert (seen.path, seen.body) == ("/in", BODY)
    Webhook(key(laptop, "shop-signing")).verify(seen.body, seen.headers)
    banner = laptop.output()
    assert f"POST {laptop.url}/default/orders" in banner
    assert f"key: hookplane secret orders-verification --data {laptop.data}" in banner
    code, out = await run_once("secret", "orders-verification", "--data", str(laptop.data))
    assert (code, out.strip()) == (0, key(laptop, "orders-verification"))
    assert await laptop.stop() == 0
    assert not (laptop.data / "run.json").exists()


async def test_an_edit_takes_effect_and_a_mistake_does_not(laptop: Plane, shop: Subscriber) -> None:
    async with subscriber() as other:
        laptop.write("a", manifest(shop.url))
        await laptop.start()
        await send(laptop, "one")
        await until(lambda: shop.received, "the first delivery")
        laptop.write("a", manifest(other.url))
        await output_has(laptop, "changed: subscription default/shop")
        laptop.write("a", manifest("ftp://nowhere", "{suspend: 5}"))
        await output_has(laptop, "spec.suspend: must be true or false")
        await output_has(laptop, 'spec.target.url: "ftp://nowhere/in" is not')
        assert await send(laptop, "two") == 200
        await until(lambda: other.received, "a delivery to the new target")
        assert len(shop.received) == 1
        laptop.write("a", manifest(shop.url, "{suspend: true}"))
        await output_has(laptop, "no problems any more")
        await laptop.until_api(
            "/endpoints", lambda x: any(i["suspended"] for i in x["items"]), "the suspension"
        )
        assert await send(laptop, "three") == 503


async def test_another_key_in_a_secret_takes_effect(laptop: Plane, shop: Subscriber) -> None:
    old, new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {{name: k}}\nstringData: {{k: {}}}\n"
    endpoint = "{verification: {keys: [{secretKeyRef: {name: k, key: k}}]}}"
    laptop.write("secret", secret.format(old))
    laptop.write("a", manifest(shop.url, endpoint))
    await laptop.start()
    assert await send(laptop, "one", old) == 200
    laptop.write("secret", secret.format(new))
    await output_has(laptop, "changed: endpoint default/orders")
    await until_status(laptop, "two", old, 401)
    assert await send(laptop, "three", new) == 200


async def until_status(laptop: Plane, event: str, secret: str, status: int) -> None:
    async def holds() -> bool:
        return await send(laptop, event, secret) == status

    await until(holds, f"an answer {status}")


async def test_nothing_is_lost_over_a_restart(laptop: Plane, shop: Subscriber) -> None:
    def unavailable(_: Received) -> web.Response:
        return web.Response(status=500)

    shop.answer = unavailable
    laptop.write("a", manifest(shop.url))
    await laptop.start()
    sent = [f"event-{number}" for number in range(20)]
    assert [await send(laptop, event) for event in sent] == [200] * 20
    await until(lambda: shop.received, "a first attempt")
    assert await laptop.stop() == 0
    shop.received.clear()
    shop.answer = Subscriber().answer
    await laptop.start()
    await laptop.until_api(
        "/subscriptions", lambda x: x["items"][0]["delivery"]["delivered"] == 20, "20 deliveries"
    )
    assert len(set(shop.events)) == 20


async def test_a_data_folder_or_a_port_that_is_taken(
    laptop: Plane, shop: Subscriber, tmp_path: Path
) -> None:
    laptop.write("a", manifest(shop.url))
    await laptop.start()
    arguments = ["run", "-f", str(laptop.manifests), "--admin", "127.0.0.1:0"]
    code, out = await run_once(*arguments, "--data", str(laptop.data), "--listen", "127.0.0.1:0")
    assert code == 1
    assert "is in use by another `hookplane run`" in out
    taken = laptop.url.removeprefix("http://")
    code, out = await run_once(*arguments, "--data", str(tmp_path / "other"), "--listen", taken)
    assert (code, f"{taken} is in use; give another one with --listen" in out) == (1, True)


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        (("--connections-per-peer", "2"), "peer"),
        (("--connections", "2"), "process"),
        (("--connections", "2", "--trusted-proxy", "127.0.0.1/32"), "process"),
    ],
)
async def test_so_many_connections_are_open_at_most(
    laptop: Plane, options: tuple[str, ...], bound: str
) -> None:
    await laptop.start(*options)
    lines = [await asyncio.open_connection("127.0.0.1", URL(laptop.url).port) for _ in range(3)]
    assert await asyncio.wait_for(lines[0][0].read(), PATIENCE) == b""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{laptop.admin}/metrics") as answer,
    ):
        told = (await answer.text()).splitlines()
    assert "hookplane_connections 2.0" in told
    assert f'hookplane_connections_shed_total{{bound="{bound}"}} 1.0' in told
    for _, writer in lines:
        writer.close()


async def test_variables_of_other_commands_are_not_read_and_that_is_said(
    laptop: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKPLANE_CONNECTIONS", "none")
    monkeypatch.setenv("HOOKPLANE_DATA", str(laptop.data))
    await laptop.start()
    told = [line for line in laptop.output().splitlines() if line.startswith("warning: ")]
    assert told == [
        "warning: `hookplane run` does not read HOOKPLANE_CONNECTIONS; it takes options"
    ]


async def test_json_lines_for_machines(laptop: Plane, shop: Subscriber) -> None:
    laptop.write("a", manifest(shop.url))
    await laptop.start("--log", "json")
    await send(laptop, "one")
    await until(lambda: shop.received, "the delivery")
    assert await laptop.stop() == 0
    lines = [json.loads(line) for line in laptop.output().splitlines()]
    events = [line["event"] for line in lines]
    assert events[:2] == ["config", "ready"]
    assert {"received", "delivered"} <= set(events)
    assert "stopping" in events
    assert lines[1]["url"] == laptop.url


async def test_a_second_signal_does_not_wait(laptop: Plane, shop: Subscriber) -> None:
    shop.hold = asyncio.Event()
    laptop.write("a", manifest(shop.url))
    await laptop.start()
    await send(laptop, "one")
    await until(lambda: shop.concurrent, "a delivery under way")
    assert laptop.process is not None
    laptop.process.terminate()
    await output_has(laptop, "stopping")
    laptop.process.terminate()
    assert await asyncio.wait_for(laptop.process.wait(), PATIENCE) == 143
    shop.hold.set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "nowhere"], "nowhere: there is no such file or folder"),
        (["-f", ".", "--service", "bot"], "bot is not NAME=URL"),
        (["-f", ".", "--retention", "soon"], '"soon" is not a duration'),
        (["-f", ".", "--retention", "1s"], "is too short"),
        (["-f", ".", "--trusted-proxy", "here"], "does not appear to be"),
        (["-f", ".", "--connections", "0"], '"0" is not a whole number from 1'),
        (["-f", ".", "--unverified-bytes", "1Mi"], '"1Mi" is less than one body may have'),
        (["-f", ".", "--listen", "8080"], "8080 is not HOST:PORT"),
        (["-f", ".", "--public-url", "hooks.example.com"], "the URL has no scheme and host"),
        ([], "Missing option"),
    ],
)
def test_wrong_options_are_said(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["run", *arguments])
    assert result.exit_code in (1, 2)
    assert message in result.output
