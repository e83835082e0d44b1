"""A service's charging profiles: a set of its own, as if we were its charger (semantics §6).

They are never put into the charger as they are. What they come to joins the other providers' limits in the arbiter,
and the charger gets the smallest as one profile of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.arbitration.limits import merged
from ocpp_mqtt_proxy.arbitration.lines import standing
from ocpp_mqtt_proxy.core.commands import (
    ClearProfiles,
    ListProfiles,
    Outcome,
    Reason,
    SetProfile,
    TellSchedule,
    done,
    refused,
)
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownConnector
from ocpp_mqtt_proxy.core.limits import rules
from ocpp_mqtt_proxy.core.limits.line import Line
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose, rounded, watts_of
from ocpp_mqtt_proxy.core.limits.rules import MAX_PERIODS, MAX_PROFILES, Because, Fault, Profiles
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schedules
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.services.obeying import constraints, places
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

LONGEST = 7 * 86400
"""Seconds of a schedule that are told at most: after a week it comes again."""


def own(out: Outstation) -> Profiles:
    """The profiles that a service has here."""
    return standing(out.station, out.id, out.hub.clock.now())


# Setting


async def _set(out: Outstation, order: SetProfile) -> Outcome:
    """SetChargingProfile (1.6 §5.16, K01)."""
    try:
        connector = places.connector(out, order.at)
    except UnknownConnector as error:
        return _no(Fault(Because.EVSE, str(error)))
    if order.beyond:
        return _no(Fault(Because.SCHEDULE, order.beyond))
    profile = _placed(out, order.profile, connector)
    if fault := rules.fault(profile, loose=_loose(out)):
        return _no(fault)
    if profile.purpose is Purpose.TRANSACTION:
        session = _session(out, connector, order.transaction_id)
        if session is None:
            return _no(Fault(Because.NO_TRANSACTION, "no such transaction of yours runs there"))
        profile = replace(profile, session=session)
    return await _install(out, profile)


async def _install(out: Outstation, profile: ChargingProfile) -> Outcome:
    """Have one more, where it can stand beside the others and the rules let it through."""
    before = own(out)
    fault = None if _loose(out) else rules.conflict(before, profile)
    if len(_with(out, profile)) > MAX_PROFILES:
        fault = Fault(Because.MANY, f"at most {MAX_PROFILES} profiles")
    if fault:
        return _no(fault)
    return await wishes.add_profile(out.arbitration, out.id, out.charger_id, profile, lambda: _with(out, profile))


def _with(out: Outstation, profile: ChargingProfile) -> Profiles:
    return rules.installed(own(out), profile, loose=_loose(out))


def _no(fault: Fault) -> Outcome:
    return refused(Reason.INVALID, fault.why, reason_code=str(fault.because))


def _loose(out: Outstation) -> bool:
    return out.version is Version.V16


def _placed(out: Outstation, profile: ChargingProfile, connector: Connector | None) -> ChargingProfile:
    number = out.station.evse_number(connector.place) if connector else 0
    return replace(profile, connector=number, installed=out.hub.clock.now())


def _session(out: Outstation, connector: Connector | None, transaction_id: str | None) -> str | None:
    """The session that runs there, where the service means it; in 1.6 it need not name it, but it must know it."""
    session = connector.session if connector else None
    if session is None:
        return None
    known = out.peer.theirs(session.session_id)
    if transaction_id is not None:
        known = out.peer.running(transaction_id)
    elif not _loose(out):
        return None
    knows = known is not None and not known.over and known.session_id == session.session_id
    return session.session_id if knows else None


# With a start


async def hold(out: Outstation, connector: Connector, profile: ChargingProfile) -> Outcome:
    """Keep a profile that came with a remote start for the transaction to come (errata 3.41, F01.FR.09 and .11).

    It binds at once, so that the car does not get more at first.
    """
    if profile.purpose is not Purpose.TRANSACTION:
        return _no(Fault(Because.PROFILE, "a profile that comes with a start is a TxProfile"))
    waiting = _placed(out, profile, connector)
    fault = rules.fault(waiting, loose=_loose(out))
    return _no(fault) if fault else await _install(out, waiting)


async def starting(
    out: Outstation, connector: Connector, profile: ChargingProfile | None, start: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Start a transaction with the profile that came with it, if any: all or nothing."""
    held = await hold(out, connector, profile) if profile is not None else done()
    if not held.ok:
        return held
    outcome = await start()
    if profile is not None and not outcome.ok:
        await let_go(out, connector, profile)
    return outcome


async def let_go(out: Outstation, connector: Connector, profile: ChargingProfile) -> None:
    """The transaction that a profile was kept for does not come."""
    number = out.station.evse_number(connector.place)
    left = rules.kept(own(out), lambda one: (one.id, one.connector, one.session) != (profile.id, number, None))
    await wishes.keep_profiles(out.arbitration, out.id, out.charger_id, left)


# Clearing


async def _clear(out: Outstation, order: ClearProfiles) -> Outcome:
    """ClearChargingProfile (1.6 §5.5, K10): of the service's own alone."""
    before = own(out)
    left = rules.cleared(before, _where(out, order))
    if left == before:
        return refused(Reason.NOT_YOURS, "none of yours matches")
    return await wishes.keep_profiles(out.arbitration, out.id, out.charger_id, left)


def _where(out: Outstation, order: ClearProfiles) -> rules.Criteria:
    if order.at is None:
        return order.which
    connector = places.connector(out, order.at)
    return replace(order.which, connector=out.station.evse_number(connector.place) if connector else 0)


# Telling


async def _list(out: Outstation, order: ListProfiles) -> Outcome:
    """GetChargingProfiles (K09). They are reported after the answer."""
    told = [*_found(out, order), *constraints.found(out, _wanted(out, order))]
    found = [
        one
        for one in told
        if (not order.ids or one.profile.id in order.ids) and (not order.sources or one.source in order.sources)
    ]
    if not found:
        return refused(Reason.NOT_YOURS, "none of yours matches")
    for part in schedules.reports(order.request_id, found):
        out.tell("ReportChargingProfiles", part, asked=True)
    return done()


def _wanted(out: Outstation, order: ListProfiles) -> rules.Criteria:
    return _where(out, ClearProfiles(rules.Criteria(purpose=order.purpose, level=order.level), order.at))


def _found(out: Outstation, order: ListProfiles) -> Iterator[schedules.Reported]:
    wanted = _wanted(out, order)
    for profile in own(out):
        if wanted.match(profile):
            known = out.peer.theirs(profile.session) if profile.session else None
            place = places.called(out, out.station.connectors.get(profile.connector))
            yield schedules.Reported(profile, place.evse, known.theirs if known else None)


async def _tell_schedule(out: Outstation, order: TellSchedule) -> Outcome:
    """GetCompositeSchedule (1.6 §5.7, K08): what will flow, all that have a say taken together (semantics §6.12)."""
    connector = places.connector(out, order.at)
    seconds = min(order.duration, LONGEST)
    if seconds <= 0:
        return refused(Reason.INVALID, "duration: from 1 s")
    now = out.hub.clock.now().replace(microsecond=0)
    line = merged(out.arbitration, out.station, connector, now, seconds)
    return _schedule(out, line, now, seconds, in_watts=bool(order.in_watts))


def _schedule(out: Outstation, line: Line, now: datetime, seconds: int, *, in_watts: bool) -> Outcome:
    phases = out.station.plan.phases
    told: dict[int, float] = {}
    for at, amps in line:
        if amps is not None and at < seconds:
            told[int(at)] = watts_of(amps, phases) if in_watts else float(rounded(amps))
    periods = sorted(told.items())
    length = periods[MAX_PERIODS][0] if len(periods) > MAX_PERIODS else seconds
    return done(start=zulu(now), duration=length, in_watts=in_watts, periods=periods[:MAX_PERIODS])


HANDLERS: Handlers = {
    SetProfile: _set,
    ClearProfiles: _clear,
    ListProfiles: _list,
    TellSchedule: _tell_schedule,
}
