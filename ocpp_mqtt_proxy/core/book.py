"""The sessions of one charger: which of them a message belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.session import Session, StartKey

REMEMBERED = 200
"""Sessions remembered per charger beyond the running ones, to know a repeated or late message by."""

RESTORED = 20
"""Of them at a start: what a charger repeats, because it got no answer, is about the last ones."""


def names_nothing(transaction_id: str) -> bool:
    """Whether a 1.6 transaction id is what chargers say where they have none: 0 or less (errata 3.18)."""
    return transaction_id.startswith("-") or not transaction_id.strip("0")


@dataclass(slots=True)
class Numbers:
    """The numbers we give out: transaction ids for 1.6 chargers and session ids. Never given twice.

    `instance` sets this installation's session ids apart from another's. Both counters are written down
    with what they number, in one transaction.
    """

    instance: str
    last_transaction: int
    last_session: int = 0

    def transaction(self) -> str:
        """A fresh 1.6 transaction id: positive, within int32 (1.6 §4.8, errata 3.54)."""
        self.last_transaction += 1
        return str(self.last_transaction)

    def session(self) -> str:
        """A fresh session id."""
        self.last_session += 1
        return f"{self.instance}-{self.last_session}"


@dataclass(frozen=True, slots=True)
class EventNumber:
    """No event of a charger has a higher number, whatever happens; some below may never be told."""

    charger: str
    seq: int


@dataclass(slots=True)
class Book:
    """Sessions by transaction id and by how they started; the oldest that are over are forgotten first."""

    by_transaction: dict[str, Session] = field(default_factory=dict)
    by_start: dict[StartKey, Session] = field(default_factory=dict)

    def add(self, session: Session) -> None:
        """Enter a session, a new one or one from the store."""
        self.by_transaction[session.transaction_id] = session
        if session.start_key is not None:
            self.by_start[session.start_key] = session
        while len(self.by_transaction) > REMEMBERED and self._forget_oldest():
            pass

    def find(self, transaction_id: str | None) -> Session | None:
        """The session of a transaction id, running or over."""
        return self.by_transaction.get(transaction_id) if transaction_id is not None else None

    def started(self, key: StartKey) -> Session | None:
        """The session that a StartTransaction of this content began."""
        return self.by_start.get(key)

    def rename(self, session: Session, transaction_id: str) -> None:
        """Give a session another transaction id; the earlier one still finds it."""
        session.transaction_id = transaction_id
        self.add(session)

    def _forget_oldest(self) -> bool:
        for transaction_id, session in self.by_transaction.items():
            if not session.running:
                del self.by_transaction[transaction_id]
                if session.start_key is not None and self.by_start.get(session.start_key) is session:
                    del self.by_start[session.start_key]
                return True
        return False
