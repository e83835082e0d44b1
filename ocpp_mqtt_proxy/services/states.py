"""Connectors' states as one service sees them, told when they change and after each boot (semantics §10.4).

It is told of a state once: what it would hear is compared with what it heard last on this link.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.instants import EARLIEST
from ocpp_mqtt_proxy.core.model import STATION, Status, Version
from ocpp_mqtt_proxy.core.reports import EventsReported, ProblemReported, StatusReported
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import instant
from ocpp_mqtt_proxy.services.outstation import Outstation

NO_ERROR = "NoError"

ACTION = "StatusNotification"

COMPONENTS = {
    "ConnectorLockFailure": "ConnectorPlugRetentionLock",
    "GroundFailure": "ElectricalFeed",
    "HighTemperature": "TemperatureSensor",
    "OverCurrentFailure": "OverCurrentBreaker",
    "OverVoltage": "ElectricalFeed",
    "PowerMeterFailure": "FiscalMetering",
    "PowerSwitchFailure": "PowerContactor",
    "ReaderFailure": "TokenReader",
    "UnderVoltage": "ElectricalFeed",
}
"""The 2.x component that has the problem, by 1.6's error code; else it is the connector's, or the charger's."""

_OF_A_CHARGER = frozenset({Status.AVAILABLE, Status.UNAVAILABLE, Status.FAULTED})
"""States of connector 0 (1.6 §4.9)."""


def merges(out: Outstation) -> bool:
    """Whether a state is held a little, because two messages of the charger make it.

    2.x tells the connector's state and the transaction's apart; a 1.6 service must not see what is between.
    """
    return out.version is Version.V16 and out.station.version is not Version.V16


def tell_all(out: Outstation) -> None:
    """All states as they are now, for a service that has just accepted our boot (1.6 §4.9, B01.FR.05)."""
    waiting = [one for one in out.live if one[0] != ACTION]
    out.live.clear()
    out.live.extend(waiting)
    out.told.clear()
    out.errors.clear()
    settle(out)


def settle(out: Outstation) -> None:
    """Tell every state that is not what the service was told last."""
    for number in (0, *sorted(out.station.connectors)):
        tell(out, number)


def tell(out: Outstation, number: int) -> None:
    """Tell the state of one connector, or of the charger as a whole, where the service was told another one."""
    if not out.accepted:
        return
    for report in _steps(out, number):
        for action, payload in out.dialect.say[StatusReported].encode(report):
            if _essence(out.told.get(number, {})) != _essence(payload):
                out.told[number] = payload
                out.tell(action, payload)
    if out.version is not Version.V16 and out.station.version is Version.V16:
        _tell_error(out, number)


def _essence(told: Payload) -> Payload:
    """What a state says, but for its time."""
    return {key: value for key, value in told.items() if key != "timestamp"}


def now_of(out: Outstation, number: int | None = None) -> list[tuple[str, Payload]]:
    """States as they are now, as calls: of one connector, or of all, whatever the service was told (TriggerMessage)."""
    numbers = [0, *sorted(out.station.connectors)] if number is None else [number]
    reports = [report for one in numbers if (report := _report(out, one)) is not None]
    return [call for report in reports for call in out.dialect.say[StatusReported].encode(report)]


def seen(out: Outstation, connector: Connector) -> Status | None:
    """The state of a connector as the service sees it; None while nobody knows it.

    A charger that is away cannot be used, and what the service took out of service is so for it alone; a transaction
    that runs there goes on all the same.
    """
    if connector.session is None and (out.away or is_taken_out(out, connector.number)):
        return Status.UNAVAILABLE
    if connector.status is Status.AVAILABLE and is_shut_out(out, connector):
        return Status.UNAVAILABLE
    return None if connector.status is Status.UNKNOWN else connector.status


def is_taken_out(out: Outstation, number: int) -> bool:
    """Whether the service took a connector out of service, alone or with the whole charger."""
    return bool({0, number} & out.virtual.inoperative)


def is_shut_out(out: Outstation, connector: Connector) -> bool:
    """Whether a transaction on another connector of its EVSE keeps it from being used (semantics §10.3).

    An EVSE has one at a time. A 2.x service knows that; for a 1.6 one connectors have nothing to do with each other.
    """
    if out.version is not Version.V16 or out.station.version is Version.V16:
        return False
    others = (one for one in out.station.connectors.values() if one is not connector)
    return any(one.session is not None and one.place.evse == connector.place.evse for one in others)


def _steps(out: Outstation, number: int) -> Iterator[StatusReported]:
    """What to tell so that the service gets from the last state to this one as its version lets it (1.6 §4.9, E 3.20).

    Where a charging session was too short to be seen, Finishing would follow on Available.
    """
    report = _report(out, number)
    if report is None:
        return
    was = out.told.get(number, {}).get("status")
    if report.status == Status.FINISHING and was == "Available":
        yield StatusReported(report.place, Status.PREPARING, report.at)
    yield report


def _report(out: Outstation, number: int) -> StatusReported | None:
    if number == 0:
        return _of_the_charger(out)
    connector = out.station.connectors.get(number)
    status = seen(out, connector) if connector is not None else None
    if connector is None or status is None:
        return None
    if status is not connector.status:
        return StatusReported(out.place(connector), status, out.hub.clock.now())
    return StatusReported(
        place=out.place(connector),
        status=status,
        at=max(_since(connector) or out.hub.clock.now(), _told_at(out, number)),
        error_code=connector.error_code,
        info=connector.info,
        vendor_error_code=connector.vendor_error_code,
    )


def _told_at(out: Outstation, number: int) -> datetime:
    """Of when the last state is that the service was told: one that follows is not from before it."""
    return instant(out.told.get(number, {}), "timestamp") or EARLIEST


def _since(connector: Connector) -> datetime | None:
    """Since when a connector is as it is: what a 2.x charger says of its transaction changes that too (§10.4)."""
    session, last = connector.session, connector.last_session
    begun = session.charging_state_at if session is not None else None
    over = last.ended_at if last is not None and session is None and connector.finishing else None
    return max((at for at in (connector.status_at, begun, over) if at is not None), default=None)


def is_out_of_service(out: Outstation) -> bool:
    """Whether the charger as a whole is, as the service sees it."""
    return out.away or 0 in out.virtual.inoperative or not out.station.memory.operative


def _of_the_charger(out: Outstation) -> StatusReported | None:
    """2.x has no state of the whole, unless the charger has told one."""
    station = out.station
    if out.version is not Version.V16 and (station.version is Version.V16 or station.status is Status.UNKNOWN):
        return None
    known = station.status if station.status in _OF_A_CHARGER else Status.AVAILABLE
    status = Status.UNAVAILABLE if is_out_of_service(out) and known is not Status.FAULTED else known
    return StatusReported(STATION, status, out.hub.clock.now(), station.error_code)


def _tell_error(out: Outstation, number: int) -> None:
    """2.x has no error code in a status: a problem of a component stands for it (N07)."""
    connector = out.station.connectors.get(number)
    source = connector or out.station
    before, after = out.errors.get(number, NO_ERROR), source.error_code
    if before == after:
        return
    out.errors[number] = after
    for code in {before, after} - {NO_ERROR}:
        out.report(EventsReported((_problem(out, connector, code, cleared=code == before),)))


def _problem(out: Outstation, connector: Connector | None, code: str, *, cleared: bool) -> ProblemReported:
    whole = "Connector" if connector else "ChargingStation"
    return ProblemReported(
        place=out.place(connector) if connector else STATION,
        component=COMPONENTS.get(code, whole),
        variable="Problem",
        value="false" if cleared else "true",
        cleared=cleared,
        code=(connector.vendor_error_code if connector and not cleared else "") or code,
        info="" if cleared else ((connector.info if connector else "") or code),
        at=out.hub.clock.now(),
    )
