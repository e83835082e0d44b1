"""What energy and time cost: the price in force when energy flowed (contract §3 `tariff`, §8).

Money is decimal; binary floats lose cents over a year of sessions. Energy that was read at two instants is taken to
have flowed evenly between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise

from ocpp_mqtt_proxy.core.model import WattHours
from ocpp_mqtt_proxy.core.schedule import Window

WH_PER_KWH = Decimal(1000)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)

MOST_STEPS = 500
"""Changes of a price that are remembered: five days of one that changes each quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Period:
    """Another price per kWh for a part of the day."""

    window: Window
    price_per_kwh: Decimal


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in one currency. The first of the `periods` that holds says the price of energy, else the basic one.

    Periods are times of day in `zone`. The basic price is `price_per_kwh` and, from the instant of each of the
    `steps` on, its price.
    """

    currency: str = "EUR"
    price_per_kwh: Decimal = Decimal(0)
    price_per_hour: Decimal = Decimal(0)
    session_fee: Decimal = Decimal(0)
    periods: tuple[Period, ...] = ()
    zone: tzinfo = UTC
    steps: tuple[tuple[datetime, Decimal], ...] = ()

    def price(self, energy: WattHours, since: datetime, until: datetime) -> Decimal:
        """The price of energy that flowed between two instants, unrounded, in `currency`."""
        plain = not (self.periods or self.steps)
        per_kwh = self.price_per_kwh if plain else self._average(since, until)
        return Decimal(str(energy)) / WH_PER_KWH * per_kwh

    def price_at(self, at: datetime) -> Decimal:
        """The price per kWh at an instant."""
        local = at.astimezone(self.zone) if self.periods else at
        inside = (period.price_per_kwh for period in self.periods if period.window.holds(local))
        return next(inside, self._basic(at))

    def stepped(self, price_per_kwh: Decimal, at: datetime) -> Tariff:
        """With another basic price from an instant on; what flowed before keeps its own."""
        if self._basic(at) == price_per_kwh:
            return self
        steps = (*(step for step in self.steps if step[0] < at), (at, price_per_kwh))
        forgotten, kept = steps[:-MOST_STEPS], steps[-MOST_STEPS:]
        return replace(self, price_per_kwh=forgotten[-1][1] if forgotten else self.price_per_kwh, steps=kept)

    def _basic(self, at: datetime) -> Decimal:
        return next((price for since, price in reversed(self.steps) if since <= at), self.price_per_kwh)

    def _average(self, since: datetime, until: datetime) -> Decimal:
        """The price per kWh of an even flow."""
        if until <= since:
            return self.price_at(until)
        edges = [since, *self._changes(since, until), until]
        weighed = sum((self.price_at(a) * _microseconds(b - a) for a, b in pairwise(edges)), Decimal(0))
        return weighed / _microseconds(until - since)

    def _changes(self, since: datetime, until: datetime) -> list[datetime]:
        """The instants between two others at which the price may change, in order."""
        found = {at for at, _ in self.steps}
        if self.periods:
            found.update(self._turns_of_day(since, until))
            found.update(_clock_changes(self.zone, sorted({since, until, *_within(found, since, until)})))
        return sorted(_within(found, since, until))

    def _turns_of_day(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """When clocks on the wall show that a period begins or ends. In autumn they may show that twice."""
        shown = {clock for period in self.periods for clock in (period.window.start, period.window.end)}
        day, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date()
        while day <= last:
            for clock in shown:
                yield from _instants(day, clock, self.zone)
            day += timedelta(days=1)


def _within(instants: set[datetime], since: datetime, until: datetime) -> set[datetime]:
    return {at for at in instants if since < at < until}


def _instants(day: date, clock: time, zone: tzinfo) -> Iterator[datetime]:
    for fold in (0, 1):
        yield datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC)


def _clock_changes(zone: tzinfo, instants: list[datetime]) -> Iterator[datetime]:
    """When clocks are put on or back between two of some instants: then a period may begin in mid-hour."""
    for before, after in pairwise(instants):
        old, new = before, after
        while _offset(zone, old) != _offset(zone, new) and new - old > INSTANT:
            middle = old + (new - old) / 2
            old, new = (middle, new) if _offset(zone, middle) == _offset(zone, before) else (old, middle)
        if new != after:
            yield new


def _offset(zone: tzinfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _microseconds(span: timedelta) -> Decimal:
    return Decimal(span // INSTANT)


def for_time(per_hour: Decimal, span: timedelta) -> Decimal:
    """What a time costs, unrounded."""
    return per_hour * _microseconds(span) / _microseconds(HOUR)


@dataclass(slots=True)
class Prices:
    """What sessions are priced by: the owner's own tariff and the providers'. One for all chargers."""

    owner: Tariff = field(default_factory=Tariff)
    providers: Mapping[str, Tariff] = field(default_factory=dict)

    def of(self, provider: str) -> Tariff:
        """A provider's tariff; one that has none pays nothing."""
        return self.providers.get(provider) or Tariff(self.owner.currency)

    def set_owner_price(self, price_per_kwh: Decimal, at: datetime) -> None:
        """From now on energy costs the owner this much (`tariff.price_topic`)."""
        self.owner = self.owner.stepped(price_per_kwh, at)
