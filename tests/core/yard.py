"""A charger in the core, on a clock of the test's, and short words for what chargers say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.authorization import Decision, House
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import Order
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import (
    ENERGY,
    POWER,
    STATION,
    ChargingState,
    IdToken,
    Place,
    Reading,
    Sample,
    Status,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import (
    MeterReported,
    Phase,
    Report,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
    card_of,
)
from ocpp_mqtt_proxy.core.rules import Heard
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station, restore
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
ONE = Place(1, 1)
TWO = Place(2, 1)
PRICES = Prices(Tariff("EUR", Decimal("0.30")))

F = TypeVar("F", bound=Fact)


@dataclass
class Yard:
    """One charger, what followed from all it said, and what was to be written down.

    `verdicts` are those that others give on cards; the rest is the house's.
    """

    version: Version = Version.V16
    house: House = field(default_factory=House)
    now: datetime = NOON
    numbers: Numbers = field(default_factory=lambda: Numbers("test", 100))
    facts: list[Fact] = field(default_factory=list)
    kept: list[Change] = field(default_factory=list)
    verdicts: dict[str, Decision | None] = field(default_factory=dict)
    station: Station = field(init=False)

    def __post_init__(self) -> None:
        self.station = Station(ChargerMemory("CP1", version=self.version), Plan(prices=PRICES))

    def hear(self, report: Report) -> Heard:
        """What follows from a report, heard now."""
        token = card_of(report)
        decision = self.verdicts.get(token.tag, self.house.decide(token)) if token is not None else None
        return self.note(rules.hear(self.station, report, self.now, self.numbers, decision))

    def confirm(self, order: Order) -> None:
        """What follows where the charger did as it was told, now."""
        self.note(rules.confirm(self.station, order, self.now, self.numbers))

    def note(self, heard: Heard) -> Heard:
        """Keep what followed, as the hub does."""
        self.facts += heard.facts
        self.kept += heard.changes
        return heard

    def pass_(self, **time: float) -> datetime:
        """Let time go by, in the words of `timedelta`; the time then."""
        self.now += timedelta(**time)
        return self.now

    def ago(self, **time: float) -> datetime:
        """A time before now."""
        return self.now - timedelta(**time)

    def started(self, report: TransactionReported) -> Session:
        """The session that a start begins."""
        answer = self.hear(report).answer
        assert isinstance(answer, TransactionAnswer)
        session = self.station.book.find(answer.transaction_id)
        assert session is not None
        return session

    def told(self, kind: type[F]) -> list[F]:
        """The facts of a kind, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def connector(self) -> Connector:
        return self.station.connectors[1]

    @property
    def lifetime(self) -> float | None:
        """The lifetime register of connector 1 in Wh."""
        return self.connector.energy

    @property
    def status(self) -> Status:
        return self.connector.status

    @property
    def sessions(self) -> list[Session]:
        """Every session there ever was, oldest first."""
        kept = {change.session_id: change for change in self.kept if isinstance(change, Session)}
        return sorted(kept.values(), key=lambda session: int(session.session_id.rpartition("-")[2]))

    def restart(self) -> None:
        """Stop the program and start it: connectors are as far as they were written down."""
        connectors = [
            Connector(
                c.charger,
                c.number,
                c.place,
                register=c.register,
                effective_limit=c.effective_limit,
                limited_by=c.limited_by,
                finishing=c.finishing,
                says_occupied=c.says_occupied,
            )
            for c in self.station.connectors.values()
        ]
        self.station = restore(self.station.memory, self.station.plan, connectors, self.sessions)


def begin(yard: Yard, wh: float = 1000, place: Place = ONE, tag: str = "CARD") -> Session:
    """A 1.6 session begun now, on a connector that says that it charges."""
    session = yard.started(start(wh, yard.now, place, tag))
    yard.hear(status(Status.CHARGING, place, yard.now))
    return session


def plain(wh: WattHours | None) -> float | None:
    """Watt-hours as a number that compares with others."""
    return wh


# What chargers say


def energy(wh: float, context: str = "Sample.Periodic", **more: Any) -> Reading:
    return Reading(ENERGY, wh, "Wh", context=context, **more)


def power(watts: float, **more: Any) -> Reading:
    return Reading(POWER, watts, "W", **more)


def sample(*readings: Reading, at: datetime | None = None) -> Sample:
    return Sample(at, readings)


def meter(*readings: Reading, of: str | None = None, at: datetime | None = None, place: Place = ONE) -> MeterReported:
    return MeterReported(place, (Sample(at, readings),), of)


def status(said: str, place: Place = ONE, at: datetime | None = None, **more: Any) -> StatusReported:
    return StatusReported(place, said, at, **more)


def station_status(said: str, **more: Any) -> StatusReported:
    return StatusReported(STATION, said, **more)


def start(
    wh: float | None, at: datetime | None = None, place: Place | None = ONE, tag: str | None = "CARD", **more: Any
) -> TransactionReported:
    """A 1.6 StartTransaction."""
    token = IdToken(tag) if tag is not None else None
    meter_start = None if wh is None else WattHours(wh)
    return TransactionReported(Phase.STARTED, None, at, place, token, meter_start=meter_start, **more)


def stop(
    transaction_id: str, wh: float | None, at: datetime | None = None, tag: str | None = None, **more: Any
) -> TransactionReported:
    """A 1.6 StopTransaction."""
    token = IdToken(tag) if tag is not None else None
    meter_stop = None if wh is None else WattHours(wh)
    return TransactionReported(Phase.ENDED, transaction_id, at, token=token, meter_stop=meter_stop, **more)


def event(
    phase: Phase,
    *readings: Reading,
    tx: str = "tx-1",
    at: datetime | None = None,
    place: Place | None = ONE,
    state: ChargingState | None = None,
    **more: Any,
) -> TransactionReported:
    """A 2.x TransactionEvent."""
    samples = (Sample(at, readings),) if readings else ()
    return TransactionReported(phase, tx, at, place, charging_state=state, samples=samples, **more)
