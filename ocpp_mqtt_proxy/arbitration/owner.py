"""The owner's word on who may control: the override, a provider switched off, who is at home (contract §5, §8)."""

from __future__ import annotations

from functools import partial

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core import controlling
from ocpp_mqtt_proxy.core.audit import HAND_OVER, Decided
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, refused
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.events import PresenceChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, is_provider_id
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass, Presence
from ocpp_mqtt_proxy.core.station import Station


async def set_mode(arbitration: Arbitration, charger_id: str, mode: str, by: str) -> Outcome:
    """Put the owner, a provider or the rules (`auto`) in charge of a charger. On disk before it is answered."""
    station = arbitration.hub.station(charger_id)
    if refusal := _may_not(arbitration, mode):
        return refusal
    arbitration.meet(mode)
    await arbitration.hub.settle(station, lambda hearing: _set_mode(arbitration, hearing, mode, by))
    if mode == OWNER and arbitration.rules.override_stops:
        await _stop_providers(arbitration, station)
    return done(owner=station.control.owner or "none", mode=mode)


async def override(arbitration: Arbitration, charger_id: str | None, mode: str, by: str) -> Outcome:
    """The same for one charger, or for all; then the first that is refused is the answer."""
    chargers = [charger_id] if charger_id is not None else list(arbitration.hub.stations)
    if not chargers:
        return refused(Reason.UNKNOWN_CHARGER, "there is no charger yet")
    outcomes = [await arbitration.dispatcher.carry_out(partial(set_mode, arbitration, c, mode, by)) for c in chargers]
    return next((outcome for outcome in outcomes if not outcome.ok), outcomes[0])


def _may_not(arbitration: Arbitration, mode: str) -> Outcome | None:
    if mode in (AUTO, OWNER):
        return None
    if not is_provider_id(mode):
        return refused(Reason.INVALID, "allowed: auto, owner, or the id of a provider")
    if mode in arbitration.rules.blocked:
        return refused(Reason.BLOCKED, f"{mode} is blocked")
    if not arbitration.rules.may_come(mode):
        return refused(Reason.NOT_ALLOWED, f"{mode} is not among the providers that may share")
    if mode in arbitration.house.disabled:
        return refused(Reason.DISABLED, f"{mode} is switched off")
    return None


def _set_mode(arbitration: Arbitration, hearing: Hearing, mode: str, by: str) -> None:
    """A provider put in charge holds at once what its roles allow, and what runs is its own from now on."""
    controlling.set_mode(hearing, mode, by)
    terms = arbitration.rules.terms(mode)
    if mode in (AUTO, OWNER) or terms is None:
        return
    for control_class in EXCLUSIVE:
        if control_class in terms.roles and hearing.station.control.holder(control_class) != mode:
            hearing.keep(_handed_over(hearing, mode, control_class, by))
            controlling.grant(hearing, mode, control_class)
    if ControlClass.TRANSACTIONS in terms.roles:
        controlling.hand_over(hearing, mode)


def _handed_over(hearing: Hearing, provider: str, control_class: ControlClass, by: str) -> Decided:
    control = hearing.station.control
    return Decided(
        at=hearing.now,
        charger=hearing.station.id,
        provider=provider,
        control_class=control_class,
        subject=HAND_OVER,
        granted=True,
        inputs={"mode": control.mode, "by": by, "holder": control.holder(control_class)},
    )


async def _stop_providers(arbitration: Arbitration, station: Station) -> None:
    for session in list(station.sessions()):
        if session.provider != OWNER:
            request = requests.Stop(transaction_id=session.transaction_id)
            await arbitration.dispatcher.submit(station.id, request)


async def set_enabled(arbitration: Arbitration, provider: str, *, on: bool) -> Outcome:
    """Switch a provider on or off. On disk before it is answered. Raises LedgerFailed."""
    if provider not in arbitration.providers():
        return refused(Reason.NOT_ALLOWED, f"no provider {provider!r}")
    disabled = arbitration.house.disabled
    if on == (provider in disabled):
        (disabled.discard if on else disabled.add)(provider)
        try:
            await arbitration.memory.keep_disabled(sorted(disabled))
        finally:  # it holds all the same
            arbitration.tell_of(provider)
    return done()


def set_presence(arbitration: Arbitration, presence: Presence | None, by: str = "") -> None:
    """Somebody came home, left, or nobody can tell any more. `by` is the feed that says so."""
    arbitration.presence_by = by
    if arbitration.house.presence is presence:
        return
    arbitration.house.presence = presence
    arbitration.hub.bus.publish(PresenceChanged(charger="", at=arbitration.hub.clock.now(), presence=presence))
