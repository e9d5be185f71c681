"""`docs/rotation.md` step by step, while requests come."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from itertools import count
from pathlib import Path

from support.clocks.until import until
from support.cluster.e2e import Plane, plane
from support.cluster.processes import KEY, signed

NEW = b64encode(b"another key that both sides have").decode()
CHANGED = "changed: endpoint default/in"


class Provider:
    """Sends without a pause, with the key that it was told."""

    def __init__(self, at: Plane) -> None:
        self.key = KEY
        self.answers: Counter[int] = Counter()
        self._at = at

    async def send(self) -> None:
        for number in count():
            self.answers[await self.send_one(f"m{number}", self.key)] += 1

    async def send_one(self, event: str, key: str) -> int:
        return (await self._at.post("in", b"{}", signed(event, b"{}", key)))[0]

    async def sends_on(self) -> None:
        """Whatever came into force meets some requests."""
        before = self.answers.total()
        await until(lambda: self.answers.total() >= before + 10, "ten more requests")


def secret(**keys: str) -> str:
    data = ", ".join(f"{name}: {value}" for name, value in keys.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: sec}}\nstringData: {{{data}}}\n"


def endpoint(*keys: str) -> str:
    refs = ", ".join(f"{{secretKeyRef: {{name: sec, key: {x}}}}}" for x in keys)
    return (
        "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookEndpoint\nmetadata: {name: in}\n"
        f"spec: {{verification: {{keys: [{refs}]}}}}\n"
    )


async def change(running: Plane, told: str, **files: str) -> None:
    """Writes files, until the terminal says something new of them."""
    before = running.output().count(told)
    for name, text in files.items():
        running.write(name, text)
    await until(lambda: running.output().count(told) > before, told)


async def test_a_providers_key_is_exchanged_and_no_request_fails(tmp_path: Path) -> None:
    async with plane(tmp_path) as running:
        running.write("secret", secret(one=KEY))
        running.write("endpoint", endpoint("one"))
        await running.start()
        provider = Provider(running)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(provider.send())
            await exchange(running, provider)
            sending.cancel()
        assert set(provider.answers) == {200}


async def exchange(running: Plane, provider: Provider) -> None:
    running.write("secret", secret(one=KEY, two=NEW))
    await provider.sends_on()
    await change(running, 'Secret "sec" has no key "tow"', endpoint=endpoint("tow", "one"))
    await provider.sends_on()
    await change(running, CHANGED, endpoint=endpoint("two", "one"))
    await provider.sends_on()
    provider.key = NEW
    await provider.sends_on()
    await change(running, CHANGED, endpoint=endpoint("two"))
    await provider.sends_on()
    assert await provider.send_one("late", KEY) == 401
