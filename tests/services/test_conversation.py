"""Being a charger to one service: dial, boot, catch up, stay in touch, and again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.model import STATION, Place, Version
from ocpp_mqtt_proxy.core.peer import Standing
from ocpp_mqtt_proxy.core.reports import BootReported, HeartbeatReported, SecurityReported, StatusReported
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused
from ocpp_mqtt_proxy.ocppj.fields import Object, zulu
from ocpp_mqtt_proxy.ocppj.rpc import CallError, ErrorCode
from ocpp_mqtt_proxy.services.conversation import AWAY_SECONDS, HOLD_SECONDS
from ocpp_mqtt_proxy.services.ports import DialFailed, NoAnswer, Refused, Step, Unanswered
from ocpp_mqtt_proxy.services.registration import DAY, OWN_WAIT
from tests.fakes import NOON, FakeClock, FakeLink
from tests.services.fakes import NOW, PLATE, Answers, FakeServiceLink, agreeable, outbox_of
from tests.services.talking import Talk, rest, talking

BOOT, STATUS, BEAT = "BootNotification", "StatusNotification", "Heartbeat"
REPLAYED = "DataTransfer"
BILLING = "billing"


def answering(*boots: Object | Exception, version: Version = Version.V16) -> Answers:
    """A service that answers its boots so, and says yes to everything after them."""
    given: Iterator[Object | Exception] = iter(boots)
    yes = agreeable(version)

    def answer(action: str, payload: Object) -> Object:
        if action != BOOT:
            return yes(action, payload)
        said = next(given, None)
        if isinstance(said, Exception):
            raise said
        return yes(action, payload) if said is None else said

    return answer


def silent(_: str, __: Object) -> Object:
    raise NoAnswer("late")


def booted(status: str, interval: int = 60, at: str = NOW) -> Object:
    return {"status": status, "interval": interval, "currentTime": at}


def putting_off(status: str, version: Version = Version.V16, interval: int = 60) -> FakeServiceLink:
    return FakeServiceLink(version, answering(booted(status, interval), version=version))


def pass_time(talk: Talk, seconds: float) -> None:
    clock = talk.out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(seconds=seconds)


class TestALink:
    async def test_begins_with_a_boot_then_the_past_then_the_present(self) -> None:
        async with talking() as talk:
            assert talk.said == [BOOT, REPLAYED, STATUS, STATUS]
            assert [told["connectorId"] for told in talk.link.said(STATUS)] == [0, 1]
            assert talk.out.accepted
            assert talk.out.accepted_at == NOON

    @pytest.mark.parametrize("version", [Version.V201, Version.V21])
    async def test_to_a_2x_service_tells_of_connectors_alone(self, version: Version) -> None:
        async with talking(service=version) as talk:
            assert [(told["evseId"], told["connectorId"]) for told in talk.link.said(STATUS)] == [(1, 1)]

    async def test_tells_nothing_of_the_present_before_the_past(self) -> None:
        async with talking(caught_up=False) as talk:
            await talk.hear(StatusReported(Place(1, 1), "preparing"))
            await talk.hear(StatusReported(Place(1, 1), "charging"))
            assert talk.said == [BOOT]

    async def test_makes_the_service_present_while_it_is_accepted(self) -> None:
        async with talking() as talk:
            assert talk.out.arbitration.house.present == {BILLING: 1}
            talk.link.lose()
            await rest()
            assert talk.out.arbitration.house.present == {}

    async def test_that_is_lost_is_dialled_again_ever_later(self) -> None:
        links = [FakeServiceLink() for _ in range(4)]
        async with talking(*links) as talk:
            for wait in (1, 2, 4):
                talk.link.lose("the service closed")
                await talk.sleep.over(wait)
            assert len(talk.dial.dialled) == 4
            assert talk.out.accepted
            assert talk.out.fault == ""

    async def test_that_cannot_be_had_is_told_and_tried_again(self) -> None:
        async with talking(DialFailed(Step.CONNECT, "refused"), FakeServiceLink()) as talk:
            assert talk.out.fault == "connect: refused"
            await talk.sleep.over(1)
            assert talk.out.accepted
            assert talk.out.fault == ""

    async def test_that_failed_of_security_is_told_so_once_it_is_there(self) -> None:
        failure = DialFailed(Step.TLS, "cannot be trusted", "InvalidCsmsCertificate")
        async with talking(failure, failure, FakeServiceLink()) as talk:
            await talk.sleep.over(1)
            await talk.sleep.over(2)
            assert talk.out.accepted
            (message,) = outbox_of(talk.out.hub).given
            assert message.told == SecurityReported("InvalidCsmsCertificate", NOON, "cannot be trusted")

    async def test_offers_what_the_charger_speaks_first_then_the_newest(self) -> None:
        async with talking(charger=Version.V201) as talk:
            assert talk.dial.offered == [(Version.V201, Version.V21, Version.V16)]

    async def test_offers_what_was_spoken_before_at_the_next_time(self) -> None:
        async with talking(FakeServiceLink(Version.V21), charger=Version.V201) as talk:
            talk.link.lose()
            await talk.sleep.over(1)
            assert talk.dial.offered[1] == (Version.V21, Version.V201, Version.V16)

    async def test_offers_nothing_but_what_is_configured(self) -> None:
        async with talking(version=Version.V16, charger=Version.V201) as talk:
            assert talk.dial.offered == [(Version.V16,)]

    async def test_that_the_service_closes_at_once_is_left_alone_ever_longer(self) -> None:
        link = FakeServiceLink()
        link.lose("closed")
        async with talking(link) as talk:
            for wait in (1, 2, 4, 8):
                await talk.sleep.over(wait)
            assert len(talk.dial.dialled) == 5
            assert talk.out.fault == "connect: closed"

    async def test_that_is_lost_in_the_middle_of_a_boot_is_dialled_again(self) -> None:
        silent_ = FakeServiceLink()
        silent_.open.clear()
        async with talking(silent_, FakeServiceLink()) as talk:
            silent_.lose()
            await talk.sleep.over(1)
            assert talk.out.accepted

    async def test_whose_dialling_fails_by_a_fault_of_ours_is_dialled_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with talking(ZeroDivisionError("ours"), FakeServiceLink()) as talk:
            await talk.sleep.over(1)
            assert talk.out.accepted
            assert "begun again" in caplog.text

    async def test_that_fails_by_a_fault_of_ours_is_begun_again(self, caplog: pytest.LogCaptureFixture) -> None:
        odd = FakeServiceLink(answers=answering(ZeroDivisionError("ours")))
        async with talking(odd, FakeServiceLink()) as talk:
            assert odd.ended == "a fault of ours"
            await talk.sleep.over(1)
            assert talk.out.accepted
        assert "ours" in caplog.text

    async def test_is_closed_at_a_stop(self) -> None:
        async with talking() as talk:
            link = talk.link
        assert link.ended == "going away"
        assert talk.out.link is None
        assert talk.out.arbitration.house.present == {}


class TestTheBoot:
    async def test_shows_the_charger_s_nameplate(self) -> None:
        async with talking() as talk:
            (boot,) = talk.link.said(BOOT)
            assert boot["chargePointVendor"] == PLATE.vendor
            assert boot["chargePointSerialNumber"] == PLATE.serial

    async def test_shows_what_the_configuration_says_instead(self) -> None:
        async with talking(nameplate={"vendor": "ACME", "serial": "1"}) as talk:
            (boot,) = talk.link.said(BOOT)
            assert (boot["chargePointVendor"], boot["chargePointSerialNumber"]) == ("ACME", "1")
            assert boot["chargePointModel"] == PLATE.model

    async def test_goes_with_each_link_and_says_why(self) -> None:
        v201 = Version.V201
        async with talking(FakeServiceLink(v201), FakeServiceLink(v201), service=v201) as talk:
            first = talk.link
            first.lose()
            await talk.sleep.over(1)
            assert [link.said(BOOT)[0]["reason"] for link in (first, talk.link)] == ["PowerUp", "Unknown"]

    async def test_goes_again_when_the_charger_boots(self) -> None:
        async with talking(service=Version.V201) as talk:
            await talk.hear(BootReported(PLATE, "watchdog"))
            assert [boot["reason"] for boot in talk.link.said(BOOT)] == ["PowerUp", "Watchdog"]
            assert talk.said.count(STATUS) == 2
            assert talk.out.accepted

    async def test_is_not_repeated_because_we_asked_the_charger_who_it_is(self) -> None:
        async with talking() as talk:
            await talk.hear(BootReported(PLATE, "triggered"))
            assert talk.said.count(BOOT) == 1

    async def test_is_repeated_where_its_content_changed(self) -> None:
        async with talking() as talk:
            await talk.hear(BootReported(replace(PLATE, firmware="7"), "triggered"))
            assert [boot["firmwareVersion"] for boot in talk.link.said(BOOT)] == ["6.5.0", "7"]

    async def test_of_a_charger_while_the_service_is_down_goes_with_the_next_link(self) -> None:
        v201 = Version.V201
        async with talking(DialFailed(Step.CONNECT, "down"), FakeServiceLink(v201), service=v201) as talk:
            await talk.hear(BootReported(PLATE, "local_reset"))
            await talk.sleep.over(1)
            assert [boot["reason"] for boot in talk.link.said(BOOT)] == ["LocalReset"]

    async def test_that_has_no_answer_is_repeated_and_the_service_served_meanwhile(self) -> None:
        link = FakeServiceLink(Version.V201, answering(booted("Accepted"), NoAnswer("late"), version=Version.V201))
        async with talking(link, service=Version.V201) as talk:
            await talk.hear(BootReported(PLATE, "watchdog"))
            await talk.hear(StatusReported(Place(1, 1), "faulted"))
            assert talk.said[-1] == STATUS
            await talk.sleep.over(OWN_WAIT)
            assert [boot["reason"] for boot in link.said(BOOT)] == ["PowerUp", "Watchdog", "Watchdog"]
            assert talk.out.fault == ""

    async def test_that_is_asked_for_goes_at_once(self) -> None:
        async with talking(service=Version.V201) as talk:
            talk.out.boot("triggered")
            await rest()
            assert talk.link.said(BOOT)[-1]["reason"] == "Triggered"


class TestAServiceThatDoesNotAcceptUs:
    @pytest.mark.parametrize("status", ["Pending", "Rejected"])
    @pytest.mark.parametrize("version", Version)
    async def test_hears_nothing_else_until_its_interval_has_passed(self, status: str, version: Version) -> None:
        link = putting_off(status, version)
        async with talking(link, service=version) as talk:
            await talk.hear(StatusReported(Place(1, 1), "preparing"))
            assert talk.said == [BOOT]
            assert not talk.out.accepted
            assert talk.out.fault == f"boot: the service answers {status}"
            assert talk.out.arbitration.house.present == {}
            pass_time(talk, 60)
            await talk.sleep.over(60)
            assert talk.said[:3] == [BOOT, BOOT, REPLAYED]

    async def test_and_names_no_interval_is_asked_again_in_our_own_time(self) -> None:
        async with talking(putting_off("Pending", interval=0)) as talk:
            pass_time(talk, OWN_WAIT)
            await talk.sleep.over(OWN_WAIT)
            assert talk.said[:2] == [BOOT, BOOT]

    @pytest.mark.parametrize("answer", [NoAnswer("late"), Refused(CallError("1", ErrorCode.INTERNAL_ERROR, "oops"))])
    async def test_and_does_not_answer_is_asked_again(self, answer: Exception) -> None:
        async with talking(FakeServiceLink(answers=answering(answer))) as talk:
            assert talk.out.fault.startswith("boot: ")
            pass_time(talk, OWN_WAIT)
            await talk.sleep.over(OWN_WAIT)
            assert talk.out.accepted

    async def test_is_left_alone_over_a_lost_link_too(self) -> None:
        async with talking(putting_off("Rejected", interval=600), FakeServiceLink()) as talk:
            talk.link.lose()
            await talk.sleep.over(1)
            assert talk.said == []
            pass_time(talk, 600)
            await talk.sleep.over(600)
            assert talk.out.accepted

    async def test_gets_the_boot_that_it_asks_for(self) -> None:
        async with talking(putting_off("Pending", Version.V201), service=Version.V201) as talk:
            talk.out.boot("triggered")
            await rest()
            assert talk.out.accepted
            assert [boot["reason"] for boot in talk.link.said(BOOT)] == ["PowerUp", "Triggered"]

    async def test_hears_what_it_asks_for_while_it_waits(self) -> None:
        async with talking(putting_off("Pending", Version.V201), service=Version.V201) as talk:
            talk.out.report(HeartbeatReported(), asked=True)
            await rest()
            assert talk.said == [BOOT, BEAT]

    @pytest.mark.parametrize("version", Version)
    async def test_may_look_but_not_start(self, version: Version) -> None:
        start = "RemoteStartTransaction" if version is Version.V16 else "RequestStartTransaction"
        async with talking(putting_off("Pending", version), service=version) as talk:
            assert await talk.ask(start) == {"status": "Rejected"}
            await talk.ask("TriggerMessage")
            assert talk.obeyed == ["TriggerMessage"]

    @pytest.mark.parametrize("version", Version)
    async def test_and_rejected_us_is_not_obeyed(self, version: Version) -> None:
        async with talking(putting_off("Rejected", version), service=version) as talk:
            with pytest.raises(Unanswered if version is Version.V16 else CallRefused):
                await talk.ask("TriggerMessage")
            assert talk.obeyed == []

    async def test_any_more_is_served_no_longer(self) -> None:
        link = FakeServiceLink(answers=answering(booted("Accepted"), booted("Pending")))
        async with talking(link) as talk:
            await talk.hear(BootReported(PLATE, "unknown"))
            assert not talk.out.accepted
            assert talk.out.peer.standing is Standing.PENDING
            assert talk.out.arbitration.house.present == {}


async def test_a_service_that_accepted_us_is_obeyed() -> None:
    async with talking() as talk:
        await talk.ask("RemoteStartTransaction")
        assert talk.obeyed == ["RemoteStartTransaction"]


class TestTheHeartbeat:
    async def test_comes_as_often_as_the_service_said(self) -> None:
        async with talking() as talk:
            await talk.sleep.over(300)
            assert talk.said[-1] == BEAT
            await talk.sleep.over(300)
            assert talk.said.count(BEAT) == 2

    async def test_comes_as_often_as_the_service_sets_it_later(self) -> None:
        async with talking() as talk:
            talk.out.virtual.settings["HeartbeatInterval"] = "20"
            talk.out.retuned.set()
            await talk.sleep.over(20)
            assert talk.said[-1] == BEAT

    async def test_comes_once_a_day_at_least(self) -> None:
        link = FakeServiceLink(answers=answering(booted("Accepted", 10 * DAY)))
        async with talking(link) as talk:
            await talk.sleep.over(DAY)
            assert talk.said[-1] == BEAT

    async def test_is_ours_and_never_the_charger_s(self) -> None:
        async with talking() as talk:
            await talk.hear(HeartbeatReported())
            assert BEAT not in talk.said

    async def test_without_an_answer_ends_nothing(self) -> None:
        async with talking() as talk:
            talk.link.answers = silent
            await talk.sleep.over(300)
            talk.link.answers = agreeable(Version.V16)
            await talk.sleep.over(300)
            assert talk.said.count(BEAT) == 2


async def test_a_clock_that_differs_is_told_and_never_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    late = zulu(NOON - timedelta(seconds=90))
    async with talking(FakeServiceLink(answers=answering(booted("Accepted", at=late)))) as talk:
        assert talk.out.skew == timedelta(seconds=-90)
        assert talk.out.hub.clock.now() == NOON
        assert "-90 s off ours" in caplog.text


async def test_a_message_that_the_service_refuses_holds_up_no_other() -> None:
    async with talking() as talk:
        good = talk.link.answers
        talk.link.answers = silent
        await talk.hear(StatusReported(Place(1, 1), "preparing"))
        talk.link.answers = good
        await talk.hear(StatusReported(Place(1, 1), "charging"))
        assert [told["status"] for told in talk.link.said(STATUS)][2:] == ["Preparing", "Charging"]


class TestWhileTheChargerIsAway:
    async def leave(self, talk: Talk) -> None:
        link = talk.out.hub.links["CP1"]
        talk.out.hub.disconnect("CP1", link, "gone")
        await rest()

    async def test_a_short_while_nothing_is_told(self) -> None:
        async with talking() as talk:
            await self.leave(talk)
            talk.out.hub.connect("CP1", FakeLink(), "127.0.0.1")
            await talk.sleep.over(AWAY_SECONDS)
            assert talk.said.count(STATUS) == 2

    async def test_for_long_it_is_unavailable_until_it_is_back(self) -> None:
        async with talking() as talk:
            await self.leave(talk)
            await talk.sleep.over(AWAY_SECONDS)
            assert [told["status"] for told in talk.link.said(STATUS)][2:] == ["Unavailable", "Unavailable"]
            talk.out.hub.connect("CP1", FakeLink(), "127.0.0.1")
            await talk.sleep.over(HOLD_SECONDS)
            assert [told["status"] for told in talk.link.said(STATUS)][4:] == ["Available", "Available"]
            assert talk.out.accepted

    async def test_it_is_told_in_the_order_of_time(self) -> None:
        async with talking() as talk:
            await self.leave(talk)
            pass_time(talk, AWAY_SECONDS)
            await talk.sleep.over(AWAY_SECONDS)
            talk.out.hub.connect("CP1", FakeLink(), "127.0.0.1")
            await talk.sleep.over(HOLD_SECONDS)
            times = [str(told["timestamp"]) for told in talk.link.said(STATUS) if told["connectorId"] == 1]
            assert times == sorted(times)
            assert times[-1] > times[0]

    async def test_from_before_the_link_it_is_found_out(self) -> None:
        async with talking(FakeServiceLink(), FakeServiceLink()) as talk:
            talk.link.lose()
            await self.leave(talk)
            await talk.sleep.over(1)
            await talk.sleep.over(AWAY_SECONDS)
            assert talk.link.said(STATUS)[-1]["status"] == "Unavailable"


async def test_the_charger_s_own_state_is_told_as_connector_0() -> None:
    async with talking() as talk:
        await talk.hear(StatusReported(STATION, "faulted", error_code="GroundFailure"))
        told = talk.link.said(STATUS)[-1]
        assert (told["connectorId"], told["status"], told["errorCode"]) == (0, "Faulted", "GroundFailure")
