"""Secrets inside documents: each is sealed for its object, its field, and what else the document
says.

A place is the path of a field and the digest of all that is plain in the document. So a secret
opens nowhere but where it was sealed, and not at all once something beside it was changed, such as
the host that it is sent to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from pydantic_core import from_json, to_json

from hookplane.errors import InvalidValue
from hookplane.sealing import Opener, Sealer
from hookplane.secret import Secret

_Path = tuple[str | int, ...]
_IsSecret = Callable[[Any], bool]


def seal(tree: Any, uid: str, sealer: Sealer) -> bytes:
    """A document as JSON; `tree` still has its secrets."""
    apart = _Apart(tree, lambda leaf: isinstance(leaf, Secret))
    for path, secret in apart.secrets:
        apart.put(path, sealer.seal(secret.reveal(), uid, apart.place(path)))
    return to_json(apart.rest)


class Reading:
    """Opens the secrets of one document while it is read, and checks then that they belong where
    they are."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._opened: dict[str, bytes] = {}

    def open(self, text: str, aad: str) -> bytes:
        """Raises SecretUnreadable."""
        plain = self._opened[text] = self._opener.open(text, aad)
        return plain

    def check(self, data: bytes, uid: str) -> None:
        """Raises SecretUnreadable if something was opened that was sealed for another place."""
        if not self._opened:
            return
        apart = _Apart(from_json(data), lambda leaf: isinstance(leaf, str) and leaf in self._opened)
        for path, text in apart.secrets:
            self._opener.check_place(text, self._opened[text], uid, apart.place(path))


class _Apart:
    """A document taken apart: its secrets with their paths, and the rest with nothing in their
    places."""

    def __init__(self, tree: Any, is_secret: _IsSecret) -> None:
        self._is_secret = is_secret
        self.secrets: list[tuple[_Path, Any]] = []
        self.rest: Any = self._take(tree, ())
        plain = _json(self.rest)
        self._digest = hashlib.sha256(plain).digest()

    def place(self, path: _Path) -> bytes:
        """What binds a secret to its path, and to all that was plain when it was taken apart, in
        whatever order the fields are."""
        return self._digest + orjson.dumps(path)

    def put(self, path: _Path, leaf: str) -> None:
        """Puts something into the place of a secret."""
        parent = self.rest
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = leaf

    def _take(self, tree: Any, path: _Path) -> Any:
        if isinstance(tree, dict):
            return {key: self._take(value, (*path, key)) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self._take(value, (*path, at)) for at, value in enumerate(tree)]
        if self._is_secret(tree):
            self.secrets.append((path, tree))
            return None
        return tree


def _json(rest: Any) -> bytes:
    """Raises InvalidValue for what no document of ours has, such as a number of 30 digits."""
    try:
        return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise InvalidValue(f"the document has something that none has: {error}") from None
