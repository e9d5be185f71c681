"""Every alert fires when it should, and only then: its rule is run by promtool over series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.kubernetes.monitoring import ALERTS, rules
from support.kubernetes.promtool import promtool

HOURS = "x120"
"""Minutes, so many samples."""


@dataclass(frozen=True)
class Case:
    """Series of a cluster in which an alert fires, and of one in which it does not."""

    bad: Mapping[str, str]
    good: Mapping[str, str]
    labels: Mapping[str, str]
    summary: str
    minutes: int = 60
    """When it fires."""
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Other clusters in which it fires."""


SYSTEM = 'namespace="hookplane-system"'
ORDERS = 'endpoint="shop/orders"'
SHOP = 'subscription="shop/orders-to-shop"'
CALLS = f'hookplane_operator_api_calls_total{{{SYSTEM}, verb="GET"'
CERTIFICATE = f"hookplane_tls_certificate_expiry_timestamp_seconds{{{SYSTEM}"
CHILDREN = (
    f'hookplane_operator_children_refused{{{SYSTEM}, gateway="hookplane-system/default", pod="a"}}'
)
READY = f'hookplane_operator_gateway_ready{{{SYSTEM}, gateway="hookplane-system/default"}}'
VOLUME = f'kubelet_volume_stats_%s_bytes{{{SYSTEM}, persistentvolumeclaim="%s"}}'
OWN_CLAIM = "data-hookplane-postgresql-0"
LOST = f'hookplane_operator_keys_lost{{{SYSTEM}, gateway="hookplane-system/%s", pod="a"}}'
HELD = f'hookplane_operator_sweep_blocked{{{SYSTEM}, gateway="hookplane-system/default", pod="%s"}}'
LEADER = f"hookplane_operator_leader{{{SYSTEM}, pod=%r}}"


def histogram(name: str, slow: int) -> dict[str, str]:
    """100 observations a minute, so many of them of more than 2.5 seconds."""
    series = f'{name}_bucket{{{SYSTEM}, pod="a", le="%s"}}'
    return {
        series % "2.5": f"0+{100 - slow}{HOURS}",
        series % "5": f"0+100{HOURS}",
        series % "+Inf": f"0+100{HOURS}",
    }


def rejected(reason: str, each_minute: int) -> dict[str, str]:
    name = f'hookplane_rejected_total{{{SYSTEM}, {ORDERS}, reason="{reason}", pod="a"}}'
    return {name: f"0+{each_minute}{HOURS}"}


def received(each_minute: int) -> dict[str, str]:
    name = f'hookplane_received_total{{{SYSTEM}, {ORDERS}, result="stored", pod="a"}}'
    return {name: f"0+{each_minute}{HOURS}"}


def delivered(outcome: str, values: str) -> dict[str, str]:
    return {f'hookplane_deliveries_total{{{SHOP}, outcome="{outcome}", pod="a"}}': values}


CASES = {
    "HookplaneOperatorHasNoLeader": Case(
        bad={LEADER % "a": f"0{HOURS}", LEADER % "b": f"0{HOURS}"},
        good={LEADER % "a": f"1{HOURS}", LEADER % "b": f"0{HOURS}"},
        labels={"namespace": "hookplane-system"},
        summary="No operator in hookplane-system leads.",
        more={"all pods are gone": {LEADER % "a": "1x40 stale"}},
    ),
    "HookplaneOperatorFails": Case(
        bad={
            f'hookplane_operator_reconcile_errors_total{{{SYSTEM}, kind="config"}}': f"0+2{HOURS}"
        },
        # one a minute while a database restarts is no alert
        good={
            f'hookplane_operator_reconcile_errors_total{{{SYSTEM}, kind="config"}}': "0+1x10 10x110"
        },
        labels={"namespace": "hookplane-system", "kind": "config"},
        summary="The operator cannot bring objects of kind config in order.",
    ),
    "HookplaneOperatorIsBlind": Case(
        bad={f'hookplane_operator_known_age_seconds{{{SYSTEM}, kind="Service"}}': f"0+60{HOURS}"},
        # a watch that breaks, and the list that follows
        good={f'hookplane_operator_known_age_seconds{{{SYSTEM}, kind="Service"}}': "0 60 100 5x60"},
        labels={"namespace": "hookplane-system", "kind": "Service"},
        summary="An operator in hookplane-system does not see objects of kind Service.",
    ),
    "HookplaneOperatorIsBehind": Case(
        bad={f"hookplane_operator_queue_depth{{{SYSTEM}}}": f"250{HOURS}"},
        good={f"hookplane_operator_queue_depth{{{SYSTEM}}}": "250x5 0x55"},
        labels={"namespace": "hookplane-system"},
        summary="250 objects have been waiting for the operator.",
    ),
    "HookplaneChildrenRefused": Case(
        bad={CHILDREN: f"2{HOURS}"},
        good={CHILDREN: "2x5 0x55"},
        labels={"namespace": "hookplane-system", "gateway": "hookplane-system/default"},
        summary="2 objects or pods of gateway hookplane-system/default are refused.",
    ),
    "HookplaneGatewayNotReady": Case(
        bad={READY: f"0{HOURS}"},
        good={READY: "1x10 0x8 1x42"},
        labels={"namespace": "hookplane-system", "gateway": "hookplane-system/default"},
        summary="Gateway hookplane-system/default is not ready.",
    ),
    "HookplaneVolumeIsFilling": Case(
        bad={
            VOLUME % ("available", OWN_CLAIM): f"8{HOURS}",
            VOLUME % ("capacity", OWN_CLAIM): f"100{HOURS}",
        },
        good={
            VOLUME % ("available", OWN_CLAIM): f"11{HOURS}",
            VOLUME % ("capacity", OWN_CLAIM): f"100{HOURS}",
            VOLUME % ("available", "data-shop-postgresql-0"): f"1{HOURS}",
            VOLUME % ("capacity", "data-shop-postgresql-0"): f"100{HOURS}",
        },
        labels={"namespace": "hookplane-system", "persistentvolumeclaim": OWN_CLAIM},
        summary=f"8% of the volume {OWN_CLAIM} is left.",
    ),
    "HookplaneKeysLost": Case(
        bad={LOST % "default": f"3{HOURS}"},
        good={LOST % "default": f"0{HOURS}"},
        labels={"namespace": "hookplane-system", "gateway": "hookplane-system/default"},
        summary="The encryption keys of gateway hookplane-system/default were lost or replaced.",
    ),
    "HookplaneDeletionsHeld": Case(
        bad={HELD % "a": f"37{HOURS}", HELD % "b": f"0{HOURS}"},
        good={HELD % "a": f"0{HOURS}"},
        labels={"namespace": "hookplane-system", "gateway": "hookplane-system/default"},
        summary="37 objects of gateway hookplane-system/default are gone, and nobody was seen "
        "deleting them.",
    ),
    "HookplaneOperatorIsRefused": Case(
        bad={f'{CALLS}, resource="secrets", code="403"}}': f"0+1{HOURS}"},
        good={f'{CALLS}, resource="secrets", code="404"}}': f"0+1{HOURS}"},
        labels={"namespace": "hookplane-system", "verb": "GET", "resource": "secrets"},
        summary="The API server forbids the operator to GET secrets.",
    ),
    "HookplaneStoreUnavailable": Case(
        bad=rejected("StoreUnavailable", 3),
        good=rejected("StoreUnavailable", 0),
        labels={"namespace": "hookplane-system"},
        summary="Receivers cannot store events and answer 503.",
    ),
    "HookplaneEndpointNotReady": Case(
        bad=rejected("NotReady", 1),
        good=rejected("Suspended", 1),
        labels={"endpoint": "shop/orders"},
        summary="shop/orders answers 503: it is not ready.",
    ),
    "HookplaneEndpointRejectsMost": Case(
        bad=rejected("SignatureMismatch", 6) | received(5),
        good=rejected("SignatureMismatch", 5) | received(6),
        labels={"endpoint": "shop/orders"},
        summary="shop/orders refuses more requests than it takes.",
        more={
            "nothing was ever taken": rejected("BearerMismatch", 1) | received(0),
            "sent too late": rejected("TimestampOutOfTolerance", 1) | received(0),
        },
    ),
    "HookplaneIngestIsSlow": Case(
        bad=histogram("hookplane_ingest_seconds", slow=2),
        good=histogram("hookplane_ingest_seconds", slow=0)
        | {f'hookplane_ingest_seconds_bucket{{{SYSTEM}, pod="a", le="0.5"}}': f"0+100{HOURS}"},
        labels={"namespace": "hookplane-system"},
        summary="One request in a hundred waits for longer than a second.",
    ),
    "HookplaneCertificateEnds": Case(
        bad={
            f'{CERTIFICATE}, pod="a"}}': f"90000{HOURS}",
            f'{CERTIFICATE}, pod="b"}}': f"9e9{HOURS}",
        },
        good={f'{CERTIFICATE}, pod="a"}}': f"900000{HOURS}"},
        labels={"namespace": "hookplane-system"},
        summary="The certificate that receivers in hookplane-system show ends in 1d 0h 0m 0s.",
    ),
    "HookplaneDeliveriesExpire": Case(
        bad={f'hookplane_expired_total{{{SYSTEM}, pod="a"}}': f"0+1{HOURS}"},
        good={f'hookplane_expired_total{{{SYSTEM}, pod="a"}}': f"7+0{HOURS}"},
        labels={"namespace": "hookplane-system"},
        summary="Retention took events in hookplane-system that were not delivered yet.",
    ),
    "HookplaneEventsMissing": Case(
        bad=delivered("missing", f"0+1{HOURS}"),
        good=delivered("missing", f"7+0{HOURS}"),
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop: events are missing that retention did not remove.",
    ),
    "HookplaneDeliveriesDie": Case(
        bad=delivered("dead", "0x30 1x90"),
        good=delivered("failed", f"0+5{HOURS}"),
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop: deliveries were given up.",
        minutes=40,
    ),
    "HookplaneSubscriptionDisabled": Case(
        bad={f"hookplane_subscription_disabled{{{SHOP}}}": f"1{HOURS}"},
        good={f"hookplane_subscription_disabled{{{SHOP}}}": f"0{HOURS}"},
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop is disabled: its target failed for too long or answered 410.",
    ),
    "HookplaneCircuitOpen": Case(
        bad={f"hookplane_circuit_open{{{SHOP}}}": f"1{HOURS}"},
        good={f"hookplane_circuit_open{{{SHOP}}}": "1x20 0x40"},
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop: its target has been failing, only probes are sent.",
    ),
    "HookplaneFilterFails": Case(
        bad=delivered("filter_error", f"0+1{HOURS}"),
        good=delivered("filtered", f"0+1{HOURS}"),
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop: its filter fails for some events.",
    ),
    "HookplaneExpressionHeld": Case(
        bad={f"hookplane_expression_held{{{SHOP}}}": "1 1 1 0 " * 30},
        good={f"hookplane_expression_held{{{SHOP}}}": "0x10 1 0x49"},
        labels={"subscription": "shop/orders-to-shop"},
        summary="shop/orders-to-shop: its filter or transform takes too much and is held back.",
    ),
    "HookplaneOperatorHasRival": Case(
        bad={f"hookplane_operator_stores_refused{{{SYSTEM}}}": "0 1 0 0 0 " * 24},
        good={f"hookplane_operator_stores_refused{{{SYSTEM}}}": "0x20 1 0x40"},
        labels={"namespace": "hookplane-system"},
        summary="Two operators write to one database.",
    ),
    "HookplaneTaskFails": Case(
        bad={f'hookplane_operator_task_failures_total{{{SYSTEM}, task="events"}}': f"0+1{HOURS}"},
        good={f'hookplane_operator_task_failures_total{{{SYSTEM}, task="events"}}': "0x20 3x100"},
        labels={"namespace": "hookplane-system", "task": "events"},
        summary="A task that must always run ends again and again: events.",
        more={
            role: {
                f'hookplane_{role}_task_failures_total{{{SYSTEM}, task="events"}}': f"0+1{HOURS}"
            }
            for role in ("receiver", "dispatcher")
        },
    ),
    "HookplaneFlushIsSlow": Case(
        bad=histogram("hookplane_flush_seconds", slow=2),
        good=histogram("hookplane_flush_seconds", slow=0)
        | {f'hookplane_flush_seconds_bucket{{{SYSTEM}, pod="a", le="1"}}': f"0+100{HOURS}"},
        labels={"namespace": "hookplane-system"},
        summary="Dispatchers wait for the database to write down their progress.",
    ),
}


def test_every_alert_has_a_case() -> None:
    assert rules().keys() == CASES.keys()


@pytest.mark.parametrize("alert", CASES)
def test_it_fires_in_time_and_only_when_it_should(alert: str, tmp_path: Path) -> None:
    case, rule = CASES[alert], rules()[alert]
    fired = {
        "exp_labels": {**case.labels, **rule["labels"]},
        "exp_annotations": {
            "summary": case.summary,
            "description": rule["annotations"]["description"],
            "runbook_url": rule["annotations"]["runbook_url"],
        },
    }
    pending = int(str(rule.get("for", "0m")).removesuffix("m")) // 2

    def at(minute: int, *alerts: dict[str, Any]) -> dict[str, Any]:
        return {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": list(alerts)}

    moments = [at(pending)] if pending else []
    tests = [
        scene("bad", case.bad, [*moments, at(case.minutes, fired)]),
        scene("good", case.good, [at(minute) for minute in range(1, 61)]),
        *(scene(name, series, [at(case.minutes, fired)]) for name, series in case.more.items()),
    ]
    file = tmp_path / "test.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests})
    )
    assert "SUCCESS" in promtool("test", "rules", file)


def scene(name: str, series: Mapping[str, str], moments: list[dict[str, Any]]) -> dict[str, Any]:
    given = [{"series": one.replace("'", '"'), "values": values} for one, values in series.items()]
    return {
        "name": name,
        "interval": "1m",
        "input_series": given,
        "alert_rule_test": moments,
    }


def test_the_rendered_rule_is_what_prometheus_takes(
    render: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    values = {
        "postgresql": {"dsnSecret": {"name": "database"}},
        "monitoring": {"prometheusRule": {"enabled": True, "alertLabels": {"team": "platform"}}},
    }
    objects = render(values, ("monitoring.coreos.com/v1",))
    (rule,) = (x for x in objects if x["kind"] == "PrometheusRule")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    assert f"{len(CASES)} rules found" in promtool("check", "rules", "--lint-fatal", file)
