"""How the domain looks from outside: sessions, chargers, and every kind of event (contract §4 to 6)."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core import events
from ocpp_mqtt_proxy.core.commands import Reason, done, refused
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import (
    Amps,
    ChargingState,
    Nameplate,
    Place,
    Reading,
    Sample,
    Status,
    Verdict,
)
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station
from tests.adapters.things import NOON, a_session, an_ended_session

ENVELOPE = {"event", "event_type", "charger", "connector", "evse", "at", "seq", "ocpp_version"}

CONTRACT: dict[str, set[str]] = {
    "connected": {"address", "reason"},
    "disconnected": {"address", "reason"},
    "boot": {"vendor", "model", "serial", "firmware", "reason"},
    "heartbeat": set(),
    "status": {"status", "error_code", "info", "vendor_error_code"},
    "meter": {"transaction_id", "context", "readings"},
    "authorization": {"id_tag", "verdict", "by"},
    "authorization_request": {"request_id", "id_tag", "until"},
    "transaction_started": {"transaction_id", "session_id", "id_tag", "meter_start", "provider", "reservation_id"},
    "transaction_updated": {"transaction_id", "charging_state", "trigger"},
    "transaction_ended": {
        *("transaction_id", "session_id", "meter_stop", "energy_kwh", "duration_s"),
        *("reason", "provider", "revenue", "currency"),
    },
    "fault": {"status", "error_code", "info", "cleared"},
    "control_granted": {"provider", "class", "reason", "holder"},
    "control_refused": {"provider", "class", "reason", "holder"},
    "control_revoked": {"provider", "class", "reason", "holder"},
    "override": {"mode", "by"},
    "limit": {"effective", "by", "verified"},
    # The message's own fields in snake_case; `status` and an id are in all that have them.
    "reservation": {"reservation_id", "status"},
    "firmware": {"status", "request_id"},
    "diagnostics": {"status", "request_id"},
    "security": {"type", "timestamp", "tech_info"},
    "data_transfer": {"vendor_id", "message_id", "data"},
    # More than the contract has: any other message, as it came.
    "notice": {"action", "payload"},
}
"""What an event holds beyond the envelope, by its kind."""


def told(kind: type[Fact], **fields: Any) -> Fact:
    return kind(charger="CP1", at=NOON, connector=2, place=Place(2, 1), seq=7, ocpp_version="1.6", **fields)


FACTS: list[Fact] = [
    told(events.ChargerConnected, address="192.0.2.7"),
    told(events.ChargerDisconnected, address="192.0.2.7", reason="no pong"),
    told(events.ChargerBooted, nameplate=Nameplate("ABB", "Terra", "A16", "1.8"), reason="power_up"),
    told(events.HeartbeatHeard),
    told(events.StatusChanged, status=Status.CHARGING),
    told(events.MeterRead, readings=(Reading("Voltage", 230.0, "V", "L1"),), transaction_id="7"),
    told(events.CardDecided, id_tag="04A1B2C3", verdict=Verdict.ACCEPTED, by="house"),
    told(events.SessionStarted, session=a_session()),
    told(events.SessionUpdated, session=a_session(), charging_state=ChargingState.CHARGING, trigger="x"),
    told(events.SessionEnded, session=an_ended_session()),
    told(events.FaultChanged, status=Status.FAULTED, error_code="GroundFailure", info="", cleared=False),
    told(events.LimitChanged, effective=Amps(10), by="owner"),
    told(events.LimitVerified, effective=Amps(10), by="owner"),
    told(events.ReservationEnded, reservation_id=3, status="expired"),
    told(events.FirmwareChanged, status="installed", request_id=None),
    told(events.DiagnosticsChanged, status="uploaded", request_id=4),
    told(events.SecurityNoticed, type="TamperDetectionActivated", noticed_at=NOON, info="lid"),
    told(events.DataTransferred, vendor_id="ABB", message_id="x", data={"a": 1}),
    told(events.ControlGranted, provider="fleet", control_class=ControlClass.TRANSACTIONS, holder="fleet"),
    told(events.ControlRefused, provider="fleet", control_class=ControlClass.MANAGEMENT, reason="role"),
    told(events.ControlRevoked, provider="fleet", control_class=ControlClass.TRANSACTIONS, reason="override"),
    told(events.ModeChanged, mode="owner", by="mqtt"),
    told(events.AuthorizationAsked, provider="fleet", request_id="r1", id_tag="04A1B2C3", until=NOON),
    told(
        events.NoticeHeard,
        action="BatterySwap",
        payload={
            "requestId": 7,
            "batteryData": [{"evseId": 1}],
            "idToken": {"idToken": "04A1B2C3", "additionalInfo": [{"additionalIdToken": "04A1B2C3", "type": "x"}]},
        },
    ),
]

KINDS = [
    kind
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, Fact) and kind is not Fact and kind.KIND
]


def example(kind: type[Fact]) -> Fact:
    return next(fact for fact in FACTS if type(fact) is kind)


def shown(kind: type[Fact], **view: bool) -> dict[str, Any]:
    """An event as it arrives: through JSON."""
    event: dict[str, Any] = json.loads(shapes.dump(shapes.event(example(kind), show_tags=view.get("show_tags", False))))
    return event


# Events


def test_every_kind_of_the_contract_is_told() -> None:
    assert {kind.KIND for kind in KINDS} == CONTRACT.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_an_event_has_the_envelope_and_its_own_fields_and_no_more(kind: type[Fact]) -> None:
    event = shown(kind)
    assert event.keys() == ENVELOPE | CONTRACT[kind.KIND]
    assert {key: event[key] for key in ENVELOPE} == {
        "event": kind.KIND,
        "event_type": kind.KIND,
        "charger": "CP1",
        "connector": 2,
        "evse": 2,
        "at": "2026-03-14T12:00:00.000Z",
        "seq": 7,
        "ocpp_version": "1.6",
    }


def test_an_event_of_the_whole_charger_is_of_evse_0() -> None:
    fact = events.HeartbeatHeard(charger="CP1", at=NOON)
    event = shapes.event(fact, show_tags=False)
    assert (event["connector"], event["evse"]) == (0, 0)


@pytest.mark.parametrize("kind", [events.CardDecided, events.SessionStarted], ids=lambda kind: kind.KIND)
def test_tags_are_masked_but_for_the_owner_who_wants_them(kind: type[Fact]) -> None:
    assert shown(kind)["id_tag"] == "***C3"
    assert shown(kind, show_tags=True)["id_tag"] == "04A1B2C3"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_no_event_gives_a_tag_away(kind: type[Fact]) -> None:
    assert "04A1B2" not in json.dumps(shown(kind))


def test_a_notice_is_shown_as_it_came_but_for_tags() -> None:
    assert shown(events.NoticeHeard)["payload"] == {
        "requestId": 7,
        "batteryData": [{"evseId": 1}],
        "idToken": {"idToken": "***C3", "additionalInfo": [{"additionalIdToken": "***C3", "type": "x"}]},
    }


def test_the_end_of_a_transaction_has_its_figures() -> None:
    ended = shown(events.SessionEnded)
    assert (ended["meter_stop"], ended["energy_kwh"], ended["duration_s"]) == (3000, 2.0, 1800)
    assert (ended["reason"], ended["provider"], ended["currency"]) == ("local", "owner", "EUR")


def test_readings_are_shown_in_base_units_one_by_one() -> None:
    assert shown(events.MeterRead)["readings"] == [
        {"measurand": "Voltage", "phase": "L1", "value": 230.0, "unit": "V", "location": None}
    ]


# Sessions

SESSION_FIELDS = [
    *("session_id", "charger", "connector", "transaction_id", "provider", "id_tag", "started_at", "ended_at"),
    *("duration_s", "meter_start", "meter_stop", "energy_kwh", "cost", "revenue", "currency", "reason", "parts"),
]


def test_a_session_shows_what_the_contract_says() -> None:
    session = shapes.session(an_ended_session(), NOON)
    assert list(session) == SESSION_FIELDS
    assert (session["duration_s"], session["energy_kwh"], session["cost"]) == (1800, 2.0, 0.6)


def test_a_session_is_in_parts_by_provider() -> None:
    session = shapes.session(an_ended_session(), NOON)
    assert session["parts"] == [
        {
            "provider": "owner",
            "from": "2026-03-14T12:01:00.000Z",
            "to": "2026-03-14T12:31:00.000Z",
            "energy_kwh": 2.0,
            "revenue": 0.0,
        }
    ]


def of_providers(**given: Any) -> Session:
    """A session of 1.5 kWh that a Swiss provider had for the last hour of two, and a fleet for the first."""
    half, end = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    parts = [
        Part("fleet", NOON, half, 1000.4, Decimal("0.3"), Decimal("0.504"), Decimal("1.20")),
        Part("swiss", half, end, 499.6, Decimal("0.15"), Decimal("0.2"), currency="CHF"),
    ]
    return an_ended_session(started_at=NOON, ended_at=end, energy=1500.0, parts=parts, **given)


def test_a_session_that_changed_hands_shows_what_each_had_and_owes() -> None:
    session = shapes.session(of_providers(), NOON)
    assert (session["provider"], session["cost"], session["revenue"], session["currency"]) == (
        "swiss",
        0.45,
        1.7,
        "EUR",
    )
    assert session["parts"] == [
        {
            "provider": "fleet",
            "from": "2026-03-14T12:00:00.000Z",
            "to": "2026-03-14T13:00:00.000Z",
            "energy_kwh": 1.0,
            "revenue": 1.7,
        },
        {
            "provider": "swiss",
            "from": "2026-03-14T13:00:00.000Z",
            "to": "2026-03-14T14:00:00.000Z",
            "energy_kwh": 0.5,
            "revenue": 0.2,
            "currency": "CHF",
        },
    ]


def test_a_cost_in_another_currency_than_the_revenue_s_says_so() -> None:
    assert "cost_currency" not in shapes.session(of_providers(), NOON)
    session = shapes.session(of_providers(cost_currency="GBP"), NOON)
    assert (session["currency"], session["cost_currency"]) == ("EUR", "GBP")


def test_a_part_that_runs_owes_for_its_time_until_now() -> None:
    session = a_session(started_at=NOON, parts=[Part("fleet", NOON, per_hour=Decimal("1.20"))])
    shown = shapes.session(session, NOON + timedelta(minutes=15))
    assert (shown["revenue"], shown["parts"][0]["revenue"], shown["parts"][0]["to"]) == (0.3, 0.3, None)


def test_a_session_that_runs_has_no_end_and_lasts_until_now() -> None:
    session = shapes.session(a_session(), NOON + timedelta(minutes=11))
    assert (session["ended_at"], session["reason"], session["duration_s"]) == (None, None, 600)
    assert session["parts"][0]["to"] is None


def test_a_session_s_tag_is_masked_where_that_is_wanted() -> None:
    assert shapes.session(a_session(), NOON)["id_tag"] == "04A1B2C3"
    assert shapes.session(a_session(), NOON, show_tag=False)["id_tag"] == "***C3"


def test_a_session_without_card_or_readings_says_so() -> None:
    session = shapes.session(a_session(id_tag=None, meter_start=None), NOON, show_tag=False)
    assert (session["id_tag"], session["meter_start"], session["meter_stop"]) == (None, None, None)


# Chargers


@pytest.fixture
def station() -> Station:
    memory = ChargerMemory("CP1", nameplate=Nameplate("ABB", "Terra", "A16", "1.8"))
    station = Station(memory, Plan(name="Garage"))
    connector = station.sole()
    assert connector is not None
    connector.open(a_session())
    return station


def test_a_charger_s_info_is_what_the_contract_says(station: Station) -> None:
    info = shapes.nameplate(station)
    contract = {"id", "vendor", "model", "serial", "firmware", "ocpp_version", "connectors", "connected_since"}
    assert contract <= info.keys()
    assert info["connectors"] == [{"connector": 1, "evse": 1, "evse_connector": 1}]


def test_a_charger_without_a_name_is_called_by_its_id() -> None:
    assert shapes.nameplate(Station(ChargerMemory("CP1")))["name"] == "CP1"


def test_a_charger_live_has_its_connectors_with_their_sessions(station: Station) -> None:
    charger = json.loads(shapes.dump(shapes.charger(station, NOON)))
    (connector,) = charger["connectors"]
    assert connector["session"]["session_id"] == "test-1"
    assert connector["energy_kwh"] is None
    assert (charger["connected"], charger["available"], charger["current_limit"]) == (False, True, 32)


def test_a_meter_shows_totals_and_phases_with_their_units() -> None:
    readings = (
        Reading("Power.Active.Import", 690.0, "W"),
        Reading("Voltage", 230.0, "V", "L1-N"),
        Reading("Voltage", 231.0, "V", "L2-N"),
    )
    meter = shapes.meter(Sample(NOON, readings))
    assert meter["at"] == "2026-03-14T12:00:00.000Z"
    assert meter["Power.Active.Import"] == {"unit": "W", "total": 690.0}
    assert meter["Voltage"]["unit"] == "V"
    assert sorted(meter["Voltage"]["phases"].values()) == [230.0, 231.0]


# Words and numbers


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30))), min_value=datetime(2000, 1, 1)))  # noqa: DTZ001 (bounds have none)
def test_times_are_utc_to_the_millisecond(at: datetime) -> None:
    text = shapes.time(at)
    assert text is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert timedelta(0) <= at - datetime.fromisoformat(text).astimezone(UTC) < timedelta(milliseconds=1)


def test_no_time_is_none() -> None:
    assert shapes.time(None) is None


@pytest.mark.parametrize(
    ("amount", "expected"), [("0", 0.0), ("0.005", 0.01), ("0.0049", 0.0), ("2.675", 2.68), ("1234.567", 1234.57)]
)
def test_money_is_rounded_half_up_to_cents(amount: str, expected: float) -> None:
    assert shapes.money(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("04A1B2C3", "***C3"), ("HOME", "***ME"), ("A1", "***"), ("A", "***"), ("", "***"), (None, None)],
)
def test_a_masked_tag_tells_cards_apart_and_gives_none_away(tag: str | None, expected: str | None) -> None:
    assert shapes.masked(tag) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0001, "0"),
        (16, "16"),
        (100.0, "100"),
        (1.5, "1.5"),
        (1.23456, "1.235"),
        (-3.10, "-3.1"),
    ],
)
def test_a_number_has_no_needless_zeros(value: float, expected: str) -> None:
    assert shapes.number(value) == expected


@pytest.mark.parametrize(("digits", "expected"), [(0, "100"), (1, "99.9"), (2, "99.95")])
def test_a_number_has_the_digits_it_needs(digits: int, expected: str) -> None:
    assert shapes.number(99.949999, digits) == expected


@given(st.floats(-1e9, 1e9), st.integers(0, 3))
def test_a_number_s_text_is_the_number(value: float, digits: int) -> None:
    assert float(shapes.number(value, digits)) == pytest.approx(value, abs=0.51 * 10**-digits)


def test_an_answer_says_what_became_of_a_request() -> None:
    ok = json.loads(shapes.dump(shapes.answer("7", done("started", transaction_id="1001"))))
    assert ok == {
        "id": "7",
        "status": "ok",
        "reason": None,
        "message": "started",
        "result": {"transaction_id": "1001"},
    }
    no = json.loads(shapes.dump(shapes.answer(None, refused(Reason.CHARGER_OFFLINE, "it is away"))))
    assert (no["status"], no["reason"], no["id"]) == ("refused", "charger_offline", None)


def test_sessions_and_events_show_one_another_s_figures() -> None:
    session = of_providers()
    document = shapes.session(session, NOON)
    event = shapes.event(told(events.SessionEnded, session=session), show_tags=False)
    assert event["revenue"] == 1.7
    figures = ("transaction_id", "session_id", "meter_stop", "energy_kwh", "duration_s", "reason", "provider")
    for name in (*figures, "revenue", "currency"):
        assert event[name] == document[name]
