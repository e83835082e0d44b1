"""How services are shown: the worst of their links, what is wrong with each, and no secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.reports import SecurityReported
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.views import Overview, State, bare, link, worst
from tests.fakes import NOON
from tests.services.fakes import FakeOutbox, FakeRoster, an_outstation, outbox_of


def online() -> Outstation:
    return an_outstation()


def idle() -> Outstation:
    out = an_outstation(accepted=False)
    out.link = None
    return out


def failing(fault: str = "handshake: 401") -> Outstation:
    out = idle()
    out.fault = fault
    return out


def unaccepted() -> Outstation:
    out = an_outstation(accepted=False)
    out.fault = "boot: the service answers Pending"
    return out


def switched_off() -> Outstation:
    out = failing()
    out.arbitration.house.disabled.add(out.id)
    return out


@pytest.mark.parametrize(
    ("links", "state"),
    [
        ([], State.OFFLINE),
        ([online], State.ONLINE),
        ([online, online], State.ONLINE),
        ([online, idle], State.OFFLINE),
        ([idle, failing, online], State.ERROR),
        ([unaccepted], State.ERROR),
        ([switched_off], State.OFFLINE),
    ],
)
async def test_a_service_stands_as_the_worst_of_its_links(links: list[Any], state: State) -> None:
    assert worst(make() for make in links) is state


async def test_a_link_shows_since_when_as_what_and_where() -> None:
    shown = link(an_outstation(identities={"CP1": "ABC"}))
    assert shown == {
        "state": "online",
        "connected_since": "2026-03-14T12:00:00.000Z",
        "ocpp_version": "1.6",
        "registration": "accepted",
        "identity": "ABC",
        "url": "ws://127.0.0.1/billing/ABC",
        "fault": None,
        "queue": {"messages": 0, "oldest": None, "dropped": 0},
        "clock_skew_s": None,
        "transactions": 0,
    }


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("tls: the certificate is of another", {"step": "tls", "message": "the certificate is of another"}),
        ("boot: the service answers: no", {"step": "boot", "message": "the service answers: no"}),
        ("something: else", {"step": None, "message": "something: else"}),
    ],
)
async def test_a_fault_shows_its_step_and_words(told: str, shown: dict[str, object]) -> None:
    assert link(failing(told))["fault"] == shown


async def test_the_service_s_clock_and_transactions_show() -> None:
    out = online()
    out.skew = timedelta(seconds=-61.7)
    for number in range(3):
        out.peer.transactions[str(number)] = PeerTransaction(str(number), str(number), ended=number == 0)
    shown = link(out)
    assert (shown["clock_skew_s"], shown["transactions"]) == (-62, 2)


@pytest.mark.parametrize(
    "url", ["wss://me:secret@fleet.example:8443/ocpp/CP1?token=secret#secret", "wss://me@fleet.example:8443/ocpp/CP1"]
)
def test_an_address_is_shown_without_what_may_be_secret(url: str) -> None:
    assert bare(url) == "wss://fleet.example:8443/ocpp/CP1"


# All of them


def waits(out: Outstation, number: int) -> None:
    at = NOON + timedelta(minutes=number)
    outbox_of(out.hub).waiting.append(Outgoing(out.id, out.charger_id, number, at, SecurityReported("Tampered")))


async def test_what_waits_is_shown_of_each_link_and_together() -> None:
    first = online()
    second = an_outstation(arbitration=first.arbitration, charger_id="CP2")
    for out, number in ((first, 1), (first, 2), (second, 3)):
        waits(out, number)
    overview = Overview(FakeRoster([first, second]))
    await overview.refresh()
    info = overview.info("billing")
    assert info["queue_depth"] == 3
    oldest = {charger: shown["queue"]["oldest"] for charger, shown in info["chargers"].items()}
    assert oldest == {"CP1": "2026-03-14T12:01:00.000Z", "CP2": "2026-03-14T12:03:00.000Z"}


async def test_a_disk_that_fails_costs_only_since_when_it_waits() -> None:
    out = online()
    waits(out, 1)
    out.outbox = Broken(outbox_of(out.hub).waiting)
    overview = Overview(FakeRoster([out]))
    await overview.refresh()
    assert overview.info("billing")["chargers"]["CP1"]["queue"] == {"messages": 1, "oldest": None, "dropped": 0}


class Broken(FakeOutbox):
    async def oldest(self, service: str, charger: str) -> Any:
        raise LedgerFailed("disk full")


async def test_the_status_shows_every_service_with_what_it_has_the_say_in_and_what_is_wrong() -> None:
    good = an_outstation(authority=frozenset({ControlClass.TRANSACTIONS}))
    bad = an_outstation(arbitration=good.arbitration, id="fleet", accepted=False)
    bad.fault = "connect: nobody is there"
    shown = Overview(FakeRoster([good, bad])).status()
    assert {service: (one["state"], one["authority"], one["mirror"]) for service, one in shown.items()} == {
        "billing": ("online", ["transactions"], "all"),
        "fleet": ("error", [], "own"),
    }
    assert (shown["billing"]["faults"], shown["fleet"]["faults"]) == ({}, {"CP1": "connect: nobody is there"})
