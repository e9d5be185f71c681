"""`--service NAME=URL`: where the Services are that manifests name."""

from __future__ import annotations

import re
from typing import Final

import click

from hookplane.errors import InvalidValue
from hookplane.network.addresses import AddressPolicy, check_url

_ANYWHERE: Final = AddressPolicy(loopback=True, allowed=("0.0.0.0/0", "::/0"))
"""Only the form is checked here; where deliveries may go is for compile to say."""
_NAME: Final = re.compile(r"([a-z0-9][-a-z0-9]*/)?[a-z0-9][-a-z0-9]*")


class ServiceType(click.ParamType[tuple[str, str]]):
    """`bot=http://127.0.0.1:9000` or, for one namespace only, `chat/bot=http://127.0.0.1:9000`."""

    name = "NAME=URL"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, equals, url = str(value).partition("=")
        if not equals or not _NAME.fullmatch(name):
            self.fail(f"{value} is not NAME=URL, such as bot=http://127.0.0.1:9000", param, ctx)
        try:
            check_url(url, _ANYWHERE)
        except InvalidValue as error:
            self.fail(str(error), param, ctx)
        return name, url
