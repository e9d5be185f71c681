"""What is said of an object whose gateway is not there, or does not work; pure."""

from __future__ import annotations

from typing import NamedTuple

from hookplane.clock import Millis
from hookplane.compile.model import ObjectKey, Problem, Severity
from hookplane.kinds.conditions import Reason
from hookplane_operator.kube.kinds import Object
from hookplane_operator.state.facts import GatewayFacts
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.state.runtime import Name
from hookplane_operator.status.observation import Observation


class MissingGateway(NamedTuple):
    """A result, and what is to be seen of the store: None, when there is none."""

    result: ReconcileResult
    seen: Observation | None


def gateway_missing(
    key: ObjectKey,
    body: Object,
    gateway: Name,
    there: bool,
    facts: GatewayFacts | None,
    now: Millis,
) -> MissingGateway | None:
    """`there`: there is such a gateway. None: it is being opened, for the first time or by a new
    leader, so there is nothing to say."""
    if not there:
        message = f'there is no WebhookGateway "{gateway[1]}" in namespace "{gateway[0]}"'
        problem = Problem(
            *key, "spec.gatewayRef", message, Severity.ERROR, reason=Reason.GATEWAY_NOT_FOUND
        )
        return MissingGateway(_result(key, body, problem), None)
    if facts is None or not facts.blockers:
        return None
    why = f'WebhookGateway "{gateway[0]}/{gateway[1]}" does not work: {facts.blockers[0].message}'
    return MissingGateway(_result(key, body), Observation(now, away=why))


def _result(key: ObjectKey, body: Object, *problems: Problem) -> ReconcileResult:
    metadata = body["metadata"]
    return ReconcileResult(key, metadata["uid"], metadata.get("generation", 1), problems)
