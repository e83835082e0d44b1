"""A home that shares its charger: three backends, two by WebSocket and one by a shell's MQTT commands alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.backends import Backend, backend, provider
from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running, Watcher, running
from tests.shell import Shell, shell


def hours(begin: float, end: float) -> list[dict[str, Any]]:
    """A schedule that begins and ends so many hours from now."""
    now = datetime.now(UTC)
    begins, ends = (f"{now + timedelta(hours=offset):%H:%M}" for offset in (begin, end))
    return [{"from": begins, "to": ends}]


OPEN, CLOSED = hours(-2, 4), hours(3, 9)

HOME: dict[str, Any] = {
    "timezone": "UTC",
    "rate_limit_seconds": 0,
    "preferred_provider": "energy",
    "providers": [
        provider("energy", name="Cheap Night", schedule=OPEN, tariff={"price_per_kwh": 0.20}),
        provider("fleet", name="Work", schedule=CLOSED),
        provider("public", name="Neighbours", presence="away", mqtt=True),
    ],
}


@dataclass
class Home:
    """The charger, what the owner sees and sets, and the three backends."""

    charger: Any
    owner: Watcher
    energy: Backend
    fleet: Backend
    public: Shell
    service: Running

    async def comes(self, presence: str) -> None:
        """Somebody comes home, or leaves."""
        await self.owner.client.publish(f"{self.owner.base}/presence/set", presence, qos=1)
        await self.owner.value("presence", presence)

    async def plug_in(self) -> None:
        await self.charger.tell_status(PLUGGED[self.charger.version])
        await self.owner.value("charger/CP1/connector/1/status", "preparing")

    async def charge(self, watt_hours: float) -> None:
        self.charger.meter.register += watt_hours
        await self.charger.tell_meter()

    async def override(self, value: str) -> None:
        await self.owner.set("charger/CP1/override", value)
        await self.owner.value("charger/CP1/override", value)


@contextlib.asynccontextmanager
async def at_home(folder: Path, broker: Broker, version: str = "1.6", **more: Any) -> AsyncIterator[Home]:
    async with (
        running(folder, broker, **HOME | more) as service,
        Watcher.on(service) as owner,
        independent_charger(service.chargers, version, "CP1") as charger,
        backend(service, "energy", "*") as energy,
        backend(service, "fleet", "*") as fleet,
        shell(broker, service.base, "public", "public-token") as public,
    ):
        home = Home(charger, owner, energy, fleet, public, service)
        await home.plug_in()
        yield home


@pytest.mark.parametrize("version", CHARGERS)
async def test_the_energy_provider_charges_in_its_hours_and_the_fleet_waits_for_its_own(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with at_home(tmp_path, broker, version) as home:
        assert await home.fleet.refused("start", id_tag="CAR00001") == "schedule"
        await home.energy.does("start", id_tag="CAR12345")
        mine = await home.energy.event("transaction_started")
        others = await home.fleet.event("transaction_started")
        assert (mine["provider"], mine["id_tag"], others["id_tag"]) == ("energy", "CAR12345", "***45")
        await home.energy.does("set_limit", amps=10)
        await home.charge(2_000)
        assert await home.fleet.refused("stop") == "not_yours"
        await home.energy.does("stop")
        ended = await home.energy.event("transaction_ended")
        assert (ended["energy_kwh"], ended["revenue"], ended["currency"]) == (2.0, 0.4, "EUR")
        assert [s["session_id"] for s in (await home.energy.does("sessions"))["sessions"]] == [ended["session_id"]]
        assert (await home.fleet.does("sessions"))["sessions"] == []


async def test_the_fleet_charges_in_work_hours_and_the_energy_provider_waits_for_the_night(
    tmp_path: Path, broker: Broker
) -> None:
    providers = [provider("energy", schedule=CLOSED), provider("fleet", schedule=OPEN), *HOME["providers"][2:]]
    async with at_home(tmp_path, broker, providers=providers) as home:
        assert await home.energy.refused("RemoteStartTransaction", connector_id=1, id_tag="CAR1") == "schedule"
        await home.fleet.does("RemoteStartTransaction", connector_id=1, id_tag="CAR2")
        started = await home.fleet.event("transaction_started")
        await home.fleet.does("RemoteStopTransaction", transaction_id=started["transaction_id"])
        await home.fleet.event("transaction_ended", provider="fleet")


async def test_the_public_network_charges_by_shell_commands_alone_while_everybody_is_away(
    tmp_path: Path, broker: Broker
) -> None:
    async with at_home(tmp_path, broker, presence_topic="home/anybody") as home:
        assert await home.public.refused("start", id_tag="GUEST001") == "presence_unknown"
        await home.comes("home")
        assert await home.public.refused("start", id_tag="GUEST001") == "presence"
        await home.comes("away")
        await home.public.does("start", id_tag="GUEST001")
        mine = await home.public.event("CP1", "transaction_started", provider="public")
        others = await home.energy.event("transaction_started")
        assert (mine["id_tag"], others["id_tag"]) == ("GUEST001", "***01")
        await home.charge(500)
        await home.public.does("set_limit", watts=6_900)
        await home.public.event("CP1", "limit", effective=10.0, by="public")
        await home.public.does("stop")
        await home.public.event("CP1", "transaction_ended", energy_kwh=0.5, provider="public")


async def test_the_owner_s_override_in_mid_session_takes_control_and_leaves_only_less(
    tmp_path: Path, broker: Broker
) -> None:
    async with at_home(tmp_path, broker) as home:
        await home.energy.does("start", id_tag="CAR1")
        await home.energy.event("transaction_started")
        await home.owner.value("charger/CP1/owner", "energy")
        await home.override("ON")
        await home.energy.event("control_revoked", reason="override")
        await home.owner.value("charger/CP1/owner", "owner")
        await home.energy.does("set_limit", amps=10)
        assert await home.energy.refused("set_limit", amps=20) == "override"
        assert await home.fleet.refused("request_control") == "override"
        await home.energy.does("stop")
        await home.energy.event("transaction_ended", provider="energy")
        assert await home.energy.refused("start") == "override"
        await home.override("OFF")
        await home.energy.does("start", id_tag="CAR1")


async def test_a_fault_in_mid_session_takes_control_until_it_is_mended(tmp_path: Path, broker: Broker) -> None:
    async with at_home(tmp_path, broker) as home:
        await home.energy.does("start", id_tag="CAR1")
        await home.energy.event("transaction_started")
        await home.charger.end("Other")
        await home.charger.tell_status("Faulted", "GroundFailure")
        await home.energy.event("fault", cleared=False)
        await home.energy.event("control_revoked", reason="charger_faulted")
        assert await home.energy.refused("start") == "charger_faulted"
        await home.charger.tell_status("Available")
        await home.energy.event("fault", cleared=True)
        await home.plug_in()
        await home.energy.does("start", id_tag="CAR1")


async def test_the_preferred_provider_takes_control_from_one_that_does_nothing_with_it(
    tmp_path: Path, broker: Broker
) -> None:
    async with at_home(tmp_path, broker) as home:
        await home.public.does("request_control")
        await home.owner.value("charger/CP1/owner", "public")
        await home.energy.does("request_control")
        await home.public.event("CP1", "control_revoked", reason="preempted", provider="public")
        await home.owner.value("charger/CP1/owner", "energy")
        assert await home.public.refused("request_control") == "held_by_other"
        await home.energy.does("release_control")
        await home.public.does("request_control")


async def test_a_wrong_token_opens_nothing(tmp_path: Path, broker: Broker) -> None:
    async with at_home(tmp_path, broker) as home:
        with pytest.raises(InvalidStatus, match="401"):
            async with backend(home.service, "energy", token="wrong"):
                pass
        home.public.token = "wrong"
        assert await home.public.refused("start", id_tag="GUEST001") == "not_allowed"
        home.public.token = ""
        assert await home.public.refused("stop") == "not_allowed"


async def test_a_shell_s_request_that_is_retained_or_empty_is_no_order(tmp_path: Path, broker: Broker) -> None:
    async with at_home(tmp_path, broker) as home:
        assert (await home.public.ask("dance"))["reason"] == "invalid"
        await home.public.publish("status", "", "-r")
        assert (await home.public.does("status"))["enabled"] is True
