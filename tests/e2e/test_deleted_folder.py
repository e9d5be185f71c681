"""A data folder that is deleted under a `hookplane run` at work."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest

from hookplane.store.sqlite.worker import EXIT_CODE
from support.clocks.until import PATIENCE
from support.cluster.e2e import KEYED_ENDPOINT, plane

MANIFEST = (
    KEYED_ENDPOINT
    + """
  provider: Generic
  verification: {apiKey: {keys: [{secretKeyRef: {name: key, key: key}}]}}
"""
)


async def test_nothing_is_acknowledged_once_the_folder_is_gone(tmp_path: Path) -> None:
    key = {"X-API-Key": "generic-secret"}
    async with plane(tmp_path) as running:
        running.write("in", MANIFEST)
        await running.start()
        assert (await running.post("in", b"{}", key))[0] == 200
        shutil.rmtree(running.data)
        with pytest.raises(aiohttp.ClientError):
            await running.post("in", b"{}", key)
        assert running.process is not None
        assert await asyncio.wait_for(running.process.wait(), PATIENCE) == EXIT_CODE
        assert "was deleted, moved or replaced while it was in use" in running.output()
