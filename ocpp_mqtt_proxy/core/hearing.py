"""What follows from a report, transactions and readings aside (those: `transactions.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ocpp_mqtt_proxy.core import clock
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.authorization import Decision, for_a_card_alone
from ocpp_mqtt_proxy.core.book import EventNumber, Numbers
from ocpp_mqtt_proxy.core.connector import Connector, Problem
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.events import (
    AvailabilityChanged,
    CardDecided,
    ChargerBooted,
    ChargerLimited,
    DataTransferred,
    DiagnosticsChanged,
    Fact,
    FaultChanged,
    FirmwareChanged,
    HeartbeatHeard,
    InventoryRead,
    NoticeHeard,
    ReservationEnded,
    SecurityNoticed,
    SessionUpdated,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import ChargingState, IdToken, Place, Status, Variable
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    Answer,
    AuthorizationAnswer,
    AuthorizationRequested,
    BootAnswer,
    BootReported,
    DataTransferAnswer,
    DataTransferReported,
    DiagnosticsReported,
    EventsReported,
    FirmwareReported,
    HeartbeatReported,
    InventoryReported,
    Noted,
    NoticeReported,
    ProblemReported,
    Report,
    ReservationReported,
    SecurityReported,
    StatusReported,
    TimeAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Inventory, Station
from ocpp_mqtt_proxy.core.virtual import Virtual

Change = (
    Session
    | Connector
    | ChargerMemory
    | Numbers
    | EventNumber
    | Control
    | Decided
    | Outgoing
    | Delivered
    | Peer
    | Virtual
)
"""What can be written down."""

MAX_VARIABLES = 20_000
"""Variables kept of one device model; more is a charger that babbles."""

NO_ERROR, OTHER_ERROR = "NoError", "OtherError"
"""What 1.6 says where there is no error, and where none of its words fits."""

F = TypeVar("F", bound=Fact)
R = TypeVar("R", bound=Report)


@dataclass(slots=True)
class Hearing:
    """A report being applied to a station: what is known for it, and what follows from it.

    `decision` is the verdict on the report's card, where it shows one. `changes` are to be written down;
    before the charger is answered where `durable`.
    """

    station: Station
    now: datetime
    numbers: Numbers
    decision: Decision | None = None
    facts: list[Fact] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    durable: bool = False

    def tell(self, fact: type[F], connector: Connector | None = None, **fields: Any) -> None:  # noqa: ANN401
        """A fact follows."""
        place = connector.place if connector else None
        number = connector.number if connector else 0
        self.facts.append(fact(charger=self.station.id, at=self.now, connector=number, place=place, **fields))

    def keep(self, *changes: Change, durable: bool = False) -> None:
        """Something is to be written down."""
        self.changes.extend(changes)
        self.durable = self.durable or durable

    @property
    def there(self) -> datetime:
        """What the charger's own clock shows now, where that is slow: what it tells is by it."""
        return self.now - (self.station.behind or timedelta(0))

    def settle(self, at: datetime | None) -> datetime:
        """The instant the charger meant."""
        return clock.hear(self.station, at, self.now)


def boot(hearing: Hearing, report: BootReported) -> Answer:
    """The charger said who it is. Always accepted, at once (semantics §2.1).

    Its clock may have changed: states from before it do not make later ones look old.
    """
    for connector in hearing.station.connectors.values():
        connector.status_at = None
    if hearing.station.external:
        hearing.station.external = {}  # what still counts it will say again
        hearing.tell(ChargerLimited)
    memory = hearing.station.memory
    memory.nameplate = report.nameplate
    memory.accepted = True
    memory.first_seen = memory.first_seen or hearing.now
    memory.last_seen = hearing.now
    hearing.station.may_have_set_clock = True
    hearing.keep(memory)
    hearing.tell(ChargerBooted, nameplate=report.nameplate, reason=report.reason)
    return BootAnswer(hearing.now, hearing.station.plan.heartbeat_interval)


def heartbeat(hearing: Hearing, _: HeartbeatReported) -> Answer:
    """The charger wants the time."""
    hearing.station.last_heartbeat = hearing.now
    hearing.station.may_have_set_clock = True
    hearing.tell(HeartbeatHeard)
    return TimeAnswer(hearing.now)


def status(hearing: Hearing, report: StatusReported) -> Answer:
    """A connector, or the charger, changed state. One that is older than what we know is passed over."""
    station, at = hearing.station, hearing.settle(report.at)
    connector = station.at(report.place)
    if connector is not None:
        _connector_status(hearing, connector, report, at)
    elif report.place.evse == 0 and not report.place.connector:
        _station_status(hearing, report)
    _infer_operative(hearing)
    return Acknowledged()


def _infer_operative(hearing: Hearing) -> None:
    """Whether the charger is in service shows in its states too, whoever took it out."""
    station = hearing.station
    states = {connector.status for connector in station.connectors.values()}
    if station.status is Status.UNAVAILABLE or states == {Status.UNAVAILABLE}:
        set_operative(hearing, operative=False)
    elif states - _SAY_NOTHING_OF_SERVICE:
        set_operative(hearing, operative=True)


_SAY_NOTHING_OF_SERVICE = frozenset({Status.UNAVAILABLE, Status.FAULTED, Status.UNKNOWN})


def set_operative(hearing: Hearing, *, operative: bool) -> None:
    """The charger is in service, or not."""
    memory = hearing.station.memory
    if memory.operative != operative:
        memory.operative = operative
        hearing.keep(memory)
        hearing.tell(AvailabilityChanged, operative=operative)


def _connector_status(hearing: Hearing, connector: Connector, report: StatusReported, at: datetime) -> None:
    if connector.status_at is not None and at < connector.status_at:
        return
    if connector.status is Status.UNKNOWN:
        hearing.keep(connector)
    before = (connector.status, *_errors(connector))
    connector.report(report.status, at)
    _set_errors(connector, report.error_code, report.info, report.vendor_error_code)
    if before != (connector.status, *_errors(connector)):
        tell_status(hearing, connector)
        _tell_fault(hearing, connector, before[0], connector.status)
    if before[0] is not connector.status:
        _tell_charging_state(hearing, connector)


_CHARGING_STATES = {
    Status.CHARGING: ChargingState.CHARGING,
    Status.SUSPENDED_EV: ChargingState.SUSPENDED_EV,
    Status.SUSPENDED_EVSE: ChargingState.SUSPENDED_EVSE,
}


def _tell_charging_state(hearing: Hearing, connector: Connector) -> None:
    """In 1.6 a transaction's state is the connector's; 2.x tells it in the transaction's own events."""
    session, state = connector.session, _CHARGING_STATES.get(connector.status)
    if session is not None and session.charging_state is None and state is not None:
        trigger = "charging_state_changed"
        hearing.tell(SessionUpdated, connector, session=session, charging_state=state, trigger=trigger)


def _errors(connector: Connector) -> tuple[str, str, str]:
    return connector.error_code, connector.info, connector.vendor_error_code


def _set_errors(connector: Connector, error_code: str = NO_ERROR, info: str = "", vendor_error_code: str = "") -> None:
    """Take what is said of errors. Where nothing is, the latest problem of a component stands for it (2.x)."""
    if error_code == NO_ERROR and connector.problems:
        vendor_error_code, info = list(connector.problems.values())[-1]
        error_code = OTHER_ERROR
    connector.error_code, connector.info, connector.vendor_error_code = error_code, info, vendor_error_code


def fall_silent(hearing: Hearing, connector: Connector) -> None:
    """A connector does not tell its state: its transactions tell, and between them the charger as a whole."""
    if connector.reported == Status.UNKNOWN and hearing.station.sole() is connector:
        _stand_in(hearing, connector)


def _stand_in(hearing: Hearing, connector: Connector) -> None:
    before, connector.stand_in = connector.status, hearing.station.status
    connector.settle()
    if connector.status is not before:
        tell_status(hearing, connector)


def tell_status(hearing: Hearing, connector: Connector) -> None:
    """The connector's status, as a fact."""
    hearing.tell(
        StatusChanged,
        connector,
        status=connector.status,
        error_code=connector.error_code,
        info=connector.info,
        vendor_error_code=connector.vendor_error_code,
    )


def _tell_fault(hearing: Hearing, connector: Connector | None, before: Status, after: Status) -> None:
    """One fact when a fault comes and one when it goes. An error code while charging goes on is a warning."""
    if (before is Status.FAULTED) == (after is Status.FAULTED):
        return
    source = connector or hearing.station
    hearing.tell(
        FaultChanged,
        connector,
        status=after,
        error_code=source.error_code,
        info=connector.info if connector else "",
        cleared=after is not Status.FAULTED,
    )


def _station_status(hearing: Hearing, report: StatusReported) -> None:
    station = hearing.station
    before, after = station.status, _known(report.status)
    if (before, station.error_code) == (after, report.error_code):
        return
    station.status, station.error_code = after, report.error_code
    for connector in station.ordered():
        if connector.stand_in is not None:
            _stand_in(hearing, connector)
    hearing.tell(
        StatusChanged,
        status=after,
        error_code=report.error_code,
        info=report.info,
        vendor_error_code=report.vendor_error_code,
    )
    _tell_fault(hearing, None, before, after)


def _known(status: str) -> Status:
    try:
        return Status(status)
    except ValueError:
        return Status.UNKNOWN


def authorization(hearing: Hearing, report: AuthorizationRequested) -> Answer:
    """A card was shown; the verdict came with the hearing."""
    decision = decided(hearing)
    tell_decision(hearing, report.token, decision)
    return AuthorizationAnswer(for_a_card_alone(decision.authorization))


def decided(hearing: Hearing) -> Decision:
    """The verdict on the report's card."""
    assert hearing.decision is not None, "a report with a card is heard with a verdict"
    return hearing.decision


def tell_decision(hearing: Hearing, token: IdToken, decision: Decision) -> None:
    """The verdict on a card, as a fact."""
    verdict = decision.authorization.verdict
    hearing.tell(CardDecided, id_tag=token.tag, verdict=verdict, by=decision.by)


def inventory(hearing: Hearing, report: InventoryReported) -> Answer:
    """A part of the device model; it counts once the report is whole (B07)."""
    station = hearing.station
    if station.collecting is None or station.collecting.request_id != report.request_id or report.seq_no == 0:
        station.collecting = Inventory(report.request_id)
    parts = station.collecting.variables
    for variable in report.variables[: MAX_VARIABLES - len(parts)]:
        parts[variable.name] = variable
    if not report.more:
        station.collecting = None
        _inventory_read(hearing, parts)
    return Acknowledged()


def _inventory_read(hearing: Hearing, variables: dict[str, Variable]) -> None:
    """A report of a part (B08) leaves the rest as it was; another firmware has another device model."""
    station, memory = hearing.station, hearing.station.memory
    known = memory.inventory if memory.inventory_of == memory.nameplate.firmware else {}
    merged = known | variables
    memory.inventory = merged if len(merged) <= MAX_VARIABLES else variables
    memory.inventory_of = memory.nameplate.firmware
    for place in _places(variables.values()):
        if connector := station.at(place):
            hearing.keep(connector)
    hearing.keep(memory)
    hearing.tell(InventoryRead)


def _places(variables: Iterable[Variable]) -> list[Place]:
    """The connectors that a device model names."""
    places = {v.place for v in variables if v.component == "Connector" and v.place is not None}
    return sorted(places, key=lambda place: (place.evse, place.connector or 0))


def firmware(hearing: Hearing, report: FirmwareReported) -> Answer:
    """A firmware update got further."""
    hearing.station.firmware_status = report.status
    hearing.tell(FirmwareChanged, status=report.status, request_id=report.request_id)
    return Acknowledged()


def diagnostics(hearing: Hearing, report: DiagnosticsReported) -> Answer:
    """An upload of diagnostics got further."""
    hearing.station.diagnostics_status = report.status
    hearing.tell(DiagnosticsChanged, status=report.status, request_id=report.request_id)
    return Acknowledged()


def security(hearing: Hearing, report: SecurityReported) -> Answer:
    """The charger noticed something about its security."""
    hearing.tell(SecurityNoticed, type=report.type, noticed_at=hearing.settle(report.at), info=report.info)
    return Acknowledged()


def reservation(hearing: Hearing, report: ReservationReported) -> Answer:
    """A reservation ended by itself."""
    hearing.tell(ReservationEnded, reservation_id=report.reservation_id, status=report.status)
    return Acknowledged()


def events(hearing: Hearing, report: EventsReported) -> Answer:
    """Problems of components: 2.x has no error code in its status, these are the nearest (semantics §10.4)."""
    for told in report.statuses:
        status(hearing, told)
    for problem in report.problems:
        one = hearing.station.at(problem.place) or hearing.station.sole()
        for connector in [one] if one else hearing.station.ordered():
            _problem(hearing, connector, problem)
    return Acknowledged()


def _problem(hearing: Hearing, connector: Connector, problem: ProblemReported) -> None:
    """A problem came or went. One of the charger as a whole is every connector's."""
    before = _errors(connector)
    known = connector.problems.pop((problem.component, problem.variable), None)
    if not problem.cleared and (known or len(connector.problems) < MAX_PROBLEMS):
        told = Problem(problem.code, problem.info or problem.component)
        connector.problems[problem.component, problem.variable] = told
    _set_errors(connector)
    if before != _errors(connector):
        tell_status(hearing, connector)


MAX_PROBLEMS = 100
"""Problems remembered per connector."""


def data_transfer(hearing: Hearing, report: DataTransferReported) -> Answer:
    """A vendor's own message: nobody here knows its vendor (P02)."""
    hearing.tell(DataTransferred, vendor_id=report.vendor_id, message_id=report.message_id, data=report.data)
    return DataTransferAnswer("unknown_vendor_id")


def notice(hearing: Hearing, report: NoticeReported) -> Answer:
    """A message that changes nothing of ours."""
    hearing.tell(NoticeHeard, action=report.action, payload=report.payload)
    return Noted(report.payload)


Hear = Callable[[Hearing, Any], Answer]

RULES: dict[type, Hear] = {
    BootReported: boot,
    HeartbeatReported: heartbeat,
    StatusReported: status,
    AuthorizationRequested: authorization,
    InventoryReported: inventory,
    FirmwareReported: firmware,
    DiagnosticsReported: diagnostics,
    SecurityReported: security,
    ReservationReported: reservation,
    EventsReported: events,
    DataTransferReported: data_transfer,
    NoticeReported: notice,
}
"""What each report means. `transactions.RULES` holds the others."""
