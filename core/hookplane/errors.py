"""Every exception that crosses a module border.

HookplaneError
├── InvalidValue            a value from outside is not what it should be
├── SecretUnreadable        a sealed secret cannot be opened with the keys at hand
└── StoreError
    ├── StoreUnavailable    the store cannot answer now; try again later
    │   └── StoreBusy       a queue bound is reached
    ├── StoreLocked         another process owns this data folder
    ├── StoreUnfit          this database cannot be used as it is; the message says what to do
    ├── StoreReplaced       the database is another one than before; forget what is known of it
    ├── LeaseLost           this process counts as dead; it must register anew
    ├── OwnedElsewhere      a live process owns the subscription
    ├── RejectedEvent       one event cannot be stored as it is
    ├── StoreInUse          the database belongs to another gateway
    ├── StaleWriter         a newer leader writes the configuration now
    ├── StaleOwner          the flush came from an owner that is no longer the owner
    └── UnknownObject       no such subscription, endpoint, event or replay
"""


class HookplaneError(Exception):
    """Base of all errors that Hookplane raises on purpose."""


class InvalidValue(HookplaneError, ValueError):
    """A value from outside is not valid. The message says what is wrong and what would be right."""


class SecretUnreadable(HookplaneError):
    """A sealed secret cannot be opened: its key is missing or the text was changed."""


class StoreError(HookplaneError):
    """Base of what a store driver raises."""


class StoreUnavailable(StoreError):
    """The store cannot answer now."""


class StoreBusy(StoreUnavailable):
    """The queue in front of the store is full; callers answer 503 with Retry-After."""


class StoreLocked(StoreError):
    """Another process owns this store."""


class StoreUnfit(StoreError):
    """The database's schema, settings or rights do not fit; the message says what would."""


class StoreReplaced(StoreError):
    """The database was failed over or restored, so what this process knows of it may be wrong."""


class LeaseLost(StoreError):
    """This process was declared dead or a successor took its name; it owns nothing now."""


class OwnedElsewhere(StoreError):
    """A process that has not ended owns the subscription."""


class RejectedEvent(StoreError):
    """This one event cannot be stored; others of its group are not affected."""


class StaleOwner(StoreError):
    """Epoch or flush number did not match: somebody else owns the subscription now."""


class StoreInUse(StoreError):
    """The database belongs to another gateway, which the message names."""


class StaleWriter(StoreError):
    """Another leader took over; the caller must not write any more, unless it finds that it still
    leads and comes again with a higher term."""

    def __init__(self, term: int, holder: str) -> None:
        """Of whom the database takes for the leader; `holder` empty: a former version."""
        super().__init__(f"{holder or 'another operator'} has written in term {term}")
        self.term = term


class UnknownObject(StoreError):
    """The named object is not in the store."""
