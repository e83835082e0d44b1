"""The house's topics: presence, and how each provider stands, kept true by facts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.mqtt.household import Household
from ocpp_mqtt_proxy.arbitration import Arbitration, owner, wishes
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.topics import Topics
from tests.fakes import FakeLink, FakePublisher, a_charger, a_hub, an_arbitration, providers

TRANSACTIONS = [ControlClass.TRANSACTIONS]
NAMED = providers("night", "fleet", presence=PresenceRule.ANY)
STRANGERS = Rules(providers=NAMED, strangers=Terms(""))


@dataclass
class House:
    """A house with a charger and two providers, and what is retained of it."""

    rules: Rules = field(default_factory=lambda: Rules(providers=NAMED))
    publisher: FakePublisher = field(default_factory=FakePublisher)
    arbitration: Arbitration = field(init=False)

    def __post_init__(self) -> None:
        hub = a_hub()
        self.facts = hub.bus.mailbox("household")
        a_charger(hub, FakeLink())
        self.arbitration = an_arbitration(hub, self.rules)
        self.household = Household(self.arbitration, self.publisher, Topics())
        self.household.publish_all()

    def shown(self, topic: str) -> str:
        """A topic, after all facts were heard."""
        self.household.hear(self.facts.take_now())
        payload = self.publisher.retained[f"ocpp/{topic}"]
        return payload if isinstance(payload, str) else payload.decode()

    def state(self, provider: str) -> dict[str, Any]:
        return dict(json.loads(self.shown(f"backend/{provider}/state")))


@pytest.fixture
def house() -> House:
    return House()


def test_every_provider_of_the_configuration_is_shown_from_the_start(house: House) -> None:
    topics = {f"ocpp/backend/{p}/{t}" for p in NAMED for t in ("state", "connected", "enabled")}
    assert house.publisher.retained.keys() == topics | {"ocpp/presence"}
    assert house.state("night") == {"connected": False, "classes": {}, "last_refusal": None}
    assert (house.shown("backend/night/connected"), house.shown("backend/night/enabled")) == ("OFF", "ON")


def test_without_a_feed_nobody_can_tell_who_is_at_home(house: House) -> None:
    assert house.shown("presence") == "unknown"


@pytest.mark.parametrize("presence", Presence)
def test_presence_is_what_the_arbiter_believes(house: House, presence: Presence) -> None:
    owner.set_presence(house.arbitration, presence)
    assert house.shown("presence") == presence


def test_a_provider_comes_and_goes(house: House) -> None:
    house.arbitration.arrived("night")
    house.arbitration.arrived("night")
    house.arbitration.left("night")
    assert (house.shown("backend/night/connected"), house.state("night")["connected"]) == ("ON", True)
    house.arbitration.left("night")
    assert (house.shown("backend/night/connected"), house.state("night")["connected"]) == ("OFF", False)


async def test_what_a_provider_holds_is_shown_and_what_it_lost(house: House) -> None:
    await wishes.request_control(house.arbitration, "night", "CP1", TRANSACTIONS)
    await wishes.set_limit(house.arbitration, "night", "CP1", Amps(10))
    assert house.state("night")["classes"] == {"CP1": ["transactions", "smart_charging"]}
    await wishes.release_control(house.arbitration, "night", "CP1", [*ControlClass])
    assert house.state("night")["classes"] == {}


async def test_the_last_refusal_is_shown_with_its_reason(house: House) -> None:
    await wishes.request_control(house.arbitration, "night", "CP1", TRANSACTIONS)
    await wishes.request_control(house.arbitration, "fleet", "CP1", TRANSACTIONS)
    refusal = house.state("fleet")["last_refusal"]
    assert refusal == {
        "at": "2026-03-14T12:00:00.000Z",
        "charger": "CP1",
        "class": "transactions",
        "asked": "request_control",
        "reason": "held_by_other",
        "message": refusal["message"],
    }


async def test_a_provider_is_switched_off_and_on(house: House) -> None:
    await owner.set_enabled(house.arbitration, "night", on=False)
    assert house.shown("backend/night/enabled") == "OFF"
    await owner.set_enabled(house.arbitration, "night", on=True)
    assert house.shown("backend/night/enabled") == "ON"


async def test_what_a_forgotten_charger_gave_is_gone(house: House) -> None:
    await wishes.request_control(house.arbitration, "night", "CP1", TRANSACTIONS)
    await house.arbitration.hub.forget("CP1")
    assert house.state("night")["classes"] == {}


def test_a_stranger_is_shown_once_it_came() -> None:
    house = House(STRANGERS)
    house.arbitration.arrived("guest")
    assert house.shown("backend/guest/connected") == "ON"
    house.arbitration.left("guest")
    assert house.shown("backend/guest/connected") == "OFF"


async def test_a_stranger_that_is_put_in_charge_is_shown() -> None:
    house = House(STRANGERS)
    await owner.set_mode(house.arbitration, "CP1", "guest", "api")
    assert house.state("guest")["classes"] == {"CP1": ["transactions"]}
