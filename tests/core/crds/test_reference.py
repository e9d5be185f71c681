"""The reference pages: a row a field, in words that users write."""

from __future__ import annotations

import pytest

from hookplane.crds.reference import conditions_page, kind_page
from hookplane.kinds.conditions import CONDITIONS, Reason
from hookplane.kinds.registry import KIND_BY_NAME, KINDS, Kind
from support.kubernetes.crds import schema_of, walk


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_is_on_the_page(kind: Kind) -> None:
    page = kind_page(kind)
    for path, node in walk(schema_of(kind.kind)):
        inside_secret_key = ".secretKeyRef." in path
        if path.startswith((".spec.", ".status.")) and not inside_secret_key:
            shown = path.removeprefix(".")
            assert shown.endswith(("[]", "{}")) or f"| `{shown}` |" in page, node


# page, a row as it should stand there
ROWS = [
    # a default, a duration
    ("WebhookSubscription", "| `spec.target.timeout` | duration | `15s` | Time for one attempt"),
    # choices
    (
        "WebhookSubscription",
        "| `spec.delivery.ordering` | one of `None`, `Key`, `Strict` | `None` |",
    ),
    # bounds of a number
    ("WebhookSubscription", "| `spec.delivery.retry.jitterPercent` | integer 0 to 100 | `10` |"),
    # a size
    ("WebhookEndpoint", "| `spec.limits.maxBodySize` | size |  |"),
    # a time, required
    ("WebhookEndpoint", "| `status.requests.lastRejected.time` | time, **required** |"),
    # a key of a Secret is one row
    (
        "WebhookGateway",
        "| `spec.store.postgresql.dsn.secretKeyRef` | key of a Secret, **required**",
    ),
    # a map
    ("WebhookEndpoint", "| `status.requests.rejectedByReason` | map of integer, at most 32 |"),
    # a quantity
    ("WebhookGateway", "| `spec.receiver.resources.requests.cpu` | string or integer |"),
    # a rule with its place
    ("WebhookReplay", "- `spec.events`: from must be before to\n"),
    # a rule of the items of a list
    ("WebhookEndpoint", "- `spec.verification.sources[]`: not an address range;"),
    # a wide column
    ("WebhookSubscription", "What the target does. Only with `-o wide`. |"),
]


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_rows(kind: str, row: str) -> None:
    assert row in kind_page(KIND_BY_NAME[kind])


def test_every_condition_and_reason_is_explained() -> None:
    page = conditions_page()
    for info in CONDITIONS:
        assert f"| `{info.type}` |" in page
    for reason in Reason:
        assert f"| `{reason}` | {reason.meaning} |" in page
