"""What all listings of commands share: their options, and a list that keeps its limit and says how
to see what it left out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import click
from click.core import ParameterSource

from hookplane_cli.client.admin import AdminClient

MAX_PAGES: Final = 20
"""A page of the admin API looks at a bounded number of entries and may be short; so many are asked
for to fill a list."""
Page = dict[str, Any]
"""`items`, `next` and `lookedAt`, as the admin API has them."""

all_namespaces_option: Final = click.option(
    "-A", "--all-namespaces", is_flag=True, help="Of every namespace."
)


def page_options(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --limit, --before and --all-namespaces."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many."
    )
    before = click.option(
        "--before",
        metavar="PLACE",
        help="Only what is older: than this event, or what the list before ended with.",
    )
    return limit(before(all_namespaces_option(function)))


def gathered(
    client: AdminClient, path: str, parameters: Mapping[str, Any], limit: int, before: str | None
) -> Page:
    """The newest `limit` entries, out of as many pages as that takes within a bound. `next` is None
    when nothing older is left. Raises click.ClickException."""
    items: list[Any] = []
    looked_at, place = 0, before
    for _ in range(MAX_PAGES):
        page = client.get(path, {**parameters, "limit": limit - len(items), "before": place})
        items += page["items"]
        looked_at, place = looked_at + page["lookedAt"], page["next"]
        if place is None or len(items) >= limit:
            break
    if len(items) >= limit and place is not None and _ends(client, path, parameters, place):
        place = None
    return {"items": items, "next": place, "lookedAt": looked_at}


def _ends(client: AdminClient, path: str, parameters: Mapping[str, Any], place: str) -> bool:
    """Whether nothing comes behind a list that is full."""
    page = client.get(path, {**parameters, "limit": 1, "before": place})
    return not page["items"] and page["next"] is None


def with_rest(text: str, page: Mapping[str, Any]) -> str:
    """`text`, and how to see what the list left out."""
    if page["next"] is None:
        return text
    return f"{text}\n\nLooked at {page['lookedAt']:,}. Older ones: {again(before=page['next'])}"


def nothing(what: str, namespace: str | None) -> str:
    """What stands in place of an empty list; `namespace`: the one it is of."""
    if namespace is None:
        return f"No {what}."
    hint = f" (-n names a namespace; how many: --limit {namespace})" if namespace.isdigit() else ""
    return f"No {what} in namespace {namespace}{hint}."


def again(**changes: str) -> str:
    """The command at work with other options, to be pasted."""
    context = click.get_current_context()
    words = ["hookplane", str(context.command.name)]
    for parameter in context.command.params:
        words += _words(context, parameter, changes.pop(str(parameter.name), None))
    return shlex.join(words)


def _words(context: click.Context, parameter: click.Parameter, change: str | None) -> Iterator[str]:
    name = str(parameter.name)
    is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    if change is None and not is_given:
        return
    if isinstance(parameter, click.Option):
        yield max(parameter.opts, key=len)
    if not getattr(parameter, "is_flag", False):
        yield change or str(context.params[name])
