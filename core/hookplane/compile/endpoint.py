"""WebhookEndpoint → EndpointConfig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hookplane.compile.bounds import DEDUP_WINDOW, bounded, rate_limit
from hookplane.compile.generated import GeneratedKeys
from hookplane.compile.model import Options, uid_of
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.compile.verification import VerificationCompiler
from hookplane.config.endpoint import Answer, EndpointConfig, Source, operational_endpoint
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import (
    DeduplicationKey,
    EndpointLimits,
    EndpointResponse,
    EventType,
    KeyPart,
    WebhookEndpoint,
)
from hookplane.network.credentials import is_surely_credential
from hookplane.providers import registry
from hookplane.providers.preset import Preset
from hookplane.providers.stored_headers import StoredHeaders, stored_headers
from hookplane.signatures.scheme import SignatureScheme
from hookplane.units import parse_size

_WHERE_PUBLIC_URL: Final = {
    False: "hookplane run --public-url https://…",
    True: "spec.publicURL of the WebhookGateway",
}
"""Where people say the public URL, by `Options.gateways`."""
BUILTIN_NAME: Final = "hookplane.operational"
"""No user's endpoint can have this name, because names of our kinds have no dots."""


@dataclass(frozen=True, slots=True)
class EndpointCompiler:
    """Compiles one endpoint and adds what is wrong with it to `problems`."""

    resource: WebhookEndpoint
    secrets: SecretLookup
    options: Options
    problems: Problems
    generated: GeneratedKeys

    def compile(self) -> EndpointConfig | None:
        """The document; None when there is an error."""
        preset = self.problems.checked(
            "spec.provider",
            lambda: registry.get(self.resource.spec.provider),
            Reason.UNKNOWN_PROVIDER,
        )
        if preset is None:
            return None
        document = self._document(preset)
        return None if self.problems.failed else document

    def _document(self, preset: Preset) -> EndpointConfig:
        spec, metadata = self.resource.spec, self.resource.metadata
        verification = VerificationCompiler(spec.verification, preset, self.secrets, self.problems)
        keys = verification.keys(metadata.name, self.generated)
        variant = verification.variant(keys)
        signature = verification.signature(variant, keys)
        window = spec.deduplication.window
        self._note_roots()
        self._refuse_told_credentials()
        document = EndpointConfig(
            uid=uid_of(self.resource),
            namespace=metadata.namespace,
            name=metadata.name,
            generation=metadata.generation,
            path=f"/{metadata.namespace}/{metadata.name}",
            labels=metadata.labels,
            provider=preset.name,
            suspended=spec.suspend,
            keys=tuple(keys.values()),
            signature=signature,
            public_url=self._public_url(signature),
            parameters=verification.parameters(),
            handshake=verification.handshake(),
            api_key=verification.api_key(),
            basic=verification.basic(),
            bearer=verification.bearer(),
            client_certificate=verification.client_certificate(self.options.receiver_tls),
            sources=tuple(spec.verification.sources),
            event_type=_type_source(spec.event_type) or preset.event_type,
            dedup_key=_key_source(spec.deduplication.key) or variant.dedup_key,
            event_key=None if spec.key is None else _part_source(spec.key),
            dedup_window=bounded(window, DEDUP_WINDOW, "spec.deduplication.window", self.problems),
            store_headers=_lower_names(spec.store_headers),
            max_body_size=_max_body_size(spec.limits, preset),
            rate=rate_limit(spec.limits.rate, "spec.limits.rate", self.problems),
            answer=_answer(spec.response) or preset.answer,
            answers={} if spec.response else dict(preset.answers),
        )
        self._check_stored(stored_headers(document))
        return document.model_copy(update={"not_ready": self.problems.not_ready})

    def _note_roots(self) -> None:
        """Paths that begin as in JSONPath: they are valid, and hardly meant."""
        spec = self.resource.spec
        for path, source in (
            ("spec.eventType", spec.event_type),
            ("spec.key", spec.key),
            ("spec.deduplication.key", spec.deduplication.key),
        ):
            if source is not None and (source.body_path or "").startswith("$."):
                message = 'looks for a member named "$"; a path from the top begins without "$."'
                self.problems.note(f"{path}.bodyPath", message)

    def _refuse_told_credentials(self) -> None:
        """Type and key of an event go to every target and into each listing."""
        spec = self.resource.spec
        own = spec.verification.api_key.header.lower() if spec.verification.api_key else ""
        for path, source in (("spec.eventType", spec.event_type), ("spec.key", spec.key)):
            header = (source.header or "").lower() if source else ""
            if header and (header == own or is_surely_credential(header)):
                message = f'"{header}" carries a credential, and all targets get what is read here'
                self.problems.error(f"{path}.header", message)

    def _check_stored(self, stored: StoredHeaders) -> None:
        """What `storeHeaders` names is stored, or an error."""
        for index, name in enumerate(self.resource.spec.store_headers):
            if not stored.keeps(name.lower()):
                why = f'"{name}" {stored.refusal(name.lower())}; take it off the list'
                self.problems.error(f"spec.storeHeaders[{index}]", why)

    def _public_url(self, signature: SignatureScheme | None) -> str | None:
        """The URL as the sender sees it; None where it is not part of what is signed."""
        if signature is None or "{url}" not in signature.content:
            return None
        if self.options.public_url is None:
            self.problems.missing(
                "spec.verification",
                "requests are signed over their URL, so the public URL must be known "
                f"({_WHERE_PUBLIC_URL[self.options.gateways]})",
                Reason.NOT_SUPPORTED,
            )
            return None
        metadata = self.resource.metadata
        return f"{self.options.public_url.rstrip('/')}/{metadata.namespace}/{metadata.name}"


def _lower_names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.lower() for name in names))


def _max_body_size(limits: EndpointLimits, preset: Preset) -> int:
    own = limits.max_body_size
    return preset.max_body_size if own is None else parse_size(own)


def builtin_endpoints(namespaces: Sequence[str]) -> list[EndpointConfig]:
    """The endpoint of each namespace's operational events."""
    return [
        EndpointConfig(
            uid=operational_endpoint(namespace),
            namespace=namespace,
            name=BUILTIN_NAME,
            path=f"/{namespace}/{BUILTIN_NAME}",
            provider="Hookplane",
            builtin=True,
            event_type=Source(body_path="type"),
        )
        for namespace in namespaces
    ]


def _type_source(spec: EventType | None) -> Source | None:
    if spec is None:
        return None
    header = spec.header.lower() if spec.header else None
    return Source(header=header, body_path=spec.body_path, value=spec.value)


def _key_source(spec: DeduplicationKey | None) -> Source | None:
    if spec is None:
        return None
    if spec.parts is not None:
        return Source(parts=tuple(_part_source(part) for part in spec.parts))
    return _part_source(spec)


def _part_source(spec: DeduplicationKey | KeyPart) -> Source:
    header = spec.header.lower() if spec.header else None
    return Source(header=header, body_path=spec.body_path)


def _answer(spec: EndpointResponse | None) -> Answer | None:
    if spec is None:
        return None
    return Answer(status=spec.status, content_type=spec.content_type, body=spec.body)
