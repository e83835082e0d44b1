"""What services must be told of, sooner or later, and in order: what the specification calls transaction-related.

It is written down together with what it tells of, and goes when the service has answered (semantics §4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ocpp_mqtt_proxy.core.reports import SecurityReported, TransactionReported

Told = TransactionReported | SecurityReported
"""What is told for certain: everything of a transaction, its readings too, and security events (A04.FR.02).

A transaction goes by the charger's own id, place and clock here; each service's words are found when it is told.
"""


@dataclass(slots=True)
class Outgoing:
    """One message that waits for one service.

    `number` is its place in the queue of all of them; `heard_at` is by our clock. `session_id` is empty where it
    belongs to no session. `document` is `told` as it is written down, where somebody has found that already.
    """

    service: str
    charger: str
    number: int
    heard_at: datetime
    told: Told
    session_id: str = ""
    document: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that waits no more: the service has answered it, or it was `given_up`. By its number."""

    number: int
    given_up: bool = False
