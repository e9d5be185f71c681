"""Settings of processes: from the environment, all problems at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.errors import InvalidValue
from hookplane.sealing_keys import new_sealing_key
from hookplane.secret import Secret
from hookplane_cli.process.settings import process_settings, store_settings
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.settings import QuotaSettings, TlsSettings

DSN = "postgresql://user:hunter2@db/hookplane"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(new_sealing_key())
    return file


def test_the_least_that_is_needed(keys: Path) -> None:
    found = process_settings(
        "receiver", {"HOOKPLANE_STORE": DSN, "HOOKPLANE_SEALING_KEYS_FILE": str(keys)}
    )
    assert found.store.access.dsn == Secret(DSN)
    assert found.listen == ("[::]", 8080)
    assert found.health == ("[::]", 8081)
    assert found.grace == 20_000
    assert found.instance
    assert found.receiver().limits == IngressLimits()
    assert found.quotas == QuotaSettings()
    assert found.warnings == ()
    assert "hunter2" not in repr(found)


def test_a_console_listens_at_the_loopback_and_needs_no_keys(keys: Path) -> None:
    least = {"HOOKPLANE_STORE": DSN}
    found = process_settings("console", least)
    assert (found.listen, found.trigger, found.store.keys) == (("127.0.0.1", 8090), False, None)
    with_keys = least | {"HOOKPLANE_SEALING_KEYS_FILE": str(keys)}
    assert process_settings("console", with_keys).store.keys is None
    signing = process_settings("console", with_keys | {"HOOKPLANE_TRIGGER": "true"})
    assert (signing.trigger, signing.store.keys) == (True, keys)
    with pytest.raises(InvalidValue, match="HOOKPLANE_SEALING_KEYS_FILE: it is missing"):
        process_settings("console", least | {"HOOKPLANE_TRIGGER": "true"})


def test_where_nothing_is_sent(keys: Path) -> None:
    """To the database and the API server, and to what the platform names."""
    own = process_settings(
        "dispatcher",
        {
            "HOOKPLANE_STORE": "postgresql://user@db:6432/hookplane",
            "HOOKPLANE_SEALING_KEYS_FILE": str(keys),
            "HOOKPLANE_REFUSED_TARGETS": "operator.system.svc.cluster.local, metrics.example:9090",
            "KUBERNETES_SERVICE_HOST": "fd00::1",
        },
    ).own
    assert own == {
        ("db", 6432),
        ("operator.system.svc.cluster.local", 0),
        ("metrics.example", 9090),
        ("fd00::1", 0),
    }


def test_tls_needs_a_certificate_and_its_key(keys: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.touch()
    key.touch()
    least = {"HOOKPLANE_STORE": DSN, "HOOKPLANE_SEALING_KEYS_FILE": str(keys)}
    half = least | {"HOOKPLANE_TLS_CERTIFICATE_FILE": str(certificate)}
    assert process_settings("receiver", least).tls is None
    found = process_settings("receiver", half | {"HOOKPLANE_TLS_KEY_FILE": str(key)}).tls
    assert found == TlsSettings("[::]:8443", certificate, key)
    with pytest.raises(InvalidValue, match="HOOKPLANE_TLS_KEY_FILE: it is missing"):
        process_settings("receiver", half)
    with pytest.raises(InvalidValue, match="HOOKPLANE_TLS_LISTEN: there is no"):
        process_settings("receiver", least | {"HOOKPLANE_TLS_LISTEN": "127.0.0.1:1"})


def test_everything_can_be_said(keys: Path, tmp_path: Path) -> None:
    dsn = tmp_path / "dsn"
    dsn.write_text(DSN + "\n")
    found = process_settings(
        "dispatcher",
        {
            "HOOKPLANE_STORE_FILE": str(dsn),
            "HOOKPLANE_STORE_PASSWORD_FILE": str(dsn),
            "HOOKPLANE_SEALING_KEYS_FILE": str(keys),
            "HOOKPLANE_INSTANCE": "d-0",
            "HOOKPLANE_HEALTH": "off",
            "HOOKPLANE_ALLOWED_CIDRS": "10.0.0.0/8, 192.168.1.1/24",
            "HOOKPLANE_ALLOW_LOOPBACK": "true",
            "HOOKPLANE_GRACE": "1m",
            "HOOKPLANE_RETENTION_EVENTS": "48h",
            "HOOKPLANE_RETENTION_SIZE": "1Gi",
            "HOOKPLANE_GATEWAY": "system/default",
            "HOOKPLANE_QUOTA_STORED_BYTES": "2Gi",
            "HOOKPLANE_QUOTA_EVENTS_PER_SECOND": "500",
            "HOOKPLANE_UNVERIFIED_BYTES": "128Mi",
            "HOOKPLANE_CONNECTIONS": "500",
            "HOOKPLANE_CONNECTIONS_PER_PEER": "100",
        },
    )
    assert found.store.access.dsn == Secret(DSN)
    assert found.store.access.password_file == dsn
    assert (found.instance, found.health, found.allow_loopback) == ("d-0", None, True)
    assert found.allowed_cidrs == ("10.0.0.0/8", "192.168.1.0/24")
    assert (found.retention.events, found.retention.total_bytes) == (48 * 3_600_000, 1 << 30)
    limits = found.receiver().limits
    assert limits.unverified_bytes == 128 << 20
    assert (limits.connections, limits.connections_per_peer) == (500, 100)
    assert found.quotas == QuotaSettings(2 << 30, 500, "system/default")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue) as caught:
        process_settings(
            "receiver",
            {
                "HOOKPLANE_STORE": "mysql://user:hunter2@db/x",
                "HOOKPLANE_SEALING_KEYS_FILE": str(tmp_path / "none"),
                "HOOKPLANE_LISTEN": "8080",
                "HOOKPLANE_HEALTH": "nowhere",
                "HOOKPLANE_TRUSTED_PROXIES": "10.0.0.0/33",
                "HOOKPLANE_UNVERIFIED_BYTES": "31Mi",
                "HOOKPLANE_CONNECTIONS": "0",
                "HOOKPLANE_CONNECTIONS_PER_PEER": "many",
                "HOOKPLANE_ALLOW_LOOPBACK": "maybe",
                "HOOKPLANE_LOG": "loud",
                "HOOKPLANE_GRACE": "soon",
                "HOOKPLANE_QUOTA_STORED_BYTES": "lots",
                "HOOKPLANE_QUOTA_EVENTS_PER_SECOND": "0",
                "HOOKPLANE_RETENTION_SIZE": "much",
                "HOOKPLANE_STORE_TLS_KEY_FILE": str(tmp_path / "none"),
            },
        )
    message = str(caught.value)
    named = [line.partition(":")[0].removeprefix("HOOKPLANE_") for line in message.splitlines()]
    assert named == [
        "STORE",
        "STORE_TLS_KEY_FILE",
        "SEALING_KEYS_FILE",
        "LISTEN",
        "HEALTH",
        "TRUSTED_PROXIES",
        "UNVERIFIED_BYTES",
        "CONNECTIONS",
        "CONNECTIONS_PER_PEER",
        "ALLOW_LOOPBACK",
        "LOG",
        "GRACE",
        "QUOTA_STORED_BYTES",
        "QUOTA_EVENTS_PER_SECOND",
        "RETENTION_SIZE",
    ]
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "HOOKPLANE_STORE: it is missing"),
        ({"HOOKPLANE_STORE": DSN, "HOOKPLANE_STORE_FILE": __file__}, "give one of them only"),
        ({"HOOKPLANE_STORE_FILE": __file__}, "HOOKPLANE_STORE_FILE: it is a URL such as"),
        (
            {"HOOKPLANE_STORE": DSN, "HOOKPLANE_STORE_TLS_KEY_FILE": __file__},
            "HOOKPLANE_STORE_TLS_CERTIFICATE_FILE: it is missing",
        ),
    ],
)
def test_a_store_must_be_named_rightly(given: dict[str, str], expected: str) -> None:
    with pytest.raises(InvalidValue, match=expected):
        store_settings("apply", environment=given)


def test_a_dsn_of_the_command_line_goes_before() -> None:
    found = store_settings("apply", DSN, {"HOOKPLANE_STORE_FILE": "/nowhere"})
    assert found.access.dsn == Secret(DSN)


def test_a_name_that_nobody_reads_is_told(keys: Path) -> None:
    found = process_settings(
        "receiver",
        {
            "HOOKPLANE_STORE": DSN,
            "HOOKPLANE_SEALING_KEYS_FILE": str(keys),
            "HOOKPLANE_LISTNE": "x",
        },
    )
    assert found.warnings == ('HOOKPLANE_LISTNE is not known; did you mean "HOOKPLANE_LISTEN"?',)
