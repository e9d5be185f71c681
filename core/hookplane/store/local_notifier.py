"""Who wants to be woken for what."""

from __future__ import annotations

from collections.abc import Callable

from hookplane.store.notifications import Topic

Callback = Callable[[str], None]


class LocalNotifier:
    """The listeners of one process. Used in the event loop only."""

    def __init__(self) -> None:
        self._listeners: dict[Topic, dict[object, Callback]] = {topic: {} for topic in Topic}

    def listen(self, topic: Topic, callback: Callback) -> Callable[[], None]:
        """Calls back until the returned function is called."""
        listeners, key = self._listeners[topic], object()
        listeners[key] = callback

        def stop() -> None:
            listeners.pop(key, None)

        return stop

    def tell(self, topic: Topic, subject: str = "") -> None:
        """Wakes everybody who listens to this topic."""
        for callback in tuple(self._listeners[topic].values()):
            callback(subject)
