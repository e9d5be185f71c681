"""Words what pydantic found for people who write manifests: the field, and what would be right."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Union

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hookplane.kinds.base import LABEL_VALUE_PATTERN, QUALIFIED_NAME_PATTERN
from hookplane.kinds.endpoint import PROVIDER_PATTERN
from hookplane.providers.registry import PRESETS
from hookplane.spelling import did_you_mean

Location = tuple[int | str, ...]

_QUOTED_CHARACTERS: Final = 60
"""At most so much of a value is repeated in a message."""
_KEY: Final = "[key]"
"""What pydantic adds to the location of a key of a mapping."""
_SECRET_FIELDS: Final = frozenset({"value", "data", "stringData"})
"""Fields whose content is never repeated in a message."""

_PHRASES: Final = {
    r"^https?://[^/@?#\s\\]+([/?][^\s]*)?$": "an http:// or https:// URL without user name, "
    "password, fragment and spaces",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a name: lower case letters, digits and -",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": "a name: lower case "
    "letters, digits, - and dots",
    r"^[-._a-zA-Z0-9]+$": "a key of a Secret: letters, digits, -, _ and dots",
    r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$": "the name of a header",
    r"^[A-Za-z0-9_$@:-]+(\.[A-Za-z0-9_$@:-]+)*$": "a path in a JSON body, such as message.id",
    r"^[A-Za-z0-9_./:*-]+$": "an event type, with * for any text: letters, digits and _ . / : -",
    r"^evt_[0-9a-z]{26}$": "an event id: evt_ and 26 letters or digits",
    QUALIFIED_NAME_PATTERN: "a label's key: at most 63 letters, digits, -, _ and dots, with a "
    "prefix such as example.com/ before them or none",
    LABEL_VALUE_PATTERN: "a label's value: letters and digits, with -, _ and dots between them",
    PROVIDER_PATTERN: "a provider, such as GitHub or Generic",
    r"^[^:]+$": "a user name, which has no colon",
    r"^/[^\s#]*$": "a path that begins with /",
}
_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}
_LENGTHS: Final = {
    "string_too_short": ("at least", "min_length", "character", "characters"),
    "string_too_long": ("at most", "max_length", "character", "characters"),
    "too_short": ("at least", "min_length", "entry", "entries"),
    "too_long": ("at most", "max_length", "entry", "entries"),
}


def explain(model: type[BaseModel], error: ValidationError) -> list[tuple[str, str]]:
    """Path of the field and a sentence for every error. `model` is what was being validated."""
    return [_explained(model, detail) for detail in error.errors(include_url=False)]


def field_path(location: Iterable[int | str]) -> str:
    """`("spec", "keys", 0)` → `spec.keys[0]`."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".")


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean "timeout"?`, or the list of known words when none is close."""
    names = sorted(known)
    return did_you_mean(word, names) or f"there is: {', '.join(names)}"


def _explained(model: type[BaseModel], detail: ErrorDetails) -> tuple[str, str]:
    location = tuple(step for step in detail["loc"] if step != _KEY)
    return field_path(location), _sentence(model, location, detail)


def _sentence(model: type[BaseModel], location: Location, detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    shown = _shown(location, detail["input"])
    if kind == "extra_forbidden":
        return f"unknown field; {nearest(str(location[-1]), _fields(model, location[:-1]))}"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, not {_described(detail['input'])}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{shown} is out of bounds; must be {words} {context[key]}"
    if kind in _LENGTHS:
        words, key, one, many = _LENGTHS[kind]
        return f"must have {words} {context[key]} {one if context[key] == 1 else many}"
    explained = _OTHERS.get(kind)
    return explained(shown, context) if explained else str(detail["msg"])


def _not_listed(shown: str, context: Mapping[str, Any]) -> str:
    allowed = re.findall(r"'([^']*)'", context["expected"])
    return f"{shown} is not one of {', '.join(allowed)}"


def _not_matching(shown: str, context: Mapping[str, Any]) -> str:
    pattern = context["pattern"]
    if pattern == PROVIDER_PATTERN and (near := did_you_mean(shown.strip('"'), PRESETS)):
        return f"{shown} is not a provider; {near}"
    return f"{shown} is not {_PHRASES.get(pattern, f'of the form {pattern}')}"


_OTHERS: Final[dict[str, Callable[[str, Mapping[str, Any]], str]]] = {
    "missing": lambda *_: "is required",
    "literal_error": _not_listed,
    "string_pattern_mismatch": _not_matching,
    "string_unicode": lambda *_: "is not text: it holds half of a character",
    "value_error": lambda _, context: str(context["error"]),
}


def _shown(location: Location, value: Any) -> str:
    if not isinstance(value, str | int | float) or _SECRET_FIELDS & set(location[-2:]):
        return "this"
    text = str(value)
    short = text[:_QUOTED_CHARACTERS] + "…" if len(text) > _QUOTED_CHARACTERS else text
    return f'"{short}"' if isinstance(value, str) else short


_DESCRIPTIONS: Final[Sequence[tuple[type | tuple[type, ...], str]]] = (
    (bool, "true or false (in quotes it is text)"),
    ((int, float), "a number (in quotes it is text)"),
    (str, "text"),
    (list, "a list"),
    (dict, "a mapping"),
)


def no_text(value: Any) -> str:
    """What is wrong with a value where text is wanted. YAML reads 123 as a number, y and on as true
    and 1e3 as 1000; in quotes they are text."""
    return f"must be text, not {_described(value)}"


def _described(value: Any) -> str:
    return next((words for kind, words in _DESCRIPTIONS if isinstance(value, kind)), "nothing")


def _fields(model: type[BaseModel], location: Location) -> list[str]:
    """Names of the fields that the object at `location` inside `model` may have."""
    kind: Any = model
    for step in location:
        kind = _below(kind, step)
    if not _is_model(kind):
        return []
    return [info.alias or name for name, info in kind.model_fields.items()]


def _below(kind: Any, step: int | str) -> Any:
    if not _is_model(kind):
        arguments = typing.get_args(kind)
        return _bare(arguments[-1]) if arguments else None
    for name, info in kind.model_fields.items():
        if step in (info.alias, name):
            return _bare(info.annotation)
    return None


def _bare(kind: Any) -> Any:
    """The type without Annotated and without None."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _bare(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return _bare(next(x for x in typing.get_args(kind) if x is not type(None)))
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
