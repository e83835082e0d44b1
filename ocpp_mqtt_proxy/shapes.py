"""How the domain looks from outside: the JSON and text of contract §4 to 6, the same on every face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from ocpp_mqtt_proxy.core import bill, events
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control, Verdict
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.limits.outlook import Outlook
from ocpp_mqtt_proxy.core.model import OWNER, Sample
from ocpp_mqtt_proxy.core.readings import pick
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, Presence
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.verifying import Ignored

Json = dict[str, Any]


def dump(value: object) -> bytes:
    """JSON as it goes out. Copied, because orjson leaves the room it did not need on what it returns: 4 KiB."""
    return bytes(memoryview(orjson.dumps(value)))


def time(at: datetime | None) -> str | None:
    """ISO 8601 with Z, to the millisecond."""
    if at is None:
        return None
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-ZERO_OFFSET] + "Z"


ZERO_OFFSET = len("+00:00")


def kwh(watt_hours: float) -> float:
    """Energy in kWh, to the Wh."""
    return round(watt_hours) / 1000


def money(amount: Decimal) -> float:
    """Money with two decimals."""
    return bill.cents(amount) / 100


def masked(tag: str | None) -> str | None:
    """An id tag that tells cards apart without giving them away: `***C3`."""
    return None if tag is None else f"***{tag[-2:] if len(tag) > 2 else ''}"


def number(value: float, digits: int = 3) -> str:
    """A number as plain text, without needless zeros."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def session(given: Session, now: datetime, *, show_tag: bool = True) -> Json:
    """A session, wherever shown (contract §4): its cost is the owner's, its revenue what providers owe.

    A currency that is not the session's own is told where it is: the cost's, or a part's.
    """
    currency = given.currency
    shown: Json = {
        "session_id": given.session_id,
        "charger": given.charger,
        "connector": given.connector,
        "transaction_id": given.transaction_id,
        "provider": given.provider,
        "id_tag": given.id_tag if show_tag else masked(given.id_tag),
        "started_at": time(given.started_at),
        "ended_at": time(given.ended_at),
        "duration_s": round(given.duration(now)),
        "meter_start": _rounded(given.meter_start),
        "meter_stop": _rounded(given.meter_stop),
        "energy_kwh": kwh(given.energy),
        "cost": money(given.cost),
        "revenue": money(given.revenue(now)),
        "currency": currency,
        "reason": given.reason,
        "parts": [_part(line, currency) for line in bill.lines(given, now)],
    }
    return shown if given.cost_currency == currency else shown | {"cost_currency": given.cost_currency}


def _part(line: bill.Line, currency: str) -> Json:
    shown: Json = {
        "provider": line.provider,
        "from": time(line.since),
        "to": time(line.until),
        "energy_kwh": line.energy / 1000,
        "revenue": line.revenue / 100,
    }
    paid_otherwise = line.provider != OWNER and line.currency != currency
    return shown | {"currency": line.currency} if paid_otherwise else shown


def total(given: bill.Sum) -> Json:
    """Sessions added up. Money by currency; a revenue of nothing is none."""
    cost, revenue = ({name: cents / 100 for name, cents in sorted(m.items())} for m in (given.cost, given.revenue))
    return {
        "sessions": given.sessions,
        "duration_s": given.seconds,
        "energy_kwh": given.energy / 1000,
        "cost": cost,
        "revenue": {currency: amount for currency, amount in revenue.items() if amount},
    }


def _rounded(watt_hours: float | None) -> int | None:
    return None if watt_hours is None else round(watt_hours)


def nameplate(station: Station) -> Json:
    """What is retained under `info`."""
    plate = station.memory.nameplate
    return {
        "id": station.id,
        "name": station.plan.name or station.id,
        "vendor": plate.vendor,
        "model": plate.model,
        "serial": plate.serial,
        "firmware": plate.firmware,
        "ocpp_version": station.version,
        "connectors": [
            {"connector": c.number, "evse": c.place.evse, "evse_connector": c.place.connector}
            for c in station.ordered()
        ],
        "connected_since": time(station.connected_since),
        "quirks": list(station.traits.quirks),
    }


def meter(sample: Sample) -> Json:
    """The last readings: per measurand its total, where there is one, and its phases."""
    shown: Json = {"at": time(sample.at)}
    units = {reading.measurand: reading.unit for reading in sample.readings}
    for measurand, phases in pick(sample.readings).items():
        entry: Json = {"unit": units[measurand]}
        if None in phases:
            entry["total"] = phases[None]
        if lines := {phase: value for phase, value in phases.items() if phase is not None}:
            entry["phases"] = lines
        shown[measurand] = entry
    return shown


def connector(given: Connector, now: datetime, *, show_tag: bool = True) -> Json:
    """A connector, live."""
    shown = given.shown_session
    return {
        "connector": given.number,
        "evse": given.place.evse,
        "status": given.status,
        "error": given.error_code,
        "info": given.info,
        "plugged_in": given.plugged_in,
        "charging": given.charging,
        "energy_kwh": None if given.energy is None else kwh(given.energy),
        "effective_limit": given.effective_limit,
        "limited_by": given.limited_by,
        "limit_verified": given.limit_verified,
        **{name: round(value, 3) for name, value in given.metrics.items()},
        "session": session(shown, now, show_tag=show_tag) if shown else None,
    }


def charger(station: Station, now: datetime) -> Json:
    """A charger, live, as in `/status`."""
    return nameplate(station) | {
        "connected": station.connected,
        "address": station.address,
        "available": station.memory.operative,
        "current_limit": station.limit,
        "max_current": station.plan.max_current,
        "ignores_limits": _ignored(station.ignores),
        "last_heard": time(station.last_heard),
        "clock_ahead_s": round(station.clock_ahead.total_seconds()),
        "connectors": [connector(c, now) for c in station.ordered()],
    }


def _ignored(given: Ignored | None) -> Json | None:
    return None if given is None else {"since": time(given.since), "amps": round(given.gave, 1)}


def outlook(given: Outlook) -> Json:
    """What will flow at most (contract §5 `plan`): steps in A per phase, the first at once."""
    return {
        "from": time(given.since),
        "until": time(given.until),
        "unit": "A",
        "steps": [{"at": time(step.at), "amps": step.amps, "by": step.by} for step in given.steps],
    }


def control(given: Control, presence: Presence | None) -> Json:
    """Who controls a charger (contract §5). Without a feed of presence nobody can tell who is at home."""
    return {
        "mode": given.mode,
        "override": given.mode == OWNER,
        "holders": {str(one): given.holder(one) for one in EXCLUSIVE},
        "limits": {provider: limit.amps for provider, limit in sorted(given.limits.items())} | given.allowing,
        "presence": presence or Presence.UNKNOWN,
        "last": given.last and _decision(given.last),
        "last_refusal": given.refusal and _decision(given.refusal),
    }


def _decision(given: Verdict) -> Json:
    return {
        "at": time(given.at),
        "provider": given.provider,
        "class": given.control_class,
        "verdict": "granted" if given.granted else "refused",
        "reason": given.reason or None,
        "message": given.message,
    }


def provider(*, connected: bool, classes: Mapping[str, Sequence[str]], refusal: Decided | None) -> Json:
    """A provider as it stands: `classes` are those it holds, by charger."""
    return {
        "connected": connected,
        "classes": {charger: list(held) for charger, held in sorted(classes.items())},
        "last_refusal": refusal
        and {
            "at": time(refusal.at),
            "charger": refusal.charger,
            "class": refusal.control_class,
            "asked": refusal.subject,
            "reason": refusal.reason,
            "message": refusal.message,
        },
    }


# Events


def event(fact: Fact, *, show_tags: bool) -> Json:
    """A fact as an event (contract §6)."""
    envelope: Json = {
        "event": fact.KIND,
        "event_type": fact.KIND,
        "charger": fact.charger,
        "connector": fact.connector,
        "evse": fact.place.evse if fact.place else 0,
        "at": time(fact.at),
        "seq": fact.seq,
        "ocpp_version": fact.ocpp_version,
    }
    return envelope | _FIELDS[type(fact)](fact, masked if not show_tags else _shown)


def _shown(tag: str | None) -> str | None:
    return tag


Mask = Callable[[str | None], str | None]


def _same(*names: str) -> Callable[[Any, Mask], Json]:
    """Fields shown as they are."""
    return lambda fact, _: {name: getattr(fact, name) for name in names}


def _boot(fact: events.ChargerBooted, _: Mask) -> Json:
    plate = fact.nameplate
    return {
        "vendor": plate.vendor,
        "model": plate.model,
        "serial": plate.serial,
        "firmware": plate.firmware,
        "reason": fact.reason,
    }


def _meter(fact: events.MeterRead, _: Mask) -> Json:
    return {
        "transaction_id": fact.transaction_id,
        "context": fact.context,
        "readings": [
            {"measurand": r.measurand, "phase": r.phase, "value": r.value, "unit": r.unit, "location": r.location}
            for r in fact.readings
        ],
    }


def _authorization(fact: events.CardDecided, mask: Mask) -> Json:
    return {"id_tag": mask(fact.id_tag), "verdict": fact.verdict, "by": fact.by}


def _started(fact: events.SessionStarted, mask: Mask) -> Json:
    given = fact.session
    return {
        "transaction_id": given.transaction_id,
        "session_id": given.session_id,
        "id_tag": mask(given.id_tag),
        "meter_start": _rounded(given.meter_start),
        "provider": given.provider,
        "reservation_id": given.reservation_id,
    }


def _updated(fact: events.SessionUpdated, _: Mask) -> Json:
    return {
        "transaction_id": fact.session.transaction_id,
        "charging_state": fact.charging_state,
        "trigger": fact.trigger,
    }


def _ended(fact: events.SessionEnded, _: Mask) -> Json:
    given = fact.session
    return {
        "transaction_id": given.transaction_id,
        "session_id": given.session_id,
        "meter_stop": _rounded(given.meter_stop),
        "energy_kwh": kwh(given.energy),
        "duration_s": round(given.duration(fact.at)),
        "reason": given.reason,
        "provider": given.provider,
        "revenue": money(given.revenue(fact.at)),
        "currency": given.currency,
    }


def _security(fact: events.SecurityNoticed, _: Mask) -> Json:
    return {"type": fact.type, "timestamp": time(fact.noticed_at), "tech_info": fact.info}


def _notice(fact: events.NoticeHeard, mask: Mask) -> Json:
    """A message as it came, but for the tags in it, however deep."""
    return {"action": fact.action, "payload": _with_tags(fact.payload, mask)}


def _with_tags(part: Any, mask: Mask) -> Any:  # noqa: ANN401 (JSON of any shape)
    if isinstance(part, list):
        return [_with_tags(item, mask) for item in part]
    if not isinstance(part, Mapping):
        return part
    return {
        key: mask(value) if key in _TAGS and isinstance(value, str) else _with_tags(value, mask)
        for key, value in part.items()
    }


_TAGS = frozenset({"idTag", "parentIdTag", "idToken", "additionalIdToken"})
"""Fields that hold a tag. (An `idToken` may also be an object that holds one.)"""


Controlled = events.ControlGranted | events.ControlRefused | events.ControlRevoked


def _controlled(fact: Controlled, _: Mask) -> Json:
    return {
        "provider": fact.provider,
        "class": fact.control_class,
        "reason": fact.reason or None,
        "holder": fact.holder,
    }


def _verified(fact: events.LimitVerified, _: Mask) -> Json:
    return {"effective": fact.effective, "by": fact.by, "verified": True}


def _asked(fact: events.AuthorizationAsked, mask: Mask) -> Json:
    """Told to the provider that is asked alone, with the card shown."""
    return {"request_id": fact.request_id, "id_tag": mask(fact.id_tag), "until": time(fact.until)}


_FIELDS: Mapping[type[Fact], Callable[[Any, Mask], Json]] = {
    events.ControlGranted: _controlled,
    events.ControlRefused: _controlled,
    events.ControlRevoked: _controlled,
    events.ModeChanged: _same("mode", "by"),
    events.AuthorizationAsked: _asked,
    events.ChargerConnected: _same("address", "reason"),
    events.ChargerDisconnected: _same("address", "reason"),
    events.ChargerBooted: _boot,
    events.HeartbeatHeard: _same(),
    events.StatusChanged: _same("status", "error_code", "info", "vendor_error_code"),
    events.MeterRead: _meter,
    events.CardDecided: _authorization,
    events.SessionStarted: _started,
    events.SessionUpdated: _updated,
    events.SessionEnded: _ended,
    events.FaultChanged: _same("status", "error_code", "info", "cleared"),
    events.LimitChanged: _same("effective", "by", "verified"),
    events.LimitVerified: _verified,
    events.ReservationEnded: _same("reservation_id", "status"),
    events.FirmwareChanged: _same("status", "request_id"),
    events.DiagnosticsChanged: _same("status", "request_id"),
    events.SecurityNoticed: _security,
    events.DataTransferred: _same("vendor_id", "message_id", "data"),
    events.NoticeHeard: _notice,
}


def answer(request_id: object, outcome: Outcome) -> Json:
    """The answer to a request (contract §5)."""
    return {
        "id": request_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "message": outcome.message,
        "result": dict(outcome.result),
    }


def response(request_id: object, action: object, outcome: Outcome) -> Json:
    """The answer to a backend (contract §7)."""
    return {"type": "response", "action": action, **answer(request_id, outcome)}
