"""Target of a subscription: URL, headers, authentication and TLS, with all Secrets in place."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from hookplane.compile.model import Absent, Options
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.config.subscription import HttpTargetConfig, OAuth2Config, TLSConfig
from hookplane.errors import InvalidValue
from hookplane.kinds.base import NamedValue, SecretKeyRef, SecretValue
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import HIDDEN_HOST, OAuth2, ServiceRef, Target, TargetTLS
from hookplane.network.addresses import AddressPolicy, check_url
from hookplane.network.certificates import check_certificates, check_pair
from hookplane.secret import Secret
from hookplane.units import parse_duration

PATH: Final = "spec.target"
MAX_HEADER_BYTES: Final = 8192
_AUTHORIZATION: Final = "Authorization"
_UNUSABLE: Final = Reason.SECRET_UNUSABLE


@dataclass(frozen=True, slots=True)
class TargetCompiler:
    """Compiles one target."""

    spec: Target
    secrets: SecretLookup
    options: Options
    problems: Problems

    def compile(self) -> HttpTargetConfig | None:
        """The target; None when its URL is missing or not allowed."""
        headers = (*self._headers(), *self._authorization())
        oauth2 = self._oauth2()
        tls = self._tls()
        url = self._url()
        if url is None:
            return None
        if tls is not None and urlsplit(url).scheme != "https":
            self.problems.error(f"{PATH}.tls", "is for https:// targets; this one is http://")
        hidden = self.spec.url_from is not None
        return HttpTargetConfig(
            url=Secret(url),
            host=HIDDEN_HOST if hidden else urlsplit(url).netloc,
            headers=headers,
            forward_headers=tuple(name.lower() for name in self.spec.forward_headers),
            oauth2=oauth2,
            tls=tls,
            timeout=parse_duration(self.spec.timeout),
            keep_answers=self.spec.keep_answers,
            services=self._service_addresses(),
        )

    def _url(self) -> str | None:
        if self.spec.url is not None:
            return self._checked(self.spec.url, f"{PATH}.url")
        if self.spec.url_from is not None:
            return self._secret_url(self.spec.url_from.secret_key_ref)
        assert self.spec.service_ref is not None  # noqa: S101 - one of three, says the model
        return self._service_url(self.spec.service_ref)

    def _secret_url(self, ref: SecretKeyRef) -> str | None:
        path = f"{PATH}.urlFrom"
        value = self.secrets.value(ref, path, self.problems)
        text = (
            None if value is None else self.problems.checked(path, lambda: _text(value), _UNUSABLE)
        )
        return None if text is None else self._checked(text.strip(), path)

    def _service_url(self, ref: ServiceRef) -> str | None:
        namespace, path = self.problems.namespace, f"{PATH}.serviceRef"
        if (why := self.options.refused_services.get(f"{namespace}/{ref.name}")) is not None:
            self.problems.missing(path, why, Reason.NOT_ALLOWED, Absent("Service", ref.name))
            return None
        if self._lacks_port(ref):
            return None
        if self.options.cluster_services:
            return f"{ref.scheme.lower()}://{ref.name}.{namespace}.svc:{ref.port}{ref.path}"
        services = self.options.services
        base = services.get(f"{namespace}/{ref.name}") or services.get(ref.name)
        if base is None:
            self.problems.missing(
                path,
                f'a laptop has no Service "{ref.name}"; say where it is: '
                f"--service {ref.name}=http://127.0.0.1:{ref.port}",
                Reason.NOT_SUPPORTED,
                Absent("Service", ref.name),
            )
            return None
        return self._checked(base.rstrip("/") + ref.path, path)

    def _lacks_port(self, ref: ServiceRef) -> bool:
        """Whether the Service is known not to have it: nobody answers there."""
        ports = self.options.service_ports.get(f"{self.problems.namespace}/{ref.name}", ())
        if not ports or ref.port in ports:
            return False
        found = ", ".join(map(str, sorted(ports)))
        why = f'Service "{ref.name}" has no port {ref.port}; it has {found}'
        absent = Absent("Service", ref.name)
        self.problems.missing(f"{PATH}.serviceRef.port", why, Reason.NOT_ALLOWED, absent)
        return True

    def _service_addresses(self) -> tuple[str, ...]:
        ref = self.spec.service_ref
        if ref is None:
            return ()
        return self.options.service_addresses.get(f"{self.problems.namespace}/{ref.name}", ())

    def _checked(self, url: str, path: str) -> str | None:
        options = self.options
        policy = AddressPolicy(
            loopback=options.loopback_allowed, allowed=options.allowed_cidrs, own=options.own
        )
        with self.problems.checking(path, Reason.NOT_ALLOWED):
            check_url(url, policy)
            return url
        return None

    def _headers(self) -> list[tuple[str, Secret]]:
        headers = []
        for index, header in enumerate(self.spec.headers):
            path = f"{PATH}.headers[{index}]"
            value = self._header_value(header, path)
            if value is not None:
                with self.problems.checking(path, _UNUSABLE):
                    _check_header(value)
                    headers.append((header.name, value))
        return headers

    def _header_value(self, header: NamedValue, path: str) -> Secret | None:
        if header.value_from is None:
            return Secret(header.value or "")
        ref = header.value_from.secret_key_ref
        return self.secrets.value(ref, f"{path}.valueFrom", self.problems)

    def _authorization(self) -> list[tuple[str, Secret]]:
        """The header for basic or bearer authentication. A token of OAuth 2 is fetched when
        something is sent, so it is not here."""
        own = self.spec.authentication
        if own is None:
            return []
        if any(header.name.lower() == _AUTHORIZATION.lower() for header in self.spec.headers):
            message = f"headers set {_AUTHORIZATION} already; remove one of the two"
            self.problems.error(f"{PATH}.authentication", message)
        if own.bearer is not None:
            token = self._credential(own.bearer.token, "bearer.token")
            return _authorization(b"Bearer ", token)
        if own.basic is not None:
            password = self._credential(own.basic.password, "basic.password")
            user = own.basic.username.encode()
            pair = password and Secret(base64.b64encode(user + b":" + password.reveal()))
            return _authorization(b"Basic ", pair)
        return []

    def _oauth2(self) -> OAuth2Config | None:
        own = self.spec.authentication
        spec: OAuth2 | None = None if own is None else own.oauth2
        if spec is None:
            return None
        secret = self._credential(spec.client_secret, "oauth2.clientSecret")
        self._checked(spec.token_url, f"{PATH}.authentication.oauth2.tokenURL")
        if secret is None:
            return None
        return OAuth2Config(
            token_url=spec.token_url,
            client_id=spec.client_id,
            client_secret=secret,
            scopes=tuple(spec.scopes),
        )

    def _credential(self, ref: SecretValue, field: str) -> Secret | None:
        path = f"{PATH}.authentication.{field}"
        value = self.secrets.value(ref.secret_key_ref, path, self.problems)
        if value is not None:
            with self.problems.checking(path, _UNUSABLE):
                _check_header(value)
        return value

    def _tls(self) -> TLSConfig | None:
        spec: TargetTLS | None = self.spec.tls
        if spec is None:
            return None
        certificate, key = self._client_certificate(spec)
        return TLSConfig(
            ca=None if spec.ca is None else self._authorities(spec.ca.secret_key_ref),
            certificate=None if certificate is None else _text(certificate),
            private_key=key,
        )

    def _authorities(self, ref: SecretKeyRef) -> str | None:
        path = f"{PATH}.tls.ca"
        value = self.secrets.value(ref, path, self.problems)
        if value is None:
            return None
        with self.problems.checking(path, _UNUSABLE):
            check_certificates(value)
            return _text(value)
        return None

    def _client_certificate(self, spec: TargetTLS) -> tuple[Secret | None, Secret | None]:
        if spec.client_certificate_ref is None:
            return None, None
        path = f"{PATH}.tls.clientCertificateRef"
        name = spec.client_certificate_ref.name
        certificate, key = (
            self.secrets.value(SecretKeyRef(name=name, key=part), path, self.problems)
            for part in ("tls.crt", "tls.key")
        )
        if certificate is not None and key is not None:
            with self.problems.checking(path, _UNUSABLE):
                check_pair(certificate, key)
        return certificate, key


def _authorization(scheme: bytes, credential: Secret | None) -> list[tuple[str, Secret]]:
    if credential is None:
        return []
    return [(_AUTHORIZATION, Secret(scheme + credential.reveal()))]


def _check_header(value: Secret) -> None:
    """Raises InvalidValue for control characters (RFC 9110 §5.5), with which a value could add
    headers of its own, and for values that are too long."""
    raw = value.reveal()
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in raw):
        raise InvalidValue("the value has a line break or another control character in it")
    if len(raw) > MAX_HEADER_BYTES:
        raise InvalidValue(f"the value is longer than {MAX_HEADER_BYTES} bytes")


def _text(value: Secret) -> str:
    try:
        return value.reveal().decode()
    except UnicodeDecodeError:
        raise InvalidValue("the value is not UTF-8 text") from None
