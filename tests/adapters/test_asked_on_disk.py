"""What a charger was put and has not answered is known again after a restart."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ocpp_mqtt_proxy.adapters.store import profiles
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps
from tests.fakes import NOON


@pytest.mark.parametrize("until", [None, NOON + timedelta(minutes=15)])
def test_what_was_not_answered_is_written_down_as_it_was_put(until: datetime | None) -> None:
    held = Held(((NOON, Amps(16)), (NOON + timedelta(minutes=5), Amps(8))), until)
    memory = ChargerMemory("CP1", asked={"default": held, "s-1": held})
    assert profiles.known(profiles.text_of(memory))["asked"] == memory.asked


def test_a_charger_that_answered_everything_has_nothing_of_it() -> None:
    assert profiles.text_of(ChargerMemory("CP1")) is None
    assert profiles.known(None)["asked"] == {}
