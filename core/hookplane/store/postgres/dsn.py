"""DSNs of PostgreSQL, looked at before a library reads them: one that takes a part of a password
for a port or a database would name it in its complaint."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from hookplane.errors import InvalidValue
from hookplane.secret import Secret

_HOST: Final = r"(?:[A-Za-z0-9._~%-]*|\[[0-9A-Za-z:.%]+\])(?::[0-9]{1,5})?"
_DSN: Final = re.compile(
    r"postgres(?:ql)?://"
    r"(?:[^/?#\[\]\x00-\x1f]*@)?"
    rf"{_HOST}(?:,{_HOST})*"
    r"(?:/[^/?#@\x00-\x1f]*)?"
    r"(?:\?[^#@\x00-\x1f]*)?"
)
"""Behind the host there is no "@", so that one in front of which a password goes on, whatever
character it has been cut at, is none of these."""
_WRONG: Final = (
    "it is not of the form postgresql://user:password@host:5432/database?name=value; in a user "
    "name, password or value write / as %2F, ? as %3F, # as %23, @ as %40, [ as %5B and ] as %5D"
)


def readable_dsn(dsn: Secret) -> str:
    """The text for the driver. Raises InvalidValue, whose message has nothing of it."""
    try:
        text = dsn.reveal().decode().strip()
        urlsplit(text)
    except ValueError:
        raise InvalidValue(f"the DSN cannot be read: {_WRONG}") from None
    if _DSN.fullmatch(text) is None:
        raise InvalidValue(f"the DSN cannot be read: {_WRONG}")
    return text
