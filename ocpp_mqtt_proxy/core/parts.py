"""The parts of a session: whose it was, from when to when, and what each owes (contract §4 `parts`, §8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ocpp_mqtt_proxy.core.model import OWNER, WattHours
from ocpp_mqtt_proxy.core.tariff import Prices, for_time


@dataclass(slots=True)
class Part:
    """What one provider has of a session. Energy in Wh, money unrounded.

    `cost` is what the energy cost the owner. `charged`, in `currency`, is the provider's for energy and the session's
    fee; for its time it owes `per_hour`, as that was when the part began.
    """

    provider: str
    started_at: datetime
    ended_at: datetime | None = None
    energy: float = 0.0
    cost: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)
    per_hour: Decimal = Decimal(0)
    currency: str = "EUR"

    def revenue(self, now: datetime) -> Decimal:
        """What the provider owes, until the part's end or now; the owner owes nothing."""
        return self.charged + for_time(self.per_hour, max(self.ended_at or now, self.started_at) - self.started_at)

    def flow(self, energy: WattHours, since: datetime, until: datetime, prices: Prices) -> None:
        """Energy flowed; at these prices, whatever they are later. One in another currency by now is none."""
        self.energy += energy
        self.cost += prices.owner.price(energy, since, until)
        tariff = prices.of(self.provider)
        if self.provider != OWNER and tariff.currency == self.currency:
            self.charged += tariff.price(energy, since, until)


def opening(provider: str, at: datetime, prices: Prices) -> Part:
    """A session's first part: its provider pays the fee."""
    part = following(provider, at, prices)
    if provider != OWNER:
        part.charged = prices.of(provider).session_fee
    return part


def following(provider: str, at: datetime, prices: Prices) -> Part:
    """A part that begins in mid-session."""
    if provider == OWNER:
        return Part(provider, at, currency=prices.owner.currency)
    tariff = prices.of(provider)
    return Part(provider, at, per_hour=tariff.price_per_hour, currency=tariff.currency)


def shares(
    parts: Sequence[Part], energy: float, since: datetime, until: datetime
) -> Iterator[tuple[Part, WattHours, datetime, datetime]]:
    """Energy that flowed between two instants, by whose it was: to each part what flowed in its time.

    What flowed before the first part or after the last is theirs.
    """
    if len(parts) == 1:  # nearly always, with every reading
        yield parts[0], WattHours(energy), since, until
        return
    spans = list(_spans(parts, since, until))
    left = energy
    for part, begun, ended in spans[:-1]:
        share = energy * ((ended - begun) / (until - since))
        left -= share
        yield part, WattHours(share), begun, ended
    part, begun, ended = spans[-1]
    yield part, WattHours(max(0.0, left)), begun, ended


def _spans(parts: Sequence[Part], since: datetime, until: datetime) -> Iterator[tuple[Part, datetime, datetime]]:
    """Each part's share of a time; where it is no time at all, the part that it is in."""
    for number, part in enumerate(parts):
        begun = max(since, part.started_at) if number else since
        ended = min(until, parts[number + 1].started_at) if number + 1 < len(parts) else until
        if begun < ended:
            yield part, begun, ended
    if until <= since:
        inside = [part for part in parts if part.started_at <= until] or parts[:1]
        yield inside[-1], until, until
