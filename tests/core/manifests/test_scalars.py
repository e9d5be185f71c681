from __future__ import annotations

import json
import math
import random
import re
import subprocess

import pytest

from hookplane.manifests import scalars
from support.kubernetes.kubectl import kubectl_binary

KNOWN: list[tuple[str, scalars.Scalar]] = [
    *((word, True) for word in ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "ON")),
    *((word, False) for word in ("n", "N", "no", "No", "NO", "false", "False", "off", "Off")),
    *((word, None) for word in ("", "~", "null", "Null", "NULL")),
    *((word, word) for word in ("yEs", "tRue", "oN", "nUll", "none", "x", "_1", "+", "-", "..")),
    ("1e3", 1000),
    ("1e-3", 0.001),
    ("0.1e1", 1),
    ("08", 8),
    ("014", 12),
    ("0o14", 12),
    ("0O14", 12),
    ("0x1F", 31),
    ("-0x1f", -31),
    ("0b101", 5),
    ("-0b11", -3),
    ("1_000", 1000),
    ("+1", 1),
    ("-0", 0),
    (".5", 0.5),
    ("5.", 5),
    ("+.5e1", 5),
    ("1.0", 1),
    ("100.50", 100.5),
    ("1e999", "1e999"),  # more than a double holds
    ("-1e999", "-1e999"),
    ("._5", "._5"),
    (".e3", ".e3"),
    ("1e", "1e"),
    ("0b2", "0b2"),
    ("0o8", "0o8"),
    ("0x", "0x"),
    ("0x1p-2", "0x1p-2"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("1.2.3", "1.2.3"),
    ("2026-11-29", "2026-11-29"),
    ("2026-11-29T00:00:00Z", "2026-11-29T00:00:00Z"),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("1e20", 10**20),
    ("1e21", 1e21),
    ("0x8000000000000000", 2**63),
    ("0xfffffffffffffffff", "0xfffffffffffffffff"),  # more than 64 bits
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("=", "="),
]


@pytest.mark.parametrize(("text", "value"), KNOWN)
def test_a_plain_scalar(text: str, value: scalars.Scalar) -> None:
    found = scalars.resolve(None, text, plain=True)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_what_is_no_number(text: str) -> None:
    found = scalars.resolve(None, text, plain=True)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("text", ["y", "1e3", "", "~", "08"])
def test_quotes_make_text(text: str) -> None:
    assert scalars.resolve(None, text, plain=False) == text
    assert scalars.resolve("!", text, plain=True) == text


TAGGED: list[tuple[str, str, scalars.Scalar]] = [
    ("str", "5", "5"),
    ("str", "y", "y"),
    ("int", "0x10", 16),
    ("float", "3", 3),
    ("float", "0.5", 0.5),
    ("bool", "y", True),
    ("null", "~", None),
    ("timestamp", "2026-11-29", "2026-11-29"),
]


@pytest.mark.parametrize(("tag", "text", "value"), TAGGED)
def test_a_tag_names_the_type(tag: str, text: str, value: scalars.Scalar) -> None:
    assert scalars.resolve(scalars.TAG + tag, text, plain=False) == value


@pytest.mark.parametrize(
    ("tag", "text"), [("int", "x"), ("int", "0.5"), ("int", "y"), ("bool", "1"), ("null", "x")]
)
def test_a_text_that_is_not_of_its_tag_is_refused(tag: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        scalars.resolve(scalars.TAG + tag, text, plain=False)


@pytest.mark.parametrize("tag", [scalars.TAG + "binary", scalars.TAG + "set", "!mine"])
def test_other_tags_are_refused(tag: str) -> None:
    with pytest.raises(LookupError):
        scalars.resolve(tag, "x", plain=False)


@pytest.mark.parametrize(
    ("text", "name"), [("on", "true"), ("N", "false"), ("010", "8"), ("1.0", "1"), ("a", "a")]
)
def test_names_of_fields_are_text(text: str, name: str) -> None:
    assert scalars.name(text, plain=True) == name
    assert scalars.name(text, plain=False) == text


@pytest.mark.parametrize("text", ["~", "", "1.5", ".inf"])
def test_nothing_and_fractions_are_no_names(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        scalars.name(text, plain=True)
    assert scalars.name(text, plain=False) == text


def random_scalars(count: int) -> list[str]:
    draw = random.Random(1729)
    letters = "0123456789abxoeE+-._yYnN"
    drawn = ("".join(draw.choices(letters, k=draw.randint(1, 6))) for _ in range(count))
    return [text for text in drawn if text not in ("-", "?")]


def test_kubectl_reads_the_same() -> None:
    """`kubectl label --local` prints what it read, without any cluster."""
    texts = random_scalars(2_000) + [text for text, _ in KNOWN if "inf" not in text.lower()]
    texts = [text for text in texts if text not in ("", "-", "0x8000000000000000")]
    lines = "".join(f"- {text}\n" for text in texts)
    given = f"apiVersion: v1\nkind: Thing\nmetadata: {{name: a}}\nvalues:\n{lines}"
    command = [kubectl_binary(), "label", "--local", "-o", "json", "-f", "-", "a=b"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)["values"]
    ours = [scalars.resolve(None, text, plain=True) for text in texts]
    different = [
        (text, mine, other)
        for text, mine, other in zip(texts, ours, theirs, strict=True)
        if (type(mine), mine) != (type(other), other)
    ]
    assert different == []
