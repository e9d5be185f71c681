"""The CRD around the schema: names, columns, selectable fields."""

from __future__ import annotations

import re

import pytest

from hookplane.crds.definition import crd
from hookplane.kinds.registry import KIND_BY_NAME, KINDS, Kind
from support.kubernetes.crds import Schema, schema_of

CONDITION = re.compile(r'^\.status\.conditions\[\?\(@\.type=="(\w+)"\)\]\.(status|reason|message)$')
SCALARS = {"string", "integer", "boolean"}

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def _field(kind: Kind, path: str) -> Schema | None:
    node: Schema | None = schema_of(kind.kind)
    for name in path.removeprefix(".").split("."):
        node = (node or {}).get("properties", {}).get(name)
    return node


@each_kind
def test_names(kind: Kind) -> None:
    definition = crd(kind)
    names = definition["spec"]["names"]
    assert definition["metadata"]["name"] == f"{kind.plural}.hookplane.dev"
    assert definition["spec"]["scope"] == "Namespaced"
    assert names["singular"] == kind.kind.lower()
    assert names["plural"] == f"{kind.kind.lower()}s"
    assert names["categories"] == ["webhooks"]


def test_short_names() -> None:
    assert [kind.short_name for kind in KINDS] == ["whg", "whe", "whs", "whr"]


@each_kind
def test_one_version_with_status_as_a_subresource(kind: Kind) -> None:
    (version,) = crd(kind)["spec"]["versions"]
    assert version["name"] == "v1alpha1"
    assert version["served"]
    assert version["storage"]
    assert version["subresources"] == {"status": {}}


# What docs and users know by heart: without -o wide, between NAME and AGE.
SHOWN = {
    "WebhookGateway": "READY RECEIVERS DISPATCHERS ENDPOINTS SUBSCRIPTIONS BACKLOG STORE URL",
    "WebhookEndpoint": "READY STATE PROVIDER ACCEPTED REJECTED LAST-EVENT URL",
    "WebhookSubscription": "READY STATE PENDING RETRYING DEAD LAST-SUCCESS NEXT-RETRY TARGET",
    "WebhookReplay": "SUBSCRIPTION STATE MATCHED DELIVERED FAILED",
}


@each_kind
def test_columns_of_kubectl_get(kind: Kind) -> None:
    columns = crd(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if column.get("priority", 0) == 0]
    assert [name.upper().replace(" ", "-") for name in shown] == [*SHOWN[kind.kind].split(), "AGE"]


@each_kind
def test_columns_show_fields_that_exist_in_their_type(kind: Kind) -> None:
    for column in kind.columns:
        if CONDITION.match(column.path):
            continue
        field = _field(kind, column.path)
        assert field is not None, column.path
        assert field["type"] == ("integer" if column.type == "integer" else "string"), column.path
        assert column.type != "date" or field["format"] == "date-time", column.path


def test_a_next_retry_is_a_string_because_a_date_column_shows_time_since() -> None:
    columns = {column.name: column for column in KIND_BY_NAME["WebhookSubscription"].columns}
    assert columns["Next Retry"].type == "string"
    assert columns["Last Success"].type == "date"


@each_kind
def test_selectable_fields_are_scalars_that_exist(kind: Kind) -> None:
    assert len(set(kind.selectable)) == len(kind.selectable) <= 8
    for path in kind.selectable:
        field = _field(kind, path)
        assert field is not None, path
        assert field["type"] in SCALARS, path
