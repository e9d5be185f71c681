"""A subscription at work: claims it, serves it, and claims again when it was lost."""

from __future__ import annotations

from typing import Final

from hookplane import fault
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import (
    InvalidValue,
    LeaseLost,
    OwnedElsewhere,
    StaleOwner,
    StoreError,
    StoreReplaced,
    UnknownObject,
)
from hookplane.store.delivery_store import Claimed
from hookplane_dispatcher.courier import Courier
from hookplane_dispatcher.lane.tenure import Tenure
from hookplane_dispatcher.shared import Shared
from hookplane_dispatcher.waker import Waker

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 8.0
"""Seconds between attempts to claim."""
LONGEST_TURN: Final = 1.0
"""The same while another process still has it."""


class Lane:
    """Lives as long as the subscription is configured here."""

    def __init__(self, shared: Shared, config: SubscriptionConfig) -> None:
        self._shared = shared
        self._config = config
        self._courier = self._prepare(config)
        self._meters = shared.meters.lane(f"{config.namespace}/{config.name}")
        self._waker = Waker()
        self._stopping = False
        self._leaving = False
        self._owns = False
        """The store may say that it is ours: then nobody else gets it as long as we live."""
        self._tenure: Tenure | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Uids of the endpoints that it reads."""
        return self._config.endpoints

    @property
    def stopping(self) -> bool:
        """It was told to stop."""
        return self._stopping

    @property
    def _over(self) -> bool:
        return self._stopping and (self._leaving or not self._owns)

    def configure(self, config: SubscriptionConfig) -> None:
        """A new document."""
        self._config = config
        self._courier = self._prepare(config)
        if self._tenure is not None:
            self._tenure.configure(config, self._courier)
            self._tenure.look_soon()

    def look_soon(self) -> None:
        """A replay or a resume was asked for, or a former owner released it."""
        if self._tenure is not None:
            self._tenure.look_soon()
        else:
            self._waker.wake()

    def wake(self) -> None:
        """Something that it waited for may be there now."""
        self._waker.wake()

    def stop(self, *, leaving: bool = False) -> None:
        """Lets what is under way finish; `run` returns when it is written, and the store knows that
        we let go. `leaving`: the process goes, so the store need not be told."""
        self._stopping = True
        self._leaving = self._leaving or leaving
        if self._tenure is not None:
            self._tenure.stop()
        self._waker.wake()

    def forget(self) -> None:
        """Its metrics go with it."""
        self._meters.forget()
        self._shared.flaws.pop(self._config.uid, None)

    async def run(self) -> None:
        """Until stopped, and until the store knows that we let go."""
        pause = FIRST_PAUSE
        while not self._over:
            try:
                await self._serve(await self._claim())
                pause = FIRST_PAUSE
            except OwnedElsewhere:
                self._owns = False
                pause = min(pause, LONGEST_TURN)
            except StoreReplaced:
                raise
            except (UnknownObject, LeaseLost) as error:
                self._owns = False
                self._note(type(error).__name__, str(error))
            except StaleOwner:
                self._owns = False
                self._note("StaleOwner", "another dispatcher took over; claiming again")
            except StoreError as error:
                self._note(type(error).__name__, str(error))
            except Exception as error:  # one lane's fault must not end it, nor any other
                self._note("LaneFailed", f"{type(error).__name__}; claiming again")
            await self._rest(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _claim(self) -> Claimed:
        async with self._shared.claims:
            self._owns = True
            return await self._shared.store.claim(self._config.uid, self._shared.ownership.process)

    async def _serve(self, claimed: Claimed) -> None:
        self._tenure = Tenure(
            self._shared, self._config, self._courier, claimed, self._meters, self._waker
        )
        if self._stopping:  # it came while the claim was under way
            self._tenure.stop()
        try:
            await self._tenure.serve()
            await self._shared.store.release(self._config.uid, self._tenure.epoch)
            self._owns = False
        finally:
            self._tenure = None

    async def _rest(self, seconds: float) -> None:
        if not self._over:
            await self._waker.wait(seconds)

    def _prepare(self, config: SubscriptionConfig) -> Courier | None:
        flaws = self._shared.flaws
        flaws.pop(config.uid, None)
        if config.not_ready or config.target is None:
            return None
        try:
            return Courier(config)
        except InvalidValue as error:
            flaws[config.uid] = str(error)
        except Exception as error:  # other lanes go on
            flaws[config.uid] = fault.describe(error)
        self._note("NotReady", flaws[config.uid])
        return None

    def _note(self, reason: str, message: str) -> None:
        name = f"{self._config.namespace}/{self._config.name}"
        self._shared.activity.noted(name, reason, message)
