"""What is counted of facts: sessions and what flowed in them by provider, and what was taken away."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.bill import lines
from ocpp_mqtt_proxy.core.events import ControlRevoked, Fact, SessionEnded, SessionStarted

COUNTED = (SessionStarted, SessionEnded, ControlRevoked)
"""The facts that a tally wants to hear of."""

REMEMBERED = 1000
"""Ended sessions that are known again when their charger corrects them."""


@dataclass
class Tally:
    """Counts since the program started. A session that changed hands counts with the one whose it was at its end.

    Energy in Wh and revenue (in hundredths, by provider and currency) count with whoever had the part.
    """

    started: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    energy: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    revenue: Counter[tuple[str, str]] = field(default_factory=Counter)
    revoked: Counter[str] = field(default_factory=Counter)
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)

    async def run(self, mailbox: Mailbox) -> None:
        """Count, for ever."""
        while True:
            for fact in await mailbox.take():
                self.count(fact)

    def count(self, fact: Fact) -> None:
        """One fact."""
        match fact:
            case SessionStarted():
                self.started[fact.session.provider] += 1
            case SessionEnded() if fact.session.session_id not in self._known:
                self._count_session(fact)
            case ControlRevoked():
                self.revoked[fact.reason] += 1

    def _count_session(self, fact: SessionEnded) -> None:
        session = fact.session
        self._known[session.session_id] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self.ended[session.provider, session.reason or ""] += 1
        for line in lines(session, session.ended_at or fact.at):
            self.energy[line.provider] += max(0, line.energy)
            self.seconds[line.provider] += max(0, line.seconds)
            self.revenue[line.provider, line.currency] += max(0, line.revenue)
