"""Looks up the values that objects refer to in Secrets. Messages name Secrets and keys, never
values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from hookplane.compile.model import ALLOW_REFERENCE, Absent, SecretObject
from hookplane.compile.problems import Problems
from hookplane.kinds.base import SecretKeyRef, SecretValue
from hookplane.kinds.conditions import Reason
from hookplane.secret import Secret

FORBIDDEN_TYPES: Final = frozenset(
    {
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/dockercfg",
    }
)
"""Secrets of these types hold keys to a cluster or a registry, which no webhook may send away."""
_SHOWN_KEYS: Final = 10
_UNLABELLED: Final = (
    f'has no label {ALLOW_REFERENCE}: "true", and objects may refer here to Secrets with it only; '
    "set it on the Secret, if it is for webhooks"
)


class SecretLookup:
    """All Secrets that compile was given. `labelled_only`: objects may refer to those only that are
    labelled so, and to generated ones."""

    def __init__(self, secrets: Iterable[SecretObject], *, labelled_only: bool = False) -> None:
        self._secrets = {(secret.namespace, secret.name): secret for secret in secrets}
        self._labelled_only = labelled_only

    def find(self, namespace: str, name: str) -> SecretObject | None:
        """The whole Secret; None: there is none of this name."""
        return self._secrets.get((namespace, name))

    def value(self, ref: SecretKeyRef, path: str, problems: Problems) -> Secret | None:
        """The value that the reference stands for; None when it is missing or may not be used. That
        is a problem at `path`, unless it is missing and the reference is optional."""
        return self._value(ref, path, problems, problems.missing)

    def values(
        self, refs: Sequence[SecretValue], path: str, problems: Problems
    ) -> dict[str, Secret]:
        """The values that are there, by the paths of their references and in their order. Any of
        them does: while there is one, another that is missing is told and takes nothing away."""
        places = {f"{path}[{index}]": ref.secret_key_ref for index, ref in enumerate(refs)}
        is_any = any(self._data(ref, problems).get(ref.key) for ref in places.values())
        tell = problems.missing_part if is_any else problems.missing
        found = {place: self._value(ref, place, problems, tell) for place, ref in places.items()}
        return {place: value for place, value in found.items() if value is not None}

    def _data(self, ref: SecretKeyRef, problems: Problems) -> Mapping[str, Secret]:
        secret = self.find(problems.namespace, ref.name)
        return {} if secret is None else secret.data

    def _value(
        self, ref: SecretKeyRef, path: str, problems: Problems, tell: Callable[..., None]
    ) -> Secret | None:
        secret = self.find(problems.namespace, ref.name)
        objection = "" if secret is None else self._objection(secret)
        if objection:
            message = f'Secret "{ref.name}" {objection}'
            problems.error(path, message, Reason.SECRET_NOT_ALLOWED)
            return None
        value = secret.data.get(ref.key) if secret is not None else None
        if value:
            return value
        if not ref.optional:
            tell(path, *_missing(ref, secret))
        return None

    def _objection(self, secret: SecretObject) -> str:
        """Why no object may refer to it; empty: any may."""
        if secret.type in FORBIDDEN_TYPES:
            return f"is of type {secret.type}: not for webhooks"
        if secret.reserved:
            return f"is {secret.reserved}: not for webhooks"
        if self._labelled_only and not (secret.labelled or secret.generated):
            return _UNLABELLED
        return ""


def _missing(ref: SecretKeyRef, secret: SecretObject | None) -> tuple[str, Reason, Absent | None]:
    """The sentence, its reason, and what is absent when it is the Secret as a whole."""
    if secret is None:
        absent = Absent("Secret", ref.name, ref.key)
        message = f'there is no Secret "{ref.name}"; it is to have the key "{ref.key}"'
        return message, Reason.SECRET_NOT_FOUND, absent
    if ref.key in secret.data:
        message = f'key "{ref.key}" of Secret "{ref.name}" is empty'
        return message, Reason.SECRET_UNUSABLE, None
    names = sorted(secret.data)
    more = [] if len(names) <= _SHOWN_KEYS else ["…"]
    has = ", ".join(names[:_SHOWN_KEYS] + more) or "no keys"
    message = f'Secret "{ref.name}" has no key "{ref.key}"; it has: {has}'
    return message, Reason.SECRET_KEY_NOT_FOUND, None
