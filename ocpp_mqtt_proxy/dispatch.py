"""Carrying out what people ask of a charger: a request becomes orders, their answers an outcome."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Order, Outcome, ProfileForm, Reason, Target, done, failed, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownCharger, UnknownConnector
from ocpp_mqtt_proxy.core.model import Amps, Version
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.requests import Request

LEAST_CURRENT = Amps(6)
"""What a car takes at least (IEC 61851-1); less is nothing."""


class Ambiguous(UnknownConnector):
    """A connector must be named, because there are several."""


@dataclass
class Dispatcher:
    """Carries out requests, one after another for each charger where one takes several orders."""

    hub: Hub
    commissioning: Commissioning
    _ids: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        # Ids of remote starts, reservations and reports: int32, not those of the run before (F01.FR.01).
        self._ids = itertools.count(int(self.hub.clock.now().timestamp()) & 0x3FFFFFFF)

    async def submit(self, charger_id: str, request: Request) -> Outcome:
        """Carry out a request. Never raises for what is asked or answered: every request has an outcome."""
        try:
            station = self.hub.station(charger_id)
            return await _HANDLERS[type(request)](self, station, request)
        except UnknownCharger as error:
            return refused(Reason.UNKNOWN_CHARGER, str(error))
        except Ambiguous as error:
            return refused(Reason.INVALID, str(error))
        except UnknownConnector as error:
            return refused(Reason.UNKNOWN_CONNECTOR, str(error))
        except LedgerFailed as error:
            return failed(Reason.INVALID, f"it could not be written down: {error}")

    async def set_charging(self, charger_id: str, connector: int, *, on: bool) -> Outcome:
        """The charging switch: ON resumes what is paused, else starts for the owner; OFF stops."""
        try:
            there = self.hub.station(charger_id).connector(connector)
        except UnknownCharger as error:
            return refused(Reason.UNKNOWN_CHARGER, str(error))
        except UnknownConnector as error:
            return refused(Reason.UNKNOWN_CONNECTOR, str(error))
        if on == there.charging:
            return done("it is so already")
        if on and there.session is not None:
            return await self.submit(charger_id, requests.Resume(connector=connector))
        wanted: Request = requests.Start(connector=connector) if on else requests.Stop(connector=connector)
        return await self.submit(charger_id, wanted)

    def next_id(self) -> int:
        """A fresh id for a remote start, a reservation or a report."""
        return next(self._ids)

    async def send(self, station: Station, order: Order) -> Outcome:
        """Put one order to a charger; what it agrees to becomes a fact. A promise (Scheduled) does not yet."""
        link = self.hub.links.get(station.id)
        if link is None:
            return refused(Reason.CHARGER_OFFLINE, f"{station.id} is not connected")
        outcome = await link.send(order)
        if outcome.ok and outcome.result.get("charger_status") != "Scheduled":
            self.hub.confirm(station, order)
        return outcome


def _connector(station: Station, number: int | None, *, running: bool = False) -> Connector:
    """The connector meant; with `running`, the one that charges. Raises UnknownConnector, Ambiguous."""
    if number is not None:
        return station.connector(number)
    candidates = [c for c in station.ordered() if not running or c.session is not None]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates and (only := station.sole()):
        return only
    numbers = ", ".join(str(c.number) for c in station.ordered())
    raise Ambiguous(f"{station.id} has several connectors; give connector: one of {numbers}")


def _target(station: Station, number: int | None) -> Target:
    return _at(station.connector(number)) if number is not None else Target()


def _at(connector: Connector) -> Target:
    return Target(connector.number, connector.place)


def _running(station: Station, request: requests.Stop) -> Session | None:
    if request.transaction_id is not None:
        session = station.book.find(request.transaction_id)
        return session if session and session.running else None
    return _connector(station, request.connector, running=True).session


async def _start(desk: Dispatcher, station: Station, request: requests.Start) -> Outcome:
    connector = _connector(station, request.connector)
    if connector.session is not None:
        return done("a transaction runs already", transaction_id=connector.session.transaction_id)
    limit = None if request.limit_amps is None else Amps(min(request.limit_amps, station.limit))
    tag = request.id_tag or desk.hub.house.owner_tag
    order = commands.StartCharging(_at(connector), tag, desk.next_id(), limit)
    return await desk.send(station, order)


async def _stop(desk: Dispatcher, station: Station, request: requests.Stop) -> Outcome:
    session = _running(station, request)
    if session is None:
        return refused(Reason.INVALID, "no such transaction runs")
    return await desk.send(station, commands.StopCharging(session.transaction_id))


async def _pause(desk: Dispatcher, station: Station, request: requests.Pause) -> Outcome:
    connector = _connector(station, request.connector, running=True)
    return await _limit_to(desk, station, connector, Amps(0))


async def _resume(desk: Dispatcher, station: Station, request: requests.Resume) -> Outcome:
    connector = _connector(station, request.connector, running=True)
    return await _limit_to(desk, station, connector, station.limit)


async def _limit(desk: Dispatcher, station: Station, request: requests.Limit) -> Outcome:
    most = station.plan.max_current
    if request.amps > most:
        return refused(Reason.INVALID, f"amps: at most {most:g}, the max_current of {station.id}")
    limit = Amps(request.amps) if request.amps >= LEAST_CURRENT else Amps(0)
    return await _limit_to(desk, station, None, limit)


async def _limit_to(desk: Dispatcher, station: Station, connector: Connector | None, limit: Amps) -> Outcome:
    """Install a limit, in the first form the charger takes. One connector or the charger is the same there."""
    several = len(station.connectors) > 1
    ceiling = connector is None
    at = _at(connector) if connector is not None and several else Target()
    outcome = failed(Reason.INVALID, "no form to try")
    for form in forms(station, above=bool(at.connector)):
        order = commands.SetLimit(
            at=at,
            limit=limit,
            start=desk.hub.clock.now() - timedelta(minutes=1),
            phases=station.plan.phases,
            form=form,
            ceiling=ceiling,
        )
        outcome = await desk.send(station, order)
        if outcome.ok or outcome.reason is not Reason.CHARGER_REJECTED:
            break
    return outcome


def forms(station: Station, *, above: bool = False) -> list[ProfileForm]:
    """The forms of a profile to try: the one that was taken before, else from the likeliest on.

    The highest level the charger has beats what another CSMS left behind; some refuse their own highest,
    some any start time. `above`: for one connector, over the charger's own default.
    """
    if station.memory.form is not None and not above:
        return [station.memory.form]
    watts = not station.takes_amps
    top = station.max_stack_level or 0
    levels = [top, 1] if above else [max(0, top - 1), 0]
    absolute = [ProfileForm(level, watts) for level in dict.fromkeys(levels)]
    return [*absolute, ProfileForm(levels[-1], watts, relative=True)]


async def _unlock(desk: Dispatcher, station: Station, request: requests.Unlock) -> Outcome:
    return await desk.send(station, commands.Unlock(_at(_connector(station, request.connector))))


async def _reset(desk: Dispatcher, station: Station, request: requests.Reset) -> Outcome:
    return await desk.send(station, commands.Reset(hard=request.type == "hard"))


async def _availability(desk: Dispatcher, station: Station, request: requests.Availability) -> Outcome:
    order = commands.ChangeAvailability(_target(station, request.connector), request.operative)
    outcome = await desk.send(station, order)
    only = station.sole()
    if outcome.reason is Reason.CHARGER_REJECTED and request.connector is None and only is not None:
        # Some single-connector chargers refuse connector 0 (peers §5).
        at = Target(0, only.place)
        outcome = await desk.send(station, commands.ChangeAvailability(at, request.operative))
    return outcome


async def _trigger(desk: Dispatcher, station: Station, request: requests.Trigger) -> Outcome:
    return await desk.send(station, commands.Trigger(request.message, _target(station, request.connector)))


async def _configuration(desk: Dispatcher, station: Station, request: requests.Configuration) -> Outcome:
    if request.set is not None:
        return await _set_all(desk, station, request.set)
    names = tuple(request.get or ())
    if not names and station.version is not Version.V16:
        values = {v.name: v.value for v in station.memory.inventory.values()}
        return done("as the charger reported its device model last", values=values)
    return await desk.send(station, commands.GetConfiguration(names))


async def _set_all(desk: Dispatcher, station: Station, values: dict[str, str]) -> Outcome:
    """One by one: chargers limit how many they take at once, and 1.6 takes one."""
    became: dict[str, object] = {}
    worst = done()
    for name, value in values.items():
        outcome = await desk.send(station, commands.SetConfiguration(((name, value),)))
        told = outcome.result.get("set")
        became |= told if isinstance(told, dict) else {name: str(outcome.reason)}
        worst = outcome if not outcome.ok else worst
    return Outcome(worst.status, worst.reason, worst.message, {"set": became})


async def _reserve(desk: Dispatcher, station: Station, request: requests.Reserve) -> Outcome:
    connector = _connector(station, request.connector)
    number = desk.next_id()
    order = commands.Reserve(_at(connector), number, request.id_tag, request.until)
    outcome = await desk.send(station, order)
    return done(reservation_id=number) if outcome.ok else outcome


async def _cancel_reservation(desk: Dispatcher, station: Station, request: requests.CancelReservation) -> Outcome:
    return await desk.send(station, commands.CancelReservation(request.reservation_id))


async def _data_transfer(desk: Dispatcher, station: Station, request: requests.DataTransfer) -> Outcome:
    order = commands.DataTransfer(request.vendor_id, request.message_id, request.data)
    return await desk.send(station, order)


async def _clear_cache(desk: Dispatcher, station: Station, _: requests.ClearCache) -> Outcome:
    return await desk.send(station, commands.ClearCache())


async def _diagnostics(desk: Dispatcher, station: Station, request: requests.Diagnostics) -> Outcome:
    return await desk.send(station, commands.GetDiagnostics(desk.next_id(), request.url))


async def _firmware(desk: Dispatcher, station: Station, request: requests.Firmware) -> Outcome:
    at = request.at or desk.hub.clock.now()
    return await desk.send(station, commands.UpdateFirmware(desk.next_id(), request.url, at))


async def _close_session(desk: Dispatcher, station: Station, request: requests.CloseSession) -> Outcome:
    connector = _connector(station, request.connector, running=True)
    if connector.session is None:
        return refused(Reason.INVALID, f"no session runs on connector {connector.number}")
    session = connector.session
    await desk.hub.close_session(station, connector)
    return done(session_id=session.session_id)


async def _refresh(desk: Dispatcher, station: Station, _: requests.Refresh) -> Outcome:
    link = desk.hub.links.get(station.id)
    if link is None:
        return refused(Reason.CHARGER_OFFLINE, f"{station.id} is not connected")
    await desk.commissioning.refresh(station, link)
    return done()


async def _call(desk: Dispatcher, station: Station, request: requests.Call) -> Outcome:
    return await desk.send(station, commands.RawCall(request.ocpp_action, request.payload))


Handler = Callable[[Dispatcher, Station, Any], Awaitable[Outcome]]

_HANDLERS: dict[type[Request], Handler] = {
    requests.Start: _start,
    requests.Stop: _stop,
    requests.Pause: _pause,
    requests.Resume: _resume,
    requests.Limit: _limit,
    requests.Unlock: _unlock,
    requests.Reset: _reset,
    requests.Availability: _availability,
    requests.Trigger: _trigger,
    requests.Configuration: _configuration,
    requests.Reserve: _reserve,
    requests.CancelReservation: _cancel_reservation,
    requests.DataTransfer: _data_transfer,
    requests.ClearCache: _clear_cache,
    requests.Diagnostics: _diagnostics,
    requests.Firmware: _firmware,
    requests.CloseSession: _close_session,
    requests.Refresh: _refresh,
    requests.Call: _call,
}
