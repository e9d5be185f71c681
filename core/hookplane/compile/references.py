"""What objects refer to: endpoints by name or label or the built-in one, subscriptions by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hookplane.compile.model import Absent
from hookplane.compile.problems import Problems
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig, operational_endpoint
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.base import LabelSelector, LabelSelectorRequirement
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import LocalName, SubscriptionSpec

_EXISTS: Final = {"Exists": True, "DoesNotExist": False}


class Neighbours:
    """The endpoints and subscriptions that objects can refer to, by namespace and name."""

    def __init__(self, documents: Iterable[Document]) -> None:
        known = list(documents)
        self._endpoints = {
            (x.namespace, x.name): x
            for x in known
            if isinstance(x, EndpointConfig) and not x.builtin
        }
        self._subscriptions = {
            (x.namespace, x.name): x.uid for x in known if isinstance(x, SubscriptionConfig)
        }

    def subscription(self, namespace: str, name: str) -> str | None:
        """The uid of a subscription; None: there is none of this name."""
        return self._subscriptions.get((namespace, name))

    def endpoints(self, spec: SubscriptionSpec, problems: Problems) -> tuple[str, ...]:
        """Uids of the endpoints that a subscription reads, sorted. One that is not there is a
        problem and is left out; the others work."""
        if spec.operational_events:
            return (operational_endpoint(problems.namespace),)
        if spec.endpoint_selector is not None:
            return self._selected(spec.endpoint_selector, problems)
        return self._named(spec.endpoint_refs or [], problems)

    def _named(self, refs: list[LocalName], problems: Problems) -> tuple[str, ...]:
        uids = set()
        for index, ref in enumerate(refs):
            path = f"spec.endpointRefs[{index}].name"
            found = self._endpoints.get((problems.namespace, ref.name))
            if found is None:
                message = f'there is no WebhookEndpoint "{ref.name}" in this namespace'
                absent = Absent("WebhookEndpoint", ref.name)
                problems.missing_part(path, message, Reason.ENDPOINT_NOT_FOUND, absent)
            else:
                uids.add(found.uid)
        return tuple(sorted(uids))

    def _selected(self, selector: LabelSelector, problems: Problems) -> tuple[str, ...]:
        uids = sorted(
            endpoint.uid
            for (namespace, _), endpoint in self._endpoints.items()
            if namespace == problems.namespace and selects(selector, endpoint.labels)
        )
        if not uids:
            problems.note("spec.endpointSelector", "matches no endpoint so far")
        return tuple(uids)


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels match the selector, as Kubernetes defines it."""
    exact = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return exact and all(_holds(part, labels) for part in selector.match_expressions)


def _holds(part: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    if part.operator in _EXISTS:
        return (part.key in labels) is _EXISTS[part.operator]
    listed = labels.get(part.key) in part.values
    return listed if part.operator == "In" else not listed
