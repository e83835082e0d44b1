"""What the simulated charger does when a CSMS sets, clears and asks for charging profiles."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ocpp_mqtt_proxy.core.commands import (
    ClearProfiles,
    Outcome,
    Reason,
    SetProfile,
    StartCharging,
    TellSchedule,
    done,
    refused,
)
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose, watts_of
from ocpp_mqtt_proxy.core.limits.rules import Because, Fault
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.simulator.box import PHASES, Box, is_here
from ocpp_mqtt_proxy.simulator.profiles import of_transaction

THE_NEXT = ""
"""What a transaction is called that is yet to begin."""


def set_profile(box: Box, order: SetProfile, now: datetime) -> Outcome:
    """Take a profile (1.6 §5.16, K01)."""
    if order.beyond:
        return refused(Reason.NOT_SUPPORTED, order.beyond)
    if not is_here(order.at):
        return _no(Fault(Because.EVSE, "there is one connector"))
    profile = _of_what_runs(box, order)
    if isinstance(profile, Fault):
        return _no(profile)
    if fault := box.profiles.fault(profile, box.settings):
        return _no(fault)
    box.profiles.put(profile, now)
    box.settle(now)
    return done()


def in_words(profile: ChargingProfile) -> str:
    """A profile as a line of a log tells it."""
    schedule = profile.schedule
    unit = "W" if schedule.in_watts else "A"
    steps = ", then ".join(f"{period.limit:g} {unit} from {period.start:g} s on" for period in schedule.periods)
    lasts = "" if schedule.duration is None else f", for {schedule.duration:g} s"
    return f"a {profile.purpose} profile at level {profile.level}: {steps}{lasts}"


def _of_what_runs(box: Box, order: SetProfile) -> ChargingProfile | Fault:
    """A transaction's profile is for the one that runs; in 1.6 it need not name it (§3.13.1, K01.FR.03)."""
    if order.profile.purpose is not Purpose.TRANSACTION:
        return order.profile
    running, named = box.transaction, order.transaction_id
    if running is None or (named != running.id if named is not None else not box.profiles.loose):
        return Fault(Because.NO_TRANSACTION, "no such transaction runs")
    return of_transaction(order.profile, running.id)


def _no(fault: Fault) -> Outcome:
    return refused(Reason.CHARGER_REJECTED, fault.why, reason_code=str(fault.because))


def for_a_start(box: Box, order: StartCharging) -> ChargingProfile | Fault | None:
    """The profile that comes with a start: for the transaction that begins by that, wherever it is (errata 3.41)."""
    if order.profile is None:
        return None
    if order.beyond:
        return Fault(Because.PROFILE, order.beyond)
    profile = replace(order.profile, connector=1, session=THE_NEXT)
    return box.profiles.fault(profile, box.settings) or profile


def clear_profiles(box: Box, order: ClearProfiles, now: datetime) -> Outcome:
    """Give up those that match all that is given (errata 3.25, K10)."""
    which = order.which if order.at is None else replace(order.which, connector=order.at.connector)
    if not box.profiles.clear(which):
        return refused(Reason.INVALID, "no profile matches")
    box.settle(now)
    return done()


def tell_schedule(box: Box, order: TellSchedule, now: datetime) -> Outcome:
    """What may flow from now on (1.6 §5.7, K08); where no transaction runs, as if one began now."""
    if not is_here(order.at) or order.duration <= 0:
        return refused(Reason.INVALID, "one connector, from 1 s on")
    start = now.replace(microsecond=0)
    line = box.profiles.ahead(box.spot(start), start, order.duration, box.max_current)
    told = {int(at): amps for at, amps in line if amps is not None and at < order.duration}
    if order.in_watts:
        told = {at: watts_of(amps, PHASES) for at, amps in told.items()}
    periods = sorted(told.items())
    return done(start=zulu(start), duration=order.duration, in_watts=bool(order.in_watts), periods=periods)
