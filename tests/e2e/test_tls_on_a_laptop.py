"""The partner's example on one machine, over TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time
from pathlib import Path

import aiohttp
import pytest
import yaml

from hookplane_receiver.client_certificates import NO_TLS
from support.clocks.until import until
from support.cluster.e2e import Plane
from support.http.tls import client_context, tls_settings
from support.kubernetes.pki import Authority

ROOT = Path(__file__).parents[2]
PUBLIC = "https://hooks.example.com"
BODY = b'{"message":{"id":"m-1"}}'


@pytest.fixture
def partners() -> Authority:
    return Authority("partners")


def signed() -> dict[str, str]:
    now = str(int(time.time()))
    url = f"{PUBLIC}/default/partner-erp"
    content = b".".join([now.encode(), b"POST", url.encode(), BODY])
    made = base64.b64encode(hmac.digest(b"hush", content, hashlib.sha512)).decode()
    return {
        "X-ERP-Signature": f"v1={made}",
        "X-ERP-Timestamp": now,
        "X-API-Key": "sesame",
        "X-Forwarded-For": "203.0.113.5",
    }


async def send(url: str, tls: ssl.SSLContext | bool) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/default/partner-erp", data=BODY, headers=signed(), ssl=tls) as answer,
    ):
        return answer.status


async def test_the_partners_example_is_served_with_tls(tmp_path: Path, partners: Authority) -> None:
    plane = Plane(tmp_path)
    values = {"hmac": "hush", "api-key": "sesame", "ca.crt": partners.certificate.decode()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "partner-erp"},
        "stringData": values,
    }
    plane.write("secret.yaml", yaml.safe_dump(secret))
    plane.write("partner.yaml", (ROOT / "examples" / "partner.yaml").read_text())
    tls = tls_settings(tmp_path)
    files = ("--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key))
    address = ("--tls-listen", "127.0.0.1:0")
    about = ("--public-url", PUBLIC, "--trusted-proxy", "127.0.0.1/32")
    await plane.start(*files, *address, *about)
    try:
        url = json.loads((plane.data / "run.json").read_text())["tlsURL"]
        shown = client_context(partners.client("erp.partner.example"))
        assert await send(url, shown) == 200
        assert await send(url, client_context()) == 401
        assert await send(plane.url, True) == 401
        assert f"the same at {url}" in plane.output()
        await until(lambda: NO_TLS in plane.output(), "the refusal in the activity", 60)
    finally:
        await plane.stop()
