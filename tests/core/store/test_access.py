"""Whom a connection to the database believes, and with what it shows who we are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from support.kubernetes.pki import Authority, Pair

AUTHORITY = Authority("database")


def access(**files: Any) -> StoreAccess:
    return StoreAccess(Secret("postgresql://database/hookplane"), **files)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    file = tmp_path / "ca.crt"
    file.write_bytes(AUTHORITY.certificate)
    return file


def written(folder: Path, pair: Pair) -> dict[str, Path]:
    files = {"tls_certificate_file": folder / "tls.crt", "tls_key_file": folder / "tls.key"}
    files["tls_certificate_file"].write_bytes(pair.certificate)
    files["tls_key_file"].write_bytes(pair.key)
    return files


@pytest.mark.parametrize(
    ("dsn", "places"),
    [
        ("postgresql://u:p@DB.example.com./hookplane", [("db.example.com", 5432)]),
        (
            "postgresql://u:p@one:6432,[FD00::1],10.0.0.5:7000/h",
            [
                ("one", 6432),
                ("fd00::1", 5432),
                ("10.0.0.5", 7000),
            ],
        ),
        ("postgresql:///h?host=db,fd00::2&port=6432", [("db", 6432), ("fd00::2", 6432)]),
        ("postgresql://%2Frun%2Fpostgresql/h", []),
        ("postgresql:///h?host=/run/postgresql", []),
    ],
)
def test_where_a_database_listens(dsn: str, places: list[tuple[str, int]]) -> None:
    assert sorted(StoreAccess(Secret(dsn)).places()) == sorted(places)


def test_without_files_the_address_decides() -> None:
    assert access().tls_context() is None


def test_an_authority_alone_is_believed_and_the_name_is_checked(authority: Path) -> None:
    context = access(tls_ca_file=authority).tls_context()
    assert context is not None
    subjects = [dict(x[0] for x in ca["subject"]) for ca in context.get_ca_certs()]  # type: ignore[misc]
    assert subjects == [{"commonName": "database"}]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_certificate_alone_is_shown_to_a_server_that_the_system_believes(tmp_path: Path) -> None:
    context = access(**written(tmp_path, AUTHORITY.client("hookplane"))).tls_context()
    assert context is not None
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_certificate_with_the_key_of_another_is_refused(tmp_path: Path) -> None:
    files = written(tmp_path, AUTHORITY.client("hookplane"))
    files["tls_key_file"].write_bytes(AUTHORITY.client("other").key)
    with pytest.raises(ssl.SSLError):
        access(**files).tls_context()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        access(tls_ca_file=tmp_path / "ca.crt").tls_context()


async def test_a_password_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b" pass word \r\n")
    assert await access(password_file=file).read_password() == " pass word "
