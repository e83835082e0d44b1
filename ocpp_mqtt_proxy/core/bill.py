"""A session in whole seconds, watt-hours and cents, part by part: what is shown, and what is added up.

The lines of a session add up to what the session itself shows, and sums are of what the lines show: who adds them up
by hand gets the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.session import Session


@dataclass(frozen=True, slots=True)
class Line:
    """One part. Energy in Wh; `cost` and `revenue` in hundredths of their currencies."""

    provider: str
    since: datetime
    until: datetime | None
    seconds: int
    energy: int
    cost: int
    cost_currency: str
    revenue: int
    currency: str


@dataclass(slots=True)
class Sum:
    """Lines added up, of `key`: a provider, a card, a month. Money in hundredths, by currency."""

    key: str
    sessions: int = 0
    seconds: int = 0
    energy: int = 0
    cost: Counter[str] = field(default_factory=Counter)
    revenue: Counter[str] = field(default_factory=Counter)


def cents(amount: Decimal) -> int:
    """Money in hundredths, rounded as people do."""
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


def month_of(at: datetime, zone: tzinfo) -> str:
    """The month of an instant, local: `2026-03`."""
    return f"{at.astimezone(zone):%Y-%m}"


def lines(session: Session, now: datetime) -> Iterator[Line]:
    """The parts of a session. Each is what the sum up to it has grown by, rounded."""
    energy, cost, revenue = 0.0, Decimal(0), defaultdict[str, Decimal](Decimal)
    for part in session.parts:
        begun, grown, spent, owed = part.started_at, energy, cost, revenue[part.currency]
        ended = part.ended_at or max(now, begun)
        energy = session.energy if part is session.parts[-1] else energy + part.energy
        cost += part.cost
        if part.provider != OWNER:
            revenue[part.currency] += part.revenue(now)
        yield Line(
            provider=part.provider,
            since=begun,
            until=part.ended_at,
            seconds=_since_start(session, ended) - _since_start(session, begun),
            energy=round(energy) - round(grown),
            cost=cents(cost) - cents(spent),
            cost_currency=session.cost_currency,
            revenue=cents(revenue[part.currency]) - cents(owed),
            currency=part.currency,
        )


def _since_start(session: Session, at: datetime) -> int:
    return round(max(0.0, (at - session.started_at).total_seconds()))
