"""Whatever is asked of a charger, by whom and in whatever order, it never gives more than is allowed (invariant I5).

`make limits` plays 2,000 evenings.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from dataclasses import replace
from datetime import time, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ocpp_mqtt_proxy.arbitration import owner, wishes
from ocpp_mqtt_proxy.core.commands import GetConfiguration
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Period, Schedule, amps_of
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import Amps, Place, Target, Version
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import LimitCleared, LimitReported
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.sharing import Presence, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.ocppj import schedules
from ocpp_mqtt_proxy.requests import Start
from tests.limits_inspector import Inspector, current
from tests.limits_oracle import VOLTS, Oracle
from tests.limits_scene import GIVEN_UP, Scene
from tests.obedient import ALL, Make, Object

EVENINGS = int(os.environ.get("LIMIT_EVENINGS", "40"))
NAMES = ("grid", "fleet", "night")
AMPS = st.sampled_from([0, 3, 6, 8, 10.3, 13, 16, 20, 32])
PROVIDERS = st.sampled_from(NAMES)
REFUSED = st.sampled_from(["all", "lowerings", "some_lowerings", "raises"])
SINGLE = [ALL, ALL, ALL, frozenset({"TxDefaultProfile"}), frozenset({"ChargingStationMaxProfile"})]
RULES = Rules(
    rate_limit=timedelta(0),
    providers={
        "grid": Terms("grid", presence=PresenceRule.ANY),
        "fleet": Terms("fleet", presence=PresenceRule.AWAY, max_current=Amps(13)),
        "night": Terms("night", presence=PresenceRule.ANY, schedule=(Window(time(12, 5), time(12, 30)),)),
    },
)


@st.composite
def makes(draw: st.DrawFn) -> Make:
    """Any charger there may be."""
    connectors = draw(st.sampled_from([1, 1, 2]))
    seldom = st.sampled_from([False, False, False, True])
    return Make(
        version=draw(st.sampled_from(Version)),
        connectors=connectors,
        purposes=draw(st.sampled_from(SINGLE)) if connectors == 1 else ALL,
        most_periods=draw(st.sampled_from([1, 2, 3, 24])),
        tells_periods=draw(st.booleans()),
        most_level=draw(st.sampled_from([10, 10, 1, 0])),
        takes_duration=not draw(seldom),
        second_default=not draw(seldom),
        relative_only=draw(seldom),
        units=draw(st.sampled_from([frozenset("AW"), frozenset("A"), frozenset("W")])),
        phases=draw(st.sampled_from([3, 3, 1])),
        clock=draw(st.sampled_from([0.0, 0.0, 2.5, -3.0, 100.0, 600.0, -90.0])),
        hardware=draw(st.sampled_from([32, 32, 63])),
    )


@st.composite
def periods(draw: st.DrawFn, phases: int) -> Object:
    """A schedule without a start."""
    unit = draw(st.sampled_from("AAW"))
    starts = [0, *draw(st.lists(st.integers(1, 15), max_size=4, unique=True).map(sorted))]
    per = VOLTS * phases if unit == "W" else 1
    told = [{"startPeriod": start * 60, "limit": round(draw(AMPS) * per, 1)} for start in starts]
    duration = {"duration": draw(st.integers(1, 40)) * 60} if draw(st.booleans()) else {}
    return {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": told} | duration


class AnyLimits(RuleBasedStateMachine):
    """A charger, its owner, three providers, and time."""

    @initialize(make=makes(), safe=st.sampled_from([6, 6, 0, 8]), limits=st.booleans(), car=st.booleans())
    def an_evening(self, make: Make, safe: int, limits: bool, car: bool) -> None:
        plan = Plan(
            phases=make.phases,
            enforced=limits or make.hardware > 32,
            safe_current=Amps(safe),
            max_currents={2: Amps(16)} if limits else {},
        )
        self.scene = Scene(make, plan, RULES)
        self.oracle = Oracle(self.scene)
        self.eye = Inspector(self.scene, self.oracle)
        self.scene.watched = self.eye.goes_out
        self.number = 0
        self.comes()
        self.scene.does(self.scene.ready(booted=True), 4)
        for name in NAMES:
            self.scene.arbitration.arrived(name)
        if car:
            self.play(self.scene.begins(1))

    def comes(self) -> None:
        """The charger connects; it will say which units it takes."""
        self.told_units = self.scene.make.units
        self.scene.comes()

    def teardown(self) -> None:
        if hasattr(self, "scene"):
            self.scene.switch_off(crash=True)
            self.scene.loop.finish()
            self.scene.ledger.books.close()

    # The owner

    @rule(amps=AMPS)
    def the_owner_moves_the_slider(self, amps: float) -> None:
        self.play(self.scene.slides(amps))

    @precondition(lambda self: self.scene.charger.transactions)
    @rule(data=st.data(), pause=st.booleans())
    def the_owner_pauses_or_goes_on(self, data: st.DataObject, pause: bool) -> None:
        connector = self.a_running(data)
        self.play(self.scene.pauses(connector) if pause else self.scene.resumes(connector))

    @rule(mode=st.sampled_from(["auto", "auto", "owner", *NAMES]))
    def the_owner_puts_somebody_in_charge(self, mode: str) -> None:
        self.play(owner.set_mode(self.scene.arbitration, "CP1", mode, "test"))

    @rule(presence=st.sampled_from(Presence))
    def somebody_comes_or_goes(self, presence: Presence) -> None:
        self.scene.presence = presence
        owner.set_presence(self.scene.arbitration, presence)
        self.passes(1)

    # Providers

    @rule(
        provider=PROVIDERS,
        amps=AMPS,
        watts=st.booleans(),
        at=st.sampled_from([0, 0, 1, 2]),
        lasts=st.sampled_from([None, None, 20, 300, 900]),
    )
    def a_provider_limits(self, provider: str, amps: float, watts: bool, at: int, lasts: int | None) -> None:
        phases = self.scene.plan.phases
        limit = amps_of(amps * VOLTS * phases, phases) if watts else Amps(amps)
        connector = at if at in self.scene.station.connectors else None
        duration = timedelta(seconds=lasts) if lasts else None
        self.play(wishes.set_limit(self.scene.arbitration, provider, "CP1", limit, connector, duration))

    @rule(provider=PROVIDERS, amps=AMPS)
    def a_provider_thinks_again(self, provider: str, amps: float) -> None:
        self.a_provider_limits(provider, amps, False, 0, None)
        self.passes(2)
        self.a_provider_withdraws(provider, False)
        self.passes(14)

    @precondition(lambda self: self.scene.charger.transactions and self.scene.wire is not None)
    @rule(provider=PROVIDERS, amps=AMPS, what=REFUSED)
    def a_provider_limits_what_is_refused(self, provider: str, amps: float, what: str) -> None:
        self.the_charger_refuses(what)
        self.a_provider_limits(provider, amps, False, 0, None)
        self.passes(12)
        self.the_charger_agrees_again()
        self.a_provider_withdraws(provider, False)

    @precondition(lambda self: self.scene.charger.transactions and self.scene.wire is not None and not self.scene.late)
    @rule(amps=AMPS)
    def less_is_allowed_while_more_waits_for_its_turn(self, amps: float) -> None:
        self.a_provider_limits("grid", 6, False, 0, None)
        self.passes(12)
        if self.scene.wire is None:
            return
        self.scene.late = "undone"
        self.scene.start(self.scene.wire.send(GetConfiguration(("HeartbeatInterval",))))
        self.a_provider_withdraws("grid", False)
        self.says_the_house(amps)
        self.the_charger_answers_at_last()

    @precondition(lambda self: self.scene.charger.transactions and self.scene.wire is not None and not self.scene.late)
    @rule(amps=AMPS)
    def more_is_taken_and_not_answered(self, amps: float) -> None:
        self.a_provider_limits("grid", 6, False, 0, None)
        self.passes(12)
        self.scene.late = "done"
        self.a_provider_withdraws("grid", False)
        self.passes(GIVEN_UP + 1)
        self.scene.answers_again()
        self.a_provider_limits("grid", amps, False, 0, None)

    @rule(provider=PROVIDERS, plan=st.booleans())
    def a_provider_withdraws(self, provider: str, plan: bool) -> None:
        withdraw = wishes.clear_profile if plan else wishes.clear_limit
        self.play(withdraw(self.scene.arbitration, provider, "CP1"))

    @rule(provider=PROVIDERS, data=st.data())
    def a_provider_sets_a_profile(self, provider: str, data: st.DataObject) -> None:
        profile = self.a_profile(data)
        self.play(wishes.set_profile(self.scene.arbitration, provider, "CP1", profile))

    @rule(provider=PROVIDERS, data=st.data())
    def a_service_adds_a_profile(self, provider: str, data: st.DataObject) -> None:
        added = self.a_profile(data)
        plans = self.scene.station.control.plans

        def among() -> Profiles:
            return (*(plans[provider].profiles if provider in plans else ()), added)

        self.play(wishes.add_profile(self.scene.arbitration, provider, "CP1", added, among))

    @rule(provider=PROVIDERS, count=st.integers(0, 1))
    def a_service_takes_profiles_away(self, provider: str, count: int) -> None:
        plan = self.scene.station.control.plans.get(provider)
        left = plan.profiles[-count:] if plan is not None and count else ()
        self.play(wishes.keep_profiles(self.scene.arbitration, provider, "CP1", left))

    @rule(provider=PROVIDERS, seconds=st.sampled_from([5, 70]))
    def a_provider_is_lost_for_a_while(self, provider: str, seconds: int) -> None:
        self.scene.arbitration.left(provider)
        self.passes(seconds)
        self.scene.arbitration.arrived(provider)
        self.passes(1)

    def a_profile(self, data: st.DataObject) -> ChargingProfile:
        """A profile of somebody's, known to the oracle in its own words."""
        self.number += 1
        scene, running = self.scene, self.scene.charger.transactions
        purposes = ["TxDefaultProfile", "TxDefaultProfile", "ChargingStationMaxProfile", *["TxProfile"] * bool(running)]
        purpose = data.draw(st.sampled_from(purposes))
        kinds = ["Absolute", "Absolute", "Recurring", *["Relative"] * (purpose != "ChargingStationMaxProfile")]
        kind = data.draw(st.sampled_from(kinds))
        evse = 0 if purpose == "ChargingStationMaxProfile" else data.draw(st.integers(0, scene.make.connectors))
        schedule = data.draw(periods(scene.plan.phases))
        if kind != "Relative":
            minutes = scene.now.replace(second=0, microsecond=0) + timedelta(minutes=data.draw(st.integers(-10, 5)))
            schedule["startSchedule"] = minutes.isoformat()
        told = {
            "id": self.number,
            "stackLevel": data.draw(st.integers(0, 2)),
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": kind,
            "chargingSchedule": [schedule],
            "receivedAt": scene.now.isoformat(),
            **({"recurrencyKind": "Daily"} if kind == "Recurring" else {}),
        }
        session = None
        if purpose == "TxProfile":
            evse = self.a_running(data)
            session = scene.station.connectors[evse].session
            told |= {"transactionId": session.session_id if session else "gone"}
        told["evseId"] = evse
        read = schedules.setting(told, Target(evse, Place(evse)), Version.V21).profile
        profile = replace(read, session=session.session_id if session else None, installed=scene.now)
        self.oracle.words[profile] = told
        return profile

    # The charger

    @rule(data=st.data(), amps=st.sampled_from([None, 6, 16, 32]), who=st.sampled_from(["card", "owner", *NAMES]))
    def a_car_comes(self, data: st.DataObject, amps: float | None, who: str) -> None:
        connector = data.draw(st.integers(1, self.scene.make.connectors))
        if self.scene.wire is None:
            return
        if who == "card":
            self.play(self.scene.begins(connector))
            return
        request = Start(connector=connector, limit_amps=amps)
        arbitration = self.scene.arbitration
        if who == "owner":
            self.play(arbitration.dispatcher.submit("CP1", request))
        else:
            self.play(wishes.start(arbitration, who, "CP1", request))

    @precondition(lambda self: self.scene.charger.transactions and self.scene.wire is not None)
    @rule(data=st.data())
    def a_car_goes(self, data: st.DataObject) -> None:
        self.play(self.scene.ends(self.a_running(data)))

    @rule(data=st.data(), amps=AMPS, minutes=st.none() | st.integers(1, 20), source=st.sampled_from(["EMS", "SO"]))
    def the_house_limits_the_charger(self, data: st.DataObject, amps: float, minutes: int | None, source: str) -> None:
        self.says_the_house(amps, data.draw(st.integers(0, self.scene.make.connectors)), minutes, source)

    def says_the_house(self, amps: float, evse: int = 0, minutes: int | None = None, source: str = "EMS") -> None:
        start = self.scene.now.replace(microsecond=0) if minutes else None
        lasts = minutes * 60.0 if minutes else None
        period = {"startPeriod": 0, "limit": amps}
        schedule: Object = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
        schedule |= {"startSchedule": start.isoformat(), "duration": lasts} if start else {}
        imposed = {
            "id": 0,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargingStationExternalConstraints",
            "chargingProfileKind": "Absolute" if start else "Relative",
            "chargingSchedule": [schedule],
            "receivedAt": self.scene.now.isoformat(),
            "evseId": evse,
        }
        report = LimitReported(Place(evse), source, Schedule((Period(0, amps),), False, start, lasts))

        async def say() -> None:
            """It counts from when it is heard: what was on its way then could not know of it."""
            self.oracle.imposed[source, evse] = imposed
            await self.scene.says(report)

        self.play(say())

    @rule(source=st.sampled_from(["EMS", "SO"]))
    def the_house_limits_it_no_longer(self, source: str) -> None:
        self.play(self.scene.says(LimitCleared(Place(0), source)))

    @rule(loses=st.sampled_from(["nothing", "transactions", "all"]), seconds=st.sampled_from([1, 40]))
    def the_charger_boots(self, loses: str, seconds: int) -> None:
        self.scene.drop()
        gone = {"nothing": [], "transactions": ["TxProfile"], "all": list(ALL)}[loses]
        charger = self.scene.charger
        charger.profiles = [one for one in charger.profiles if one["chargingProfilePurpose"] not in gone]
        self.eye.misled = self.eye.stubborn
        self.passes(seconds)
        self.comes()
        self.play(self.scene.ready(booted=True), 4)

    @rule(seconds=st.sampled_from([1, 70]))
    def the_charger_connects_anew(self, seconds: int) -> None:
        self.scene.drop()
        self.passes(seconds)
        self.comes()
        self.play(self.scene.ready(booted=False), 4)

    @rule(crash=st.booleans(), seconds=st.sampled_from([1, 90]))
    def the_program_is_started_anew(self, crash: bool, seconds: int) -> None:
        self.scene.switch_off(crash=crash)
        self.scene.goes_on(seconds)
        self.scene.switch_on()
        for name in NAMES:
            self.scene.arbitration.arrived(name)
        self.comes()
        self.play(self.scene.ready(booted=False), 4)

    @rule(units=st.sampled_from([frozenset("A"), frozenset("W"), frozenset("AW")]))
    def the_charger_takes_other_units_from_now_on(self, units: frozenset[str]) -> None:
        self.scene.make = self.scene.charger.make = replace(self.scene.make, units=units)
        if units & self.told_units:
            self.scene.troubles(15)
            self.passes(1)
        else:
            self.the_charger_connects_anew(1)

    @rule(what=REFUSED)
    def the_charger_refuses(self, what: str) -> None:
        self.eye.stubborn = self.eye.misled = True
        refuses = {
            "all": lambda _: True,
            "lowerings": lambda profile: self.first(profile) < self.flows(),
            "some_lowerings": lambda profile: 0 < self.first(profile) < self.flows(),
            "raises": lambda profile: self.first(profile) > self.flows(),
        }
        self.scene.charger.stubborn = refuses[what]
        self.passes(1)

    @precondition(lambda self: self.eye.stubborn)
    @rule()
    def the_charger_agrees_again(self) -> None:
        self.eye.stubborn = False
        self.scene.charger.stubborn = lambda _: False
        self.scene.troubles(12)
        self.passes(1)

    @precondition(lambda self: not self.scene.late)
    @rule(how=st.sampled_from(["done", "undone"]), data=st.data())
    def the_charger_is_late(self, how: str, data: st.DataObject) -> None:
        self.scene.late = how
        self.passes(1)

    @precondition(lambda self: self.scene.late)
    @rule()
    def the_charger_answers_at_last(self) -> None:
        self.scene.answers_again()
        self.scene.troubles(12)
        self.passes(1)

    @rule(seconds=st.sampled_from([1, 3, 8, 11, 13, 30, 70, 300, 950, 1900]))
    def time_goes_by(self, seconds: int) -> None:
        self.passes(seconds)

    # What is seen

    def a_running(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.scene.charger.transactions)))

    def first(self, profile: Object) -> Fraction:
        return current(self.eye.limits(profile), self.scene.now)

    def flows(self) -> Fraction:
        return max(self.scene.charger.allows(one, self.scene.now) for one in range(1, self.scene.make.connectors + 1))

    def play(self, work: Coroutine[Any, Any, Any], seconds: float = 1.0) -> None:
        self.scene.does(work, 0)
        self.passes(seconds)

    def passes(self, seconds: float) -> None:
        """Time passes, and what flows is looked at: closely at first."""
        left = seconds
        while left > 0:
            part = min(left, 1.0 if seconds - left < 20 else 7.0)
            self.scene.goes_on(part)
            left -= part + self.eye.look()


AnyLimits.TestCase.settings = settings(
    max_examples=EVENINGS,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
TestAnyLimits = AnyLimits.TestCase
