"""What an API server would refuse to change, refused here as well: startFrom and replays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hookplane.compile.model import Problem, Resource, uid_of
from hookplane.compile.problems import Problems
from hookplane.config.base import Document
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.replay import ReplaySpec, WebhookReplay
from hookplane.kinds.subscription import WebhookSubscription


class Immutables:
    """Remembers the replays that were seen; where a subscription starts is in its document."""

    def __init__(self) -> None:
        self._replays: dict[str, ReplaySpec] = {}

    def check(
        self, resources: Iterable[Resource], in_force: Mapping[str, Document]
    ) -> tuple[list[Resource], list[Problem]]:
        """The resources that may be used as they are, and what is wrong with the others."""
        allowed: list[Resource] = []
        found: list[Problem] = []
        for resource in resources:
            problems = Problems(resource)
            if isinstance(resource, WebhookSubscription):
                _check_start(resource, in_force.get(uid_of(resource)), problems)
            if isinstance(resource, WebhookReplay):
                self._check_replay(resource, problems)
            found += problems.found
            if not problems.failed:
                allowed.append(resource)
        return allowed, found

    def _check_replay(self, resource: WebhookReplay, problems: Problems) -> None:
        if self._replays.setdefault(uid_of(resource), resource.spec) != resource.spec:
            problems.error("spec", "is immutable; a replay runs once, so create another")


def _check_start(resource: WebhookSubscription, old: Document | None, problems: Problems) -> None:
    if isinstance(old, SubscriptionConfig) and old.start_from != resource.spec.start_from:
        problems.error(
            "spec.startFrom",
            f'is immutable and was "{old.start_from}"; put it back, or create a subscription of '
            "another name",
        )
