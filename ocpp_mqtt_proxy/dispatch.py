"""Carrying out what people ask of a charger: a request becomes orders, their answers an outcome."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ocpp_mqtt_proxy import renewal, requests
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, Reason, Still, done, failed, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownCharger, UnknownConnector
from ocpp_mqtt_proxy.core.limits.profile import rounded, usable
from ocpp_mqtt_proxy.core.model import OWNER, Status, Target, TokenKind, Version
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.starting import promised, starts_again, withdrawn
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.traits import STOP_IS_FINAL
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.requests import Request
from ocpp_mqtt_proxy.steering import Steering, absent

log = logging.getLogger(__name__)

CENTRAL = TokenKind.CENTRAL


class Ambiguous(UnknownConnector):
    """A connector must be named, because there are several."""


@dataclass
class Dispatcher:
    """Carries out requests. A charger takes the orders they become one after another."""

    hub: Hub
    commissioning: Commissioning
    _ids: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        # Ids of remote starts, reservations and reports: int32, not those of the run before (F01.FR.01).
        self._ids = itertools.count(int(self.hub.clock.now().timestamp()) & 0x3FFFFFFF)

    async def submit(self, charger_id: str, request: Request) -> Outcome:
        """Carry out a request. Never raises for what is asked or answered: every request has an outcome."""
        return await self.carry_out(lambda: _HANDLERS[type(request)](self, self.hub.station(charger_id), request))

    async def set_charging(self, charger_id: str, connector: int, *, on: bool) -> Outcome:
        """The charging switch (contract §5).

        ON resumes what is paused, else starts for the owner. OFF stops the owner's own transaction; a
        provider's is paused where the charger can, else stopped. So is the owner's where a charger starts no other
        before the cable was out.
        """
        return await self.carry_out(lambda: _switch(self, charger_id, connector, on=on))

    def running(self, station: Station, request: requests.Stop) -> Session | None:
        """The session that a request to stop is about. Raises UnknownConnector."""
        return _running(station, request)

    async def start_for(
        self, provider: str, station: Station, request: requests.Start, number: int | None = None, kind: str = CENTRAL
    ) -> Outcome:
        """Start charging for a provider: the session is its own. `number` from `next_id`, `kind` of its tag."""
        return await _start(self, station, request, provider, number, kind)

    async def reserve_as(
        self, number: int, station: Station, request: requests.Reserve, kind: str = CENTRAL
    ) -> Outcome:
        """Keep a connector under a number from `next_id`; a reservation of that number is replaced (H01.FR.02)."""
        return await _reserve(self, station, request, number, kind)

    @property
    def steering(self) -> Steering:
        """What has chargers keep to what is allowed."""
        return self.commissioning.steering

    async def carry_out(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Whatever happens, an outcome: whoever asked waits for exactly one answer."""
        try:
            return await work()
        except UnknownCharger as error:
            return refused(Reason.UNKNOWN_CHARGER, str(error))
        except Ambiguous as error:
            return refused(Reason.INVALID, str(error))
        except UnknownConnector as error:
            return refused(Reason.UNKNOWN_CONNECTOR, str(error))
        except LedgerFailed as error:
            return failed(Reason.INVALID, f"it could not be written down: {error}")
        except Exception:  # every request has an answer, whatever is wrong with us
            log.exception("a request could not be carried out")
            return failed(Reason.INVALID, "the proxy failed on this request")

    def next_id(self) -> int:
        """A fresh id for a remote start, a reservation or a report."""
        return next(self._ids)

    def absence(self, station: Station) -> Outcome | None:
        """The refusal where a charger is not connected."""
        return None if station.id in self.hub.links else absent(station)

    async def send(self, station: Station, order: Order, still: Still | None = None) -> Outcome:
        """Put one order to a charger; what it agrees to becomes a fact. A promise (Scheduled) does not yet.

        WITHDRAWN where it is wanted no more when its turn comes (`still`).
        """
        link = self.hub.links.get(station.id)
        if link is None:
            return absent(station)
        outcome = await renewal.send(self.hub, station, link, order, still)
        if outcome.ok and outcome.result.get("charger_status") != "Scheduled":
            self.hub.confirm(station, order)
        return outcome


def connector_of(station: Station, number: int | None, *, running: bool = False) -> Connector:
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
    return connector_of(station, request.connector, running=True).session


async def _switch(desk: Dispatcher, charger_id: str, number: int, *, on: bool) -> Outcome:
    station = desk.hub.station(charger_id)
    connector = station.connector(number)
    if on:
        return await _switch_on(desk, station, connector)
    session = connector.session
    if session is None or session.paused:
        return done("it is so already")
    if session.provider != OWNER or station.traits.pauses_to_stop:
        outcome = await _pause(desk, station, requests.Pause(connector=number))
        if outcome.ok:
            return outcome
    return await _stop(desk, station, requests.Stop(connector=number))


async def _switch_on(desk: Dispatcher, station: Station, connector: Connector) -> Outcome:
    """Make current flow: lift the ceiling off 0, resume what is paused, start where nothing runs."""
    if connector.charging and connector.taken is not None:
        return done("it is so already")
    if connector.taken is not None:
        return await _resume(desk, station, requests.Resume(connector=connector.number))
    refusal = _not_startable(desk, station, connector) or await _lift_ceiling(desk, station)
    return refusal or await _start(desk, station, requests.Start(connector=connector.number))


async def _start(
    desk: Dispatcher,
    station: Station,
    request: requests.Start,
    provider: str = OWNER,
    number: int | None = None,
    kind: str = CENTRAL,
) -> Outcome:
    connector = connector_of(station, request.connector)
    if connector.taken is not None:
        return done("a transaction runs already", transaction_id=connector.taken.transaction_id)
    if refusal := _not_startable(desk, station, connector):
        return refusal
    wanted = None if request.limit_amps is None else usable(rounded(min(request.limit_amps, station.plan.max_current)))
    tag = request.id_tag or desk.hub.house.owner_tag
    order = commands.StartCharging(_at(connector), tag, number or desk.next_id(), wanted, provider, kind, wanted=wanted)
    cable_in = connector.status is Status.FINISHING
    outcome = await _begin(desk, station, connector, order)
    if cable_in and (outcome.ok or outcome.reason is Reason.CHARGER_REJECTED):
        outcome = _after_a_stop(desk, station, outcome)
    return _waits(desk, station, connector, outcome) if outcome.ok and provider == OWNER else outcome


async def _begin(desk: Dispatcher, station: Station, connector: Connector, order: commands.StartCharging) -> Outcome:
    """Have a transaction begin; never with more than is allowed by the time that this is said."""
    outcome = commands.WITHDRAWN
    while outcome is commands.WITHDRAWN:
        allowed = desk.steering.allowed(station, connector)
        order = replace(order, limit=None if order.wanted is None else min(order.wanted, allowed))
        # Before it is asked: the charger may ask about the card before we see that it agreed.
        desk.hub.apply(station, partial(promised, order=order))
        outcome = await desk.send(station, order, partial(_is_allowed, desk, station, connector, order))
    if outcome.status is commands.Result.REFUSED:
        desk.hub.apply(station, lambda hearing: withdrawn(hearing, order))
    return outcome


def _is_allowed(desk: Dispatcher, station: Station, connector: Connector, order: commands.StartCharging) -> bool:
    return order.limit is None or order.limit <= desk.steering.allowed(station, connector)


def _after_a_stop(desk: Dispatcher, station: Station, outcome: Outcome) -> Outcome:
    """What comes of a start where the last transaction's cable is still in: some charge only after it was out."""
    known = STOP_IS_FINAL in station.traits.quirks
    desk.hub.apply(station, partial(starts_again, after_a_stop=outcome.ok))
    if outcome.ok:
        return outcome
    message = f"{station.id} starts again only once the cable was out: take it out and put it in again"
    if not known and station.traits.pauses_to_stop:
        message += "; from now on it is paused where it is switched off, so that it can go on"
    return replace(outcome, message=message)


def _waits(desk: Dispatcher, station: Station, connector: Connector, outcome: Outcome) -> Outcome:
    """What goes well, with who else lets nothing flow yet, where that is so."""
    by = desk.steering.shut_by(station, connector)
    return outcome if by is None else replace(outcome, message=f"nothing flows before {by} allows it")


def _not_startable(desk: Dispatcher, station: Station, connector: Connector) -> Outcome | None:
    """Why no transaction can start here, in the order of contract §8; None where one can."""
    if refusal := desk.absence(station):
        return refusal
    states = (connector.status, station.status)
    if Status.FAULTED in states:
        return refused(Reason.CHARGER_FAULTED, f"connector {connector.number} is faulted: {connector.error_code}")
    if Status.UNAVAILABLE in states:
        return refused(Reason.CHARGER_UNAVAILABLE, f"connector {connector.number} is out of service")
    return None


async def _stop(desk: Dispatcher, station: Station, request: requests.Stop) -> Outcome:
    session = _running(station, request)
    if session is None:
        return refused(Reason.INVALID, "no such transaction runs")
    return await desk.send(station, commands.StopCharging(session.transaction_id))


async def _pause(desk: Dispatcher, station: Station, request: requests.Pause) -> Outcome:
    session = connector_of(station, request.connector, running=True).session
    if session is None:
        return refused(Reason.INVALID, "no transaction runs that could be paused")
    return await desk.steering.pause(station, session, paused=True)


async def _resume(desk: Dispatcher, station: Station, request: requests.Resume) -> Outcome:
    """Where the owner's ceiling is 0, that is what has to go first."""
    connector = connector_of(station, request.connector, running=True)
    session = connector.session
    refusal = desk.absence(station) or await _lift_ceiling(desk, station)
    if refusal:
        return refusal
    if session is None or not session.paused:
        return _nothing_paused(desk, station, connector)
    outcome = await desk.steering.pause(station, session, paused=False)
    if outcome.ok and station.traits.repeats_limits:
        outcome = await desk.steering.repeat(station, session)
    return _waits(desk, station, connector, outcome) if outcome.ok else outcome


def _nothing_paused(desk: Dispatcher, station: Station, connector: Connector) -> Outcome:
    by = None if connector.session is None else desk.steering.shut_by(station, connector)
    if by is not None:
        return refused(Reason.HELD_BY_OTHER, f"{by} allows nothing to flow on {station.id} now")
    return done("nothing is paused")


async def _lift_ceiling(desk: Dispatcher, station: Station) -> Outcome | None:
    """Put the ceiling back to what it was before it was 0. None where that is done; else why not."""
    if station.limit:
        return None
    outcome = await desk.steering.limit(station, station.memory.earlier_limit or station.plan.max_current)
    return None if outcome.ok else outcome


async def _limit(desk: Dispatcher, station: Station, request: requests.Limit) -> Outcome:
    most = station.plan.max_current
    if request.amps > most:
        return refused(Reason.INVALID, f"amps: at most {most:g}, the max_current of {station.id}")
    return await desk.steering.limit(station, usable(rounded(request.amps)))


async def _unlock(desk: Dispatcher, station: Station, request: requests.Unlock) -> Outcome:
    return await desk.send(station, commands.Unlock(_at(connector_of(station, request.connector))))


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
    connectors = station.ordered()
    whole = request.connector is None and request.message is Message.STATUS
    if whole and connectors and station.version is not Version.V16:
        # 2.x tells the status of a connector that is named, and of no other (F06.FR.13).
        orders = [commands.Trigger(request.message, _at(connector)) for connector in connectors]
    else:
        orders = [commands.Trigger(request.message, _target(station, request.connector))]
    outcomes = [await desk.send(station, order) for order in orders]
    return next((outcome for outcome in outcomes if not outcome.ok), outcomes[0])


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


async def _reserve(
    desk: Dispatcher, station: Station, request: requests.Reserve, number: int | None = None, kind: str = CENTRAL
) -> Outcome:
    connector = connector_of(station, request.connector)
    number = number or desk.next_id()
    order = commands.Reserve(_at(connector), number, request.id_tag, request.until, kind)
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
    connector = connector_of(station, request.connector, running=True)
    if connector.session is None:
        return refused(Reason.INVALID, f"no session runs on connector {connector.number}")
    session = connector.session
    await desk.hub.close_session(station, connector)
    return done(session_id=session.session_id)


async def _refresh(desk: Dispatcher, station: Station, _: requests.Refresh) -> Outcome:
    link = desk.hub.links.get(station.id)
    if link is None:
        return absent(station)
    return await desk.commissioning.refresh(station, link)


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
