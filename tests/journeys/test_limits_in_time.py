"""What a charger gives follows whoever limits it, in time: the owner, providers and services.

The charger is the simulator or an independent one, in each version. It follows its profiles by its own clock.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import watch
from ocpp_mqtt_proxy.core import steering
from tests.backends import backend, provider
from tests.brokers import Broker
from tests.independent_csms import csms_of
from tests.journeys.billing import ASKS, greeted, service
from tests.journeys.limits import KINDS, House, Shifted, Step, house

pytestmark = pytest.mark.parametrize(("kind", "version"), KINDS)

MOST = 32.0


@pytest.fixture(autouse=True)
def _little_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises wait for a moment, and not for ten seconds."""
    monkeypatch.setattr(steering, "CALM", timedelta(seconds=0.2))
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.2)


async def test_it_follows_the_owner_s_slider(tmp_path: Path, broker: Broker, kind: str, version: str) -> None:
    async with house(tmp_path, broker, kind, version) as home:
        for amps in (20, 10, 6, 0, 16):
            await home.slides(amps)
            await home.follows(amps, "owner")
        await home.charger.tell_meter()
        await home.shows(current_offered="16")
        await home.explains(*((amps, "owner", "ceiling") for amps in (20, 10, 6, 0, 16)))


EVCC: dict[str, Any] = {"providers": [{"id": "evcc", "mqtt": True, "presence": "any"}]}


async def evcc_sets(home: House, amps: float) -> dict[str, Any]:
    return await home.owner.ask("backend/evcc/request/set_limit", charger="CP1", amps=amps)


async def test_it_follows_setpoints_up_and_down(tmp_path: Path, broker: Broker, kind: str, version: str) -> None:
    async with house(tmp_path, broker, kind, version, **EVCC) as home:
        for amps in (16, 14.5, 9, 6, 8, 12, 0, 6):
            assert (await evcc_sets(home, amps))["status"] == "ok"
            await home.follows(amps, "evcc")
        await home.explains(
            *((amps, "evcc", "lowered") for amps in (16, 14.5, 9, 6)),
            *((amps, "evcc", "raised") for amps in (8, 12)),
            *((0, "evcc", "lowered"), (6, "evcc", "raised")),
        )


async def test_it_gives_all_there_is_under_the_override_and_a_provider_s_limit_after_it(
    tmp_path: Path, broker: Broker, kind: str, version: str
) -> None:
    async with house(tmp_path, broker, kind, version, **EVCC) as home:
        await evcc_sets(home, 8)
        await home.follows(8, "evcc")
        await home.owner.set("charger/CP1/override", "ON")
        await home.follows(MOST, "owner")
        assert (await evcc_sets(home, 10))["reason"] == "override"
        await home.owner.set("charger/CP1/override", "OFF")
        await home.follows(8, "evcc")
        await home.explains((8, "evcc", "lowered"), (MOST, "owner", "raised"), (8, "evcc", "lowered"))


async def test_the_limit_of_a_provider_that_is_lost_goes_with_it(
    tmp_path: Path, broker: Broker, kind: str, version: str
) -> None:
    given: dict[str, Any] = {"providers": [provider("sun")], "control_timeout_seconds": 1}
    async with house(tmp_path, broker, kind, version, **given) as home:
        async with backend(home.service, "sun") as sun:
            await sun.does("set_limit", amps=10)
            await home.follows(10, "sun")
        await home.follows(MOST, "owner")
        await home.explains((10, "sun", "lowered"), (MOST, "owner", "raised"))


NIGHT = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": "2026-01-01T23:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}, {"startPeriod": 8 * 3600, "limit": 0}],
        }
    ],
}
"""16 A from 23:00 to 07:00, and nothing by day."""


async def test_it_follows_a_provider_through_the_night(tmp_path: Path, broker: Broker, kind: str, version: str) -> None:
    given: dict[str, Any] = {"providers": [provider("night")]}
    async with (
        house(tmp_path, broker, kind, version, Shifted.at(22, 55), **given) as home,
        backend(home.service, "night") as night,
    ):
        await night.does("set_profile", profile=NIGHT)
        await home.follows(0, "night")
        home.passes(minutes=5)
        await home.follows(16, "night")
        evening: list[Step] = [(0, "night", "lowered"), (16, "night", "step")]
        await home.explains(*evening)
        home.passes(hours=7, minutes=55)
        morning: list[Step] = [(6, "owner", "fell_back"), (16, "night", "raised")]
        await home.explains(*evening, *morning)
        await home.follows(16, "night")
        home.passes(minutes=5)
        await home.follows(0, "night")
        await home.explains(*evening, *morning, (0, "night", "step"))


async def test_it_follows_the_hours_of_a_provider(tmp_path: Path, broker: Broker, kind: str, version: str) -> None:
    given: dict[str, Any] = {"providers": [provider("night", schedule=[{"from": "23:00", "to": "07:00"}])]}
    async with (
        house(tmp_path, broker, kind, version, Shifted.at(6, 55), **given) as home,
        backend(home.service, "night") as night,
    ):
        await night.does("set_limit", amps=13)
        await home.follows(13, "night")
        home.passes(minutes=5)
        await home.follows(MOST, "owner")
        await home.explains((13, "night", "lowered"), (MOST, "owner", "step"))


def set_profile(version: str, limit: float, unit: str) -> Any:
    """SetChargingProfile of a CSMS: a default, from long ago on."""
    schedule = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        "startSchedule": "2026-01-01T00:00:00Z",
    }
    common = {"stackLevel": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"}
    if version == "1.6":
        return ASKS[version].SetChargingProfile(1, {"chargingProfileId": 5, "chargingSchedule": schedule, **common})
    profile = {"id": 5, "chargingSchedule": [{"id": 1, **schedule}], **common}
    return ASKS[version].SetChargingProfile(evse_id=1, charging_profile=profile)


async def test_it_follows_what_a_service_sets_in_amperes_and_in_watts(
    tmp_path: Path, broker: Broker, kind: str, version: str
) -> None:
    async with csms_of(version) as csms:
        given: dict[str, Any] = {"providers": [{"id": "grid", "presence": "any"}]}
        async with house(tmp_path, broker, kind, version, ocpp_services=[service(csms, "grid")], **given) as home:
            await greeted(csms)
            for limit, unit, amps in ((16, "A", 16), (6900, "W", 10), (4000, "W", 0), (12.5, "A", 12.5)):
                assert (await csms.ask(set_profile(version, limit, unit))).status == "Accepted"
                await home.follows(amps, "grid")
            await home.explains(*((amps, "grid", "lowered") for amps in (16, 10, 0)), (12.5, "grid", "raised"))
            assert csms.faults == []
