"""Home Assistant's discovery: what is announced is what Home Assistant takes, and only what there is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.discovery import Discovery
from ocpp_mqtt_proxy.adapters.entities import MEASURED
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import (
    ChargerForgotten,
    Fact,
    HeartbeatHeard,
    MeasurandsSeen,
    ProviderChanged,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.model import Amps, Place, Status
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.turns import at_once
from tests.adapters.chargers_of_all_kinds import KINDS, charging, idle, made
from tests.adapters.home_assistant_rules import Announced, Document, fault_of_state, faults_of
from tests.fakes import NOON, FakePublisher, a_hub

STYLES = {"device": True, "component": False}
PREFIX = "homeassistant"


def discovery(
    hub: Hub, style: str = "device", providers: Mapping[str, str] = MappingProxyType({})
) -> tuple[Discovery, FakePublisher]:
    """Discovery that has announced what there is, and where it did."""
    publisher = FakePublisher()
    mailbox = Mailbox("discovery", 100)
    made = Discovery(hub, mailbox, publisher, Topics(), "7f3a", PREFIX, STYLES[style], lambda: providers, calm=0)
    at_once(made.announce_all())
    return made, publisher


def judged(publisher: FakePublisher) -> Announced:
    return Announced.of(publisher.retained, PREFIX)


def announced(publisher: FakePublisher, node: str = "ocppproxy_7f3a_CP1") -> Document:
    """A device's announcement."""
    return dict(json.loads(publisher.retained[f"{PREFIX}/device/{node}/config"]))


def entity_ids(publisher: FakePublisher) -> set[str]:
    return {entity["default_entity_id"] for entity in judged(publisher).entities.values()}


# What is announced


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_home_assistant_takes_all_that_is_announced(kind: str, style: str) -> None:
    hub, _ = made(kind)
    _, publisher = discovery(hub, style)
    assert judged(publisher).faults == []


@pytest.mark.parametrize("kind", KINDS)
def test_both_styles_announce_the_same_entities(kind: str) -> None:
    hub, _ = made(kind)
    by_device, by_component = (judged(discovery(hub, style)[1]).entities for style in STYLES)
    assert by_device.keys() == by_component.keys()


@pytest.mark.parametrize("show_tags", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_one_that_its_entity_takes(kind: str, show_tags: bool) -> None:
    hub, _ = made(kind)
    _, publisher = discovery(hub)
    at_once(States(hub, Mailbox("mqtt", 100), publisher, hub.clock, Topics(), show_tags).publish_all())
    shown = 0
    for entity in judged(publisher).entities.values():
        payload = publisher.retained.get(entity.get("state_topic", ""))
        if payload is not None:
            text = payload if isinstance(payload, str) else payload.decode()
            assert fault_of_state(entity, text) is None, entity
            shown += 1
    assert shown


ALWAYS = [
    "sensor.cp1_status",
    "sensor.cp1_session_energy",
    "sensor.cp1_session_time",
    "sensor.cp1_session_cost",
    "sensor.cp1_error",
    "sensor.cp1_effective_limit",
    "binary_sensor.cp1_connected",
    "binary_sensor.cp1_plugged_in",
    "binary_sensor.cp1_charging",
    "binary_sensor.cp1_problem",
    "binary_sensor.cp1_ignores_limits",
    "switch.cp1_charging",
    "switch.cp1_available",
    "number.cp1_current_limit",
    "button.cp1_reset",
    "button.cp1_unlock",
    "button.cp1_refresh",
    "button.cp1_close_session",
    "event.cp1_session_event",
    "event.cp1_authorization_event",
    "event.cp1_fault_event",
    "event.cp1_control_event",
    "select.cp1_mode",
    "switch.cp1_override",
    "sensor.cp1_control_owner",
    "sensor.cp1_last_refusal",
    "sensor.cp1_session_provider",
    "sensor.cp1_firmware",
    "sensor.cp1_last_heartbeat",
    "sensor.cp1_reconnects",
    "update.cp1_firmware_update",
]

WHEN_READ = [
    "sensor.cp1_power",
    "sensor.cp1_energy",
    "sensor.cp1_current_l1",
    "sensor.cp1_current_l2",
    "sensor.cp1_current_l3",
    "sensor.cp1_voltage_l1",
    "sensor.cp1_voltage_l2",
    "sensor.cp1_voltage_l3",
    "sensor.cp1_power_l1",
    "sensor.cp1_power_l2",
    "sensor.cp1_power_l3",
    "sensor.cp1_soc",
    "sensor.cp1_temperature",
]

OF_THE_BRIDGE = [
    "binary_sensor.ocpp_mqtt_proxy_connection",
    "sensor.ocpp_mqtt_proxy_version",
    "sensor.ocpp_mqtt_proxy_chargers_connected",
    "sensor.ocpp_mqtt_proxy_queue_depth",
    "event.ocpp_mqtt_proxy_event",
    "sensor.ocpp_mqtt_proxy_presence",
]


def test_a_charger_has_every_entity_that_was_promised() -> None:
    hub = a_hub()
    charging(hub)
    assert entity_ids(discovery(hub)[1]) >= {*ALWAYS, *WHEN_READ, *OF_THE_BRIDGE}


def test_what_was_never_read_has_no_entity() -> None:
    hub = a_hub()
    idle(hub)
    there = entity_ids(discovery(hub)[1])
    assert there >= set(ALWAYS)
    assert not there & set(WHEN_READ)


def test_a_measurand_appears_when_it_is_first_seen() -> None:
    hub = a_hub()
    station = idle(hub)
    announcer, publisher = discovery(hub)
    station.memory.measurands.add("soc")
    announcer.tell([MeasurandsSeen(charger="CP1", at=NOON)])
    assert "sensor.cp1_soc" in entity_ids(publisher)


def test_a_charger_that_has_shown_nothing_is_not_announced() -> None:
    hub = a_hub()
    hub.admit("CP1")
    assert [*discovery(hub)[1].retained] == [f"{PREFIX}/device/ocppproxy_7f3a/config"]


def test_one_connector_needs_no_device_of_its_own() -> None:
    hub = a_hub()
    charging(hub)
    assert len(judged(discovery(hub)[1]).messages) == 2


def test_several_connectors_are_devices_below_their_charger() -> None:
    hub = a_hub()
    charging(hub, connectors=3)
    _, publisher = discovery(hub)
    for number in (1, 2, 3):
        device = announced(publisher, f"ocppproxy_7f3a_CP1--c{number}")["device"]
        assert device["via_device"] == "ocppproxy_7f3a_CP1"
        assert f"sensor.cp1_connector_{number}_power" in entity_ids(publisher)
    assert announced(publisher)["device"]["via_device"] == "ocppproxy_7f3a"


def test_what_the_charger_does_never_makes_its_entities_unavailable() -> None:
    hub, _ = made("faulted")
    for entity in judged(discovery(hub)[1]).entities.values():
        topics = {place["topic"] for place in entity["availability"]}
        assert topics <= {"ocpp/bridge/state", "ocpp/charger/CP1/availability"}


def test_connected_can_be_seen_while_the_charger_is_not() -> None:
    hub = a_hub()
    charging(hub)
    connected = announced(discovery(hub)[1])["components"]["connected"]
    assert connected["availability"] == [{"topic": "ocpp/bridge/state"}]


def test_the_current_limit_begins_at_nothing() -> None:
    hub = a_hub()
    charging(hub)
    limit = announced(discovery(hub)[1])["components"]["current_limit"]
    assert (limit["min"], limit["max"], limit["step"]) == (0, 32, 0.1)


def test_the_current_limit_ends_at_what_each_charger_bears() -> None:
    hub = a_hub(Plan(max_current=Amps(16)))
    charging(hub)
    assert announced(discovery(hub)[1])["components"]["current_limit"]["max"] == 16


# Who controls

PROVIDERS = {"night": "Cheap Night", "Fleet-1": "Fleet-1", "__": "__"}


def selectable(publisher: FakePublisher) -> list[str]:
    return list(announced(publisher)["components"]["mode"]["options"])


@pytest.mark.parametrize("style", STYLES)
def test_every_provider_can_be_switched_off_and_seen(style: str) -> None:
    _, publisher = discovery(a_hub(), style, PROVIDERS)
    assert judged(publisher).faults == []
    entities = {entity["default_entity_id"]: entity for entity in judged(publisher).entities.values()}
    switch = entities["switch.ocpp_mqtt_proxy_night_enabled"]
    assert (switch["state_topic"], switch["command_topic"], switch["name"]) == (
        "ocpp/backend/night/enabled", "ocpp/backend/night/enabled/set", "Cheap Night enabled",
    )  # fmt: skip
    assert entities["binary_sensor.ocpp_mqtt_proxy_fleet_1_connected"]["state_topic"] == (
        "ocpp/backend/Fleet-1/connected"
    )
    assert "switch.ocpp_mqtt_proxy_provider_enabled" in entities


def test_the_select_offers_the_rules_the_owner_and_every_provider() -> None:
    hub = a_hub()
    idle(hub)
    assert selectable(discovery(hub, providers=PROVIDERS)[1]) == ["auto", "owner", *PROVIDERS]


def test_who_controls_can_be_seen_and_said_while_the_charger_is_away() -> None:
    hub = a_hub()
    idle(hub)
    there = announced(discovery(hub)[1])["components"]
    for key in ("mode", "override", "control_owner", "last_refusal", "control_event"):
        assert there[key]["availability"] == [{"topic": "ocpp/bridge/state"}]


def test_a_provider_that_comes_by_can_be_put_in_charge_from_then_on() -> None:
    hub, known = a_hub(), dict(PROVIDERS)
    idle(hub)
    announcer, publisher = discovery(hub, providers=known)
    known["guest"] = "guest"
    announcer.tell([ProviderChanged(charger="", at=NOON, provider="guest")])
    assert selectable(publisher)[-1] == "guest"
    assert "switch.ocpp_mqtt_proxy_guest_enabled" in entity_ids(publisher)


async def test_a_provider_that_comes_by_is_announced_without_waiting_for_a_charger() -> None:
    hub, known = a_hub(), dict(PROVIDERS)
    announcer, publisher = discovery(hub, providers=known)
    known["guest"] = "guest"
    facts: list[Fact] = [ProviderChanged(charger="", at=NOON, provider="guest")]
    await running(announcer, facts, lambda: "switch.ocpp_mqtt_proxy_guest_enabled" in entity_ids(publisher))


def test_what_a_known_provider_does_announces_nothing() -> None:
    hub = a_hub()
    idle(hub)
    announcer, publisher = discovery(hub, providers=PROVIDERS)
    publisher.retained.clear()
    announcer.tell([ProviderChanged(charger="", at=NOON, provider="night")])
    assert publisher.retained == {}


def test_a_provider_that_an_earlier_run_knew_is_taken_back() -> None:
    hub = a_hub()
    _, publisher = discovery(hub, providers=PROVIDERS)
    topic = f"{PREFIX}/device/ocppproxy_7f3a/config"
    left = publisher.retained[topic]
    announcer, publisher = discovery(hub, providers={"night": "Cheap Night"})
    assert not announcer.is_stale(topic, left if isinstance(left, bytes) else left.encode())
    assert announced(publisher, "ocppproxy_7f3a")["components"]["provider_Fleet-1_enabled"] == {"platform": "switch"}
    announcer.finish()
    assert "provider_Fleet-1_enabled" not in announced(publisher, "ocppproxy_7f3a")["components"]


PAYING = {
    "nobody": ([], None),
    "in one currency": (["EUR", "EUR"], "EUR"),
    "in several": (["EUR", "CHF"], None),
}


@pytest.mark.parametrize("who", PAYING)
def test_revenue_is_shown_where_providers_pay_in_one_currency(who: str) -> None:
    currencies, unit = PAYING[who]
    hub = a_hub()
    tariffs = {f"p{number}": Tariff(currency) for number, currency in enumerate(currencies)}
    charging(hub).plan.prices = Prices(Tariff("EUR"), tariffs)
    revenue = announced(discovery(hub)[1])["components"].get("c1_session_revenue", {})
    assert revenue.get("unit_of_measurement") == unit


# Ids


def unique_ids(hub: Hub) -> set[str]:
    return set(judged(discovery(hub)[1]).entities)


def test_ids_survive_a_new_name() -> None:
    hub = a_hub()
    station = charging(hub)
    before = unique_ids(hub)
    station.plan = Plan(name="Another name")
    assert unique_ids(hub) == before


def test_ids_survive_a_restart() -> None:
    assert len({frozenset(unique_ids(made("three connectors")[0])) for _ in range(2)}) == 1


def test_ids_are_for_ever() -> None:
    """Whoever changes these takes users' history and automations from them."""
    hub = a_hub()
    charging(hub, "CP 1")
    assert {"ocppproxy_7f3a--connection", "ocppproxy_7f3a_CP_1--03fdde--c1_power"} <= unique_ids(hub)


ALIKE = ["CP 1", "CP_1", "CP.1", "cp_1", "车库", "ガレージ", "A", "A--c1", "A_c1", "bridge"]


def test_chargers_that_are_called_alike_stay_apart() -> None:
    hub = a_hub()
    for charger_id in ALIKE:
        charging(hub, charger_id, connectors=2)
    found = judged(discovery(hub)[1])
    assert found.faults == []
    assert len(found.messages) == 1 + 3 * len(ALIKE)


def test_an_entity_id_is_readable_whatever_the_name() -> None:
    hub = a_hub()
    charging(hub, "车库").plan = Plan(name="Wallbox Küche")
    assert "sensor.wallbox_kuche_power" in entity_ids(discovery(hub)[1])


def test_a_name_without_any_letter_still_makes_an_entity_id() -> None:
    hub = a_hub()
    charging(hub, "车库")
    assert "sensor.charger_power" in entity_ids(discovery(hub)[1])


# Taking back


def test_a_component_that_is_gone_is_taken_back_once_and_then_left_out() -> None:
    hub = a_hub()
    station = charging(hub)
    announcer, publisher = discovery(hub)
    station.memory.nameplate = type(station.memory.nameplate)()
    announcer.tell([StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)])
    assert announced(publisher)["components"]["firmware_update"] == {"platform": "update"}
    announcer.finish()
    assert "firmware_update" not in announced(publisher)["components"]


def test_a_single_component_that_is_gone_is_cleared() -> None:
    hub = a_hub()
    station = charging(hub)
    announcer, publisher = discovery(hub, "component")
    station.memory.nameplate = type(station.memory.nameplate)()
    announcer.tell([StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)])
    assert publisher.cleared == [f"{PREFIX}/update/ocppproxy_7f3a_CP1/firmware_update/config"]


def test_entities_that_move_to_a_device_of_their_own_leave_the_old_one_first() -> None:
    hub = a_hub()
    station = idle(hub)
    announcer, publisher = discovery(hub)
    station.at(Place(2, 1))
    announcer.tell([StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)])
    assert announced(publisher)["components"]["c1_status"] == {"platform": "sensor"}
    assert f"{PREFIX}/device/ocppproxy_7f3a_CP1--c1/config" not in publisher.retained
    announcer.finish()
    assert "c1_status" not in announced(publisher)["components"]
    assert "c1_status" in announced(publisher, "ocppproxy_7f3a_CP1--c1")["components"]
    assert judged(publisher).faults == []


@pytest.mark.parametrize("style", STYLES)
def test_a_forgotten_charger_leaves_nothing_behind(style: str) -> None:
    hub = a_hub()
    charging(hub, "CP1", connectors=2)
    charging(hub, "CP2", connectors=2)
    announcer, publisher = discovery(hub, style)
    before = set(publisher.retained)
    hub.stations.pop("CP2")
    announcer.tell([ChargerForgotten(charger="CP2", at=NOON)])
    assert before - set(publisher.retained) == {topic for topic in before if "CP2" in topic}
    assert {topic for topic in publisher.retained if "CP2" in topic} == set()


def test_a_forgotten_charger_may_come_back() -> None:
    hub = a_hub()
    charging(hub)
    announcer, publisher = discovery(hub)
    hub.stations.clear()
    announcer.tell([ChargerForgotten(charger="CP1", at=NOON)])
    idle(hub)
    announcer.tell([StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)])
    assert "sensor.cp1_status" in entity_ids(publisher)


# What earlier runs left

OURS = b'{"device": {}, "origin": {"name": "ocpp-mqtt-proxy"}, "components": {}}'
LEFT = {
    "device/ocppproxy_7f3a_gone/config": True,
    "device/ocppproxy_7f3a_CP1--c7/config": True,
    "sensor/ocppproxy_7f3a_CP1/c1_status/config": True,
    "device/ocppproxy_7f3a_CP1/config": False,
    "device/ocppproxy_7f3a/config": False,
    "device/ocppproxy_beef_CP1/config": False,
    "device/ocppproxy_7f3a2_CP1/config": False,
    "device/0x00158d/config": False,
    "sensor/0x00158d/battery/config": False,
}


@pytest.mark.parametrize("topic", LEFT)
def test_only_what_is_ours_and_of_nothing_is_swept(topic: str) -> None:
    hub = a_hub()
    idle(hub)
    announcer, _ = discovery(hub)
    assert announcer.is_stale(f"{PREFIX}/{topic}", OURS) == LEFT[topic]


def test_a_topic_outside_the_prefix_is_nobodys_business() -> None:
    hub = a_hub()
    assert not discovery(hub)[0].is_stale("elsewhere/device/ocppproxy_7f3a_gone/config", OURS)


def test_devices_of_the_other_style_are_swept() -> None:
    hub = a_hub()
    idle(hub)
    announcer, _ = discovery(hub, "component")
    assert announcer.is_stale(f"{PREFIX}/device/ocppproxy_7f3a_CP1/config", OURS)
    assert announcer.is_stale(f"{PREFIX}/binary_sensor/ocppproxy_7f3a_CP1/c1_status/config", OURS)
    assert not announcer.is_stale(f"{PREFIX}/sensor/ocppproxy_7f3a_CP1/c1_status/config", OURS)


def test_a_component_that_an_earlier_version_had_is_taken_back() -> None:
    hub = a_hub()
    idle(hub)
    announcer, publisher = discovery(hub)
    left = announced(publisher)
    left["components"]["c1_old"] = {"platform": "sensor", "unique_id": "x"}
    assert not announcer.is_stale(f"{PREFIX}/device/ocppproxy_7f3a_CP1/config", json.dumps(left).encode())
    assert announced(publisher)["components"]["c1_old"] == {"platform": "sensor"}
    announcer.finish()
    assert "c1_old" not in announced(publisher)["components"]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'{"components": []}', b'{"components": {"x": 1}}'])
def test_what_cannot_be_read_at_the_broker_is_left_alone(payload: bytes) -> None:
    hub = a_hub()
    idle(hub)
    announcer, publisher = discovery(hub)
    before = dict(publisher.retained)
    assert not announcer.is_stale(f"{PREFIX}/device/ocppproxy_7f3a_CP1/config", payload)
    assert publisher.retained == before


# Running


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("did not come")


async def running(announcer: Discovery, facts: list[Fact], condition: Callable[[], Any]) -> None:
    """Run until something holds, given facts."""
    room = asyncio.create_task(announcer.run())
    for fact in facts:
        announcer.mailbox.put(fact)
    await until(condition)
    room.cancel()
    with suppress(asyncio.CancelledError):
        await room


async def test_a_charger_is_announced_when_it_shows_itself() -> None:
    hub = a_hub()
    announcer, publisher = discovery(hub)
    idle(hub)
    facts: list[Fact] = [StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)]
    await running(announcer, facts, lambda: "sensor.cp1_status" in entity_ids(publisher))


async def test_what_moves_is_announced_without_waiting_for_more_facts() -> None:
    hub = a_hub()
    station = idle(hub)
    announcer, publisher = discovery(hub)
    station.at(Place(2, 1))
    facts: list[Fact] = [StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)]
    await running(announcer, facts, lambda: "sensor.cp1_connector_2_status" in entity_ids(publisher))


async def test_a_heartbeat_announces_nothing() -> None:
    hub = a_hub()
    announcer, publisher = discovery(hub)
    idle(hub)
    await running(announcer, [HeartbeatHeard(charger="CP1", at=NOON)], lambda: not len(announcer.mailbox))
    assert len(publisher.retained) == 1


async def test_a_forgotten_charger_goes_at_once() -> None:
    hub = a_hub()
    idle(hub)
    announcer, publisher = discovery(hub)
    hub.stations.clear()
    await running(announcer, [ChargerForgotten(charger="CP1", at=NOON)], lambda: publisher.cleared)
    assert len(publisher.retained) == 1


# The judge

GOOD: Document = {
    "platform": "sensor",
    "unique_id": "u",
    "object_id": "cp1_power",
    "default_entity_id": "sensor.cp1_power",
    "name": "Power",
    "state_topic": "ocpp/power",
    "device_class": "power",
    "unit_of_measurement": "W",
    "state_class": "measurement",
}

BAD: dict[str, Document] = {
    "another unit": {"unit_of_measurement": "kWh"},
    "another state class": {"state_class": "total_increasing"},
    "no such state class": {"state_class": "increasing"},
    "no such device class": {"device_class": "horse_power"},
    "no such key": {"colour": "red"},
    "no such platform": {"platform": "sensors"},
    "options without an enum": {"options": ["a"]},
    "a category that sensors have not": {"entity_category": "config"},
    "a topic to listen on": {"state_topic": "ocpp/+/power"},
    "an id of another platform": {"default_entity_id": "switch.cp1_power"},
    "an id that differs for old versions": {"object_id": "cp1"},
    "no id": {"unique_id": ""},
    "no name": {"name": None},
    "two availabilities of which the latest counts": {"availability": [{"topic": "a"}, {"topic": "b"}]},
}


def test_the_judge_lets_a_good_entity_pass() -> None:
    assert list(faults_of(GOOD)) == []


@pytest.mark.parametrize("fault", BAD)
def test_the_judge_sees_a_fault(fault: str) -> None:
    assert list(faults_of(GOOD | BAD[fault])) != []


def test_every_measurand_is_of_a_known_quantity() -> None:
    assert {entity.device_class for entity in MEASURED.values()} == {
        "power", "current", "voltage", "battery", "temperature", "frequency",
    }  # fmt: skip
