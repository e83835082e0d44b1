"""The box that charges: its status, what it offers, what it tells, and that no energy is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import ENERGY, POWER, IdToken, Status, StopReason, WattHours
from ocpp_mqtt_proxy.core.reports import Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.settings import MEASURANDS, METER_INTERVAL
from ocpp_mqtt_proxy.simulator.box import NO_FAULT, Box, Welcome
from ocpp_mqtt_proxy.simulator.car import EFFICIENCY, LEAST_CURRENT, Car
from ocpp_mqtt_proxy.simulator.profiles import of_transaction
from tests.fakes import NOON

TAG = IdToken("04A1B2C3")


@dataclass
class Yard:
    """A box and what people do at it, on a clock of the test's."""

    box: Box = field(default_factory=Box)
    now: datetime = NOON

    def plug(self, soc: float = 35, capacity: float = 60) -> None:
        self.box.plug(Car(capacity, soc), self.now)

    def tap(self) -> None:
        self.box.authorize(Welcome(TAG, self.now), self.now)

    def wait(self, seconds: float, steps: int = 1) -> None:
        for _ in range(steps):
            self.now += timedelta(seconds=seconds / steps)
            self.box.tick(self.now, seconds / steps)

    def charging(self, soc: float = 35) -> Yard:
        self.plug(soc)
        self.tap()
        return self

    @property
    def statuses(self) -> list[str]:
        return [report.status for report in self.box.reports if isinstance(report, StatusReported)]

    @property
    def events(self) -> list[TransactionReported]:
        return [report for report in self.box.reports if isinstance(report, TransactionReported)]


@pytest.fixture
def yard() -> Yard:
    return Yard()


# A session


def test_a_session_goes_through_its_states(yard: Yard) -> None:
    yard.plug(soc=99)
    yard.tap()
    yard.wait(3600, steps=360)
    yard.box.stop(StopReason.LOCAL, yard.now)
    yard.box.unplug(yard.now)
    assert yard.statuses == ["preparing", "charging", "suspended_ev", "finishing", "available"]


def test_a_session_is_told_in_order_without_a_gap(yard: Yard) -> None:
    yard.charging()
    yard.wait(600, steps=60)
    yard.box.stop(StopReason.LOCAL, yard.now)
    assert [event.phase for event in yard.events][0 :: len(yard.events) - 1] == [Phase.STARTED, Phase.ENDED]
    assert [event.seq_no for event in yard.events] == list(range(len(yard.events)))
    assert len({event.transaction_id for event in yard.events}) == 1


def test_start_and_stop_carry_the_register(yard: Yard) -> None:
    yard.charging()
    yard.wait(3600, steps=60)
    yard.box.stop(StopReason.LOCAL, yard.now)
    first, last = yard.events[0], yard.events[-1]
    assert first.meter_start == WattHours(1_234_000)
    assert last.meter_stop == WattHours(round(yard.box.register))
    assert last.stop_reason is StopReason.LOCAL


def test_a_card_shown_first_waits_for_the_car(yard: Yard) -> None:
    yard.tap()
    assert yard.box.transaction is None
    yard.plug()
    assert yard.box.transaction is not None


def test_a_card_shown_first_does_not_wait_for_ever(yard: Yard) -> None:
    yard.tap()
    yard.wait(61)
    yard.plug()
    assert yard.box.transaction is None


def test_a_card_shown_while_charging_changes_nothing(yard: Yard) -> None:
    yard.charging()
    before = yard.box.transaction
    yard.tap()
    yard.box.stop(StopReason.LOCAL, yard.now)
    assert before is not None
    assert yard.box.transaction is None
    assert yard.box.welcome is None


def test_pulling_the_cable_ends_the_session(yard: Yard) -> None:
    yard.charging()
    yard.box.unplug(yard.now)
    assert yard.events[-1].stop_reason is StopReason.EV_DISCONNECTED
    assert yard.box.status is Status.AVAILABLE


def test_a_fault_ends_the_session_and_holds_until_it_is_mended(yard: Yard) -> None:
    yard.charging()
    yard.box.break_down("GroundFailure", yard.now)
    assert yard.events[-1].stop_reason is StopReason.OTHER
    assert (yard.box.status, yard.box.power) == (Status.FAULTED, 0)
    yard.tap()
    assert yard.box.transaction is None
    yard.box.mend(yard.now)
    assert yard.box.status is Status.PREPARING


def test_a_fault_tells_its_code_and_its_end_that_there_is_none(yard: Yard) -> None:
    yard.box.break_down("OverVoltage", yard.now)
    yard.box.mend(yard.now)
    codes = [report.error_code for report in yard.box.reports if isinstance(report, StatusReported)]
    assert codes == ["OverVoltage", NO_FAULT]


# Limits


def profile(purpose: Purpose, *steps: tuple[float, float], **more: Any) -> ChargingProfile:
    """One that began at noon: seconds and A of each step."""
    periods = tuple(Period(at, amps) for at, amps in steps)
    schedule = Schedule(periods, start=NOON, duration=more.pop("duration", None))
    connector = 0 if purpose is Purpose.STATION_MAX else 1
    return ChargingProfile(schedule, purpose, id=list(Purpose).index(purpose), connector=connector, **more)


@pytest.mark.parametrize(
    ("limits", "offered"),
    [
        ({}, 32),
        ({Purpose.DEFAULT: 10}, 10),
        ({Purpose.DEFAULT: 5.9}, 0),
        ({Purpose.DEFAULT: 0}, 0),
        ({Purpose.DEFAULT: 48}, 32),
        ({Purpose.DEFAULT: 10, Purpose.TRANSACTION: 20}, 20),  # a transaction's own overrules
        ({Purpose.DEFAULT: 20, Purpose.TRANSACTION: 10}, 10),
        ({Purpose.TRANSACTION: 0}, 0),
        ({Purpose.STATION_MAX: 13, Purpose.TRANSACTION: 20}, 13),
    ],
)
def test_the_car_is_offered_what_the_limits_leave(yard: Yard, limits: dict[Purpose, float], offered: float) -> None:
    yard.charging()
    assert yard.box.transaction is not None
    for purpose, amps in limits.items():
        yard.box.profiles.put(of_transaction(profile(purpose, (0, amps)), yard.box.transaction.id), yard.now)
    assert yard.box.offered == offered


def test_what_is_offered_follows_the_steps_and_the_end_of_a_profile(yard: Yard) -> None:
    yard.charging()
    yard.box.profiles.put(profile(Purpose.DEFAULT, (0, 20), (60, 8), (120, 0), duration=180, level=1), yard.now)
    yard.box.profiles.put(profile(Purpose.STATION_MAX, (0, 16)), yard.now)
    offered = []
    for _ in range(4):
        offered.append(yard.box.offered)
        yard.wait(60)
    assert offered == [16, 8, 0, 16]
    assert yard.statuses == ["preparing", "charging", "suspended_evse", "charging"]


def test_without_a_transaction_nothing_is_offered(yard: Yard) -> None:
    yard.plug()
    assert yard.box.offered == 0


def test_a_transaction_s_limit_goes_with_it(yard: Yard) -> None:
    yard.plug()
    yard.box.authorize(Welcome(TAG, yard.now, 7, profile(Purpose.TRANSACTION, (0, 8))), yard.now)
    assert yard.box.offered == 8
    yard.box.stop(StopReason.REMOTE, yard.now)
    yard.tap()
    assert yard.box.offered == 32


# Readings


def test_readings_come_as_often_as_the_setting_says(yard: Yard) -> None:
    yard.box.settings[METER_INTERVAL] = "30"
    yard.charging()
    yard.wait(300, steps=300)
    readings = [event for event in yard.events if event.trigger == "meter_value_periodic"]
    assert len(readings) == 10


def test_no_readings_come_where_the_setting_is_nought(yard: Yard) -> None:
    yard.box.settings[METER_INTERVAL] = "0"
    yard.charging()
    yard.wait(300, steps=300)
    assert not [event for event in yard.events if event.trigger == "meter_value_periodic"]


def test_readings_hold_what_the_setting_says(yard: Yard) -> None:
    yard.charging()
    yard.box.settings[MEASURANDS] = f"{ENERGY},{POWER}"
    assert [r.measurand for r in yard.box.sample(yard.now).readings] == [ENERGY, POWER]
    yard.box.settings[MEASURANDS] = "Frequency"
    assert [r.measurand for r in yard.box.sample(yard.now).readings] == [ENERGY]


def test_a_reading_tells_what_flows(yard: Yard) -> None:
    yard.box.settings[MEASURANDS] += ",Temperature"
    yard.charging(soc=50)
    readings = {(r.measurand, r.phase): r.value for r in yard.box.sample(yard.now).readings}
    assert readings["Power.Active.Import", None] == 11040
    assert readings["Current.Import", "L2"] == 16
    assert readings["Voltage", "L3-N"] == 230
    assert readings["Current.Offered", None] == 32
    assert readings["SoC", None] == 50


def test_one_phase_carries_what_a_one_phase_car_takes(yard: Yard) -> None:
    yard.box.plug(Car(phases=1), yard.now)
    yard.tap()
    readings = {(r.measurand, r.phase): r.value for r in yard.box.sample(yard.now).readings}
    assert [readings["Current.Import", line] for line in ("L1", "L2", "L3")] == [16, 0, 0]
    assert readings["Power.Active.Import", None] == 16 * 230


def test_an_empty_place_reads_its_register_and_no_flow(yard: Yard) -> None:
    readings = {r.measurand: r.value for r in yard.box.sample(yard.now, "Trigger").readings}
    assert (readings[ENERGY], readings[POWER]) == (1_234_000, 0)
    assert "SoC" not in readings


# Whatever happens


class Charger(RuleBasedStateMachine):
    """Anything that people, a CSMS and time may do, in any order."""

    @initialize()
    def build(self) -> None:
        self.yard = Yard(Box(register=0.0))
        self.charged = 0.0
        self.told = 0

    @property
    def box(self) -> Box:
        return self.yard.box

    @precondition(lambda self: self.box.car is None)
    @rule(soc=st.floats(0, 100), capacity=st.floats(10, 100))
    def plug(self, soc: float, capacity: float) -> None:
        self.yard.plug(soc, capacity)

    @rule()
    def unplug(self) -> None:
        self.box.unplug(self.yard.now)

    @rule()
    def tap(self) -> None:
        self.yard.tap()

    @precondition(lambda self: self.box.transaction is not None)
    @rule(reason=st.sampled_from(list(StopReason)))
    def stop(self, reason: StopReason) -> None:
        self.box.stop(reason, self.yard.now)

    @rule(amps=st.lists(st.floats(0, 80), min_size=1, max_size=3), seconds=st.none() | st.integers(1, 7200))
    def limit(self, amps: list[float], seconds: int | None) -> None:
        steps = [(1800.0 * number, value) for number, value in enumerate(amps)]
        begun = replace(profile(Purpose.DEFAULT, *steps, duration=seconds), installed=self.yard.now)
        self.box.profiles.put(replace(begun, schedule=replace(begun.schedule, start=self.yard.now)), self.yard.now)
        self.box.settle(self.yard.now)

    @rule()
    def free(self) -> None:
        self.box.profiles.clear(Criteria())
        self.box.settle(self.yard.now)

    @rule(operative=st.booleans())
    def availability(self, operative: bool) -> None:
        self.box.operative = operative
        self.box.settle(self.yard.now)

    @rule()
    def break_down(self) -> None:
        self.box.break_down("GroundFailure", self.yard.now)

    @rule()
    def mend(self) -> None:
        self.box.mend(self.yard.now)

    @rule(seconds=st.floats(0, 7200))
    def wait(self, seconds: float) -> None:
        register, car = self.box.register, self.box.car
        before = car.soc if car else 0.0
        offered = self.box.offered
        self.yard.wait(seconds)
        drawn = self.box.register - register
        gained = (car.soc - before) / 100 * car.capacity * 1000 if car else 0.0
        assert gained == pytest.approx(drawn * EFFICIENCY, abs=0.05)
        assert 0 <= drawn <= offered * 3 * 230 * seconds / 3600 + 1e-6

    @invariant()
    def the_status_is_true(self) -> None:
        box = self.box
        flowing = box.power > 0
        assert (box.status is Status.FAULTED) == (box.fault != NO_FAULT)
        assert (box.status is Status.CHARGING) == flowing
        assert (box.status is Status.AVAILABLE) <= (box.car is None and box.operative)
        assert (box.status is Status.SUSPENDED_EVSE) <= (box.offered < LEAST_CURRENT)
        assert (box.status is Status.SUSPENDED_EV) <= bool(box.car and box.car.full)

    @invariant()
    def the_last_status_told_is_the_status(self) -> None:
        assert ([Status.AVAILABLE.value, *self.yard.statuses])[-1] == self.box.status

    @invariant()
    def a_transaction_needs_a_car_and_no_fault(self) -> None:
        if self.box.transaction is not None:
            assert self.box.car is not None
            assert self.box.fault == NO_FAULT

    @invariant()
    def every_transaction_is_told_once_and_whole(self) -> None:
        told: dict[str | None, list[TransactionReported]] = {}
        for event in self.yard.events:
            told.setdefault(event.transaction_id, []).append(event)
        for events in told.values():
            assert events[0].phase is Phase.STARTED
            assert [event.seq_no for event in events] == list(range(len(events)))
            running = self.box.transaction is not None and self.box.transaction.id == events[0].transaction_id
            assert (events[-1].phase is Phase.ENDED) != running
            assert [event.phase for event in events[1:-1]] == [Phase.UPDATED] * max(0, len(events) - 2)


Charger.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCharger = Charger.TestCase


@given(st.lists(st.floats(1, 600), max_size=30))
def test_it_does_not_matter_much_how_time_is_cut(steps: list[float]) -> None:
    """Below the taper not at all."""
    fine, coarse = Yard().charging(soc=10), Yard().charging(soc=10)
    for seconds in steps:
        fine.wait(seconds, steps=7)
        coarse.wait(seconds)
    assert fine.box.register == pytest.approx(coarse.box.register)
