"""What others allow, told to a 2.x service when it changes and when it is over (K11 to K13; semantics §6.14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.arbitration.limits import rebind
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.limits.profile import Period, Schedule
from ocpp_mqtt_proxy.core.model import STATION, Amps, Place, Status, Version
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.reports import Answer, LimitReported, Report, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.requests import Limit
from ocpp_mqtt_proxy.services import constraining, mirroring, wording
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.services.fakes import an_outstation, charger_of
from tests.services.test_profiles_of_services import (
    a_service,
    begin_at,
    charging as begin,
    in_2x,
    passes,
    puts,
    set_profile,
    stubborn,
)

LIMITED, RELEASED = "NotifyChargingLimit", "ClearedChargingLimit"
CALM = 10
"""Seconds after which a charger may give more (contract §8)."""


@dataclass
class Following(Mirror):
    """What follows for one service: what it is told now, and what waits for it."""

    out: Outstation
    changes: list[Change] = field(default_factory=list)

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        self.changes += mirroring.follow(self.out, report, facts)
        constraining.follow(self.out, facts)
        return []

    def ask(self, station: Station, report: Report, ours: Answer) -> None:
        return None

    @property
    def rates(self) -> int:
        """How often a transaction was told to be charged at another rate."""
        waiting = [one.told for one in self.changes if isinstance(one, Outgoing)]
        return sum(isinstance(one, TransactionReported) and one.trigger == "charging_rate_changed" for one in waiting)


def followed(version: Version, charger: Version = Version.V16) -> tuple[Outstation, Following]:
    out = a_service(version, charger)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    out.hub.mirror = mirror = Following(out)
    return out, mirror


def told(out: Outstation, action: str) -> list[dict[str, Any]]:
    """What it was told by an action; all of it fits the schema."""
    for said, payload in out.live:
        assert schema.check(out.version, said, payload) is None
    return [dict(payload) for said, payload in out.live if said == action]


def amps_of(payload: dict[str, Any]) -> list[float]:
    return [period["limit"] for period in payload["chargingSchedule"][0]["chargingSchedulePeriod"]]


async def charging(out: Outstation) -> None:
    """A session of the service's own begins."""
    await begin(out)
    (session,) = out.station.sessions()
    session.claim(out.id, out.hub.clock.now(), out.station.plan.prices)


async def limit(out: Outstation, amps: float, connector: int | None = None) -> None:
    assert (await wishes.set_limit(out.arbitration, "rival", "CP1", Amps(amps), connector)).ok


async def lift(out: Outstation) -> None:
    assert (await wishes.clear_limit(out.arbitration, "rival", "CP1")).ok


@in_2x
async def test_a_rival_s_limit_is_told_as_the_house_s_and_its_end_too(version: Version) -> None:
    out, _ = followed(version)
    await limit(out, 10)
    (notice,) = told(out, LIMITED)
    assert (notice["chargingLimit"], notice["evseId"], amps_of(notice)) == ({"chargingLimitSource": "EMS"}, 1, [10])
    await lift(out)
    assert told(out, RELEASED) == [{"chargingLimitSource": "EMS", "evseId": 1}]


@in_2x
async def test_the_owner_s_slider_is_told(version: Version) -> None:
    out, _ = followed(version)
    assert (await out.arbitration.dispatcher.submit("CP1", Limit(amps=13))).ok
    assert [amps_of(one) for one in told(out, LIMITED)] == [[13]]


@in_2x
async def test_what_is_the_same_to_a_percent_is_told_once(version: Version) -> None:
    out, _ = followed(version)
    for amps in (20, 20, 19.9, 20.1, 10):
        await limit(out, amps)
    assert [amps_of(one) for one in told(out, LIMITED)] == [[20], [10]]


@in_2x
async def test_its_own_limit_is_nothing_to_tell(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await set_profile(out, limit=8)
    await rebind(out.arbitration, out.station)
    assert (told(out, LIMITED), mirror.rates) == ([], 0)


@in_2x
async def test_a_transaction_is_told_to_be_charged_at_another_rate(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await limit(out, 10)
    assert (len(told(out, LIMITED)), mirror.rates) == (1, 1)
    await lift(out)
    assert (len(told(out, RELEASED)), mirror.rates) == (1, 1)
    await passes(out, CALM)
    assert (len(told(out, RELEASED)), mirror.rates) == (1, 2)


@in_2x
async def test_without_a_transaction_no_rate_is_told(version: Version) -> None:
    out, mirror = followed(version)
    await limit(out, 10)
    assert mirror.rates == 0


async def test_1_6_has_no_words_for_it() -> None:
    out, mirror = followed(Version.V16)
    await limit(out, 10)
    assert (list(out.live), mirror.rates) == ([], 0)


@in_2x
async def test_what_was_put_on_the_charger_itself_is_told_whatever_its_version(version: Version) -> None:
    out, _ = followed(version, Version.V201)
    out.hub.hear("CP1", LimitReported(STATION, "SO", Schedule((Period(0, 16), Period(3600, 25)))))
    assert [amps_of(one) for one in told(out, LIMITED)] == [[16, 25]]


@in_2x
async def test_a_service_that_comes_again_is_told_again_while_it_lasts(version: Version) -> None:
    out, _ = followed(version)
    await limit(out, 10)
    out.live.clear()
    constraining.tell_all(out)
    assert [amps_of(one) for one in told(out, LIMITED)] == [[10]]
    out.arbitration.hub.station("CP1").control.limits.clear()
    constraining.tell_all(out)
    assert len(told(out, RELEASED)) == 1


@in_2x
@pytest.mark.parametrize("amps", [32, 40])
async def test_as_much_as_the_installation_bears_is_no_limit(version: Version, amps: float) -> None:
    out, _ = followed(version)
    await limit(out, amps)
    assert told(out, LIMITED) == []


@in_2x
async def test_it_is_told_too_when_its_own_limit_binds_again(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await set_profile(out, limit=16)
    await limit(out, 10)
    await lift(out)
    await passes(out, CALM)
    assert (out.station.connectors[1].limited_by, mirror.rates) == (out.id, 2)


@in_2x
async def test_a_step_of_another_s_profile_is_told_ahead_and_when_it_comes(version: Version) -> None:
    out, mirror = followed(version)
    rival = an_outstation(version, arbitration=out.arbitration, id="rival")
    await charging(out)
    await set_profile(rival, periods=[{"startPeriod": 0, "limit": 16}, {"startPeriod": 600, "limit": 8}])
    assert ([amps_of(one) for one in told(out, LIMITED)], mirror.rates) == ([[16, 8]], 1)
    for _ in range(60):
        await passes(out, 20)
    assert ([amps_of(one) for one in told(out, LIMITED)], mirror.rates) == ([[16, 8], [8]], 2)


@in_2x
async def test_that_the_charger_is_put_the_same_again_is_nothing_to_tell(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await limit(out, 10)
    before = len(puts(out))
    for _ in range(60):
        await passes(out, 60)
    assert len(puts(out)) > before
    assert (len(told(out, LIMITED)), told(out, RELEASED), mirror.rates) == (1, [], 1)


@in_2x
async def test_that_the_charger_has_something_to_fall_back_to_is_nothing_to_tell(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    assert (await out.arbitration.dispatcher.submit("CP1", Limit(amps=13))).ok
    assert any(order.base and order.limit < Amps(13) for order in puts(out))
    assert ([amps_of(one) for one in told(out, LIMITED)], mirror.rates) == ([[13]], 1)


@in_2x
async def test_a_profile_of_another_that_the_charger_refuses_is_nothing_to_tell(version: Version) -> None:
    out, mirror = followed(version)
    rival = an_outstation(version, arbitration=out.arbitration, id="rival")
    await charging(out)
    await set_profile(out, limit=16)
    charger_of(out).answer = stubborn
    assert (await set_profile(rival, limit=8))["status"] == "Rejected"
    await passes(out, 60)
    assert (told(out, LIMITED), told(out, RELEASED), mirror.rates) == ([], [], 0)


@in_2x
async def test_the_transaction_s_event_says_why(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await limit(out, 10)
    (*_, last) = (one for one in mirror.changes if isinstance(one, Outgoing))
    ((action, payload),) = wording.calls(out, last)
    assert schema.check(version, action, payload) is None
    assert (payload["eventType"], payload["triggerReason"]) == ("Started", "ChargingRateChanged")


@in_2x
async def test_a_limit_on_one_connector_is_told_of_its_evse(version: Version) -> None:
    out, _ = followed(version)
    out.hub.hear("CP1", StatusReported(Place(2, 1), Status.AVAILABLE))
    await limit(out, 10, connector=2)
    assert [(one["evseId"], amps_of(one)) for one in told(out, LIMITED)] == [(2, [10])]
    await lift(out)
    assert [one["evseId"] for one in told(out, RELEASED)] == [2]


@in_2x
async def test_what_is_shared_is_told_as_the_share(version: Version) -> None:
    out, _ = followed(version)
    out.hub.hear("CP1", StatusReported(Place(2, 1), Status.AVAILABLE))
    await limit(out, 20)
    await begin_at(out, 1)
    await begin_at(out, 2)
    assert [(one["evseId"], amps_of(one)) for one in told(out, LIMITED)] == [(1, [20]), (2, [20]), (1, [10]), (2, [10])]
