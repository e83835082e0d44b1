"""Domain objects as rows, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from sqlite3 import Row
from typing import Any, NamedTuple

import orjson

from ocpp_mqtt_proxy.adapters.store import controls, profiles, services
from ocpp_mqtt_proxy.adapters.store.parts import PLAIN, parts_of, plain, text_of_parts
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.book import EventNumber, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory, Renewed
from ocpp_mqtt_proxy.core.model import (
    Amps,
    ChargingState,
    Nameplate,
    Place,
    StopReason,
    Variable,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.session import Sequence, Session, StartKey, State
from ocpp_mqtt_proxy.core.virtual import Virtual

Statement = tuple[str, tuple[object, ...]]

TRANSACTION_COUNTER = "last_transaction"
SESSION_COUNTER = "last_session"
COUNTERS = (TRANSACTION_COUNTER, SESSION_COUNTER)
INSTANCE = "instance"
IN_USE = "in_use"
RECKONED = "reckoned"
"""Keys of what an installation remembers about itself. `IN_USE` stands while the program runs; `RECKONED` is how far
the totals are reckoned: for which time zone, and after which session there are some left."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError)
"""What reading a row fails of where its contents were damaged."""

_CHARGER_COLUMNS = (
    "id", "version", "nameplate", "accepted", "operative", "limit_amps", "profile_form",
    "inventory", "inventory_of", "measurands", "first_seen", "last_seen", "renewed",
)  # fmt: skip
_CONNECTOR_COLUMNS = ("charger", "number", "evse", "connector", "register_wh", "raw_wh", "read_at", "details")
REPORT_COLUMNS = ("month", "made_at", "sums")
_SESSION_COLUMNS = (
    "session_id", "charger", "connector", "transaction_id", "provider", "id_tag", "state", "started_at",
    "ended_at", "meter_start", "meter_stop", "energy_wh", "cost", "currency", "reason", "start_key", "details", "parts",
)  # fmt: skip


def replace(table: str, columns: tuple[str, ...]) -> str:
    """The SQL that puts a row in the place of another one of the same key."""
    marks = ", ".join("?" for _ in columns)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608


_PUT_CHARGER = replace("charger", _CHARGER_COLUMNS)
_PUT_CONNECTOR = replace("connector", _CONNECTOR_COLUMNS)
_PUT_SESSION = replace("session", _SESSION_COLUMNS)
_PUT_CONTROL = replace("control", controls.CONTROL_COLUMNS)
_PUT_DECISION = replace("decision", controls.DECISION_COLUMNS)
_PUT_OUTGOING = replace("outgoing", services.OUTGOING_COLUMNS)
_PUT_PEER = replace("peer", services.SHARED_COLUMNS)
_PUT_VIRTUAL = replace("virtual_state", services.SHARED_COLUMNS)
PUT_META = replace("meta", ("key", "value"))
PUT_EVENT_NUMBER = replace("event_number", ("charger", "seq"))

PROBES = tuple(
    f"SELECT {', '.join(columns)} FROM {table} LIMIT 0"  # noqa: S608 (our own names)
    for table, columns in (
        ("meta", ("key", "value")),
        ("charger", _CHARGER_COLUMNS),
        ("event_number", ("charger", "seq")),
        ("connector", _CONNECTOR_COLUMNS),
        ("session", _SESSION_COLUMNS),
        ("login", ("token_hash", "expires_at")),
        ("control", controls.CONTROL_COLUMNS),
        ("decision", controls.DECISION_COLUMNS),
        ("report", REPORT_COLUMNS),
        ("outgoing", services.OUTGOING_COLUMNS),
        ("peer", services.SHARED_COLUMNS),
        ("virtual_state", services.SHARED_COLUMNS),
    )
)
"""What fails where a table or a column that we need is not there."""


class _Form(NamedTuple):
    """How changes of a kind are written: what each is a state of, and as what SQL."""

    key: Callable[[Any], tuple[str, ...]]
    statements: Callable[[Any], list[Statement]]


def key_of(change: Change) -> tuple[str, ...]:
    """What a change is a state of: of several states of one thing only the last is written."""
    return _FORMS[type(change)].key(change)


def statements(change: Change) -> list[Statement]:
    """A change as SQL, as it stands now."""
    return _FORMS[type(change)].statements(change)


def text_of(at: datetime | None) -> str | None:
    """A time as it is stored: UTC, microseconds always, so that it sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if at else None


def time_of(text: str | None) -> datetime | None:
    """A stored time."""
    return datetime.fromisoformat(text) if text else None


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _charger_row(memory: ChargerMemory) -> tuple[object, ...]:
    inventory = [[*v[:-1], list(v.place) if v.place else None] for v in memory.inventory.values()]
    return (
        memory.id,
        memory.version.value,
        _json(asdict(memory.nameplate)),
        memory.accepted,
        memory.operative,
        memory.limit,
        profiles.text_of(memory),
        _json(inventory) if inventory else None,
        memory.inventory_of,
        _json(sorted(memory.measurands)),
        text_of(memory.first_seen),
        text_of(memory.last_seen),
        _json(asdict(memory.renewed)) if memory.renewed else None,
    )


def charger(row: Row, seq: int = 0) -> ChargerMemory:
    """A stored charger. No event of it has a higher number than `seq`."""
    variables = [_variable(v) for v in orjson.loads(row["inventory"])] if row["inventory"] else []
    return ChargerMemory(
        id=row["id"],
        version=Version(row["version"]),
        nameplate=Nameplate(**orjson.loads(row["nameplate"])),
        accepted=bool(row["accepted"]),
        operative=bool(row["operative"]),
        limit=None if row["limit_amps"] is None else Amps(row["limit_amps"]),
        **profiles.known(row["profile_form"]),
        inventory={v.name: v for v in variables},
        inventory_of=row["inventory_of"],
        measurands=set(orjson.loads(row["measurands"])),
        renewed=Renewed(**orjson.loads(row["renewed"])) if row["renewed"] else None,
        seq=seq,
        seq_reserved=seq,
        first_seen=time_of(row["first_seen"]),
        last_seen=time_of(row["last_seen"]),
    )


def _variable(stored: list[Any]) -> Variable:
    name, value, readonly, unit, component, place = stored
    return Variable(name, value, readonly, unit, component, Place(*place) if place else None)


def _connector_row(connector: Connector) -> tuple[object, ...]:
    register = connector.register
    return (
        connector.charger,
        connector.number,
        connector.place.evse,
        connector.place.connector,
        register.total,
        register.raw,
        text_of(register.at),
        _json(
            {
                "held": register.held,
                "effective_limit": connector.effective_limit,
                "limited_by": connector.limited_by,
                "finishing": connector.finishing,
                "says_occupied": connector.says_occupied,
            }
        ),
    )


def connector(row: Row) -> Connector:
    """A stored connector."""
    details = orjson.loads(row["details"])
    return Connector(
        charger=row["charger"],
        number=row["number"],
        place=Place(row["evse"], row["connector"]),
        register=_register(row["register_wh"], row["raw_wh"], row["read_at"], details.get("held")),
        effective_limit=_amps(details.get("effective_limit")),
        limited_by=details.get("limited_by"),
        finishing=details.get("finishing", False),
        says_occupied=details.get("says_occupied", False),
    )


def _session_row(session: Session) -> tuple[object, ...]:
    key = session.start_key
    # The start's time stays as the charger wrote it, with or without a zone: a repetition must equal it.
    start_key = [key.connector, key.id_tag, key.meter_start, key.at and key.at.isoformat()] if key else None
    return (
        session.session_id,
        session.charger,
        session.connector,
        session.transaction_id,
        session.provider,
        session.id_tag,
        session.state.value,
        text_of(session.started_at),
        text_of(session.ended_at),
        session.meter_start,
        session.meter_stop,
        session.energy,
        str(session.cost),
        session.cost_currency,
        session.reason.value if session.reason else None,
        _json(start_key) if start_key else None,
        _json(_details(session)),
        text_of_parts(session),
    )


def _details(session: Session) -> dict[str, object]:
    """What only a session that goes on needs again; an ended one keeps the figures in its columns."""
    details: dict[str, object] = {"adopted": session.adopted}
    if session.state is State.ENDED:
        return details
    register = session.register
    return details | {
        "remote_start_id": session.remote_start_id,
        "reservation_id": session.reservation_id,
        "charging_state": session.charging_state.value if session.charging_state else None,
        "charging_state_at": text_of(session.charging_state_at),
        "offered": session.offered,
        "limit": session.limit,
        "paused": session.paused,
        "held": profiles.document(session.held),
        "sequence": [session.sequence.last, sorted(session.sequence.missing)],
        "register": [register.total, register.raw, text_of(register.at), register.held] if register else None,
    }


def session(row: Row) -> Session:
    """A stored session."""
    details = orjson.loads(row["details"])
    last, missing = details.get("sequence") or (None, [])
    register = details.get("register")
    state = details.get("charging_state")
    found = Session(
        session_id=row["session_id"],
        charger=row["charger"],
        connector=row["connector"],
        transaction_id=row["transaction_id"],
        started_at=datetime.fromisoformat(row["started_at"]),
        id_tag=row["id_tag"],
        meter_start=_wh(row["meter_start"]),
        cost_currency=row["currency"],
        parts=parts_of(row["parts"]),
        state=State(row["state"]),
        ended_at=time_of(row["ended_at"]),
        meter_stop=_wh(row["meter_stop"]),
        reason=StopReason(row["reason"]) if row["reason"] else None,
        energy=row["energy_wh"],
        adopted=details.get("adopted", False),
        start_key=_start_key(row["start_key"]),
        remote_start_id=details.get("remote_start_id"),
        reservation_id=details.get("reservation_id"),
        charging_state=ChargingState(state) if state else None,
        charging_state_at=time_of(details.get("charging_state_at")),
        offered=details.get("offered", False),
        limit=_amps(details.get("limit")),
        paused=details.get("paused", False),
        held=profiles.held_of(details.get("held", details.get("installed"))),
        sequence=Sequence(last, set(missing)),
        register=_register(*register) if register else None,
    )
    if row["parts"] == PLAIN:
        found.parts = [plain(row["provider"], found, Decimal(row["cost"]))]
    return found


def _register(total: float, raw: float | None, at: str | None, held: float | None = None) -> Register:
    return Register(total, raw, time_of(at), held)


def _amps(value: float | None) -> Amps | None:
    return None if value is None else Amps(value)


def _wh(value: float | None) -> WattHours | None:
    return None if value is None else WattHours(value)


def _start_key(text: str | None) -> StartKey | None:
    if text is None:
        return None
    connector_number, tag, meter_start, at = orjson.loads(text)
    return StartKey(connector_number, tag, meter_start, time_of(at))


def _counters(numbers: Numbers) -> list[Statement]:
    return [
        (PUT_META, (TRANSACTION_COUNTER, str(numbers.last_transaction))),
        (PUT_META, (SESSION_COUNTER, str(numbers.last_session))),
    ]


_FORMS: dict[type, _Form] = {
    Session: _Form(
        lambda one: ("session", one.session_id),
        lambda one: [(_PUT_SESSION, _session_row(one))],
    ),
    Connector: _Form(
        lambda one: ("connector", one.charger, str(one.number)),
        lambda one: [(_PUT_CONNECTOR, _connector_row(one))],
    ),
    ChargerMemory: _Form(
        lambda one: ("charger", one.id),
        lambda one: [(_PUT_CHARGER, _charger_row(one))],
    ),
    Numbers: _Form(
        lambda _: ("numbers",),
        _counters,
    ),
    EventNumber: _Form(
        lambda one: ("event_number", one.charger),
        lambda one: [(PUT_EVENT_NUMBER, (one.charger, one.seq))],
    ),
    Control: _Form(
        lambda one: ("control", one.charger),
        lambda one: [(_PUT_CONTROL, controls.control_row(one))],
    ),
    Decided: _Form(
        lambda one: ("decision", str(id(one))),  # each is one of its own, and kept until it is written
        lambda one: [(_PUT_DECISION, controls.decision_row(one, text_of(one.at) or ""))],
    ),
    Outgoing: _Form(
        lambda one: ("outgoing", one.charger, str(one.number)),
        lambda one: [(_PUT_OUTGOING, services.outgoing_row(one, text_of(one.heard_at) or ""))],
    ),
    Delivered: _Form(
        lambda one: ("delivered", "", str(one.number)),  # of whichever charger: no id is empty
        lambda one: [(services.DELIVERED, (one.number,))],
    ),
    Peer: _Form(
        lambda one: ("peer", one.charger, one.service),
        lambda one: [(_PUT_PEER, services.shared_row(one))],
    ),
    Virtual: _Form(
        lambda one: ("virtual", one.charger, one.service),
        lambda one: [(_PUT_VIRTUAL, services.shared_row(one))],
    ),
}
"""How each kind of change is written."""
