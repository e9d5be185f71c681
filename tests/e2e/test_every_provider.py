"""What each provider sends, through `hookplane run` as its own process, to a subscriber that checks
the signature with an independent library."""

from __future__ import annotations

from pathlib import Path

from standardwebhooks import Webhook

from hookplane.providers import registry
from support.clocks.until import until
from support.cluster.e2e import plane, subscriber
from support.http.providers import PROVIDERS, WHSEC, Provider

EXAMPLES = Path(__file__).parents[2] / "examples"
SUBSCRIPTION = """
---
apiVersion: v1
kind: Secret
metadata: {{name: signing}}
stringData: {{key: {key}}}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {{name: everything}}
spec:
  endpointSelector: {{matchLabels: {{all: "yes"}}}}
  target: {{url: "{url}/in"}}
  signing: {{keys: [{{secretKeyRef: {{name: signing, key: key}}}}]}}
"""
CHAT = {
    "WhatsApp": "0123456789abcdef0123456789abcdef",
    "Messenger": "0123456789abcdef0123456789abcdef",
    "Instagram": "0123456789abcdef0123456789abcdef",
    "Telegram": "Xa9_telegram-secret",
}
"""Keys as examples/chatbot.yaml has them."""


def test_no_provider_is_left_out() -> None:
    assert {provider.name for provider in PROVIDERS} == registry.PRESETS.keys() - {"Generic"}


async def test_each_arrives_as_it_was_sent_and_signed(tmp_path: Path) -> None:
    async with subscriber() as shop, plane(tmp_path) as running:
        text = "---".join(provider.manifest() for provider in PROVIDERS)
        running.write("all", text + SUBSCRIPTION.format(key=WHSEC, url=shop.url))
        await running.start()
        sent = []
        for provider in PROVIDERS:
            made, headers = provider.request()
            status, answer = await running.post(provider.endpoint, made.body, headers)
            assert status in (200, 204), (provider.name, answer)
            sent.append(made.body)
        await until(lambda: len(shop.received) >= len(sent), "all to be delivered")
        assert sorted(seen.body for seen in shop.received) == sorted(sent)
        for seen in shop.received:
            Webhook(WHSEC).verify(seen.body, seen.headers)


async def test_one_changed_byte_is_refused_by_all(tmp_path: Path) -> None:
    async with subscriber() as shop, plane(tmp_path) as running:
        text = "---".join(provider.manifest() for provider in PROVIDERS)
        running.write("all", text + SUBSCRIPTION.format(key=WHSEC, url=shop.url))
        await running.start()
        for provider in PROVIDERS:
            made, headers = provider.request()
            headers[provider.signature_header] += "x"
            status, _ = await running.post(provider.endpoint, made.body, headers)
            assert status == 401, provider.name
        events = await running.api("GET", "/events")
        assert events["items"] == []
        assert shop.received == []


async def test_the_chatbot_example_as_it_stands(tmp_path: Path) -> None:
    async with subscriber() as bot, plane(tmp_path) as running:
        files = (str(EXAMPLES / "chatbot.yaml"),)
        await running.start("--service", f"bot={bot.url}", files=files)
        for name, key in CHAT.items():
            made, headers = Provider(name, key).request()
            status, answer = await running.post(name.lower(), made.body, headers)
            assert status == 200, answer
        await until(lambda: len(bot.received) == len(CHAT), "the bot to get all four")
        assert {seen.path for seen in bot.received} == {"/events"}
