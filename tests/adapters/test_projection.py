"""A charger's state as topics: those of the contract, with the values it says."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

import pytest

from ocpp_mqtt_proxy.adapters.mqtt.projection import of_charger, of_connector
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.arbitration import Arbitration, wishes
from ocpp_mqtt_proxy.arbitration.owner import set_mode
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.events import ChargerConnected, ChargerDisconnected, ChargerForgotten
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence, PresenceRule, Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.topics import Topics
from tests.adapters.chargers_of_all_kinds import KINDS, charging, idle, made, over
from tests.fakes import NOON, FakeLink, FakePublisher, a_charger, a_hub, an_arbitration, providers

OF_A_CHARGER = {
    "availability", "info", "current_limit", "available", "firmware", "last_heartbeat", "reconnects", "control", "owner",
    "override", "mode", "last_refusal", "ignores_limits",
}  # fmt: skip
OF_A_CONNECTOR = {
    "status", "error", "plugged_in", "power", "energy", "session_energy", "session_time", "session_cost",
    "session_provider", "current", "voltage", "soc", "temperature", "frequency", "current_offered",
    "effective_limit", "limited_by", "transaction_id", "id_tag", "stop_reason", "charging", "meter", "session",
    *(f"{metric}_l{line}" for metric in ("current", "voltage", "power") for line in (1, 2, 3)),
}  # fmt: skip


def shown(station: Station, *, tags: bool = False) -> dict[str, str]:
    """Everything retained of a charger, by topic below its own."""
    states = [*of_charger(station, Topics())]
    for connector in station.ordered():
        states += of_connector(station, connector, Topics(), NOON, tags=tags)
    prefix = Topics().charger(station.id) + "/"
    return {
        topic.removeprefix(prefix): payload if isinstance(payload, str) else payload.decode()
        for topic, payload in states
    }


def of_kind(kind: str) -> dict[str, str]:
    return shown(made(kind)[1])


def test_every_topic_of_the_contract_is_there() -> None:
    there = of_kind("charging")
    assert there.keys() >= OF_A_CHARGER
    assert there.keys() >= {f"connector/1/{name}" for name in OF_A_CONNECTOR}


def test_values_are_plain_text_in_the_units_of_the_contract() -> None:
    there = of_kind("charging")
    expected = {
        "availability": "online",
        "current_limit": "16",
        "available": "ON",
        "last_heartbeat": "2026-03-14T12:00:00.000Z",
        "connector/1/status": "charging",
        "connector/1/charging": "ON",
        "connector/1/plugged_in": "ON",
        "connector/1/power": "21.5",
        "connector/1/energy": "1234.567",
        "connector/1/session_time": "3600",
        "connector/1/session_cost": "1.50",
        "connector/1/transaction_id": "17",
        "connector/1/effective_limit": "16",
    }
    assert {name: there[name] for name in expected} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_made_up(kind: str) -> None:
    """A register that was never read is no register at 0 kWh."""
    _, station = made(kind)
    for connector in station.ordered():
        assert (f"connector/{connector.number}/energy" in shown(station)) == (connector.energy is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_retained_of_what_passes(kind: str) -> None:
    assert not [name for name in of_kind(kind) if re.search(r"event|request|response|set$", name)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_payload_is_too_long_for_whoever_looks(kind: str) -> None:
    """Home Assistant's recorder drops attributes beyond 16 kB."""
    assert max(len(payload) for payload in of_kind(kind).values()) < 16_384


def test_cards_are_shown_to_nobody_unless_wanted() -> None:
    station = charging(a_hub())
    hidden, open_ = shown(station), shown(station, tags=True)
    assert "04A1B2C3" not in "".join(hidden.values())
    assert hidden["connector/1/id_tag"] == "***C3"
    assert open_["connector/1/id_tag"] == "04A1B2C3"
    assert json.loads(open_["connector/1/session"])["id_tag"] == "04A1B2C3"


def test_a_session_that_is_over_stays_to_be_seen() -> None:
    there = shown(over(a_hub()))
    assert there["connector/1/stop_reason"] == "ev_disconnected"
    assert there["connector/1/session_energy"] == "4.567"
    assert there["connector/1/transaction_id"] == "None"
    assert json.loads(there["connector/1/session"])["ended_at"] is not None


def test_a_faulted_charger_is_a_problem_and_not_away() -> None:
    there = of_kind("faulted")
    assert (there["connector/1/status"], there["connector/1/problem"]) == ("faulted", "ON")
    assert there["availability"] == "online"


def test_what_is_not_known_is_none() -> None:
    station = idle(a_hub())
    station.connector(1).plugged_in = None
    there = shown(station)
    assert (there["connector/1/plugged_in"], there["connector/1/effective_limit"]) == ("None", "None")


# Who controls

SHARED = Rules(providers=providers("night", "fleet", presence=PresenceRule.ANY))


async def controlled(*work: Callable[[Arbitration], Awaitable[Outcome]]) -> dict[str, str]:
    """What is shown of a charger after work of the arbiter's."""
    hub = a_hub()
    station = idle(hub)
    arbitration = an_arbitration(hub, SHARED)
    for step in work:
        await step(arbitration)
    return shown(station)


def asking(provider: str) -> Callable[[Arbitration], Awaitable[Outcome]]:
    return lambda at: wishes.request_control(at, provider, "CP1", [ControlClass.TRANSACTIONS])


def limiting(provider: str, amps: float) -> Callable[[Arbitration], Awaitable[Outcome]]:
    return lambda at: wishes.set_limit(at, provider, "CP1", Amps(amps))


def putting(mode: str) -> Callable[[Arbitration], Awaitable[Outcome]]:
    return lambda at: set_mode(at, "CP1", mode, "mqtt")


MODES = {
    "auto": {"mode": "auto", "owner": "none", "override": "OFF"},
    "owner": {"mode": "owner", "owner": "owner", "override": "ON"},
    "night": {"mode": "night", "owner": "night", "override": "OFF"},
}


@pytest.mark.parametrize("mode", MODES)
async def test_mode_owner_and_override_tell_who_is_in_charge(mode: str) -> None:
    there = await controlled(putting(mode))
    assert {name: there[name] for name in MODES[mode]} == MODES[mode]
    control = json.loads(there["control"])
    assert (control["mode"], control["override"]) == (mode, mode == "owner")


async def test_control_is_told_whole() -> None:
    there = await controlled(asking("night"), limiting("fleet", 10), asking("fleet"), limiting("night", 8))
    control = json.loads(there["control"])
    assert control["holders"] == {"transactions": "night", "management": None}
    assert control["limits"] == {"fleet": 10, "night": 8}
    assert control["presence"] == "unknown"
    assert control["last"] == {
        "at": "2026-03-14T12:00:00.000Z",
        "provider": "night",
        "class": "smart_charging",
        "verdict": "granted",
        "reason": None,
        "message": "",
    }
    refusal = control["last_refusal"]
    assert (refusal["provider"], refusal["verdict"], refusal["reason"]) == ("fleet", "refused", "held_by_other")


async def test_the_last_refusal_outlasts_what_was_granted_since() -> None:
    assert (await controlled())["last_refusal"] == "None"
    assert (await controlled(putting("owner"), asking("night"), putting("auto"), asking("night")))[
        "last_refusal"
    ] == "override"


def test_presence_is_told_with_control() -> None:
    topics = dict(of_charger(made("idle")[1], Topics(), Presence.HOME))
    assert json.loads(topics["ocpp/charger/CP1/control"])["presence"] == "home"


# Events of the proxy


def test_the_proxy_tells_who_comes_and_goes() -> None:
    hub = a_hub()
    publisher = FakePublisher()
    states = States(hub, Mailbox("mqtt", 10), publisher, hub.clock, Topics())
    a_charger(hub, FakeLink())
    states.tell([ChargerConnected(charger="CP1", at=NOON, address="10.0.0.5")])
    assert publisher.retained["ocpp/bridge/chargers_connected"] == "1"
    hub.disconnect("CP1", hub.links["CP1"], "gone")
    states.tell([ChargerDisconnected(charger="CP1", at=NOON, address="10.0.0.5", reason="gone")])
    assert publisher.retained["ocpp/bridge/chargers_connected"] == "0"
    states.tell([ChargerForgotten(charger="CP1", at=NOON)])
    told = [json.loads(payload) for topic, payload in publisher.sent if topic == "ocpp/bridge/event"]
    assert [event["event"] for event in told] == ["charger_connected", "charger_disconnected", "charger_forgotten"]
    assert {event["charger"] for event in told} == {"CP1"}
