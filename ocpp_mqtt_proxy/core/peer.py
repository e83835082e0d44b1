"""What we have in common with one service about one charger: whose id is which, and how far it has been told.

Written down with every change: after a restart a service goes on hearing of its transactions by the ids it knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from ocpp_mqtt_proxy.core.model import IdToken, Nameplate, Version, WattHours

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_TRANSACTIONS = 50
"""Transactions remembered per service and charger after they were told to the end."""


@dataclass(slots=True)
class PeerTransaction:
    """One session as a service knows it; one that was taken from the service and given back is another transaction.

    `ours` is the charger's id of it, `theirs` the service's: None until a 1.6 service gave one (a 2.x service has
    the one that we gave). `seq` is the number that its next event gets (2.x seqNo). `begun` once its start was queued,
    `started` once it was told, `over` once its end was queued, `ended` once that was told.

    `token` is the card that it is shown, None until there is one. `meter_start` is the register in Wh that it is shown
    for its start, None until there is one; `before` the Wh that the session had by then. What it is shown later is that
    and what the session has more: one series, whatever the meter does. `turn` counts how often the session was the
    service's.
    """

    session_id: str
    ours: str
    theirs: str | None = None
    connector: int = 0
    seq: int = 0
    begun: bool = True
    started: bool = False
    over: bool = False
    ended: bool = False
    token: IdToken | None = None
    meter_start: WattHours | None = None
    before: float = 0.0
    turn: int = 1

    @property
    def key(self) -> str:
        """By what it is kept, and its messages told apart."""
        return self.session_id if self.turn == 1 else f"{self.session_id}/{self.turn}"

    def register(self, energy: float) -> WattHours | None:
        """The register that the service is shown where the session has so much energy, in Wh."""
        return None if self.meter_start is None else WattHours(self.meter_start + max(0.0, energy - self.before))


def remember(table: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Note one more in a table; of more than `most` those that were noted first go."""
    table[key] = value
    while len(table) > most:
        del table[next(iter(table))]


class Standing(StrEnum):
    """What a service made of our last boot (RegistrationStatusEnumType). `unknown` where it has yet to answer one."""

    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


@dataclass(slots=True)
class Peer:
    """A service and a charger.

    `standing` is what its last answer to a boot said, `interval` the seconds it gave, `told` the nameplate that it was
    told, `version` the OCPP version spoken then. `reservations` are our ids by theirs, `requests` their ids of uploads,
    updates and reports by ours, `remote_starts` theirs by ours, `tags` the long tags by the short ones that stand for
    them (1.6 has room for 20 characters).
    """

    service: str
    charger: str
    standing: Standing = Standing.UNKNOWN
    interval: int = 0
    told: Nameplate | None = None
    version: Version | None = None
    transactions: dict[str, PeerTransaction] = field(default_factory=dict)
    reservations: dict[int, int] = field(default_factory=dict)
    requests: dict[int, int] = field(default_factory=dict)
    remote_starts: dict[int, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    accepted_tags: dict[str, datetime] = field(default_factory=dict)

    def theirs(self, session_id: str) -> PeerTransaction | None:
        """A session as the service knows it, the last time that it was its own."""
        found = self.transactions.get(session_id)
        while found is not None and (later := self.transactions.get(f"{session_id}/{found.turn + 1}")):
            found = later
        return found

    def named(self, their_id: str) -> PeerTransaction | None:
        """The transaction that the service calls so; the latest, where it gave an id twice (semantics §4.1.3)."""
        found = [one for one in self.transactions.values() if one.theirs == their_id]
        running = [one for one in found if not one.over]
        return next(reversed(running or found), None)

    def running(self, their_id: str) -> PeerTransaction | None:
        """The transaction that the service calls so, as long as its end was not put in the queue for it."""
        found = self.named(their_id)
        return found if found is not None and not found.over else None
