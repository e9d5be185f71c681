"""WebhookSubscription → SubscriptionConfig."""

from __future__ import annotations

from dataclasses import dataclass

from hookplane.compile.delivery import compile_delivery
from hookplane.compile.findings import Findings, uid_of
from hookplane.compile.generated import KeyMaker
from hookplane.compile.model import Options
from hookplane.compile.references import Neighbours
from hookplane.compile.secrets import SecretBook
from hookplane.compile.signing import SigningCompiler
from hookplane.compile.target import TargetCompiler
from hookplane.config.subscription import SubscriptionConfig, TransformConfig
from hookplane.filters.cel import check_expression
from hookplane.kinds.subscription import Transform, WebhookSubscription


@dataclass(frozen=True, slots=True)
class SubscriptionCompiler:
    """Compiles one subscription; what is wrong with it goes to `findings`."""

    resource: WebhookSubscription
    book: SecretBook
    neighbours: Neighbours
    options: Options
    findings: Findings
    maker: KeyMaker

    def compile(self) -> SubscriptionConfig | None:
        """None when something is wrong."""
        spec, metadata = self.resource.spec, self.resource.metadata
        target = TargetCompiler(spec.target, self.book, self.options, self.findings).compile()
        sent = [header.name for header in spec.target.headers]
        signing = SigningCompiler(spec.signing, self.book, self.findings, self.maker)
        document = SubscriptionConfig(
            uid=uid_of(self.resource),
            namespace=metadata.namespace,
            name=metadata.name,
            generation=metadata.generation,
            endpoints=self.neighbours.endpoints(spec, self.findings),
            start_from=spec.start_from,
            types=tuple(spec.filter.types),
            filter_cel=self._expression(spec.filter.cel, "spec.filter.cel", expect_bool=True),
            transform=self._transform(spec.transform),
            target=target,
            signing=signing.compile(metadata.name, sent),
            operational=spec.operational_events,
            suspended=spec.suspend,
            **compile_delivery(spec.delivery, self.options.retention_events, self.findings),
        )
        return None if self.findings.failed else self._ready(document)

    def _ready(self, document: SubscriptionConfig) -> SubscriptionConfig:
        """What is not ready has no target."""
        reason = self.findings.not_ready
        if not reason:
            return document
        return document.model_copy(update={"not_ready": reason, "target": None})

    def _transform(self, spec: Transform | None) -> TransformConfig | None:
        if spec is None:
            return None
        cel = self._expression(spec.cel, "spec.transform.cel", expect_bool=False)
        return TransformConfig(cel=cel, cloud_events=spec.cloud_events)

    def _expression(self, text: str | None, path: str, *, expect_bool: bool) -> str | None:
        if text is not None:
            with self.findings.checking(path):
                check_expression(text, expect_bool)
        return text
