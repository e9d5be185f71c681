"""`hookplane check`: lines, exit codes and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hookplane_cli.main import main
from support.planes.compiled import endpoint_text, secret_text, subscription_text

EXAMPLES = Path(__file__).parents[3] / "examples"


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["check", *(str(x) for x in arguments)])


def test_the_examples_are_in_order() -> None:
    result = check("-f", EXAMPLES)
    assert result.exit_code == 0
    needs = [line.partition("needs ")[2] for line in result.output.splitlines()[:-1]]
    assert needs == [
        "Secret partner-erp with keys hmac, api-key, ca.crt",
        "Secret ledger-tls with keys ca.crt, tls.crt, tls.key",
    ]
    assert result.output.splitlines()[-1].endswith(" files, no problems, and 2 notes (exit code 0)")


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_each_example_is_understood_alone(example: Path) -> None:
    assert check("-f", example).exit_code == 0


def test_what_is_needed_from_elsewhere_is_a_problem_when_strict() -> None:
    result = check("-f", EXAMPLES / "partner.yaml", "--strict")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "1 problem in 1 object"


def test_a_member_that_no_event_has_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(
        endpoint_text() + subscription_text("filter: {cel: 'event.typo == \"x\"'}", name="shop")
    )
    result = check("-f", tmp_path)
    assert result.exit_code == 1
    assert "spec.filter.cel: line 1, column 6: event has no member 'typo'; it has body" in (
        result.output
    )


def test_a_signature_that_can_be_read_in_two_ways_is_told(tmp_path: Path) -> None:
    manifest = tmp_path / "partner.yaml"
    manifest.write_text(
        secret_text("s", k="k" * 16)
        + endpoint_text(
            "{provider: Generic, verification: {keys: [{secretKeyRef: {name: s, key: k}}], "
            "signature: {header: X-Sig, idHeader: X-Id, content: '{id}{body}'}}}"
        )
    )
    result = check("-f", tmp_path)
    assert result.exit_code == 1
    assert 'spec.verification.signature.content: "{id}{body}" can be read in two ways' in (
        result.output
    )


def test_secrets_without_the_label_are_told_where_a_gateway_will_want_it(tmp_path: Path) -> None:
    manifest = tmp_path / "partner.yaml"
    key = "verification: {keys: [{secretKeyRef: {name: s, key: k}}]}"
    manifest.write_text(
        secret_text("s", k="k" * 16) + endpoint_text(f"{{provider: Stripe, {key}}}")
    )
    assert check("-f", tmp_path).exit_code == 0
    result = check("-f", tmp_path, "--labelled-secrets")
    assert result.exit_code == 1
    assert 'Secret "s" has no label hookplane.dev/allow-reference: "true"' in result.output
    labels = "{hookplane.dev/allow-reference: 'true'}"
    manifest.write_text(manifest.read_text().replace("labels: {}", f"labels: {labels}", 1))
    assert check("-f", tmp_path, "--labelled-secrets").exit_code == 0


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{provider: github}", 'spec.provider: "github" is not a provider; did you mean "GitHub"?'),
        ("{provider: gitlub}", 'spec.provider: "gitlub" is not a provider; did you mean "GitLab"?'),
        ("{provider: '7'}", 'spec.provider: "7" is not a provider, such as GitHub or Generic'),
        ("{deduplication: {window: '5000'}}", '"5000" has no unit, such as s or ms; write it like'),
    ],
)
def test_what_was_meant_is_guessed(spec: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(endpoint_text(spec))
    result = check("-f", tmp_path)
    assert result.exit_code == 1
    assert told in result.output


def test_problems_name_place_object_field_and_remedy(tmp_path: Path) -> None:
    payments, chatbot = tmp_path / "payments.yaml", tmp_path / "chatbot.yaml"
    payments.write_text(
        endpoint_text()
        + subscription_text("delivery: {retry: {schedule: [5s, 5m, half an hour]}}", name="ledger")
    )
    chatbot.write_text(
        secret_text("channels", discord_public_key="x", meta_app_secret="y")
        + endpoint_text(
            "{provider: Telegram, verification: {keys: [{secretKeyRef: {name: channels, "
            "key: telegram-token}}]}}",
            name="telegram",
        )
    )
    result = check("-f", tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{chatbot}:12: WebhookEndpoint default/telegram: spec.verification.keys[0]: Secret "
        '"channels" has no key "telegram-token"; it has: discord-public-key, meta-app-secret',
        f"{payments}:9: WebhookSubscription default/ledger: spec.delivery.retry.schedule[2]: "
        '"half an hour" is not a duration; write it like 30m or 1h30m',
        "2 problems in 4 objects",
    ]


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(endpoint_text("{provider: Githup}") + "---\napiVersion: v1\nkind: Pod\n")
    result = check("-f", file, "--json")
    said = json.loads(result.output)
    assert (result.exit_code, said["objects"], said["files"]) == (1, 1, 1)
    (problem,) = said["problems"]
    assert problem["message"].startswith('"Githup" is not a provider')
    del problem["message"]
    assert problem == {
        "file": str(file),
        "line": 4,
        "kind": "WebhookEndpoint",
        "namespace": "default",
        "name": "a",
        "path": "spec.provider",
        "severity": "error",
    }
    assert said["notes"][0]["message"] == "passed over objects of other kinds: Pod (1)"


def test_nothing_to_check_is_a_failure(tmp_path: Path) -> None:
    assert check("-f", tmp_path).output == (
        "nothing was checked: no objects in 0 files (manifests are *.yaml, *.yml and *.json)\n"
    )
    assert check("-f", tmp_path).exit_code == 1
    missing = check("-f", tmp_path / "none.yaml")
    assert (missing.exit_code, "there is no such file or folder" in missing.output) == (1, True)
