"""Domain objects of all kinds, as hypothesis strategies and by hand, for what keeps them."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, Purpose
from ocpp_mqtt_proxy.core.memory import ChargerMemory, Renewed
from ocpp_mqtt_proxy.core.model import (
    OWNER,
    Amps,
    ChargingState,
    Nameplate,
    Place,
    StopReason,
    Variable,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.session import Sequence, Session, StartKey, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def a_session(number: int = 1, **given: Any) -> Session:
    """A session that runs; each begins a minute after the one before.

    Unless it is given parts, all of it is one `provider`'s, who owes `revenue`.
    """
    whose = [given.pop(name, default) for name, default in _WHOSE.items()]
    session = Session(
        **{
            "session_id": f"test-{number}",
            "charger": "CP1",
            "connector": 1,
            "transaction_id": str(1000 + number),
            "started_at": NOON + timedelta(minutes=number),
            "id_tag": "04A1B2C3",
            "meter_start": WattHours(1000.0),
            **given,
        }
    )
    if "parts" not in given:
        session.parts = [a_part(session, *whose)]
    return session


_WHOSE = {"provider": OWNER, "cost": Decimal(0), "revenue": Decimal(0)}


def a_part(session: Session, provider: str, cost: Decimal, revenue: Decimal) -> Part:
    """All of a session as one provider's."""
    figures = (session.started_at, session.ended_at, session.energy, cost, revenue)
    return Part(provider, *figures, currency=session.cost_currency)


def an_ended_session(number: int = 1, **given: Any) -> Session:
    """A session that is over after half an hour and 2 kWh."""
    ended = given.get("started_at", a_session(number).started_at) + timedelta(minutes=30)
    figures = {"meter_stop": WattHours(3000.0), "energy": 2000.0, "cost": Decimal("0.60"), "reason": StopReason.LOCAL}
    return a_session(number, **{"state": State.ENDED, "ended_at": ended, **figures, **given})


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def every_field(kind: type[Any], **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A dataclass with all its fields varied: one that is not named here is one the store would forget."""
    assert strategies.keys() == {field.name for field in fields(kind)}
    return st.builds(kind, **strategies)


texts = st.text(max_size=20)
numbers = st.integers(-(2**53), 2**53)
amounts = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (zoned)
written = instants | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 (as some do)
"""A time as a charger wrote it."""

registers = every_field(Register, total=amounts, raw=optional(amounts), at=optional(instants), held=optional(amounts))
sequences = every_field(Sequence, last=optional(numbers), missing=st.sets(numbers, max_size=5))
start_keys = every_field(StartKey, connector=numbers, id_tag=texts, meter_start=amounts, at=optional(written))

money = st.decimals(allow_nan=False, allow_infinity=False)
parts = every_field(
    Part,
    provider=texts,
    started_at=instants,
    ended_at=optional(instants),
    energy=amounts,
    cost=money,
    charged=money,
    per_hour=money,
    currency=texts,
)

steps = st.lists(st.tuples(instants, amounts.map(Amps)), min_size=1, max_size=3).map(tuple)
helds = st.builds(Held, steps, optional(instants))

_session_fields: dict[str, st.SearchStrategy[Any]] = {
    "session_id": texts,
    "charger": texts,
    "connector": numbers,
    "transaction_id": texts,
    "started_at": instants,
    "id_tag": optional(texts),
    "meter_start": optional(amounts),
    "cost_currency": texts,
    "parts": st.lists(parts, min_size=1, max_size=3),
    "ended_at": optional(instants),
    "meter_stop": optional(amounts),
    "reason": optional(st.sampled_from(StopReason)),
    "energy": amounts,
    "adopted": st.booleans(),
    "start_key": optional(start_keys),
    "remote_start_id": optional(numbers),
    "reservation_id": optional(numbers),
    "charging_state": optional(st.sampled_from(ChargingState)),
    "charging_state_at": optional(instants),
    "offered": st.booleans(),
    "limit": optional(amounts.map(Amps)),
    "paused": st.booleans(),
    "held": optional(helds),
    "sequence": sequences,
    "register": optional(registers),
}


def sessions(*states: State) -> st.SearchStrategy[Session]:
    """Sessions in any of these states."""
    return every_field(Session, **_session_fields, state=st.sampled_from(states))


places = st.builds(Place, numbers, optional(numbers))
connectors = st.builds(
    Connector,
    charger=texts,
    number=numbers,
    place=places,
    register=registers,
    effective_limit=optional(amounts.map(Amps)),
    limited_by=optional(texts),
    finishing=st.booleans(),
    says_occupied=st.booleans(),
)
"""What a connector keeps over a restart; what the charger will say again it does not."""

nameplates = every_field(Nameplate, **{field.name: texts for field in fields(Nameplate)})
forms = every_field(
    ProfileForm,
    stack_level=numbers,
    in_watts=st.booleans(),
    relative=st.booleans(),
    purpose=optional(st.sampled_from(Purpose)),
)
variables = st.builds(Variable, texts, optional(texts), st.booleans(), optional(texts), texts, optional(places))


renewals = every_field(Renewed, password=texts, instead_of=texts, before=optional(texts), proven=st.booleans())


@st.composite
def memories(draw: st.DrawFn) -> ChargerMemory:
    """A charger as it is kept: the inventory by its variables' names, event numbers reserved or not."""
    memory: ChargerMemory = draw(
        every_field(
            ChargerMemory,
            id=texts,
            version=st.sampled_from(Version),
            nameplate=nameplates,
            accepted=st.booleans(),
            operative=st.booleans(),
            limit=optional(amounts.map(Amps)),
            form=optional(forms),
            session_form=optional(forms),
            lowered=st.sets(st.integers(1, 32), max_size=3),
            installed=optional(helds),
            safe=optional(amounts.map(Amps)),
            earlier_limit=optional(amounts.map(Amps)),
            untimed=st.booleans(),
            flat=st.booleans(),
            most_periods=optional(numbers),
            learned=st.sets(texts, max_size=3),
            asked=st.dictionaries(texts, helds, max_size=3),
            inventory=st.lists(variables, max_size=3).map(lambda found: {v.name: v for v in found}),
            inventory_of=optional(texts),
            measurands=st.sets(texts, max_size=3),
            renewed=optional(renewals),
            seq=st.integers(0, 2**53),
            seq_reserved=st.just(0),
            first_seen=optional(instants),
            last_seen=optional(instants),
        )
    )
    memory.seq_reserved = memory.seq
    return memory
