"""One charger: what it is and what it does.

What a report from it changes stands in `rules.py`, `hearing.py` and `transactions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from ocpp_mqtt_proxy.core.authorization import Decision, key_of
from ocpp_mqtt_proxy.core.book import Book
from ocpp_mqtt_proxy.core.commands import Order
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.errors import UnknownConnector
from ocpp_mqtt_proxy.core.held import Held, Steps, layered
from ocpp_mqtt_proxy.core.limit_orders import Purpose
from ocpp_mqtt_proxy.core.limits.profile import LEAST_CURRENT, ChargingProfile, rounded
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps, Place, Status, Variable, Version
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.settings import Told
from ocpp_mqtt_proxy.core.traits import Traits
from ocpp_mqtt_proxy.core.verifying import Ignored
from ocpp_mqtt_proxy.core.wear import Wear

MAX_CONNECTORS = 32
"""Connectors one charger may have; more is a charger that babbles."""

MAX_ID = 999
"""The highest number of an EVSE or a connector that is believed."""

REGISTER = "energy"
"""The lifetime register among the measurands that were ever read."""


SOON = timedelta(minutes=1)
"""What a charger will fall back to within this time counts already: it may be too late to put another profile there."""


@dataclass(slots=True)
class Inventory:
    """A device model while its parts come in (NotifyReport)."""

    request_id: int
    variables: dict[str, Variable] = field(default_factory=dict)


class Failure(NamedTuple):
    """A profile that the charger did not take: how often in a row, when that was last, and whether that one lowered."""

    times: int
    at: datetime
    lowers: bool = False


class Provided(NamedTuple):
    """The least of the limits that are in force beside the owner's, and whose it is: a provider's or a group's."""

    amps: Amps
    by: str


@dataclass(slots=True)
class Station:
    """The live state of one charger. `plan.measurands`: () automatic, None hands off, else these.

    `share` is what its group allows it; nothing until that is known. `provided` is the least of that and of what
    providers allow, `ahead` all that binds each connector, but for the owner's ceiling, from when that was reckoned
    on. `wish` is a ceiling that the owner asks for, `pausing` sessions that are to be paused or go on, both until
    the charger has confirmed. `doubted` are profiles of ours of which nobody knows whether it has them, by their
    keys (`steering`), `lost` those of them that a boot may have cost it, `failed` those that it did not take.
    `allowed` is what each but the owner allows each connector in A, as `ahead` begins with. `ignores` once it was
    seen not to keep to limits, `tells_schedule` while it may tell its composite schedule. `due` is what has to be
    put to the charger after what was just heard. `settings` is what it last said of them when a service asked.
    `external` are limits that were put on it at the charger itself, by their source and our number of the place.
    `clock_ahead` by how much its clock is ahead of ours, as its times show; `behind` the least that what it told
    was late by our clock: its clock's error, where it is slow. `may_have_set_clock` until it tells a time, once it
    came or was told the time.
    """

    memory: ChargerMemory
    plan: Plan = field(default_factory=Plan)
    connectors: dict[int, Connector] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    control: Control = field(init=False)
    share: Provided | None = None
    external: dict[tuple[str, int], ChargingProfile] = field(default_factory=dict)
    provided: Provided | None = None
    connected: bool = False
    address: str = ""
    connected_since: datetime | None = None
    last_heard: datetime | None = None
    last_heartbeat: datetime | None = None
    connects: int = 0
    status: Status = Status.UNKNOWN
    error_code: str = "NoError"
    firmware_status: str = ""
    diagnostics_status: str = ""
    max_stack_level: int | None = None
    max_periods: int | None = None
    takes_amps: bool = True
    takes_watts: bool = False
    ahead: Mapping[int, Steps] = field(default_factory=dict)
    wish: Amps | None = None
    pausing: dict[str, bool] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    failed: dict[str, Failure] = field(default_factory=dict)
    allowed: Mapping[int, Mapping[str, Amps]] = field(default_factory=dict)
    ignores: Ignored | None = None
    tells_schedule: bool = True
    wear: Wear = field(default_factory=Wear)
    collecting: Inventory | None = None
    due: list[Order] = field(default_factory=list)
    settings: Told = field(default_factory=Told)
    clock_ahead: timedelta = timedelta(0)
    behind: timedelta | None = None
    may_have_set_clock: bool = True

    def __post_init__(self) -> None:
        self.control = Control(self.memory.id)
        if self.plan.group:
            self.share = self.provided = Provided(Amps(0), f"group:{self.plan.group}")

    @property
    def id(self) -> str:
        """The charger's id."""
        return self.memory.id

    @property
    def version(self) -> Version:
        """The OCPP version it speaks, or spoke last."""
        return self.memory.version

    @property
    def traits(self) -> Traits:
        """What has to be done differently for this charger."""
        return self.plan.traits_of(self.memory.nameplate, self.memory.learned)

    @property
    def limit(self) -> Amps:
        """The owner's ceiling in A; never above what the configuration allows by now."""
        most = self.plan.max_current
        return most if self.memory.limit is None else min(most, self.memory.limit)

    @property
    def bound(self) -> Amps:
        """What binds every session in A: the owner's ceiling, or a provider's limit below it."""
        return self.limit if self.provided is None else min(self.limit, self.provided.amps)

    @property
    def ceiling(self) -> Amps:
        """The owner's ceiling in A, the one that is asked for just now where there is one."""
        return self.limit if self.wish is None else min(self.plan.max_current, self.wish)

    @property
    def in_all(self) -> Amps | None:
        """What the charger bears in all. None where neither configuration nor owner says: then each connector does."""
        return self.ceiling if self.plan.enforced or self.ceiling < self.plan.max_current else None

    def ceiling_of(self, connector: int) -> Amps:
        """The same for a connector, which may bear less; what the charger bears in all is shared by what runs there."""
        return min(self._part_of(connector), self.plan.max_currents.get(connector, self.ceiling))

    def _part_of(self, connector: int) -> Amps:
        """Even parts for the transactions that run; where that is too little for a car, those that began last wait."""
        if self.in_all is None:
            return self.ceiling
        running = sorted((s for s in self.sessions() if not s.paused), key=lambda session: session.started_at)
        served = [session.connector for session in running][: max(1, int(self.ceiling / LEAST_CURRENT))]
        if connector in served or not running:
            return rounded(self.ceiling / max(1, len(served)))
        waits = any(session.connector == connector for session in running)
        return Amps(0) if waits else rounded(self.ceiling / (len(served) + 1))

    @property
    def limited(self) -> bool:
        """Whether the charger has ever been limited, or is to be: then what is allowed has to be put to it."""
        memory = self.memory
        known = (memory.limit, memory.installed, memory.safe, self.wish, self.provided)
        own = any(one.held is not None or one.limit is not None or one.paused for one in self.sessions())
        own = own or any(True for _ in self._unanswered())
        return self.plan.enforced or bool(self.pausing) or own or any(one is not None for one in known)

    @property
    def unlimited(self) -> Amps:
        """What a connector may draw in A where the charger holds no profile of ours."""
        return Amps(inf) if self.plan.enforced else self.plan.max_current

    def stands_in(self, session: Session) -> bool:
        """Whether what limits a session is the charger's one profile for all: it takes none for a transaction."""
        form = self.memory.session_form
        apart = form is None or form.purpose in (None, Purpose.TRANSACTION)
        return not apart and self.sole() is self.connectors[session.connector]

    def defaults(self, now: datetime, until: datetime) -> Steps:
        """What applies from now on to a transaction without a profile of its own, as far as the charger confirmed."""
        return self._applies(None, now, until)

    def applies(self, session: Session | None, now: datetime, until: datetime) -> Steps:
        """What applies from now on where a session runs, or one may begin."""
        return self._applies(session.held if session is not None else None, now, until)

    def _applies(self, own: Held | None, now: datetime, until: datetime) -> Steps:
        bottom = self.unlimited if self.memory.safe is None else self.memory.safe
        return layered((own, self.memory.installed), bottom, now, until)

    def reach(self, now: datetime, within: timedelta = SOON) -> Amps:
        """What each connector may draw in A within a time, as far as the charger confirmed, and may have taken since.

        All there is, where it never confirmed anything; what flows, where that is more than it confirmed.
        """
        until = now + within
        lines = [self.applies(session, now, until) for session in self.sessions()]
        lines += [layered([held], Amps(0), now, until) for held in self._unanswered()]
        most = max(amps for steps in (*lines, self.defaults(now, until)) for _, amps in steps)
        overdrawn = (one.overdraws for one in self.connectors.values() if one.overdraws is not None)
        return Amps(max([self.plan.max_current if most == inf else most, *overdrawn]))

    @property
    def overdraws(self) -> bool:
        """Whether more flows somewhere than the charger confirmed."""
        return any(one.overdraws is not None for one in self.connectors.values())

    def _unanswered(self) -> Iterator[Held]:
        """What it may have taken, but for profiles of transactions that are over."""
        if not self.memory.asked:  # nearly always: and this is looked at often
            return iter(())
        over = {session.session_id for session in self.book.by_transaction.values() if not session.running}
        return (held for key, held in self.memory.asked.items() if key not in over)

    def left_with(self) -> Amps:
        """What each connector may draw in A in the end, where the charger is put nothing any more, as it confirmed."""
        memory = self.memory
        every = [memory.installed, *(session.held for session in self.sessions())]
        lasting = [held.steps[-1][1] for held in every if held is not None and held.until is None]
        if memory.installed is None or memory.installed.until is not None:
            lasting.append(self.unlimited if memory.safe is None else memory.safe)
        return min(self.plan.max_current, max(lasting))

    def is_sure_of(self, key: str) -> None:
        """Nobody doubts a profile of ours any more."""
        self.doubted.discard(key)
        self.lost.discard(key)

    @property
    def faulted(self) -> bool:
        """Whether the charger or one of its connectors is faulted."""
        return Status.FAULTED in (self.status, *(c.status for c in self.connectors.values()))

    def ordered(self) -> list[Connector]:
        """The connectors by number."""
        return [self.connectors[number] for number in sorted(self.connectors)]

    def in_use(self) -> list[Connector]:
        """The connectors on which it counts what is allowed: those that charge, else all."""
        return [one for one in self.ordered() if one.session is not None] or self.ordered()

    def sessions(self) -> Iterator[Session]:
        """The sessions that run."""
        return (c.session for c in self.connectors.values() if c.session is not None)

    def forget_refusals(self) -> None:
        """What lowers is asked for again at once, though the charger refused it before."""
        self.failed = {key: failure for key, failure in self.failed.items() if not failure.lowers}

    def recall(self, tag: str, now: datetime) -> Decision | None:
        """What was decided on a card here, while that stands."""
        return self.control.cards.recall(tag, now, self._charging())

    def remember(self, tag: str, decision: Decision, now: datetime) -> None:
        """A card was decided on here."""
        self.control.cards.remember(tag, decision, now, self._charging())

    def _charging(self) -> set[str]:
        return {key_of(session.id_tag) for session in self.sessions() if session.id_tag is not None}

    def connector(self, number: int) -> Connector:
        """The connector of a number. Raises UnknownConnector."""
        try:
            return self.connectors[number]
        except KeyError:
            have = ", ".join(str(n) for n in sorted(self.connectors)) or "none yet"
            raise UnknownConnector(f"{self.id} has no connector {number}; it has {have}") from None

    def at(self, place: Place) -> Connector | None:
        """The connector at a place, made known where it is new; None for the charger as a whole.

        Also None for places that cannot be: odd numbers, connector without EVSE, more than there may be.
        """
        if not 0 < place.evse <= MAX_ID or not 0 <= (place.connector or 0) <= MAX_ID:
            return None
        spot = Place(place.evse, place.connector or 1)
        for connector in self.connectors.values():
            if connector.place == spot or (place.connector is None and connector.place.evse == place.evse):
                return connector
        if len(self.connectors) >= MAX_CONNECTORS:
            return None
        return self._discover(spot)

    def evse_number(self, place: Place) -> int:
        """The number that profiles of a known EVSE go by: of its connectors, which share them, the first."""
        return min(one.number for one in self.connectors.values() if one.place.evse == place.evse)

    def sole(self) -> Connector | None:
        """The connector, where there is just one; connector 1 while none was heard of."""
        if not self.connectors:
            return self._discover(Place(1, 1))
        return next(iter(self.connectors.values())) if len(self.connectors) == 1 else None

    def _discover(self, place: Place) -> Connector:
        """Number a connector: by its EVSE where that is free, else the next. Stable: it is written down."""
        number = place.evse
        if number in self.connectors or place.connector != 1:
            number = max((*self.connectors, 0)) + 1
        connector = Connector(charger=self.id, number=number, place=place)
        self.connectors[number] = connector
        return connector


def restore(memory: ChargerMemory, plan: Plan, connectors: Iterable[Connector], sessions: Iterable[Session]) -> Station:
    """A station as it was when the program stopped: sessions that ran then run on."""
    station = Station(memory, plan, {connector.number: connector for connector in connectors})
    station.doubted |= memory.asked.keys()
    for session in sorted(sessions, key=lambda session: session.started_at):
        station.book.add(session)
        place = Place(session.connector, 1)
        connector = station.connectors.setdefault(session.connector, Connector(memory.id, session.connector, place))
        if session.running:
            connector.session = session
            connector.settle()
        else:
            connector.last_session = session
    return station
