"""The parts of a session as a column, and back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import orjson

from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session

PLAIN = "[]"
"""One part that the session's own columns tell all of: most sessions have no other."""


def plain(provider: str, session: Session, cost: Decimal) -> Part:
    """The part of a session that was one provider's, who owes nothing."""
    return Part(provider, session.started_at, session.ended_at, session.energy, cost, currency=session.cost_currency)


def text_of_parts(session: Session) -> str:
    """All parts as JSON."""
    if session.parts == [plain(session.provider, session, session.cost)]:
        return PLAIN
    return orjson.dumps([_row(part) for part in session.parts]).decode()


def _row(part: Part) -> list[object]:
    times = (part.started_at.isoformat(), part.ended_at and part.ended_at.isoformat())
    return [part.provider, *times, part.energy, str(part.cost), str(part.charged), str(part.per_hour), part.currency]


def parts_of(text: str) -> list[Part]:
    """The parts that a text tells; none where the columns do."""
    return [_part(*row) for row in orjson.loads(text)]


def _part(
    provider: str, since: str, until: str | None, energy: float, cost: str, charged: str, per_hour: str, currency: str
) -> Part:
    return Part(
        provider=provider,
        started_at=datetime.fromisoformat(since),
        ended_at=datetime.fromisoformat(until) if until else None,
        energy=energy,
        cost=Decimal(cost),
        charged=Decimal(charged),
        per_hour=Decimal(per_hour),
        currency=currency,
    )
