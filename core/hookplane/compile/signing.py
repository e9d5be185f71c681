"""Signing of deliveries: scheme, keys, and the user's own form of signature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hookplane.compile.generated import SIGNING_SUFFIX, GeneratedKeys
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import CustomSignature, Signing
from hookplane.secret import Secret
from hookplane.signatures.deliver import check_signing_key
from hookplane.signatures.scheme import Algorithm, Encoding
from hookplane.signatures.signing import CustomFormat, GeneratedKind, SigningConfig, SigningScheme

PATH: Final = "spec.signing"
GENERATED: Final = {
    SigningScheme.STANDARD: GeneratedKind.WHSEC,
    SigningScheme.ED25519: GeneratedKind.WHSK,
    SigningScheme.CUSTOM: GeneratedKind.HEX,
}


@dataclass(frozen=True, slots=True)
class SigningCompiler:
    """Compiles how one subscription's deliveries are signed."""

    spec: Signing
    secrets: SecretLookup
    problems: Problems
    generated: GeneratedKeys

    def compile(self, subscription: str, sent_headers: Iterable[str]) -> SigningConfig:
        """The signing config. `sent_headers`: names of headers that the target gets anyway."""
        scheme = SigningScheme(self.spec.scheme)
        keys = self._keys(scheme, subscription)
        for place, key in keys.items():
            with self.problems.checking(place, Reason.SECRET_UNUSABLE):
                check_signing_key(scheme, key)
        custom = self._custom(sent_headers)
        return SigningConfig(scheme=scheme, keys=tuple(keys.values()), custom=custom)

    def _keys(self, scheme: SigningScheme, subscription: str) -> dict[str, Secret]:
        if scheme is SigningScheme.NONE:
            return {}
        if self.spec.keys is not None:
            return self.secrets.values(self.spec.keys, f"{PATH}.keys", self.problems)
        name = f"{subscription}{SIGNING_SUFFIX}"
        return self.generated.keys(name, GENERATED[scheme], self.spec.rotation, PATH)

    def _custom(self, sent_headers: Iterable[str]) -> CustomFormat | None:
        spec = self.spec.custom
        if spec is None:
            return None
        self._check_headers(spec, sent_headers)
        return CustomFormat(
            header=spec.header,
            prefix=spec.prefix,
            algorithm=Algorithm(spec.algorithm),
            encoding=Encoding(spec.encoding),
            content=spec.content,
            id_header=spec.id_header,
            timestamp_header=spec.timestamp_header,
        )

    def _check_headers(self, spec: CustomSignature, sent_headers: Iterable[str]) -> None:
        """No two headers may have one name: receivers would differ in which one they read."""
        taken = {name.lower() for name in sent_headers}
        for field, name in (
            ("header", spec.header),
            ("idHeader", spec.id_header),
            ("timestampHeader", spec.timestamp_header),
        ):
            if name and name.lower() in taken:
                message = f'"{name}" is sent already; choose another header'
                self.problems.error(f"{PATH}.custom.{field}", message)
            taken.add((name or "").lower())
