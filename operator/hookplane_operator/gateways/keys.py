"""A gateway's encryption keys: made once, kept when the gateway goes, because without them nothing
in its database can be read."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.kinds.gateway import WebhookGateway
from hookplane.sealing import Sealer
from hookplane.sealing_keys import new_sealing_key, parse_sealing_keys
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigKind
from hookplane_operator.gateways.pods import INBOUND, OUTBOUND
from hookplane_operator.kube.kinds import SECRET, Object
from hookplane_operator.kube.names import Names
from hookplane_operator.referred.secrets import GENERATED_FOR

_SEALS: Final = {ConfigKind.ENDPOINT: INBOUND, ConfigKind.SUBSCRIPTION: OUTBOUND}


def keys_to_create(gateway: WebhookGateway, in_use: Mapping[str, Secret] | None) -> Object:
    """The Secret, with new keys unless there are some `in_use`: then somebody has deleted it."""
    data = in_use or {name: Secret(new_sealing_key()) for name in (INBOUND, OUTBOUND)}
    names = Names(gateway)
    labels = names.labels("encryption") | {GENERATED_FOR: gateway.metadata.uid}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {
            "name": names.keys,
            "namespace": gateway.metadata.namespace,
            "labels": labels,
        },
        "type": "Opaque",
        "data": {k: base64.b64encode(v.reveal()).decode() for k, v in data.items()},
    }


def sealers(data: Mapping[str, Secret]) -> dict[ConfigKind, Sealer]:
    """For each kind of document the one that seals it; each opens all. Raises SecretUnreadable."""
    keys = {name: _keys(name, data.get(name)) for name in _SEALS.values()}
    every = {key: value for found in keys.values() for key, value in found.items()}
    return {kind: Sealer(every, next(iter(keys[name]))) for kind, name in _SEALS.items()}


def _keys(name: str, value: Secret | None) -> dict[str, bytes]:
    try:
        found = parse_sealing_keys(value.reveal() if value else b"")
    except InvalidValue as error:
        raise SecretUnreadable(f'key "{name}" of the encryption Secret is damaged') from error
    if not found:
        raise SecretUnreadable(f'key "{name}" of the encryption Secret is missing or damaged')
    return found
