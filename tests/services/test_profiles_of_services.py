"""Charging profiles that services set: each its own set, and the charger gets the smallest as one profile of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.arbitration.watch import review
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, StopCharging, done, refused
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import MAX_PROFILES
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Place, Status, Version
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.reports import Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.requests import Start
from ocpp_mqtt_proxy.services.obeying import obey, profiles
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.fakes import NOON, FakeClock, FakeLink, an_arbitration, providers
from tests.services.fakes import a_served_hub, an_outstation, charger_of
from tests.services.talking import rest

V16, V201, V21 = Version
THEIRS = {V16: 777, V201: "T-777", V21: "T-777"}
"""The transaction that runs, as the service calls it."""


def a_service(version: Version, charger: Version = V16) -> Outstation:
    hub = a_served_hub()
    rules = Rules(providers=providers("billing", "rival"), rate_limit=timedelta(0))
    return an_outstation(version, charger, arbitration=an_arbitration(hub, rules))


async def charging(out: Outstation) -> str:
    """A session begins, and the service hears of it; what it is called."""
    begun = TransactionReported(Phase.STARTED, None, out.hub.clock.now(), Place(1, 1), IdToken("A"))
    heard = out.hub.hear(out.charger_id, begun)
    assert isinstance(heard, Delayed)
    await heard.answer
    (session,) = out.station.sessions()
    theirs = str(THEIRS[out.version])
    out.peer.transactions[session.session_id] = PeerTransaction(session.session_id, session.transaction_id, theirs, 1)
    return session.session_id


def profile(version: Version, limit: float = 10, number: int = 5, **given: Any) -> dict[str, Any]:
    """A ChargingProfile of one period from now on, or of the `periods` given; in the words of 2.x."""
    periods = given.pop("periods", [{"startPeriod": 0, "limit": limit}])
    plan: dict[str, Any] = {"chargingRateUnit": given.pop("unit", "A"), "chargingSchedulePeriod": periods}
    if given.get("chargingProfileKind") != "Relative":
        plan["startSchedule"] = zulu(NOON)
    told = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute", **given}
    if version is not V16:
        return {"id": number, "chargingSchedule": [{"id": 1, **plan}], **told}
    if told["chargingProfilePurpose"] == "ChargingStationMaxProfile":
        told["chargingProfilePurpose"] = "ChargePointMaxProfile"
    return {"chargingProfileId": number, "chargingSchedule": plan, **told}


async def set_profile(out: Outstation, connector: int = 0, **given: Any) -> dict[str, Any]:
    told = profile(out.version, **given)
    if out.version is V16:
        return await obey(out, "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": told})
    return await obey(out, "SetChargingProfile", {"evseId": connector, "chargingProfile": told})


async def schedule(out: Outstation, connector: int = 1, seconds: int = 3600, unit: str | None = None) -> Any:
    """The periods of the composite schedule; None where it is refused."""
    place = "connectorId" if out.version is V16 else "evseId"
    asked: dict[str, Any] = {place: connector, "duration": seconds}
    answer = await obey(out, "GetCompositeSchedule", asked | ({"chargingRateUnit": unit} if unit else {}))
    plan: Any = answer.get("chargingSchedule" if out.version is V16 else "schedule")
    if plan is None:
        assert answer["status"] == "Rejected"
        return None
    return [(period["startPeriod"], period["limit"]) for period in plan["chargingSchedulePeriod"]]


def puts(out: Outstation) -> list[SetLimit]:
    """The profiles of ours that the charger was given."""
    return [order for order in charger_of(out).asked if isinstance(order, SetLimit)]


def limits(out: Outstation) -> list[float]:
    """What they allow at once; not those of what it falls back to."""
    return [order.limit for order in puts(out) if not order.base]


async def passes(out: Outstation, seconds: float) -> None:
    """So much later, and looked at again."""
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(seconds=seconds)
    await review(out.arbitration, out.station)


def ids(out: Outstation) -> list[int]:
    return [one.id for one in profiles.own(out)]


each_version = pytest.mark.parametrize("version", DIALECTS)
in_2x = pytest.mark.parametrize("version", [V201, V21])


@each_version
async def test_a_profile_joins_the_limits_and_the_charger_gets_ours(version: Version) -> None:
    out = a_service(version)
    assert (await set_profile(out, limit=10))["status"] == "Accepted"
    assert set(limits(out)) == {10}
    assert await schedule(out) == [(0, 10)]


@each_version
async def test_of_two_services_the_smaller_profile_binds_whoever_has_the_higher_level(version: Version) -> None:
    out = a_service(version)
    rival = an_outstation(version, arbitration=out.arbitration, id="rival")
    await set_profile(out, limit=10)
    await set_profile(rival, limit=14, stackLevel=8)
    assert out.station.bound == Amps(10)
    assert shapes.control(out.station.control, None)["limits"] == {"billing": 10, "rival": 14}
    assert await schedule(rival) == [(0, 10)]
    assert await clear(rival, {}) == "Accepted"
    assert (ids(out), ids(rival)) == ([5], [])
    assert shapes.control(out.station.control, None)["limits"] == {"billing": 10}
    assert out.station.bound == Amps(10)


async def clear(out: Outstation, given: dict[str, Any]) -> object:
    return (await obey(out, "ClearChargingProfile", given))["status"]


@each_version
async def test_steps_are_followed_in_time(version: Version) -> None:
    out = a_service(version)
    await set_profile(out, periods=[{"startPeriod": 0, "limit": 16}, {"startPeriod": 600, "limit": 8}])
    assert set(limits(out)) == {16}
    await passes(out, 600)
    assert limits(out)[-1] == 8


@each_version
async def test_a_charger_whose_clock_is_right_has_the_steps_to_come(version: Version) -> None:
    out = a_service(version)
    out.station.behind = timedelta(0)
    await set_profile(out, periods=[{"startPeriod": 0, "limit": 16}, {"startPeriod": 600, "limit": 8}])
    assert (puts(out)[-1].limit, puts(out)[-1].later) == (Amps(16), ((600.0, Amps(8)),))
    await passes(out, 600)
    assert set(limits(out)) == {16}, "it goes down by itself"


@each_version
@pytest.mark.parametrize("charges", [True, False])
async def test_a_charger_that_takes_one_period_has_it_until_less_is_allowed(version: Version, charges: bool) -> None:
    out = a_service(version)
    if charges:
        await charging(out)
    out.station.max_periods = 1
    await set_profile(out, periods=[{"startPeriod": 0, "limit": 16}, {"startPeriod": 600, "limit": 8}])
    assert (puts(out)[-1].limit, puts(out)[-1].seconds, out.station.memory.safe) == (Amps(16), 600.0, Amps(6))
    before = len(puts(out))
    for _ in range(119):
        await passes(out, 5)
    assert len(puts(out)) == before, "it cannot last longer"
    await passes(out, 5)
    assert set(limits(out)[before - 1 :]) == {8}


@each_version
async def test_power_is_current_on_all_phases_and_too_little_for_a_car_is_none(version: Version) -> None:
    out = a_service(version)
    periods = [{"startPeriod": 0, "limit": 11040.0}, {"startPeriod": 60, "limit": 4000.0}]
    await set_profile(out, periods=periods, unit="W")
    assert set(limits(out)) == {16}
    assert await schedule(out) == [(0, 16), (60, 0)]
    assert await schedule(out, unit="W") == [(0, 11040), (60, 0)]


@each_version
async def test_the_schedule_told_is_of_all_that_have_a_say(version: Version) -> None:
    out = a_service(version)
    out.station.memory.limit = Amps(13)
    await set_profile(out, periods=[{"startPeriod": 0, "limit": 20}, {"startPeriod": 60, "limit": 9}])
    assert await schedule(out) == [(0, 13), (60, 9)]
    assert await schedule(out, connector=0, seconds=30) == [(0, 13)]


@each_version
async def test_a_schedule_of_an_unknown_place_is_refused(version: Version) -> None:
    assert await schedule(a_service(version), connector=9) is None
    assert await schedule(a_service(version), seconds=0) is None


@each_version
async def test_a_transaction_s_profile_stands_before_the_default_and_goes_with_its_transaction(
    version: Version,
) -> None:
    out = a_service(version)
    await charging(out)
    await set_profile(out, limit=10)
    its = {"chargingProfilePurpose": "TxProfile", "transactionId": THEIRS[version], "number": 6}
    assert (await set_profile(out, connector=1, limit=20, **its))["status"] == "Accepted"
    assert out.station.bound == Amps(20)
    (session,) = out.station.sessions()
    ended = out.hub.hear(out.charger_id, TransactionReported(Phase.ENDED, session.transaction_id, out.hub.clock.now()))
    assert isinstance(ended, Delayed)
    await ended.answer
    await review(out.arbitration, out.station)
    assert ids(out) == [5]
    assert [one.id for one in out.station.control.plans["billing"].profiles] == [5]
    assert out.station.bound == Amps(10)


@each_version
@pytest.mark.parametrize("theirs", [1234, None])
async def test_a_profile_for_a_transaction_that_it_does_not_know_is_refused(
    version: Version, theirs: int | None
) -> None:
    out = a_service(version)
    session = await charging(out)
    if theirs is None:
        del out.peer.transactions[session]
    its = {} if theirs is None else {"transactionId": theirs if version is V16 else str(theirs)}
    answer = await set_profile(out, connector=1, chargingProfilePurpose="TxProfile", **its)
    assert answer["status"] == "Rejected"
    assert version is V16 or answer["statusInfo"]["reasonCode"] == "TxNotFound"
    assert ids(out) == []


async def test_in_16_a_transaction_need_not_be_named() -> None:
    out = a_service(V16)
    await charging(out)
    assert (await set_profile(out, connector=1, chargingProfilePurpose="TxProfile"))["status"] == "Accepted"


@each_version
async def test_a_transaction_that_was_taken_away_from_a_service_takes_no_profile_of_it(version: Version) -> None:
    out = a_service(version)
    await charging(out)
    for known in out.peer.transactions.values():
        known.over = True
    its = {"chargingProfilePurpose": "TxProfile", "transactionId": THEIRS[version]}
    assert (await set_profile(out, connector=1, **its))["status"] == "Rejected"
    if version is V16:
        assert (await set_profile(out, connector=1, chargingProfilePurpose="TxProfile"))["status"] == "Rejected"
    assert ids(out) == []


WRONG: dict[str, tuple[int, dict[str, Any], str]] = {
    "an EVSE that is not there": (9, {}, "UnknownEvse"),
    "others' limits": (0, {"chargingProfilePurpose": "ChargingStationExternalConstraints"}, "InvalidProfile"),
    "the whole charger's for one EVSE": (1, {"chargingProfilePurpose": "ChargingStationMaxProfile"}, "InvalidProfile"),
    "a transaction's for the whole charger": (
        0,
        {"chargingProfilePurpose": "TxProfile", "transactionId": "T-777"},
        "InvalidProfile",
    ),
    "a level too high": (0, {"stackLevel": 101}, "InvalidStackLevel"),
    "the first period not at 0": (0, {"periods": [{"startPeriod": 1, "limit": 6}]}, "InvalidSchedule"),
    "periods in no order": (
        0,
        {"periods": [{"startPeriod": at, "limit": 6} for at in (0, 9, 9)]},
        "InvalidSchedule",
    ),
    "a phase to choose": (
        0,
        {"periods": [{"startPeriod": 0, "limit": 6, "numberPhases": 1, "phaseToUse": 2}]},
        "InvalidSchedule",
    ),
    "a negative limit": (0, {"limit": -1}, "InvalidSchedule"),
    "recurring without a recurrence": (0, {"chargingProfileKind": "Recurring"}, "InvalidProfile"),
    "the whole charger's from the start of charging": (
        0,
        {"chargingProfilePurpose": "ChargingStationMaxProfile", "chargingProfileKind": "Relative"},
        "UnsupportedKind",
    ),
}


@in_2x
@pytest.mark.parametrize(("evse", "given", "code"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_with_a_profile_is_told(
    version: Version, evse: int, given: dict[str, Any], code: str
) -> None:
    out = a_service(version)
    answer = await set_profile(out, connector=evse, **given)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", code)
    assert (ids(out), limits(out)) == ([], [])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"chargingProfilePurpose": "PriorityCharging"}, "UnsupportedPurpose"),
        ({"chargingProfilePurpose": "LocalGeneration"}, "UnsupportedPurpose"),
        ({"chargingProfileKind": "Dynamic"}, "UnsupportedKind"),
        ({"periods": [{"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -5e3}]}, "InvalidSchedule"),
    ],
)
async def test_what_we_do_not_offer_of_21_is_refused_and_never_a_limit_of_nothing(
    given: dict[str, Any], code: str
) -> None:
    out = a_service(V21)
    answer = await set_profile(out, **given)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", code)
    assert limits(out) == []


async def test_in_16_a_profile_takes_the_place_of_the_one_of_its_purpose_and_level() -> None:
    out = a_service(V16)
    for number in (5, 6):
        await set_profile(out, number=number)
    await set_profile(out, number=7, stackLevel=1)
    assert ids(out) == [6, 7]


@in_2x
async def test_in_2x_a_profile_replaces_its_own_id_and_no_other_of_its_level(version: Version) -> None:
    out = a_service(version)
    await set_profile(out, limit=10)
    await set_profile(out, limit=12)
    assert (await set_profile(out, number=6))["statusInfo"]["reasonCode"] == "DuplicateProfile"
    assert (await set_profile(out, number=6, connector=1))["statusInfo"]["reasonCode"] == "DuplicateProfile"
    later: dict[str, Any] = {"validFrom": zulu(NOON + timedelta(days=1))}
    await set_profile(out, limit=12, validTo=later["validFrom"])
    assert (await set_profile(out, number=6, **later))["status"] == "Accepted"
    assert (ids(out), out.station.bound) == ([5, 6], Amps(12))


@each_version
async def test_a_set_has_its_bounds(version: Version) -> None:
    out = a_service(version)
    for number in range(MAX_PROFILES + 1):
        answer = await set_profile(out, number=number, stackLevel=number % 100, connector=number // 100)
    assert answer["status"] == "Rejected"
    assert len(ids(out)) == MAX_PROFILES


@each_version
async def test_profiles_are_cleared_that_match(version: Version) -> None:
    out = a_service(version)
    for number in (5, 6, 7):
        await set_profile(out, number=number, stackLevel=number)
    id_, level = (
        ({"id": 5}, {"stackLevel": 7})
        if version is V16
        else (
            {"chargingProfileId": 5},
            {"chargingProfileCriteria": {"stackLevel": 7}},
        )
    )
    assert await clear(out, id_) == "Accepted"
    assert await clear(out, id_) == "Unknown"
    assert await clear(out, level) == "Accepted"
    assert ids(out) == [6]
    nowhere = {"connectorId": 9} if version is V16 else {"chargingProfileCriteria": {"evseId": 9}}
    assert await clear(out, nowhere) == "Unknown"
    assert await clear(out, {}) == "Accepted"
    assert (ids(out), out.station.bound) == ([], Amps(32))


@in_2x
async def test_profiles_are_reported_after_the_answer_as_they_were_given(version: Version) -> None:
    out = a_service(version)
    await charging(out)
    its: dict[str, Any] = {"chargingProfilePurpose": "TxProfile", "transactionId": "T-777"}
    await set_profile(out, number=5)
    await set_profile(out, number=6, connector=1, **its)
    assert await ask_for(out, {}) == "Accepted"
    told = [payload for _, payload in out.asked]
    assert [part["chargingProfile"] for part in told] == [
        [profile(version, number=5)],
        [profile(version, number=6, **its)],
    ]
    assert [(part["requestId"], part["evseId"], part["tbc"]) for part in told] == [(3, 0, True), (3, 1, False)]


async def ask_for(out: Outstation, wanted: dict[str, Any], **given: Any) -> object:
    return (await obey(out, "GetChargingProfiles", {"requestId": 3, "chargingProfile": wanted, **given}))["status"]


@in_2x
@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({"chargingProfileId": [9]}, {}),
        ({"stackLevel": 4}, {}),
        ({"chargingProfilePurpose": "TxProfile"}, {}),
        ({"chargingLimitSource": ["EMS"]}, {}),
        ({}, {"evseId": 1}),
    ],
)
async def test_there_are_no_profiles_where_none_matches(
    version: Version, wanted: dict[str, Any], given: dict[str, Any]
) -> None:
    out = a_service(version)
    await set_profile(out)
    assert await ask_for(out, wanted, **given) == "NoProfiles"
    assert not out.asked


HELD = ChargingProfile(Schedule((Period(0, 8),)), Purpose.TRANSACTION, Kind.RELATIVE, id=9, connector=1)


async def test_a_profile_that_came_with_a_start_binds_and_waits_for_its_transaction() -> None:
    out = a_service(V201)
    connector = out.station.connectors[1]
    assert (await profiles.hold(out, connector, HELD)).ok
    assert out.station.bound == Amps(8)
    await wishes.start(out.arbitration, "billing", out.charger_id, Start(connector=1, id_tag="A"))
    session = await charging(out)
    await review(out.arbitration, out.station)
    (kept,) = out.station.control.plans["billing"].profiles
    assert kept.session == session


def a_start(version: Version, **given: Any) -> tuple[str, dict[str, Any]]:
    """A remote start with a profile, as a service asks for it."""
    told = profile(version, chargingProfilePurpose="TxProfile", chargingProfileKind="Relative", **given)
    if version is V16:
        return "RemoteStartTransaction", {"idTag": "A", "connectorId": 1, "chargingProfile": told}
    token = {"idToken": "A", "type": "Central"}
    return "RequestStartTransaction", {"idToken": token, "remoteStartId": 7, "evseId": 1, "chargingProfile": told}


@each_version
async def test_a_profile_that_came_with_a_start_goes_on_to_its_later_periods(version: Version) -> None:
    out = a_service(version)
    periods = [{"startPeriod": 0, "limit": 8}, {"startPeriod": 600, "limit": 16}]
    assert (await obey(out, *a_start(version, periods=periods)))["status"] == "Accepted"
    session = await charging(out)
    await review(out.arbitration, out.station)
    assert limits(out)[-1] == 8
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(seconds=660)
    await review(out.arbitration, out.station)
    (running,) = out.station.sessions()
    assert running.session_id == session
    assert (out.station.bound, running.within(out.station.bound), limits(out)[-1]) == (Amps(16), Amps(16), 16)


async def test_a_start_with_a_profile_that_we_cannot_keep_to_is_refused() -> None:
    out = a_service(V21)
    periods = [{"startPeriod": 0, "setpoint": 8.0, "operationMode": "CentralSetpoint"}]
    assert (await obey(out, *a_start(V21, periods=periods)))["status"] == "Rejected"
    assert charger_of(out).asked == []


async def test_a_start_that_is_refused_leaves_no_profile_behind() -> None:
    out = a_service(V201)
    connector = out.station.connectors[1]

    async def refuse() -> Outcome:
        assert out.station.bound == Amps(8)
        return refused(Reason.CHARGER_REJECTED)

    assert not (await profiles.starting(out, connector, HELD, refuse)).ok
    assert (ids(out), out.station.bound) == ([], Amps(32))
    assert not (await profiles.starting(out, connector, None, refuse_outright)).ok
    wrong = replace(HELD, purpose=Purpose.DEFAULT)
    assert (await profiles.starting(out, connector, wrong, refuse)).reason is Reason.INVALID


async def refuse_outright() -> Outcome:
    return refused(Reason.CHARGER_REJECTED)


async def test_who_is_allowed_profiles_by_name_alone_has_them_hold() -> None:
    hub = a_served_hub()
    rules = Rules(providers=providers("billing", roles=frozenset()), rate_limit=timedelta(0))
    arbitration = an_arbitration(hub, rules)
    allowed = an_outstation(V201, arbitration=arbitration, allow=frozenset({"SetChargingProfile"}))
    assert (await set_profile(allowed))["status"] == "Accepted"
    await review(arbitration, allowed.station)
    assert allowed.station.bound == Amps(10)
    assert await clear(an_outstation(V201, arbitration=arbitration), {}) == "Accepted"
    assert (await set_profile(an_outstation(V201, arbitration=arbitration)))["status"] == "Rejected"


async def test_a_profile_whose_transaction_does_not_come_is_let_go() -> None:
    out = a_service(V201)
    connector = out.station.connectors[1]
    await profiles.hold(out, connector, HELD)
    await profiles.let_go(out, connector, HELD)
    assert (ids(out), out.station.bound) == ([], Amps(32))
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    await profiles.hold(out, connector, HELD)
    clock.pass_(hours=1)
    await review(out.arbitration, out.station)
    assert (out.station.control.plans, out.station.bound) == ({}, Amps(32))


async def test_only_a_transaction_s_profile_comes_with_a_start() -> None:
    out = a_service(V201)
    default = ChargingProfile(Schedule((Period(0, 8),)), kind=Kind.RELATIVE)
    assert (await profiles.hold(out, out.station.connectors[1], default)).reason is Reason.INVALID


async def test_profiles_outlast_the_absence_of_their_service() -> None:
    out = a_service(V16)
    await set_profile(out)
    out.arbitration.arrived("billing")
    out.arbitration.left("billing")
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(hours=9)
    await review(out.arbitration, out.station)
    assert (ids(out), out.station.bound) == ([5], Amps(10))


# Where the charger refuses


def stubborn(order: Order) -> Outcome:
    """A charger that gives no less than 16 A."""
    return refused(Reason.CHARGER_REJECTED) if isinstance(order, SetLimit) and order.limit < 16 else done()


def deaf(order: Order) -> Outcome:
    """One that has no answer to it."""
    return refused(Reason.TIMEOUT) if isinstance(order, SetLimit) and order.limit < 16 else done()


each_no = pytest.mark.parametrize("answer", [stubborn, deaf])


def forced(out: Outstation) -> list[Order]:
    """What a charger is told that refuses less: to give nothing, and to stop."""
    nothing = [order for order in puts(out) if not order.limit]
    return [*nothing, *(order for order in charger_of(out).asked if isinstance(order, StopCharging))]


@each_no
@each_version
async def test_a_profile_that_the_charger_refuses_is_not_there(
    version: Version, answer: Callable[[Order], Outcome]
) -> None:
    out = a_service(version)
    await set_profile(out, limit=16)
    charger_of(out).answer = answer
    for _ in range(2):
        assert (await set_profile(out, limit=8, stackLevel=1, number=6))["status"] == "Rejected"
    assert (ids(out), out.station.bound) == ([5], Amps(16))


@each_version
async def test_one_that_took_the_place_of_another_gives_it_back(version: Version) -> None:
    out = a_service(version)
    await set_profile(out, limit=16)
    charger_of(out).answer = stubborn
    assert (await set_profile(out, limit=8))["status"] == "Rejected"
    (kept,) = profiles.own(out)
    assert (kept.id, kept.schedule.periods) == (5, (Period(0, 16),))


@each_no
@each_version
async def test_what_was_never_promised_is_not_forced_upon_a_charger(
    version: Version, answer: Callable[[Order], Outcome]
) -> None:
    out = a_service(version)
    await charging(out)
    charger_of(out).answer = answer
    assert (await set_profile(out, limit=8))["status"] == "Rejected"
    await passes(out, 60)
    assert (ids(out), out.station.bound, forced(out)) == ([], Amps(32), [])


@each_version
async def test_what_was_promised_is_forced_upon_a_charger_that_refuses_it_later(version: Version) -> None:
    out = a_service(version)
    await charging(out)
    out.station.max_periods, out.station.memory.untimed = 1, True
    await set_profile(out, periods=[{"startPeriod": 0, "limit": 16}, {"startPeriod": 600, "limit": 8}])
    charger_of(out).answer = stubborn
    await passes(out, 600)
    assert [type(order) for order in forced(out)][-1] is StopCharging
    assert any(isinstance(order, SetLimit) for order in forced(out))
    assert ids(out) == [5]


@each_version
async def test_a_limit_of_another_stays_and_is_forced_while_a_profile_is_refused(version: Version) -> None:
    out = a_service(version)
    await charging(out)
    charger_of(out).answer = stubborn
    assert (await set_profile(out, limit=10))["status"] == "Rejected"
    assert forced(out) == []
    await wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(8))
    assert [type(order) for order in forced(out)][-1] is StopCharging
    assert (ids(out), out.station.bound) == ([], Amps(8))


@each_version
async def test_a_profile_that_is_only_tried_is_not_forced_by_who_is_at_it(version: Version) -> None:
    out = a_service(version)
    slow = Thinking(version, over=12)
    await charging(out)
    out.hub.links[out.charger_id] = slow
    limit = asyncio.create_task(wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(12)))
    await slow.thinks.wait()
    tried = asyncio.create_task(set_profile(out, limit=8))
    await rest()
    slow.answer = lambda order: stubborn(order) if limits(out)[-1] < 12 else done()
    slow.decides.set()
    assert (await limit).ok
    assert (await tried)["status"] == "Rejected"
    await passes(out, 60)
    assert (ids(out), out.station.bound, forced(out)) == ([], Amps(12), [])


@each_version
async def test_a_profile_is_cleared_though_the_charger_refuses_what_follows(version: Version) -> None:
    out = a_service(version)
    await set_profile(out, limit=20)
    charger_of(out).answer = lambda _: refused(Reason.CHARGER_REJECTED)
    assert await clear(out, {}) == "Accepted"
    assert ids(out) == []


@each_version
async def test_a_profile_that_is_refused_takes_none_with_it_that_came_meanwhile(version: Version) -> None:
    out = a_service(version)
    slow = Thinking(version, over=8, answer=lambda order: deaf(order) if limits(out)[-1] == 8 else done())
    out.hub.links[out.charger_id] = slow
    first = asyncio.create_task(set_profile(out, limit=8, number=6))
    await slow.thinks.wait()
    second = asyncio.create_task(set_profile(out, limit=10, number=7, stackLevel=1))
    await rest()
    slow.decides.set()
    assert [(await one)["status"] for one in (first, second)] == ["Rejected", "Accepted"]
    assert (ids(out), out.station.bound) == ([7], Amps(10))


@dataclass
class Thinking(FakeLink):
    """A charger that thinks `over` a limit before it answers."""

    over: float = 0
    thinks: asyncio.Event = field(default_factory=asyncio.Event)
    decides: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        if isinstance(order, SetLimit) and order.limit == self.over:
            self.thinks.set()
            await self.decides.wait()
        return await super().send(order, still)


async def test_the_rules_hold_for_services_as_for_anybody() -> None:
    out = a_service(V201)
    out.hub.hear(out.charger_id, StatusReported(Place(0), Status.FAULTED, NOON))
    answer = await set_profile(out)
    assert answer["status"] == "Rejected"
    assert out.arbitration.refusals["billing"].reason == Reason.CHARGER_FAULTED


# Several connectors


async def begin_at(out: Outstation, number: int) -> None:
    begun = TransactionReported(Phase.STARTED, None, out.hub.clock.now(), Place(number, 1), IdToken(f"A{number}"))
    heard = out.hub.hear(out.charger_id, begun)
    assert isinstance(heard, Delayed)
    await heard.answer
    await review(out.arbitration, out.station)


def two_connectors(version: Version) -> Outstation:
    out = a_service(version)
    out.hub.hear(out.charger_id, StatusReported(Place(2, 1), Status.AVAILABLE, NOON))
    return out


@each_version
async def test_what_is_for_the_whole_charger_is_shared_by_those_that_charge(version: Version) -> None:
    out = two_connectors(version)
    await set_profile(out, limit=20, chargingProfilePurpose="ChargingStationMaxProfile")
    await begin_at(out, 1)
    assert out.station.bound == Amps(20)
    await begin_at(out, 2)
    assert out.station.bound == Amps(10)
    assert [await schedule(out, connector=number) for number in (0, 1, 2)] == [[(0, 20)], [(0, 10)], [(0, 10)]]


@each_version
async def test_a_profile_of_a_connector_counts_while_that_charges_or_none_does(version: Version) -> None:
    out = two_connectors(version)
    await set_profile(out, limit=8, connector=2)
    assert out.station.bound == Amps(8)
    await begin_at(out, 1)
    assert out.station.bound == Amps(32)
    assert [await schedule(out, connector=number) for number in (0, 1, 2)] == [[(0, 40)], [(0, 32)], [(0, 8)]]
    await begin_at(out, 2)
    assert out.station.bound == Amps(8)


@each_version
async def test_a_limit_on_one_connector_binds_what_charges_there_alone(version: Version) -> None:
    out = two_connectors(version)
    await wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(8), connector=2)
    assert [await schedule(out, connector=number) for number in (0, 1, 2)] == [[(0, 40)], [(0, 32)], [(0, 8)]]
    await begin_at(out, 1)
    await begin_at(out, 2)
    await passes(out, 60)
    holds = [connector.effective_limit for connector in out.station.ordered()]
    assert holds == [Amps(32), Amps(8)]
    assert {order.at.connector for order in puts(out) if order.limit > 8} == {1}


@each_version
async def test_a_limit_for_the_whole_charger_is_no_more_in_all_where_nobody_charges(version: Version) -> None:
    out = two_connectors(version)
    await wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(10), duration=timedelta(minutes=1))
    assert [await schedule(out, connector=number) for number in (0, 1)] == [[(0, 10), (60, 64)], [(0, 10), (60, 32)]]
    out.station.memory.limit = Amps(13)
    assert await schedule(out, connector=0) == [(0, 10), (60, 13)]


@each_version
async def test_what_too_little_is_for_a_car_is_nothing_for_the_whole_charger(version: Version) -> None:
    out = two_connectors(version)
    await set_profile(out, limit=5, chargingProfilePurpose="ChargingStationMaxProfile")
    assert [await schedule(out, connector=number) for number in (0, 1)] == [[(0, 0)], [(0, 0)]]


# Among others


@each_version
async def test_a_limit_of_another_for_a_while_is_in_the_schedule_until_then(version: Version) -> None:
    out = a_service(version)
    await set_profile(out, limit=12)
    minute = timedelta(minutes=1)
    await wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(8), duration=minute)
    assert await schedule(out) == [(0, 8), (60, 12)]
    await wishes.set_limit(out.arbitration, "rival", out.charger_id, Amps(4))
    assert await schedule(out) == [(0, 0)]


async def test_a_profile_that_waits_does_not_take_another_s_transaction() -> None:
    out = a_service(V201)
    await profiles.hold(out, out.station.connectors[1], HELD)
    await charging(out)
    await review(out.arbitration, out.station)
    (waiting,) = profiles.own(out)
    assert waiting.session is None
    assert out.station.bound == Amps(32)


@each_version
async def test_a_transaction_s_profile_needs_a_transaction(version: Version) -> None:
    its: dict[str, Any] = {"chargingProfilePurpose": "TxProfile", "transactionId": THEIRS[version]}
    assert (await set_profile(a_service(version), connector=1, **its))["status"] == "Rejected"
