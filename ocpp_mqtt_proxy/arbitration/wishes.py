"""What a provider may ask of a charger, and what is done for it (contract §7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy import requests, shapes
from ocpp_mqtt_proxy.arbitration import Arbitration, Wish
from ocpp_mqtt_proxy.arbitration.limits import own, plan_now, rebind
from ocpp_mqtt_proxy.core import controlling
from ocpp_mqtt_proxy.core.arbiter import Intent
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, done, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Ending, Limit, Plan, Reservation
from ocpp_mqtt_proxy.core.events import LimitsChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import value
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import Amps, TokenKind
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass
from ocpp_mqtt_proxy.core.standing import may_limit
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import CALM, goal
from ocpp_mqtt_proxy.core.world import busy, world_of
from ocpp_mqtt_proxy.dispatch import connector_of

TRANSACTIONS, SMART_CHARGING, MANAGEMENT = ControlClass


def _station(arbitration: Arbitration, charger_id: str) -> Station:
    return arbitration.hub.station(charger_id)


# Control itself


async def request_control(
    arbitration: Arbitration, provider: str, charger_id: str, classes: Iterable[ControlClass]
) -> Outcome:
    """Ask for classes; all of them or none."""
    station = _station(arbitration, charger_id)
    wishes = [Wish(provider, wanted, "request_control", Intent.HOLD) for wanted in classes]
    return arbitration.judge(station, wishes) or done(holders=_holders(station))


async def release_control(
    arbitration: Arbitration, provider: str, charger_id: str, classes: Iterable[ControlClass]
) -> Outcome:
    """Give classes back; with smart charging a provider's limits go too."""
    station, given = _station(arbitration, charger_id), list(classes)
    wishes = [Wish(provider, wanted, "release_control", Intent.EASE) for wanted in given]
    if refusal := arbitration.judge(station, wishes):
        return refusal
    exclusive = [one for one in given if one in EXCLUSIVE]
    arbitration.hub.apply(station, lambda hearing: _release(hearing, provider, exclusive))
    if SMART_CHARGING in given and provider in station.control.limiting:
        return await _withdraw(arbitration, station, provider, plan=True)
    return done(holders=_holders(station))


def _release(hearing: Hearing, provider: str, classes: list[ControlClass]) -> None:
    controlling.revoke(hearing, hearing.station.control.take(Ending.RELEASED, classes, provider))


def _holders(station: Station) -> dict[str, str | None]:
    return {str(one): station.control.holder(one) for one in EXCLUSIVE}


# Transactions


async def start(
    arbitration: Arbitration,
    provider: str,
    charger_id: str,
    request: requests.Start,
    number: int | None = None,
    kind: str = TokenKind.CENTRAL,
) -> Outcome:
    """Start charging; the session is the provider's. `number` and `kind` as with `Dispatcher.start_for`."""
    station = _station(arbitration, charger_id)
    connector = connector_of(station, request.connector)
    whose = connector.taken.provider if connector.taken else None
    wish = Wish(provider, TRANSACTIONS, "start", connector=connector, whose=whose)
    return arbitration.judge(station, [wish]) or await arbitration.dispatcher.start_for(
        provider, station, request, number, kind
    )


async def stop(arbitration: Arbitration, provider: str, charger_id: str, request: requests.Stop) -> Outcome:
    """Stop a transaction of the provider's own."""
    station = _station(arbitration, charger_id)
    session = arbitration.dispatcher.running(station, request)
    whose = session.provider if session else None
    connector = station.connectors.get(session.connector) if session else None
    wish = Wish(provider, TRANSACTIONS, "stop", Intent.EASE, connector, whose)
    return arbitration.judge(station, [wish]) or await arbitration.dispatcher.submit(charger_id, request)


async def unlock(
    arbitration: Arbitration,
    provider: str,
    charger_id: str,
    request: requests.Unlock,
    before: Callable[[], Awaitable[Outcome | None]] | None = None,
) -> Outcome:
    """Release the cable, unless another's session holds it.

    `before` does what must be done first, once it is clear that the cable may be released; its refusal is the end.
    """
    station = _station(arbitration, charger_id)
    connector = connector_of(station, request.connector)
    whose = connector.session.provider if connector.session else None
    wish = Wish(provider, TRANSACTIONS, "unlock", connector=connector, whose=whose)
    if (refusal := arbitration.judge(station, [wish])) is not None:
        return refusal
    if before is not None and (outcome := await before()) is not None and not outcome.ok:
        return outcome
    return await arbitration.dispatcher.submit(charger_id, request)


async def reserve(
    arbitration: Arbitration,
    provider: str,
    charger_id: str,
    request: requests.Reserve,
    number: int | None = None,
    kind: str = TokenKind.CENTRAL,
) -> Outcome:
    """Keep a connector; the reservation is the provider's, under a `number` of its own where it has one."""
    station = _station(arbitration, charger_id)
    wish = Wish(provider, TRANSACTIONS, "reserve", connector=connector_of(station, request.connector))
    if refusal := arbitration.judge(station, [wish]):
        return refusal
    number = number or arbitration.dispatcher.next_id()
    outcome = await arbitration.dispatcher.reserve_as(number, station, request, kind)
    if outcome.ok:
        kept = Reservation(provider, request.until)
        arbitration.hub.apply(station, lambda hearing: _keep_reservation(hearing, number, kept))
    return outcome


def _keep_reservation(hearing: Hearing, number: int, kept: Reservation | None) -> None:
    control = hearing.station.control
    control.reservations = {n: one for n, one in control.reservations.items() if one.until > hearing.now}
    if kept is not None:
        control.reservations[number] = kept
    else:
        control.reservations.pop(number, None)
    hearing.keep(control)


async def cancel_reservation(
    arbitration: Arbitration, provider: str, charger_id: str, request: requests.CancelReservation
) -> Outcome:
    """Give a reservation of the provider's own back."""
    station = _station(arbitration, charger_id)
    kept = station.control.reservations.get(request.reservation_id)
    if kept is None:
        return refused(Reason.NOT_YOURS, "no reservation of yours has this id")
    wish = Wish(provider, TRANSACTIONS, "cancel_reservation", Intent.EASE, whose=kept.provider)
    if refusal := arbitration.judge(station, [wish]):
        return refusal
    outcome = await arbitration.dispatcher.submit(charger_id, request)
    if outcome.ok:
        arbitration.hub.apply(station, lambda hearing: _keep_reservation(hearing, request.reservation_id, None))
    return outcome


# Limits


async def set_limit(
    arbitration: Arbitration,
    provider: str,
    charger_id: str,
    amps: Amps,
    connector: int | None = None,
    duration: timedelta | None = None,
) -> Outcome:
    """Limit the current per phase to so many A; of several providers' limits the smallest binds."""
    station = _station(arbitration, charger_id)
    at: Connector | None = station.connector(connector) if connector else None
    intent = _lowering_or_not(arbitration, station, provider, amps)
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "set_limit", intent, at)]):
        return refusal
    until: datetime | None = arbitration.hub.clock.now() + duration if duration else None
    eased = not _may_limit(arbitration, station, provider)
    station.control.limits[provider] = Limit(amps, connector or 0, until, eased)
    arbitration.hub.apply(station, _limits_changed)
    outcome = await rebind(arbitration, station, anew=True)
    return outcome if not outcome.ok else _bound(arbitration, station)


def _bound(arbitration: Arbitration, station: Station, **result: object) -> Outcome:
    """What binds on the connectors in use, as the charger confirmed; more than that has yet to come."""
    now = arbitration.hub.clock.now()
    known = [(one.effective_limit, one) for one in station.in_use() if one.effective_limit is not None]
    rises = any(amps < value(goal(station, one, now), now) for amps, one in known)
    message = f"more flows once the last change is {CALM.total_seconds():g} s ago" if rises else ""
    return done(message, effective=min((amps for amps, _ in known), default=station.bound), **result)


def _lowering_or_not(arbitration: Arbitration, station: Station, provider: str, amps: Amps) -> Intent:
    """Whether a provider asks for no more than what it has now: that is refused to nobody.

    What it has is its own limit; without one, while its session runs, what binds there.
    """
    before = own(arbitration, station, provider, arbitration.hub.clock.now())
    if before is None and provider in busy(station):
        before = station.bound
    return Intent.EASE if before is not None and amps <= before else Intent.ACT


def _may_limit(arbitration: Arbitration, station: Station, provider: str) -> bool:
    """Whether a provider may do more now than lower."""
    world, now = world_of(station, arbitration.house), arbitration.hub.clock.now()
    return may_limit(station.control, provider, world, arbitration.rules, now, lent=_is_lent(arbitration, provider))


def _is_lent(arbitration: Arbitration, provider: str) -> bool:
    return (provider, SMART_CHARGING) in arbitration.lent


async def set_profile(
    arbitration: Arbitration, provider: str, charger_id: str, profile: ChargingProfile, connector: int | None = None
) -> Outcome:
    """Limit the current by a profile, in the place of the provider's former one; the charger gets what binds now."""
    station = _station(arbitration, charger_id)
    at: Connector | None = station.connector(connector) if connector else None
    intent = _lowering_or_not(arbitration, station, provider, profile.most(station.plan.phases))
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "set_profile", intent, at)]):
        return refusal
    station.control.plans[provider] = Plan((profile,), eased=not _may_limit(arbitration, station, provider))
    arbitration.hub.apply(station, _limits_changed)
    outcome = await rebind(arbitration, station, anew=True)
    if not outcome.ok:
        return outcome
    binds = plan_now(station, provider, arbitration.hub.clock.now(), _LONG)
    return _bound(arbitration, station, profile_limit=binds.amps, until=shapes.time(binds.until))


_LONG = timedelta(days=8).total_seconds()
"""How far ahead the next step of a profile is told: any that comes weekly."""


async def add_profile(
    arbitration: Arbitration, provider: str, charger_id: str, added: ChargingProfile, among: Callable[[], Profiles]
) -> Outcome:
    """Have one more profile of a provider's hold, where the charger keeps to what binds then.

    Else it is as it was: what was never promised is not forced upon a charger. `among`: its set with this one, as it is
    once it is the charger's turn. The set stays while the provider is away.
    """
    station = _station(arbitration, charger_id)
    intent = _lowering_or_not(arbitration, station, provider, added.most(station.plan.phases))
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "set_profile", intent)]):
        return refusal
    steering = arbitration.dispatcher.steering
    outcome = await steering.attempt(
        station, lambda: _try(station, provider, _lasting(arbitration, station, provider, among()), added)
    )
    arbitration.hub.apply(station, _limits_changed)
    return outcome if not outcome.ok else _bound(arbitration, station)


def _try(station: Station, provider: str, plan: Plan, added: ChargingProfile) -> Callable[[], None]:
    """Have a plan hold; returns how it is taken back."""
    former = station.control.plans.get(provider, Plan(()))
    _have(station, provider, plan)

    def take_back() -> None:
        now = station.control.plans.get(provider, Plan(()))
        _have(station, provider, former if now is plan else _without(now, added))

    return take_back


def _without(plan: Plan, added: ChargingProfile) -> Plan:
    """A plan that came after one that the charger refused, without what was new in that."""
    return replace(plan, profiles=tuple(one for one in plan.profiles if one != added))


async def keep_profiles(arbitration: Arbitration, provider: str, charger_id: str, profiles: Profiles) -> Outcome:
    """Have no more than some profiles of a provider's set hold; the charger gets what binds then."""
    station = _station(arbitration, charger_id)
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "clear_profile", Intent.EASE)]):
        return refusal
    _have(station, provider, _lasting(arbitration, station, provider, profiles))
    arbitration.hub.apply(station, _limits_changed)
    await rebind(arbitration, station, anew=True)
    return _bound(arbitration, station)


def _lasting(arbitration: Arbitration, station: Station, provider: str, profiles: Profiles) -> Plan:
    """A set that stays while its provider is away."""
    lent = _is_lent(arbitration, provider) or station.control.lent(provider)
    return Plan(profiles, not _may_limit(arbitration, station, provider), lasting=True, lent=lent)


def _have(station: Station, provider: str, plan: Plan) -> None:
    station.control.plans[provider] = plan
    if not plan.profiles:
        del station.control.plans[provider]


async def clear_profile(arbitration: Arbitration, provider: str, charger_id: str) -> Outcome:
    """Withdraw a provider's own profile."""
    station = _station(arbitration, charger_id)
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "clear_profile", Intent.EASE)]):
        return refusal
    return await _withdraw(arbitration, station, provider, limit=False, plan=True)


async def clear_limit(arbitration: Arbitration, provider: str, charger_id: str) -> Outcome:
    """Withdraw a provider's own limit."""
    station = _station(arbitration, charger_id)
    if refusal := arbitration.judge(station, [Wish(provider, SMART_CHARGING, "clear_limit", Intent.EASE)]):
        return refusal
    return await _withdraw(arbitration, station, provider)


async def _withdraw(
    arbitration: Arbitration, station: Station, provider: str, *, limit: bool = True, plan: bool = False
) -> Outcome:
    control = station.control

    def withdrawn(hearing: Hearing) -> None:
        if limit:
            control.limits.pop(provider, None)
        if plan:
            control.plans.pop(provider, None)
        _limits_changed(hearing)

    arbitration.hub.apply(station, withdrawn)
    outcome = await rebind(arbitration, station, anew=True)
    return outcome if not outcome.ok else _bound(arbitration, station, holders=_holders(station))


def _limits_changed(hearing: Hearing) -> None:
    hearing.keep(hearing.station.control)
    hearing.tell(LimitsChanged)


# Management


_STARTS_AND_STOPS = (
    *("RemoteStartTransaction", "RequestStartTransaction", "RemoteStopTransaction", "RequestStopTransaction"),
    *("UnlockConnector", "ReserveNow", "CancelReservation"),
)
CLASS_OF: Mapping[str, ControlClass] = {
    **dict.fromkeys(_STARTS_AND_STOPS, TRANSACTIONS),
    **dict.fromkeys(("SetChargingProfile", "ClearChargingProfile"), SMART_CHARGING),
}
"""OCPP actions that are of another class than `management`, by name: a raw call is no way around the rules."""


async def manage(arbitration: Arbitration, provider: str, charger_id: str, subject: str, order: Order) -> Outcome:
    """Put an order to the charger that takes `management`. `subject` is its name for the audit log."""
    station = _station(arbitration, charger_id)
    return arbitration.judge(station, [Wish(provider, MANAGEMENT, subject)]) or await arbitration.dispatcher.send(
        station, order
    )


async def call(arbitration: Arbitration, provider: str, charger_id: str, request: requests.Call) -> Outcome:
    """Send an OCPP call as it is: for the one operator whom the owner trusts with management."""
    station = _station(arbitration, charger_id)
    wishes = [Wish(provider, MANAGEMENT, f"call {request.ocpp_action}")]
    if request.ocpp_action in CLASS_OF:
        others = {session.provider for session in station.sessions()} - {provider}
        whose = min(others) if others else None
        wishes.append(Wish(provider, CLASS_OF[request.ocpp_action], f"call {request.ocpp_action}", whose=whose))
    return arbitration.judge(station, wishes) or await arbitration.dispatcher.submit(charger_id, request)
