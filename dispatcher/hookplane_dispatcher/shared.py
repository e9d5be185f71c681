"""What all lanes of a dispatcher have in common."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from hookplane.activity import ActivityLog
from hookplane.clock import Clock
from hookplane.membership import OwnershipGuard
from hookplane.store.protocol import Store
from hookplane_dispatcher.bodies import Bodies
from hookplane_dispatcher.logs import Logs
from hookplane_dispatcher.meters import Meters
from hookplane_dispatcher.sender import Sender
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_dispatcher.teller import Teller


@dataclass(frozen=True, slots=True)
class Shared:
    """Nothing in here is a slot that one lane could take from another; bodies are bounded for
    each lane besides all together."""

    store: Store
    sender: Sender
    clock: Clock
    random: Random
    activity: ActivityLog
    logs: Logs
    bodies: Bodies
    meters: Meters
    teller: Teller
    settings: DispatcherSettings
    ownership: OwnershipGuard
    claims: asyncio.Semaphore
    """Claims under way at once: ten thousand lanes may start together."""
    flaws: dict[str, str] = field(default_factory=dict)
    """Uid of a subscription → why nothing can be sent as its document says."""
