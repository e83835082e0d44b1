"""What a provider may see: every charger's state, but of sessions and limits its own alone (contract §7)."""

from __future__ import annotations

from datetime import datetime

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.events import CardDecided, Fact, SessionEnded, SessionStarted, SessionUpdated
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station

_OWNERS = ("address", "last_heard", "clock_ahead_s", "quirks")
"""What is shown of a charger to nobody but its owner."""


def charger(station: Station, provider: str, now: datetime) -> shapes.Json:
    """A charger, live, as a provider sees it."""
    shown = {name: value for name, value in shapes.charger(station, now).items() if name not in _OWNERS}
    for seen, connector in zip(shown["connectors"], station.ordered(), strict=True):
        given = connector.shown_session
        mine = given is not None and given.provider == provider
        seen["session"] = session(given, provider, now) if given is not None and mine else None
    return shown | {"control": _control(station, provider)}


def _control(station: Station, provider: str) -> shapes.Json:
    control = shapes.control(station.control, None)
    mine = {name: control["limits"][name] for name in control["limits"] if name == provider}
    return {"mode": control["mode"], "holders": control["holders"], "limits": mine}


def session(given: Session, provider: str, now: datetime) -> shapes.Json:
    """A session in which a provider has a part; of several parts its own, and the card where the session is its own."""
    shown = shapes.session(given, now, show_tag=given.provider == provider)
    mine = [part for part in shown["parts"] if part["provider"] == provider]
    if len(mine) < len(shown["parts"]):
        shown |= {"parts": mine, "revenue": round(sum(part["revenue"] for part in mine), 2)}
    return {name: value for name, value in shown.items() if name not in ("cost", "cost_currency")}


def insider(fact: Fact) -> str | None:
    """The provider that sees the tags of an event: whose session it is, or who was asked (contract §6)."""
    if isinstance(fact, SessionStarted | SessionUpdated | SessionEnded):
        return fact.session.provider
    return fact.by if isinstance(fact, CardDecided) else None
