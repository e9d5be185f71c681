"""What objects refer to: endpoints by name or label or the built-in one, subscriptions by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from hookplane.compile.model import Absent
from hookplane.compile.problems import Problems
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig, operational_endpoint
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.base import LabelSelector, LabelSelectorRequirement
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import LocalName, SubscriptionSpec
from hookplane.providers.stored_headers import StoredHeaders, stored_headers
from hookplane.spelling import did_you_mean

_COMPARED: Final = 200
"""Names among which one is looked for that was meant."""
_SHOWN: Final = 3
_EXISTS: Final = {"Exists": True, "DoesNotExist": False}


class Neighbours:
    """The endpoints and subscriptions that objects can refer to, by namespace and name."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._endpoints: dict[str, dict[str, EndpointConfig]] = {}
        self._subscriptions: dict[tuple[str, str], SubscriptionConfig] = {}
        self._stored: dict[str, StoredHeaders] = {}
        for document in documents:
            if isinstance(document, SubscriptionConfig):
                self._subscriptions[document.namespace, document.name] = document
            elif isinstance(document, EndpointConfig) and not document.builtin:
                self._endpoints.setdefault(document.namespace, {})[document.name] = document

    def subscription(self, namespace: str, name: str) -> str | None:
        """The uid of a subscription; None: there is none of this name."""
        found = self._subscriptions.get((namespace, name))
        return found.uid if found else None

    def endpoints(self, spec: SubscriptionSpec, problems: Problems) -> tuple[str, ...]:
        """Uids of the endpoints that a subscription reads, sorted. One that is not there is a
        problem, and the others work. Until it is there the subscription leaves none that it reads
        already: the name may be misspelt, and the backlog of an endpoint that is left is gone."""
        if spec.operational_events:
            return (operational_endpoint(problems.namespace),)
        if spec.endpoint_selector is not None:
            return self._selected(spec.endpoint_selector, problems)
        return self._named(spec.endpoint_refs or [], problems)

    def keyless(self, namespace: str, uids: Collection[str]) -> list[str]:
        """Names of those endpoints that do not say where the keys of their events are."""
        there = self._endpoints.get(namespace, {})
        return sorted(name for name, x in there.items() if x.uid in uids and x.event_key is None)

    def not_storing(self, header: str, namespace: str, uids: Collection[str]) -> list[str]:
        """Names of those endpoints that do not store a header (lower case) with their events."""
        there = self._endpoints.get(namespace, {})
        read = {name: x for name, x in there.items() if x.uid in uids}
        return sorted(name for name, x in read.items() if not self._stored_by(x).keeps(header))

    def _stored_by(self, endpoint: EndpointConfig) -> StoredHeaders:
        known = self._stored.get(endpoint.uid)
        if known is None:
            known = self._stored[endpoint.uid] = stored_headers(endpoint)
        return known

    def _named(self, refs: list[LocalName], problems: Problems) -> tuple[str, ...]:
        there = self._endpoints.get(problems.namespace, {})
        named = {x.name: there[x.name].uid for x in refs if x.name in there}
        absent = [(index, x.name) for index, x in enumerate(refs) if x.name not in there]
        kept = self._not_left(problems) if absent else {}
        for index, name in absent:
            problems.missing_part(
                f"spec.endpointRefs[{index}].name",
                _not_there(name, there, sorted(kept.keys() - named.keys())),
                Reason.ENDPOINT_NOT_FOUND,
                Absent("WebhookEndpoint", name),
            )
        return tuple(sorted({*named.values(), *kept.values()}))

    def _not_left(self, problems: Problems) -> dict[str, str]:
        """Name and uid of the endpoints that are there and that a subscription reads so far."""
        before = self._subscriptions.get((problems.namespace, problems.name))
        read = before.endpoints if before else ()
        there = self._endpoints.get(problems.namespace, {})
        return {name: x.uid for name, x in there.items() if x.uid in read}

    def _selected(self, selector: LabelSelector, problems: Problems) -> tuple[str, ...]:
        there = self._endpoints.get(problems.namespace, {})
        uids = sorted(x.uid for x in there.values() if selects(selector, x.labels))
        if not uids:
            problems.note("spec.endpointSelector", "matches no endpoint so far")
        return tuple(uids)


def _not_there(name: str, there: Mapping[str, object], kept: list[str]) -> str:
    """`kept`: names of endpoints that are read until it is there, though nothing names them."""
    told = [f'there is no WebhookEndpoint "{name}" in this namespace']
    if kept:
        names = some_of(kept)
        told.append(f"until there is one, this goes on reading {names}, which it no longer names")
    if near := did_you_mean(name, islice(there, _COMPARED)):
        told.append(near)
    return "; ".join(told)


def some_of(names: Sequence[str]) -> str:
    """The first few of them, for a message."""
    return ", ".join(f'"{x}"' for x in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels match the selector, as Kubernetes defines it."""
    exact = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return exact and all(_holds(part, labels) for part in selector.match_expressions)


def _holds(part: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    if part.operator in _EXISTS:
        return (part.key in labels) is _EXISTS[part.operator]
    listed = labels.get(part.key) in part.values
    return listed if part.operator == "In" else not listed
