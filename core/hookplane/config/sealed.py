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

from hookplane.sealing import Opener, Sealer
from hookplane.secret import Secret

_Path = tuple[str | int, ...]
_Leaf = Callable[[_Path, Any], Any]


def seal(tree: Any, uid: str, sealer: Sealer) -> bytes:
    """A document as JSON; `tree` still has its secrets."""
    rest = _digest(tree)

    def sealed(path: _Path, leaf: Any) -> Any:
        is_secret = isinstance(leaf, Secret)
        return sealer.seal(leaf.reveal(), uid, _place(path, rest)) if is_secret else leaf

    return to_json(_mapped(tree, sealed))


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
        if self._opened:
            tree = _mapped(from_json(data), self._marked)
            rest = _digest(tree)
            _mapped(tree, lambda path, leaf: self._check_leaf(leaf, uid, _place(path, rest)))

    def _marked(self, _: _Path, leaf: Any) -> Any:
        is_opened = isinstance(leaf, str) and leaf in self._opened
        return Secret(leaf) if is_opened else leaf

    def _check_leaf(self, leaf: Any, uid: str, place: bytes) -> None:
        if isinstance(leaf, Secret):
            text = leaf.reveal().decode()
            self._opener.check_place(text, self._opened[text], uid, place)


def _place(path: _Path, rest: bytes) -> bytes:
    return rest + orjson.dumps(path)


def _digest(tree: Any) -> bytes:
    """Of all but the secrets, in whatever order the fields are."""
    plain = _mapped(tree, lambda _, leaf: None if isinstance(leaf, Secret) else leaf)
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).digest()


def _mapped(tree: Any, leaf: _Leaf, path: _Path = ()) -> Any:
    """The same tree of objects and lists with other leaves."""
    if isinstance(tree, dict):
        return {key: _mapped(value, leaf, (*path, key)) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_mapped(value, leaf, (*path, at)) for at, value in enumerate(tree)]
    return leaf(path, tree)
