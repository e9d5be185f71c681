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
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.waiting import Waker
from hookplane.store.delivery_store import Asked, Claimed
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.worker.prepared import PreparedSubscription
from hookplane_dispatcher.worker.session import OwnershipSession

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 8.0
"""Between attempts to claim."""
OWNED_PAUSE_SECONDS: Final = 1.0
"""The longest pause while another process still owns the subscription."""


class SubscriptionWorker:
    """Lives as long as the subscription is configured here."""

    def __init__(
        self,
        dependencies: Dependencies,
        config: SubscriptionConfig,
        predecessor: SubscriptionWorker | None = None,
    ) -> None:
        """`predecessor`: another one of this process, which has not ended; `run` comes after it."""
        self._dependencies = dependencies
        self._config = config
        self._prepared = self._prepare(config)
        self._metrics = dependencies.metrics.for_subscription(f"{config.namespace}/{config.name}")
        self._waker = Waker()
        self._stopping = False
        self._leaving = False
        self._owns = False
        """The store may count it as ours, and then nobody else gets it as long as this process
        lives."""
        self._session: OwnershipSession | None = None
        self._predecessor = predecessor
        if predecessor is not None:
            predecessor.let_finish()

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
        self._prepared = self._prepare(config)
        if self._session is not None:
            self._session.configure(config, self._prepared)
            self._session.look_soon()

    def look_soon(self) -> None:
        """A replay or a resume was asked for, or a former owner released it."""
        if self._session is not None:
            self._session.look_soon()
        else:
            self._waker.wake()

    def note_asked(self, asked: Asked) -> None:
        """What people asked, as the store has it."""
        if self._session is not None:
            self._session.note_asked(asked)

    def wake(self) -> None:
        """Looks again at once: something that it waited for may be there now."""
        self._waker.wake()

    def stop(self, *, leaving: bool = False) -> None:
        """Starts nothing more. `run` returns when everything under way is written and the store has
        released the subscription. `leaving`: the process ends, so the store need not be told."""
        self._stopping = True
        self._leaving = self._leaving or leaving
        if self._session is not None:
            self._session.stop(leaving=self._leaving)
        if self._predecessor is not None:
            self._predecessor.stop(leaving=leaving)
        self._waker.wake()

    def let_finish(self) -> None:
        """It was stopped, and the subscription belongs to this process again: what is under way may
        take its time."""
        if self._session is not None:
            self._session.let_finish()
        if self._predecessor is not None:
            self._predecessor.let_finish()

    def forget(self) -> None:
        """Removes its metrics, because the subscription is no longer here."""
        self._metrics.forget()
        self._dependencies.unusable.pop(self._config.uid, None)

    async def run(self) -> None:
        """Serves until stopped, and until the store has released the subscription."""
        self._predecessor = None
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while not self._over:
            at_most = None
            try:
                await self._serve(await self._claim())
                backoff.reset()
            except OwnedElsewhere:
                self._owns = False
                at_most = OWNED_PAUSE_SECONDS
            except StoreReplaced:
                raise
            except LeaseLost as error:
                self._owns = False
                self._note(type(error).__name__, str(error))
            except StaleOwner:  # it may be ours all the same, by a claim that came to nothing
                self._note("StaleOwner", "another dispatcher took over; claiming again")
            except StoreError as error:
                self._note(type(error).__name__, str(error))
            except Exception as error:  # one worker's fault must not end it, nor any other
                self._note("WorkerFailed", f"{type(error).__name__}; claiming again")
            await self._rest(backoff.next_pause(at_most))

    async def _claim(self) -> Claimed:
        async with self._dependencies.claims:
            self._owns = True
            try:
                return await self._dependencies.store.claim(
                    self._config.uid,
                    self._dependencies.ownership.process,
                    self._dependencies.settings.rows,
                )
            except UnknownObject:
                self._owns = False
                raise

    async def _serve(self, claimed: Claimed) -> None:
        self._session = OwnershipSession(
            self._dependencies, self._config, self._prepared, claimed, self._metrics, self._waker
        )
        if self._stopping:  # it came while the claim was under way
            self._session.stop(leaving=self._leaving)
        try:
            await self._session.serve()
            await self._dependencies.store.release(self._config.uid, self._session.epoch)
            self._owns = False
        finally:
            self._session = None
            self._metrics.hold(0)

    async def _rest(self, seconds: float) -> None:
        if not self._over:
            await self._waker.wait_until_woken(seconds)

    def _prepare(self, config: SubscriptionConfig) -> PreparedSubscription | None:
        unusable = self._dependencies.unusable
        unusable.pop(config.uid, None)
        if config.not_ready or config.target is None:
            return None
        try:
            dependencies = self._dependencies
            return PreparedSubscription(config, dependencies.transports, dependencies.expressions)
        except InvalidValue as error:
            unusable[config.uid] = str(error)
        except Exception as error:  # other workers go on
            unusable[config.uid] = fault.describe(error)
        self._note("NotReady", unusable[config.uid])
        return None

    def _note(self, reason: str, message: str) -> None:
        name = f"{self._config.namespace}/{self._config.name}"
        self._dependencies.activity.noted(name, reason, message)
