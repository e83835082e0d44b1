"""A charger's composite schedule: how it is asked for, and what is read out of it, in every version."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import Outcome, Reason, TellSchedule
from ocpp_mqtt_proxy.core.model import Place, Target, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS

ORDER = TellSchedule(Target(2, Place(2, 1)), 60, in_watts=False)
START = "2026-03-14T12:00:00.000Z"

each_version = pytest.mark.parametrize("version", DIALECTS)


def answer(version: Version, unit: str, *periods: dict[str, Any]) -> dict[str, Any]:
    schedule: dict[str, Any] = {"duration": 60, "chargingRateUnit": unit, "chargingSchedulePeriod": list(periods)}
    if version is Version.V16:
        return {"status": "Accepted", "connectorId": 2, "scheduleStart": START, "chargingSchedule": schedule}
    return {"status": "Accepted", "schedule": schedule | {"evseId": 2, "scheduleStart": START}}


def read(version: Version, payload: dict[str, Any]) -> Outcome:
    return DIALECTS[version].outcome(ORDER, payload)


@each_version
def test_it_is_asked_of_one_place_in_one_unit(version: Version) -> None:
    place = "connectorId" if version is Version.V16 else "evseId"
    asked = {place: 2, "duration": 60, "chargingRateUnit": "A"}
    assert DIALECTS[version].put(ORDER) == ("GetCompositeSchedule", asked)


@each_version
def test_its_steps_are_read(version: Version) -> None:
    periods = {"startPeriod": 0, "limit": 10}, {"startPeriod": 30, "limit": 6}
    told = read(version, answer(version, "A", *periods))
    assert told.ok
    assert told.result["periods"] == [(0, 10), (30, 6)]
    assert (told.result["in_watts"], told.result["duration"]) == (False, 60)
    assert "phases" not in told.result


@each_version
def test_power_and_phases_are_read(version: Version) -> None:
    told = read(version, answer(version, "W", {"startPeriod": 0, "limit": 3680.0, "numberPhases": 1}))
    assert (told.result["in_watts"], told.result["phases"]) == (True, 1)


@each_version
@pytest.mark.parametrize("periods", [[], [{"startPeriod": 0}]])
def test_one_that_tells_nothing_is_none(version: Version, periods: list[dict[str, Any]]) -> None:
    told = read(version, answer(version, "A", *periods))
    assert (told.ok, told.reason) == (False, Reason.INVALID)


@each_version
def test_a_charger_may_say_no(version: Version) -> None:
    assert read(version, {"status": "Rejected"}).reason is Reason.CHARGER_REJECTED
