"""What the composition root has for every part."""

from __future__ import annotations

from types import NoneType
from typing import get_args

from hookplane.clock import SystemClock
from hookplane.config.subscription import SubscriptionConfig
from hookplane_cli.composition import make_transports
from hookplane_dispatcher.egress.guard import AddressGuard


def test_each_target_that_a_document_can_have_has_a_transport() -> None:
    kinds = set(get_args(SubscriptionConfig.model_fields["target"].annotation)) - {NoneType}
    assert set(make_transports(AddressGuard(), SystemClock())) == kinds
