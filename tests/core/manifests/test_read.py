"""Manifests become typed resources; each problem names file, line, object, field and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.compile.model import ObjectKey, SecretObject
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.manifests.files import SourceText, read_files
from hookplane.manifests.model import Manifests
from hookplane.manifests.read import read_manifests

EXAMPLES = Path(__file__).parents[3] / "examples"
HEAD = "apiVersion: hookplane.dev/v1alpha1\n"
SUBSCRIPTION = HEAD + "kind: WebhookSubscription\nmetadata: {name: ledger}\nspec:\n"


def read(*texts: str, names: tuple[str, ...] = ("a.yaml", "b.yaml")) -> Manifests:
    return read_manifests(
        [SourceText(name, text) for name, text in zip(names, texts, strict=False)]
    )


def said(manifests: Manifests) -> list[str]:
    return [str(finding) for finding in manifests.findings]


def test_all_examples_are_understood() -> None:
    manifests = read_manifests(read_files([EXAMPLES]))
    assert said(manifests) == []
    assert manifests.complete
    assert len(manifests.resources) >= 20
    assert {(x.name, len(x.data)) for x in manifests.secrets} >= {
        ("channels", 4),
        ("partners", 4),
        ("payment-keys", 3),
    }


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n  delivery:\n"
            "    retry:\n      schedule: [5s, 5m, half an hour]\n",
            "a.yaml:9: WebhookSubscription default/ledger: spec.delivery.retry.schedule[2]: "
            '"half an hour" is not a duration; write it like 30m or 1h30m',
        ),
        (
            "  target: {url: 'https://x.example', tiemout: 5s}\n  endpointRefs: [{name: a}]\n",
            "a.yaml:5: WebhookSubscription default/ledger: spec.target.tiemout: unknown field; "
            'did you mean "timeout"?',
        ),
        (
            "  target: {url: 'https://x.example', zzz: 5s}\n  endpointRefs: [{name: a}]\n",
            "a.yaml:5: WebhookSubscription default/ledger: spec.target.zzz: unknown field; there "
            "is: authentication, forwardHeaders, headers, keepAnswers, serviceRef, timeout, tls, "
            "url, urlFrom",
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpoint_refs: [{name: a}]\n",
            "a.yaml:6: WebhookSubscription default/ledger: spec.endpoint_refs: unknown field; did "
            'you mean "endpointRefs"?',
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n"
            "  delivery: {ordering: strict}\n",
            "a.yaml:7: WebhookSubscription default/ledger: spec.delivery.ordering: "
            '"strict" is not one of None, Key, Strict',
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n"
            "  delivery: {maxInFlight: '5'}\n",
            "a.yaml:7: WebhookSubscription default/ledger: spec.delivery.maxInFlight: must be a "
            "whole number, not text",
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n"
            "  delivery: {maxInFlight: 0}\n",
            "a.yaml:7: WebhookSubscription default/ledger: spec.delivery.maxInFlight: 0 is out of "
            "bounds; must be at least 1",
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n  suspend: 'yes'\n",
            "a.yaml:7: WebhookSubscription default/ledger: spec.suspend: must be true or false, "
            "not text",
        ),
        (
            "  target: {headers: [{name: X, value: 5}], url: 'https://x.example'}\n"
            "  endpointRefs: [{name: a}]\n",
            "a.yaml:5: WebhookSubscription default/ledger: spec.target.headers[0].value: must be "
            "text, not a number (in quotes it is text)",
        ),
        (
            "  endpointRefs: [{name: a}]\n",
            "a.yaml:5: WebhookSubscription default/ledger: spec.target: is required",
        ),
        (
            "  target: {url: 'ftp://x'}\n  endpointRefs: [{name: a}]\n",
            'a.yaml:5: WebhookSubscription default/ledger: spec.target.url: "ftp://x" is not an '
            "http:// or https:// URL without user name, password, fragment and spaces",
        ),
        (
            "  target: {url: 'https://x.example'}\n  endpointRefs: []\n",
            "a.yaml:6: WebhookSubscription default/ledger: spec.endpointRefs: must have at least "
            "1 entry",
        ),
        (
            "  target: {url: 'https://x.example'}\n",
            "a.yaml:5: WebhookSubscription default/ledger: spec: set exactly one of endpointRefs, "
            "endpointSelector and operationalEvents",
        ),
        (
            "  target: {url: 'https://x.example'}\n  operationalEvents: true\n  startFrom: now\n",
            'a.yaml:5: WebhookSubscription default/ledger: spec: "now" is not a time; write it '
            "like 2026-11-21T00:00:00Z",
        ),
    ],
)
def test_problems_in_people_s_words(spec: str, line: str) -> None:
    assert said(read(SUBSCRIPTION + spec)) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "apiVersion: hookplane.dev/v1\nkind: WebhookEndpoint\nmetadata: {name: a}\nspec: {}",
            'a.yaml:1: WebhookEndpoint default/a: apiVersion: "hookplane.dev/v1" is not known; '
            "write hookplane.dev/v1alpha1",
        ),
        (
            HEAD + "kind: WebhookEndpiont\nmetadata: {name: a}\nspec: {}",
            'a.yaml:2: WebhookEndpiont default/a: kind: "WebhookEndpiont" is not known; did you '
            'mean "WebhookEndpoint"?',
        ),
        (
            HEAD + "kind: WebhookEndpoint\nmetadata: {name: A.b}\nspec: {}",
            'a.yaml:3: WebhookEndpoint default/A.b: metadata.name: "A.b" is not a name: lower case '
            "letters, digits and -, at most 52 characters",
        ),
        (
            HEAD + "kind: WebhookEndpoint\nmetadata: {}\nspec: {}",
            "a.yaml:3: WebhookEndpoint default/?: metadata.name: is required",
        ),
        (
            HEAD + "kind: WebhookEndpoint\nmetadata: {name: a, namespace: A_b}\nspec: {}",
            'a.yaml:3: WebhookEndpoint A_b/a: metadata.namespace: "A_b" is not the name of a '
            "namespace",
        ),
        (
            HEAD + "kind: WebhookEndpoint\nmetadata: {name: a}",
            "a.yaml:1: WebhookEndpoint default/a: spec: is required",
        ),
        (
            HEAD + "kind: WebhookEndpoint\nmetadata: {name: a}\nspec: {}\nspecs: {}",
            'a.yaml:5: WebhookEndpoint default/a: specs: unknown field; did you mean "spec"?',
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: '%%'}",
            "a.yaml:4: Secret default/s: data.k: is not base64; plain text belongs in stringData",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: 5}",
            "a.yaml:4: Secret default/s: stringData.k: must be text, not a number (in quotes it is "
            "text)",
        ),
        ("a: 1", "a.yaml:1: has no apiVersion and kind, so it is no Kubernetes object"),
        ("- a", "a.yaml:1: has no apiVersion and kind, so it is no Kubernetes object"),
        ("a: 1\na: 2", 'a.yaml:2: "a" stands twice in the same mapping'),
    ],
)
def test_problems_of_whole_objects(text: str, line: str) -> None:
    assert said(read(text)) == [line]


def test_secret_values_are_never_repeated() -> None:
    text = SUBSCRIPTION + "  target: {url: 5, headers: [{name: X, value: hunter2}]}\n"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: hunter2!}"
    assert "hunter2" not in " ".join(said(read(text, secret)))


def test_one_bad_object_does_not_stop_the_others() -> None:
    manifests = read(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: hookplane.dev/v1alpha1, kind: WebhookEndpoint, metadata: {name: good}, "
        "spec: {}}\n"
        "- {apiVersion: hookplane.dev/v1alpha1, kind: WebhookEndpoint, metadata: {name: bad}, "
        "spec: {x: 1}}\n"
        "- {apiVersion: apps/v1, kind: Deployment, metadata: {name: other}}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: chat}\n"
        "data: {a: YQ==, b: Yg==}\nstringData: {b: c}\n",
    )
    (endpoint,), (secret,) = manifests.resources, manifests.secrets
    assert isinstance(endpoint, WebhookEndpoint)
    assert endpoint.metadata.name == "good"
    assert isinstance(secret, SecretObject)
    assert (secret.namespace, {k: v.reveal() for k, v in secret.data.items()}) == (
        "chat",
        {"a": b"a", "b": b"c"},
    )
    assert manifests.broken == {ObjectKey("WebhookEndpoint", "default", "bad")}
    assert manifests.others == {"Deployment": 1}
    assert (manifests.objects, manifests.files, manifests.complete) == (3, 2, True)


def test_an_object_that_stands_twice_counts_once() -> None:
    one = HEAD + "kind: WebhookEndpoint\nmetadata: {name: a}\nspec: {}\n"
    manifests = read(one, "\n" + one + "  suspend: true\n".replace("  ", ""))
    assert len(manifests.resources) == 1
    assert said(manifests) == [
        "b.yaml:2: WebhookEndpoint default/a: stands already in a.yaml:1, which counts; remove "
        "one of them"
    ]


@pytest.mark.parametrize(
    "text",
    ["a: [", HEAD + "kind: WebhookEndpiont\nmetadata: {name: a}", "a: 1"],
)
def test_what_hides_objects_makes_a_reading_incomplete(text: str) -> None:
    assert not read(text).complete


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("{parts: []}", "key.parts: must have at least 1 entry"),
        ("{parts: {header: X}}", "key.parts: must be a list, not a mapping"),
        (
            "{header: A, parts: [{bodyPath: b}]}",
            "key: set exactly one of header, bodyPath and parts",
        ),
        (
            "{parts: [{bodyPath: b}, {header: A, bodyPath: b}]}",
            "key.parts[1]: set exactly one of header and bodyPath",
        ),
        (
            "{parts: [{bodyPath: a b}]}",
            'key.parts[0].bodyPath: "a b" is not a path in a JSON body, such as message.id',
        ),
        ("{parts: [{heder: X}]}", 'key.parts[0].heder: unknown field; did you mean "header"?'),
    ],
)
def test_what_is_wrong_with_a_key_of_several_parts_is_said(key: str, answer: str) -> None:
    spec = f"spec: {{deduplication: {{key: {key}}}}}"
    (finding,) = read(HEAD + f"kind: WebhookEndpoint\nmetadata: {{name: a}}\n{spec}").findings
    assert str(finding).endswith(f"WebhookEndpoint default/a: spec.deduplication.{answer}")


def test_json_files() -> None:
    text = (
        '{"apiVersion": "hookplane.dev/v1alpha1", "kind": "WebhookEndpoint", '
        '"metadata": {"name": "a"}, "spec": {"foo": 1}}'
    )
    assert said(read(text, names=("a.json",)))[0].startswith(
        "a.json: WebhookEndpoint default/a: spec.foo: unknown field; there is: deduplication"
    )


def test_a_file_that_cannot_be_read_makes_a_reading_incomplete() -> None:
    texts = [SourceText("a.yaml", problem="is not UTF-8 text"), SourceText("b.yaml", "")]
    manifests = read_manifests(texts)
    assert said(manifests) == ["a.yaml: is not UTF-8 text"]
    assert (manifests.complete, manifests.failed, manifests.files) == (False, True, 2)


def test_fields_are_suggested_by_the_names_that_people_write() -> None:
    head = HEAD + "kind: WebhookGateway\nmetadata: {name: g}\nspec:\n"
    store = "  store: {postgresql: {dsn: {secretKeyRef: {name: s, key: k}}}}\n"
    (line,) = said(read(head + store + "  allowedNamespaces: {fro: All}\n"))
    assert line.endswith('unknown field; did you mean "from"?')
    (line,) = said(read(head + store + "  publicUrl: 'https://x.example'\n"))
    assert line.endswith('unknown field; did you mean "publicURL"?')


@pytest.mark.parametrize(("size", "fits"), [(1 << 20, True), ((1 << 20) + 1, False)])
def test_the_values_of_a_secret_have_a_bound(size: int, fits: bool) -> None:
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n"
    manifests = read(f"{head}  a: {'x' * (size - 3)}\n  b: yyy\n")
    assert said(manifests) == (
        [] if fits else ["a.yaml:1: Secret default/s: holds more than 1 MiB"]
    )


@pytest.mark.parametrize("items", ["{}", "''", "5"])
def test_the_items_of_a_list_are_a_list(items: str) -> None:
    manifests = read(f"apiVersion: v1\nkind: List\nitems: {items}\n")
    assert said(manifests) == ["a.yaml:3: items of a List must be a list"]
    assert not manifests.complete


def test_a_list_may_be_empty_or_without_items_but_must_be_a_list() -> None:
    head = "apiVersion: v1\nkind: List\n"
    assert said(read(head, head + "items: []\n")) == []
    assert said(read(head + "items: {}\n")) == ["a.yaml:3: items of a List must be a list"]


def test_an_object_without_a_name_is_named_by_its_place() -> None:
    text = SUBSCRIPTION.replace("{name: ledger}", "{labels: {a: b}}")
    text += "  target: {url: 'https://x.example'}\n  endpointRefs: [{name: a}]\n"
    manifests = read(text)
    assert manifests.resources == ()
    assert said(manifests) == [
        "a.yaml:3: WebhookSubscription default/?: metadata.name: is required"
    ]
