"""What is said of an object whose gateway is not there, or does not work; pure."""

from __future__ import annotations

from typing import NamedTuple

from hookplane.clock import Millis
from hookplane.compile.model import ObjectKey, Problem, Severity
from hookplane.kinds.conditions import Reason
from hookplane_operator.config.result import ReconcileResult
from hookplane_operator.gateways.facts import GatewayFacts
from hookplane_operator.gateways.plane import Name
from hookplane_operator.kube.kinds import Object
from hookplane_operator.status.observation import Observation


class Homeless(NamedTuple):
    """A verdict, and what is to be seen of the store: None, when there is none."""

    verdict: ReconcileResult
    seen: Observation | None


def gateway_missing(
    key: ObjectKey,
    body: Object,
    gateway: Name,
    there: bool,
    facts: GatewayFacts | None,
    now: Millis,
) -> Homeless | None:
    """`there`: there is such a gateway. None: it is being opened, for the first time or by a new
    leader, so there is nothing to say."""
    if not there:
        message = f'there is no WebhookGateway "{gateway[1]}" in namespace "{gateway[0]}"'
        problem = Problem(
            *key, "spec.gatewayRef", message, Severity.ERROR, reason=Reason.GATEWAY_NOT_FOUND
        )
        return Homeless(_verdict(key, body, problem), None)
    if facts is None or not facts.troubles:
        return None
    why = f'WebhookGateway "{gateway[0]}/{gateway[1]}" does not work: {facts.troubles[0].message}'
    return Homeless(_verdict(key, body), Observation(now, away=why))


def _verdict(key: ObjectKey, body: Object, *problems: Problem) -> ReconcileResult:
    metadata = body["metadata"]
    return ReconcileResult(key, metadata["uid"], metadata.get("generation", 1), problems)
