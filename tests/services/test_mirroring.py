"""What waits for a service after what happened to sessions: whatever made them its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.model import ENERGY, StopReason, Version
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.reports import HeartbeatReported, Phase, SecurityReported, TransactionReported
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services import mirroring
from ocpp_mqtt_proxy.services.plan import Mirroring
from tests.core.yard import plain
from tests.services.fakes import outbox_of
from tests.services.street import Pen, Service, Street

V16, V201 = Version.V16, Version.V201
each_charger = pytest.mark.parametrize("charger", Version)


@pytest.fixture
def street() -> Street:
    return Street(V16)


@pytest.fixture
def pen(street: Street) -> Pen:
    return Pen(street)


def told(service: Service) -> list[TransactionReported]:
    """What waits for a service, of transactions."""
    return [one.told for one in service.waiting if isinstance(one.told, TransactionReported)]


def phases(service: Service) -> list[Phase]:
    return [report.phase for report in told(service)]


def shown(report: TransactionReported) -> list[float]:
    """The registers in a message's readings."""
    return [r.value for sample in report.samples for r in sample.readings if r.measurand == ENERGY]


WHOLE = [Phase.STARTED, Phase.UPDATED, Phase.ENDED]


class TestASession:
    @each_charger
    async def test_is_told_from_its_start_to_its_end(self, charger: Version) -> None:
        street = Street(charger)
        all_, pen = street.serve(V201), Pen(street)
        await pen.start()
        await pen.read(700)
        await pen.stop(300)
        assert phases(all_) == WHOLE
        assert (plain(told(all_)[0].meter_start), shown(told(all_)[1]), plain(told(all_)[2].meter_stop)) == (
            5000,
            [5700],
            6000,
        )

    @each_charger
    async def test_that_the_charger_tells_again_is_not_doubled(self, charger: Version) -> None:
        street = Street(charger)
        all_, pen = street.serve(V201), Pen(street)
        for step in (pen.start(), pen.read(700), pen.stop(300)):
            await step
            await pen.repeat()
        assert phases(all_) == WHOLE

    async def test_is_told_in_one_message_for_all_that_one_report_brought(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        values = [{"timestamp": pen.at, "sampledValue": [{"value": str(wh)}]} for wh in (5100, 5200)]
        await street.hear(
            "MeterValues", {"connectorId": 1, "transactionId": int(pen.transaction), "meterValue": values}
        )
        assert shown(told(all_)[1]) == [5100, 5200]

    async def test_is_on_disk_together_with_what_is_told_of_it(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        recorded = street.hub.ledger.recorded  # type: ignore[attr-defined] # the fake's
        assert all_.out.peer in recorded
        assert any(isinstance(change, Outgoing) for change in recorded)

    async def test_whose_start_was_lost_is_told_with_one_made_up(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start(lost=True)
        await pen.state("Charging")
        await pen.read(700)
        await pen.stop(300)
        assert phases(all_) == WHOLE
        assert plain(told(all_)[0].meter_start) == 5700

    async def test_that_the_owner_closes_is_over(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        await street.close()
        assert phases(all_) == [Phase.STARTED, Phase.ENDED]

    async def test_that_was_told_to_be_over_stays_so_whatever_comes_later(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        await street.close()
        await pen.read(500)
        await pen.stop(500)
        assert phases(all_) == [Phase.STARTED, Phase.ENDED]

    async def test_of_16_has_its_states_told_to_services_of_2x(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        await pen.state("SuspendedEV")
        assert (told(all_)[1].charging_state, told(all_)[1].trigger) == ("suspended_ev", "charging_state_changed")

    async def test_keeps_the_charger_s_own_word_that_it_was_offline(self) -> None:
        street = Street(V201)
        all_, pen = street.serve(V201), Pen(street)
        await pen.start()
        await pen.read(10, offline=True)
        assert [report.offline for report in told(all_)] == [False, True]


class TestWhoseSessions:
    async def test_are_not_its_own_are_not_told_to_a_service_unless_it_hears_of_all(
        self, pen: Pen, street: Street
    ) -> None:
        own, none = street.serve(V201, "own", Mirroring.OWN), street.serve(V201, "rival", Mirroring.NONE)
        await pen.start()
        await pen.read(500)
        await pen.stop(500)
        assert told(own) == told(none) == []

    async def test_come_to_it_in_mid_session_begin_there_for_it(self, pen: Pen, street: Street) -> None:
        own = street.serve(V201, "own", Mirroring.OWN)
        await pen.start()
        street.clock.pass_(minutes=5)
        await pen.read(700)
        await street.hand_over("own")
        street.clock.pass_(minutes=5)
        await pen.stop(300)
        start, end = told(own)
        assert (start.phase, plain(start.meter_start), plain(end.meter_stop)) == (Phase.STARTED, 5700, 6000)
        assert start.at == end.at - timedelta(minutes=5)  # type: ignore[operator] # both have a time

    async def test_are_taken_from_it_end_there_for_it(self, pen: Pen, street: Street) -> None:
        own = street.serve(V201, "own", Mirroring.OWN)
        await pen.start()
        await street.hand_over("own")
        await pen.read(700)
        await street.hand_over("rival")
        await pen.read(300)
        end = told(own)[-1]
        assert (end.phase, plain(end.meter_stop), end.stop_reason) == (Phase.ENDED, 5700, StopReason.OTHER)

    async def test_come_back_to_it_are_other_transactions(self, pen: Pen, street: Street) -> None:
        own = street.serve(V201, "own", Mirroring.OWN)
        await pen.start()
        for provider in ("own", "rival", "own"):
            await street.hand_over(provider)
        await pen.stop()
        assert phases(own) == [Phase.STARTED, Phase.ENDED] * 2
        keys = [one.session_id for one in own.waiting]
        assert keys[0] == keys[1] != keys[2] == keys[3]
        latest = own.out.peer.theirs(keys[0])
        assert latest is not None
        assert latest.key == keys[2]

    async def test_a_service_with_the_say_over_transactions_hears_of_are_all(self, pen: Pen, street: Street) -> None:
        judge = street.serve(V201, "own", Mirroring.NONE, authority=frozenset({ControlClass.TRANSACTIONS}))
        await pen.start()
        assert phases(judge) == [Phase.STARTED]

    async def test_run_already_when_a_service_comes_are_told_from_their_start(self, pen: Pen, street: Street) -> None:
        await pen.start()
        began = street.clock.now()
        street.clock.pass_(minutes=5)
        await pen.read(700)
        new = street.serve(V201)
        await street.hear("Heartbeat", {})
        await pen.stop(300)
        start, end = told(new)
        assert (start.at, plain(start.meter_start), plain(end.meter_stop)) == (began, 5000, 6000)

    async def test_ended_while_the_service_was_switched_off_end_for_it_when_it_is_back(
        self, pen: Pen, street: Street
    ) -> None:
        all_ = street.serve(V201)
        await pen.start()
        street.services.clear()
        await pen.stop(800)
        all_.out.caught_up = False
        street.services.append(all_)
        await street.hear("Heartbeat", {})
        assert phases(all_) == [Phase.STARTED, Phase.ENDED]
        assert plain(told(all_)[-1].meter_stop) == 5800

    async def test_are_another_s_show_the_tag_that_the_configuration_says(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201, "all", id_tag="GUEST")
        await pen.start("MINE")
        assert told(all_)[0].token.tag == "GUEST"  # type: ignore[union-attr] # it has one

    async def test_are_its_own_show_their_card_whatever_the_configuration_says(self, pen: Pen, street: Street) -> None:
        own = street.serve(V201, "own", Mirroring.OWN, id_tag="GUEST")
        await pen.start("MINE")
        await street.hand_over("own")
        assert told(own)[0].token.tag == "MINE"  # type: ignore[union-attr]


class TestTheRegisterShown:
    async def test_is_one_series_though_the_meter_starts_anew(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        await pen.start()
        await pen.read(500)
        pen.wh = 0
        for _ in range(3):
            await pen.read(100)
        await pen.stop(100)
        assert [shown(report) for report in told(all_)[1:-1]] == [[5500], [5700], [5800]]
        assert plain(told(all_)[-1].meter_stop) == 5900

    async def test_begins_with_the_last_that_was_read_where_the_charger_gives_none(self) -> None:
        street = Street(V201)
        all_, pen = street.serve(V16), Pen(street)
        await pen.start()
        await pen.stop(1000)
        pen.seq, pen.transaction = 0, "without a meter"
        await pen.event("Started", "Authorized", card="CARD")
        assert plain(told(all_)[-1].meter_start) == 6000

    async def test_is_not_made_up_where_none_was_ever_read(self) -> None:
        street = Street(V201)
        all_, pen = street.serve(V16), Pen(street)
        pen.transaction = "without a meter"
        await pen.event("Started", "Authorized", card="CARD")
        assert told(all_)[0].meter_start is None


class TestReadings:
    async def test_are_thinned_to_what_the_service_wants(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        all_.out.virtual.settings["MeterValueSampleInterval"] = "60"
        await pen.start()
        for _ in range(6):
            street.clock.pass_(seconds=30)
            await pen.read(10)
        assert [shown(report) for report in told(all_)[1:]] == [[5010], [5030], [5050]]

    async def test_that_are_none_of_the_clock_s_are_never_thinned(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        all_.out.virtual.settings |= {"MeterValueSampleInterval": "0", "ClockAlignedDataInterval": "0"}
        await pen.start()
        for context in ("Sample.Periodic", "Sample.Clock", "Trigger", "Interruption.End"):
            await pen.read(10, context=context)
        await pen.state("SuspendedEV")
        await pen.stop()
        assert [shown(report) for report in told(all_)[1:-2]] == [[5030], [5040]]
        assert phases(all_)[-2:] == [Phase.UPDATED, Phase.ENDED]

    async def test_are_of_what_the_service_listed(self, pen: Pen, street: Street) -> None:
        all_ = street.serve(V201)
        all_.out.virtual.settings["MeterValuesSampledData"] = "Voltage, Current.Import.L2"
        await pen.start()
        words = [("Voltage", "L1"), ("Current.Import", "L1"), ("Current.Import", "L2"), (ENERGY, None)]
        sampled = [{"value": "5", "measurand": m} | ({"phase": p} if p else {}) for m, p in words]
        values = [{"timestamp": pen.at, "sampledValue": sampled}]
        await street.hear(
            "MeterValues", {"connectorId": 1, "transactionId": int(pen.transaction), "meterValue": values}
        )
        read = [(r.measurand, r.phase) for r in told(all_)[1].samples[0].readings]
        assert read == [("Voltage", "L1"), ("Current.Import", "L2")]

    async def test_of_one_service_do_not_suffer_from_what_another_wants(self, pen: Pen, street: Street) -> None:
        sparing, all_ = street.serve(V201, "own"), street.serve(V201)
        sparing.out.virtual.settings["MeterValueSampleInterval"] = "0"
        await pen.start()
        await pen.read(10)
        assert (len(told(sparing)), len(told(all_))) == (1, 2)

    @pytest.mark.parametrize(
        ("context", "trigger"),
        [("Sample.Periodic", "meter_value_periodic"), ("Sample.Clock", "meter_value_clock"), ("Trigger", "trigger")],
    )
    async def test_of_16_are_told_for_the_reason_that_their_context_gives(
        self, pen: Pen, street: Street, context: str, trigger: str
    ) -> None:
        all_ = street.serve(V201)
        await pen.start()
        await pen.read(10, context=context)
        assert told(all_)[1].trigger == trigger


class TestSecurityEvents:
    EVENT = {"type": "TamperDetectionActivated", "timestamp": "2026-03-14T12:00:00Z"}  # noqa: RUF012 (a constant)

    @pytest.mark.parametrize(
        ("mirror", "authority", "hears"),
        [
            (Mirroring.ALL, frozenset(), True),
            (Mirroring.OWN, frozenset(), False),
            (Mirroring.NONE, frozenset({ControlClass.MANAGEMENT}), True),
        ],
    )
    async def test_are_for_who_hears_all_or_manages(
        self, street: Street, mirror: Mirroring, authority: frozenset[ControlClass], hears: bool
    ) -> None:
        service = street.serve(V201, "own", mirror, authority=authority)
        await street.hear("SecurityEventNotification", self.EVENT)
        assert [type(one.told) for one in service.waiting] == ([SecurityReported] if hears else [])


async def test_nothing_of_account_costs_nothing_on_disk(street: Street, pen: Pen) -> None:
    all_ = street.serve(V201)
    await street.hear("Heartbeat", {})
    await pen.state("Available")
    assert mirroring.follow(all_.out, HeartbeatReported(), []) == []
    assert outbox_of(street.hub).given == []
