"""Verification of an endpoint: the preset and the user's settings become one scheme with its
keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hookplane.compile.bounds import TOLERANCE, bounded
from hookplane.compile.generated import VERIFICATION_SUFFIX, GeneratedKeys
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.config.endpoint import ApiKey, Basic, ClientCertificate
from hookplane.errors import InvalidValue
from hookplane.kinds.base import NamedValue, Rotation, SecretValue
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import (
    ApiKeySpec,
    BasicSpec,
    BearerSpec,
    ClientCertificateSpec,
    SignatureSpec,
    TimestampSource,
    Verification,
)
from hookplane.network.certificates import check_certificates, check_subject
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.registry import HANDSHAKES
from hookplane.secret import Secret
from hookplane.signatures.keys import SHORTEST_KEY, check_key, is_short
from hookplane.signatures.scheme import (
    Algorithm,
    Encoding,
    KeyEncoding,
    Layout,
    SignatureScheme,
    Timestamp,
    TimeUnit,
)
from hookplane.signatures.template import check_template

PATH: Final = "spec.verification"


@dataclass(frozen=True, slots=True)
class VerificationCompiler:
    """Compiles the parts of one endpoint's verification and adds what is wrong to `problems`."""

    spec: Verification
    preset: Preset
    secrets: SecretLookup
    problems: Problems

    def keys(self, name: str, generated: GeneratedKeys) -> dict[str, Secret]:
        """The keys that requests are signed with, by their paths: the user's, or the generated ones
        of endpoint `name`."""
        if self.spec.keys is not None:
            if self._signed:
                return self.secrets.values(self.spec.keys, f"{PATH}.keys", self.problems)
            self.problems.error(f"{PATH}.keys", "nothing uses them; set signature or remove keys")
        elif self.preset.generated_key is not None:
            secret = f"{name}{VERIFICATION_SUFFIX}"
            kind = self.preset.generated_key
            return generated.keys(secret, kind, self.spec.rotation, PATH)
        elif self._signed:
            self.problems.error(f"{PATH}.keys", f"is required. {self.preset.doc}")
        self._refuse_rotation(self.spec.rotation)
        return {}

    def variant(self, keys: Mapping[str, Secret]) -> Variant:
        """The variant of the preset that fits keys of this form."""
        values = tuple(keys.values())
        chosen = self.problems.checked(
            f"{PATH}.keys", lambda: self.preset.variant(values), Reason.SECRET_UNUSABLE
        )
        return chosen or self.preset.variant()

    def signature(self, variant: Variant, keys: Mapping[str, Secret]) -> SignatureScheme | None:
        """The scheme, the user's before the preset's; a key that does not fit it is an error. None:
        requests are not signed."""
        own = self.spec.signature
        scheme = variant.signature if own is None else _scheme(own, self.problems)
        if scheme is not None:
            self._check_keys(scheme, keys)
            self._check_content(scheme)
        return scheme

    def handshake(self) -> str | None:
        """Name of the handshake, the preset's or the user's; None: there is none."""
        return self.preset.handshake or self.spec.handshake

    def parameters(self) -> dict[str, Secret]:
        """What the provider or the handshake needs besides keys, by name."""
        handshake = HANDSHAKES.get(self.handshake() or "")
        needed = () if handshake is None else handshake.parameters
        path = f"{PATH}.parameters"
        values: dict[str, Secret] = {}
        for index, parameter in enumerate(self.spec.parameters):
            place = f"{path}[{index}]"
            if parameter.name not in needed:
                self.problems.error(f"{place}.name", self._unknown(parameter.name, needed))
            elif (value := self._value(parameter, place)) is not None:
                values[parameter.name] = value
        given = {parameter.name for parameter in self.spec.parameters}
        for name in needed:
            if name not in given:
                self.problems.error(path, f'"{name}" is required. {self.preset.doc}')
        return values

    def api_key(self) -> ApiKey | None:
        spec: ApiKeySpec | None = self.spec.api_key
        if spec is None:
            return None
        keys = self._tokens(spec.keys, f"{PATH}.apiKey.keys")
        return ApiKey(header=spec.header.lower(), keys=keys)

    def basic(self) -> Basic | None:
        spec: BasicSpec | None = self.spec.basic
        if spec is None:
            return None
        passwords = self._tokens(spec.passwords, f"{PATH}.basic.passwords")
        return Basic(username=spec.username, passwords=passwords)

    def bearer(self) -> tuple[Secret, ...]:
        spec: BearerSpec | None = self.spec.bearer
        return () if spec is None else self._tokens(spec.tokens, f"{PATH}.bearer.tokens")

    def client_certificate(self, receiver_tls: bool) -> ClientCertificate | None:
        """`receiver_tls`: whether there is a receiver that asks for certificates."""
        spec: ClientCertificateSpec | None = self.spec.client_certificate
        if spec is None:
            return None
        path = f"{PATH}.clientCertificate"
        authorities = self.secrets.value(spec.ca.secret_key_ref, f"{path}.ca", self.problems)
        if authorities is not None:
            with self.problems.checking(f"{path}.ca", Reason.SECRET_UNUSABLE):
                check_certificates(authorities)
        for index, subject in enumerate(spec.subjects):
            with self.problems.checking(f"{path}.subjects[{index}]"):
                check_subject(subject)
        if not receiver_tls:
            message = (
                "client certificates can only be asked for where the receiver itself ends TLS; "
                "this one does not, so the URL answers 503"
            )
            self.problems.missing(path, message, Reason.NOT_SUPPORTED)
        return ClientCertificate(
            authorities=authorities or Secret(""), subjects=tuple(spec.subjects)
        )

    @property
    def _signed(self) -> bool:
        by_preset = any(variant.signature is not None for variant in self.preset.variants)
        return by_preset or self.spec.signature is not None

    def _refuse_rotation(self, rotation: Rotation | None) -> None:
        if rotation is not None:
            message = f"is for generated keys; {self.preset.name} has none"
            self.problems.error(f"{PATH}.rotation", message)

    def _check_content(self, scheme: SignatureScheme) -> None:
        if scheme.algorithm is not Algorithm.EQUALITY:
            with self.problems.checking(f"{PATH}.signature.content"):
                check_template(scheme.content)

    def _check_keys(self, scheme: SignatureScheme, keys: Mapping[str, Secret]) -> None:
        for place, key in keys.items():
            with self.problems.checking(place, Reason.SECRET_UNUSABLE):
                check_key(scheme, key)
                self._note_short(place, key)

    def _tokens(self, refs: list[SecretValue], path: str) -> tuple[Secret, ...]:
        tokens = self.secrets.values(refs, path, self.problems)
        for place, token in tokens.items():
            with self.problems.checking(place, Reason.SECRET_UNUSABLE):
                check_token(token)
                self._note_short(place, token)
        return tuple(tokens.values())

    def _note_short(self, path: str, key: Secret) -> None:
        if is_short(key.reveal()):
            message = (
                f"is shorter than {SHORTEST_KEY} bytes, so that strangers could find it by trying"
            )
            self.problems.note(path, message)

    def _value(self, parameter: NamedValue, path: str) -> Secret | None:
        if parameter.value_from is None:
            return Secret(parameter.value or "")
        ref = parameter.value_from.secret_key_ref
        return self.secrets.value(ref, f"{path}.valueFrom", self.problems)

    def _unknown(self, name: str, needed: Sequence[str]) -> str:
        takes = ", ".join(needed) or "no parameters"
        return f'"{name}" is not known; {self.preset.name} takes {takes}'


def check_token(token: Secret) -> None:
    """Raises InvalidValue for a token that no header can carry, so that it would never match."""
    value = token.reveal()
    if value != value.strip() or any(byte < 0x20 or byte == 0x7F for byte in value):
        raise InvalidValue("the value has line breaks or blanks at an end; store it without them")


def _scheme(spec: SignatureSpec, problems: Problems) -> SignatureScheme:
    return SignatureScheme(
        header=spec.header.lower(),
        prefix=spec.prefix,
        layout=Layout(spec.layout),
        signature_key=spec.signature_key,
        timestamp_key=spec.timestamp_key,
        separator=spec.separator,
        algorithm=Algorithm(spec.algorithm),
        encoding=Encoding(spec.encoding),
        key_encoding=KeyEncoding(spec.key_encoding),
        key_prefix=spec.key_prefix,
        content=spec.content,
        id_header=spec.id_header.lower() if spec.id_header else None,
        timestamp=None if spec.timestamp is None else _timestamp(spec.timestamp, problems),
    )


def _timestamp(source: TimestampSource, problems: Problems) -> Timestamp:
    path = f"{PATH}.signature.timestamp.tolerance"
    return Timestamp(
        header=source.header.lower() if source.header else None,
        unit=TimeUnit(source.unit),
        tolerance=bounded(source.tolerance, TOLERANCE, path, problems),
    )
