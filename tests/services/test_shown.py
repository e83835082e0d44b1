"""Readings that are shown as they were read are the very same, so that they are put into words once for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ocpp_mqtt_proxy.core.model import ENERGY, POWER, Reading, Sample, WattHours
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.services.shown import of_one_register, settled

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
READ = (Sample(NOON, (Reading(ENERGY, 1500.0, "Wh"), Reading(POWER, 7000.0, "W"))),)


def a_session(meter_start: float) -> tuple[PeerTransaction, Session]:
    """500 Wh were charged by now; the service was shown a start of its own."""
    session = Session("s1", "CP1", 1, "t1", NOON, meter_start=WattHours(1000), energy=500.0)
    session.register = Register(1500.0, 1500.0, NOON)
    return PeerTransaction("s1", "t1", meter_start=WattHours(meter_start)), session


def test_what_is_shown_as_it_was_read_is_the_very_same() -> None:
    assert of_one_register(*a_session(1000.0), settled(READ, NOON)) is READ


@pytest.mark.parametrize(("meter_start", "now"), [(0.0, NOON), (1000.0, NOON - timedelta(hours=1))])
def test_what_is_shown_otherwise_is_not(meter_start: float, now: datetime) -> None:
    shown = of_one_register(*a_session(meter_start), settled(READ, now))
    assert shown == (Sample(min(NOON, now), (Reading(ENERGY, meter_start + 500, "Wh"), READ[0].readings[1])),)
