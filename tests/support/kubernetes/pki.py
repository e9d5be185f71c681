"""Certificates that tests make, and kubeconfigs of a control plane."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
EARLIER = datetime.timedelta(minutes=-5)
A_DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A key with its certificate, as PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """Issues certificates that are good for a day unless a test wants them otherwise."""

    def __init__(self, name: str, parent: Authority | None = None) -> None:
        """`parent`: who vouches for it."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        issuer = parent or self
        made = issuer._certificate(self._name, self._key.public_key(), _usage(is_ca=True))
        self.certificate = made.public_bytes(serialization.Encoding.PEM)

    @property
    def key(self) -> bytes:
        return _pem(self._key)

    @classmethod
    def of(cls, pair: Pair) -> Authority:
        """Somebody who issues with a certificate that may not be for that."""
        made = cls.__new__(cls)
        key = serialization.load_pem_private_key(pair.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        made._key = key
        made._name = x509.load_pem_x509_certificate(pair.certificate).subject
        made.certificate = pair.certificate
        return made

    def client(
        self,
        user: str,
        group: str | None = None,
        *,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        starts: datetime.timedelta = EARLIER,
        ends: datetime.timedelta = A_DAY,
        key: Key | None = None,
    ) -> Pair:
        """`starts` and `ends`: from now on."""
        return self._issue(_name(user, group), usage, (), starts, ends, key)

    def server(self, user: str, names: Sequence[str], addresses: Sequence[str]) -> Pair:
        known: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        known += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._issue(_name(user), ExtendedKeyUsageOID.SERVER_AUTH, known)

    def _issue(
        self,
        name: x509.Name,
        usage: x509.ObjectIdentifier | None,
        names: Sequence[x509.GeneralName],
        starts: datetime.timedelta = EARLIER,
        ends: datetime.timedelta = A_DAY,
        key: Key | None = None,
    ) -> Pair:
        key = key or ec.generate_private_key(ec.SECP256R1())
        more: list[x509.ExtensionType] = []
        if usage is not None:
            more.append(x509.ExtendedKeyUsage([usage]))
        if names:
            more.append(x509.SubjectAlternativeName(names))
        made = self._certificate(name, key.public_key(), _usage(is_ca=False), more, starts, ends)
        return Pair(_pem(key), made.public_bytes(serialization.Encoding.PEM))

    def _certificate(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        usage: x509.KeyUsage,
        more: Sequence[x509.ExtensionType] = (),
        starts: datetime.timedelta = EARLIER,
        ends: datetime.timedelta = A_DAY,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        is_ca = usage.key_cert_sign
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(own, critical=False)
            .add_extension(usage, critical=True)
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def service_account_keys() -> Pair:
    """A private key and, in place of a certificate, its public key."""
    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(_pem(key), key.public_key().public_bytes(*form))


def kubeconfig(server: str, authority: bytes, user: dict[str, Any]) -> str:
    """`user`: as in a kubeconfig, `{"token": …}` or what `client_user` gives."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": server, "certificate-authority-data": _text(authority)},
                }
            ],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "test",
        }
    )


def client_user(pair: Pair) -> dict[str, str]:
    return {
        "client-certificate-data": _text(pair.certificate),
        "client-key-data": _text(pair.key),
    }


def write_pair(folder: Path, name: str, pair: Pair) -> None:
    for suffix, content in (("key", pair.key), ("crt", pair.certificate)):
        path = folder / f"{name}.{suffix}"
        path.touch(mode=0o600)
        path.write_bytes(content)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _name(user: str, group: str | None = None) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
