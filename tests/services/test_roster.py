"""All services and all chargers: who is told of whom, and which conversations go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import owner
from ocpp_mqtt_proxy.core.model import IdToken, Place, Version, WattHours
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.reports import (
    BootReported,
    DataTransferAnswer,
    DataTransferReported,
    Phase,
    StatusReported,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass, Rules
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.plan import Mirroring, ServicePlan
from ocpp_mqtt_proxy.services.ports import Answerer, ServiceLink
from ocpp_mqtt_proxy.services.roster import Services
from tests.fakes import NOON, FakeLink, an_arbitration, providers
from tests.services.fakes import PLATE, FakeServiceLink, a_known_charger, a_plan, a_served_hub, outbox_of
from tests.services.talking import Sleep, rest

BILLING, FLEET = "billing", "fleet"


@dataclass
class Exchange:
    """Dials anybody; the links by service and charger, the last of each."""

    links: dict[tuple[str, str], FakeServiceLink] = field(default_factory=dict)
    dialled: list[str] = field(default_factory=list)

    async def __call__(
        self, plan: ServicePlan, charger_id: str, offered: tuple[Version, ...], answer: Answerer
    ) -> ServiceLink:
        link = self.links[plan.id, charger_id] = FakeServiceLink(offered[0])
        self.dialled.append(f"{plan.id} {charger_id}")
        return link

    def up(self) -> set[str]:
        """The links that stand."""
        return {f"{service} {charger}" for (service, charger), link in self.links.items() if not link.ended}


@dataclass
class House:
    """Services at work, and what they hang on."""

    services: Services
    exchange: Exchange

    @property
    def hub(self) -> Any:
        return self.services.arbitration.hub

    async def switch(self, service: str, *, on: bool) -> None:
        """The owner switches a service."""
        await owner.set_enabled(self.services.arbitration, service, on=on)
        await rest()


@asynccontextmanager
async def a_house(*plans: ServicePlan, chargers: Iterable[str] = ("CP1",), **rules: Any) -> AsyncIterator[House]:
    hub = a_served_hub()
    for charger in chargers:
        a_known_charger(hub, charger_id=charger)
    known = providers(*(plan.id for plan in plans), FLEET)
    arbitration = an_arbitration(hub, Rules(providers=known, **rules))
    exchange = Exchange()

    async def obey(*_: Any) -> dict[str, object]:
        return {}

    ways = Ways(exchange, obey, Courier, Sleep(), lambda: 0.0)
    services = hub.mirror = Services(arbitration, plans, outbox_of(hub), ways)
    task = asyncio.create_task(services.run())
    await rest()
    try:
        yield House(services, exchange)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def start(at: Any = NOON) -> TransactionReported:
    return TransactionReported(Phase.STARTED, None, at, Place(1, 1), IdToken("CARD"), meter_start=WattHours(1000))


class TestConversations:
    async def test_go_on_for_each_service_and_each_charger_that_it_sees(self) -> None:
        plans = a_plan(BILLING), a_plan(FLEET, chargers=frozenset({"CP2"}))
        async with a_house(*plans, chargers=("CP1", "CP2")) as house:
            assert house.exchange.up() == {"billing CP1", "billing CP2", "fleet CP2"}
            assert [out.charger_id for out in house.services.of_service(BILLING)] == ["CP1", "CP2"]
            assert [out.id for out in house.services.of("CP2")] == [BILLING, FLEET]
            assert len(house.services.all()) == 3

    async def test_begin_once_a_new_charger_has_said_who_it_is(self) -> None:
        async with a_house(a_plan(BILLING), chargers=()) as house:
            house.hub.connect("CP9", FakeLink(), "127.0.0.1")
            await rest()
            assert house.exchange.up() == set()
            house.hub.hear("CP9", BootReported(PLATE))
            await rest()
            assert house.exchange.up() == {"billing CP9"}

    async def test_end_with_a_charger_that_is_forgotten(self) -> None:
        async with a_house(a_plan(BILLING), chargers=("CP1", "CP2")) as house:
            await house.hub.forget("CP1")
            await rest()
            assert house.exchange.up() == {"billing CP2"}
            assert house.services.of("CP1") == []

    async def test_end_while_the_owner_switches_the_service_off(self) -> None:
        async with a_house(a_plan(BILLING), a_plan(FLEET)) as house:
            await house.switch(BILLING, on=False)
            assert house.exchange.up() == {"fleet CP1"}
            await house.switch(BILLING, on=True)
            assert house.exchange.up() == {"fleet CP1", "billing CP1"}
            assert house.exchange.dialled.count("fleet CP1") == 1

    async def test_do_not_begin_with_one_that_is_not_let_in(self) -> None:
        plans = a_plan(BILLING), a_plan(FLEET, enabled=False), a_plan("stranger")
        async with a_house(*plans, blocked=frozenset({BILLING})) as house:
            assert house.exchange.up() == {"stranger CP1"}

    async def test_end_at_a_stop(self) -> None:
        async with a_house(a_plan(BILLING), chargers=("CP1", "CP2")) as house:
            await house.services.close()
            assert house.exchange.up() == set()
            assert house.services.arbitration.house.present == {}


class TestAChangeOfPlans:
    async def test_begins_what_is_new_and_ends_what_is_gone(self) -> None:
        async with a_house(a_plan(BILLING)) as house:
            await house.services.change([a_plan(FLEET)])
            await rest()
            assert house.exchange.up() == {"fleet CP1"}
            assert house.services.is_service(FLEET)
            assert not house.services.is_service(BILLING)

    async def test_disturbs_nobody_else(self) -> None:
        async with a_house(a_plan(BILLING), a_plan(FLEET)) as house:
            await house.services.change([a_plan(BILLING), replace(a_plan(FLEET), url="ws://127.0.0.1/elsewhere")])
            await rest()
            assert house.exchange.dialled == ["billing CP1", "fleet CP1", "fleet CP1"]

    async def test_that_no_link_hangs_on_holds_at_once(self) -> None:
        async with a_house(a_plan(BILLING)) as house:
            await house.services.change([a_plan(BILLING, mirror=Mirroring.ALL, nameplate={"vendor": "ACME"})])
            await rest()
            assert house.exchange.dialled == ["billing CP1"]
            assert house.services.of("CP1")[0].plan.mirrors is Mirroring.ALL
            boots = house.exchange.links[BILLING, "CP1"].said("BootNotification")
            assert [boot["chargePointVendor"] for boot in boots] == ["Alfen", "ACME"]

    async def test_goes_on_with_what_the_service_knows(self) -> None:
        async with a_house(a_plan(BILLING)) as house:
            house.services.of("CP1")[0].peer.reservations[1] = 2
            await house.services.change([])
            await house.services.change([a_plan(BILLING)])
            assert house.services.of("CP1")[0].peer.reservations == {1: 2}


class TestWhatAChargerSays:
    async def test_is_told_to_every_service(self) -> None:
        async with a_house(a_plan(BILLING), a_plan(FLEET)) as house:
            house.hub.hear("CP1", StatusReported(Place(1, 1), "charging"))
            await rest()
            for link in house.exchange.links.values():
                assert link.said("StatusNotification")[-1]["status"] == "Charging"

    async def test_of_sessions_is_written_down_for_them_in_one(self) -> None:
        async with a_house(a_plan(BILLING, mirror=Mirroring.ALL)) as house:
            answer = house.hub.hear("CP1", start())
            assert isinstance(answer, Delayed)
            await answer.answer
            ledger = house.hub.ledger
            kinds = [type(change).__name__ for change in ledger.recorded]
            assert {"Session", "Outgoing", "Peer"} <= set(kinds)

    async def test_waits_for_a_service_that_is_switched_off(self) -> None:
        async with a_house(a_plan(BILLING, mirror=Mirroring.ALL)) as house:
            await house.switch(BILLING, on=False)
            await house.hub.hear("CP1", start()).answer
            await house.switch(BILLING, on=True)
            assert house.exchange.links[BILLING, "CP1"].said("StartTransaction")

    async def test_is_answered_whatever_goes_wrong_with_a_service(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with a_house(a_plan(BILLING, mirror=Mirroring.ALL), a_plan(FLEET, mirror=Mirroring.ALL)) as house:
            odd = house.services.of("CP1")[0]
            monkeypatch.setattr(odd, "peer", None)
            answer = house.hub.hear("CP1", start())
            await answer.answer
            given = [one.service for one in outbox_of(house.hub).given if isinstance(one, Outgoing)]
            assert set(given) == {FLEET}
            assert "could not be taken over" in caplog.text
            monkeypatch.undo()

    async def test_is_answered_by_the_service_whose_word_counts(self) -> None:
        plan = a_plan(BILLING, authority=frozenset({ControlClass.MANAGEMENT}))
        async with a_house(plan) as house:
            answer = house.hub.hear("CP1", DataTransferReported("vendor"))
            assert isinstance(answer, Delayed)
            assert await answer.answer == DataTransferAnswer("accepted")

    async def test_of_cards_is_judged_by_the_service_with_authority(self) -> None:
        plan = a_plan(BILLING, authority=frozenset({ControlClass.TRANSACTIONS}))
        async with a_house(plan, a_plan(FLEET)) as house:
            referee = house.services.referee_for("CP1")
            assert referee is not None
            assert referee.id == BILLING


async def test_what_was_written_down_is_gone_on_with() -> None:
    hub = a_served_hub()
    a_known_charger(hub)
    exchange = Exchange()
    ways = Ways(exchange, lambda *_: asyncio.sleep(0, {}), Courier)
    services = Services(an_arbitration(hub), [a_plan(BILLING)], outbox_of(hub), ways)
    peer, virtual = Peer(BILLING, "CP1", interval=77), Virtual(BILLING, "CP1", inoperative={1})
    services.restore([peer], [virtual])
    (out,) = services.of("CP1")
    assert out.peer is peer
    assert out.virtual is virtual
    assert {id(one) for one in services.everything()} == {id(peer), id(virtual)}
