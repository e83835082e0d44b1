"""What becomes of what a backend asks, at a desk on fakes; and what it may see."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.backends.desk import Backend, NobodyAsked
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, Result
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Place, Verdict, WattHours
from ocpp_mqtt_proxy.core.reports import Authorization, Phase, TransactionReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.hub import Delayed
from tests.backend_desk import OPEN, ADesk, a_desk
from tests.fakes import NOON, FakeClock, FakeLink, a_charger
from tests.test_backend_messages import PERIOD, PROFILE, SCHEDULE


async def charging(scene: ADesk, provider: str = "energy") -> Session:
    """A session of a provider's that runs."""
    assert (await scene.ask("start", by=provider, id_tag="CARD0001")).ok
    report = TransactionReported(Phase.STARTED, None, None, Place(1, 1), IdToken("CARD0001"), meter_start=WattHours(0))
    answer = scene.hub.hear("CP1", report)
    assert isinstance(answer, Delayed)
    await answer.answer
    return next(scene.station.sessions())


def limits(scene: ADesk) -> set[float]:
    """What the charger was asked to keep to, what it falls back to aside."""
    return {order.limit for order in scene.link.asked if isinstance(order, SetLimit) and not order.base}


async def test_it_starts_and_stops_a_session_of_its_own() -> None:
    scene = a_desk()
    session = await charging(scene)
    assert session.provider == "energy"
    assert (await scene.ask("stop", by="fleet")).reason is Reason.NOT_YOURS
    assert (await scene.ask("RequestStopTransaction", transaction_id=session.transaction_id)).ok
    assert [type(order) for order in scene.link.asked] == [commands.StartCharging, commands.StopCharging]


async def test_a_transaction_s_id_tells_its_charger() -> None:
    scene = a_desk()
    session = await charging(scene)
    a_charger(scene.hub, FakeLink(), "CP2")
    assert (await scene.ask("stop", transaction_id=session.transaction_id)).ok


async def test_where_there_are_several_chargers_one_must_be_named() -> None:
    scene = a_desk()
    a_charger(scene.hub, FakeLink(), "CP2")
    outcome = await scene.ask("start", id_tag="A")
    assert (outcome.reason, "CP1, CP2" in outcome.message) == (Reason.INVALID, True)
    assert (await scene.ask("start", id_tag="A", charger="CP2")).ok
    assert (await scene.ask("start", id_tag="A", charger="CP3")).reason is Reason.UNKNOWN_CHARGER
    assert (await scene.ask("start", charger="CP1", connector=7)).reason is Reason.UNKNOWN_CONNECTOR


async def test_control_is_asked_for_and_given_back_by_class() -> None:
    scene = a_desk()
    assert (await scene.ask("request_control")).result["holders"] == {"transactions": "energy", "management": None}
    assert (await scene.ask("request_control", classes=["transactions", "management"])).ok
    assert (await scene.ask("request_control", by="fleet")).reason is Reason.HELD_BY_OTHER
    assert (await scene.ask("request_control", by="fleet", classes=["management"])).reason is Reason.ROLE
    assert (await scene.ask("release_control")).result["holders"] == {"transactions": None, "management": None}


@pytest.mark.parametrize(
    ("given", "amps"),
    [({"amps": 10}, 10.0), ({"amps": 10.19}, 10.1), ({"watts": 6900}, 10.0), ({"watts": 6899}, 9.9), ({"amps": 3}, 0)],
)
async def test_a_limit_is_a_current_per_phase_and_never_more_than_was_meant(
    given: dict[str, float], amps: float
) -> None:
    scene = a_desk()
    assert (await scene.ask("set_limit", **given)).result["effective"] == amps
    assert limits(scene) == {amps}
    assert (await scene.ask("clear_limit")).result["effective"] == 32


async def test_while_it_charges_more_binds_once_the_charger_has_it_and_that_is_told() -> None:
    scene = a_desk()
    await charging(scene)
    assert (await scene.ask("set_limit", amps=10)).result["effective"] == 10
    raised = await scene.ask("set_limit", amps=16)
    assert (raised.ok, raised.result["effective"], "10 s" in raised.message) == (True, 10, True)
    assert isinstance(scene.hub.clock, FakeClock)
    scene.hub.clock.pass_(seconds=10)
    raised = await scene.ask("set_limit", amps=16)
    assert (raised.ok, raised.result["effective"], raised.message) == (True, 16, "")


async def test_what_binds_is_the_least_whoever_s_it_is() -> None:
    scene = a_desk()
    (await charging(scene)).limit = Amps(8)
    assert (await scene.ask("set_limit", by="fleet", amps=12)).result["effective"] == 8


async def test_a_limit_for_a_while_is_one_until_then() -> None:
    scene = a_desk()
    await scene.ask("set_limit", amps=10, duration_s=60)
    assert scene.station.control.limits["energy"].until == NOON + timedelta(seconds=60)


async def test_a_profile_binds_with_what_it_allows_now() -> None:
    scene = a_desk()
    periods = [PERIOD | {"limit": 16}, PERIOD | {"startPeriod": 11 * 3600, "limit": 9}]
    schedule = SCHEDULE | {"duration": 86400, "chargingSchedulePeriod": periods}
    outcome = await scene.ask("set_profile", profile=PROFILE | {"chargingSchedule": [schedule]})
    assert outcome.result == {"effective": 9, "profile_limit": 9, "until": "2026-03-15T00:00:00.000Z"}
    assert (await scene.ask("set_limit", amps=12)).result["effective"] == 9
    assert (await scene.ask("set_limit", amps=7)).result["effective"] == 7
    assert (await scene.ask("clear_limit")).result["effective"] == 9
    assert (await scene.ask("clear_profile")).result["effective"] == 32
    assert scene.station.control.limiting == set()


async def test_who_gives_smart_charging_back_gives_limit_and_profile_back() -> None:
    scene = a_desk()
    await scene.ask("set_profile", profile=PROFILE)
    await scene.ask("set_limit", amps=12)
    assert (await scene.ask("release_control", classes=["smart_charging"])).result["effective"] == 32
    assert scene.station.control.limiting == set()


async def test_the_answer_about_a_card_reaches_who_asked() -> None:
    scene = a_desk()
    assert (await scene.ask("authorize", request_id="q1", status="accepted", group="FAMILY")).ok
    assert scene.asked.heard == [Authorization(Verdict.ACCEPTED, "FAMILY")]
    for by, request_id in (("fleet", "q1"), ("energy", "q2")):
        outcome = await scene.ask("authorize", by=by, request_id=request_id, status="accepted")
        assert outcome.reason is Reason.NOT_YOURS
    assert NobodyAsked().answer("energy", "q1", Authorization(Verdict.ACCEPTED)) is False


async def test_a_reservation_is_made_and_given_back_by_its_own_provider() -> None:
    scene = a_desk()
    number = (await scene.ask("reserve", id_tag="A", until="2026-03-14T18:00:00Z")).result["reservation_id"]
    assert (await scene.ask("cancel_reservation", by="fleet", reservation_id=number)).reason is Reason.NOT_YOURS
    assert (await scene.ask("cancel_reservation", reservation_id=number)).ok


async def test_unlocking_needs_transactions_and_a_call_management() -> None:
    scene = a_desk()
    assert (await scene.ask("call", by="fleet", ocpp_action="Reset", payload={"type": "Soft"})).reason is Reason.ROLE
    assert (await scene.ask("call", ocpp_action="Reset", payload={"type": "Soft"})).ok
    assert (await scene.ask("unlock", by="fleet")).ok
    assert [type(order) for order in scene.link.asked] == [commands.RawCall, commands.Unlock]


async def test_it_sees_every_charger_but_of_sessions_limits_and_cards_its_own_alone() -> None:
    scene = a_desk()
    await charging(scene)
    await scene.ask("set_limit", amps=10)

    async def seen(by: str) -> dict[str, object]:
        result = (await scene.ask("status", by=by)).result["chargers"]
        assert isinstance(result, dict)
        return dict(result["CP1"])

    mine, others = await seen("energy"), await seen("fleet")
    assert mine["control"] == {
        "mode": "auto",
        "holders": {"transactions": "energy", "management": None},
        "limits": {"energy": 10},
    }
    assert others["control"] == {
        "mode": "auto",
        "holders": {"transactions": "energy", "management": None},
        "limits": {},
    }
    assert "CARD0001" in str(mine)
    assert "CARD" not in str(others)
    assert "127.0.0.1" not in str(mine)


async def test_it_gets_the_pages_of_its_own_sessions_and_of_shared_ones_its_own_part() -> None:
    scene = a_desk()
    session = await charging(scene)
    scene.records.sessions = [session]
    outcome = await scene.ask("sessions", **{"from": "2026-03-01", "to": "2026-03-31", "limit": 7})
    assert outcome.ok, outcome
    assert (outcome.result["next"], scene.records.wanted[0]["provider"]) == ("more", "energy")
    shown = outcome.result["sessions"]
    assert isinstance(shown, list)
    assert (shown[0]["id_tag"], "cost" in shown[0]) == ("CARD0001", False)
    session.hand_over("fleet", NOON + timedelta(hours=1), scene.station.plan.prices)
    (before,) = await of(scene, "energy")
    (after,) = await of(scene, "fleet")
    assert [part["provider"] for part in before["parts"]] == ["energy"]
    assert [part["provider"] for part in after["parts"]] == ["fleet"]


async def of(scene: ADesk, provider: str) -> list[dict[str, list[dict[str, str]]]]:
    shown = (await scene.ask("sessions", by=provider)).result["sessions"]
    assert isinstance(shown, list)
    return shown


async def test_a_time_of_a_filter_that_is_none_is_told() -> None:
    outcome = await a_desk().ask("sessions", **{"from": "yesterday"})
    assert (outcome.status, "yesterday" in outcome.message) == (Result.ERROR, True)


async def test_who_is_blocked_or_not_allowed_is_not_even_listened_to() -> None:
    rules = replace(OPEN, blocked=frozenset({"energy"}), allowed=frozenset({"energy"}))
    scene = a_desk(rules)
    assert [(await scene.ask("dance", by=by)).reason for by in ("energy", "fleet", "nobody")] == [
        Reason.BLOCKED,
        Reason.NOT_ALLOWED,
        Reason.NOT_ALLOWED,
    ]


async def test_who_is_switched_off_may_look_and_do_nothing() -> None:
    scene = a_desk()
    scene.desk.arbitration.house.disabled.add("energy")
    assert (await scene.ask("status")).result["enabled"] is False
    assert (await scene.ask("start", id_tag="A")).reason is Reason.DISABLED


# Subscriptions


async def subscriptions(*said: tuple[str, dict[str, object]]) -> tuple[Backend, Outcome]:
    backend, outcome, scene = Backend("energy"), Outcome(Result.OK), a_desk()
    for action, arguments in said:
        outcome = await scene.ask(action, by=backend, **arguments)
    return backend, outcome


async def test_who_names_nothing_hears_of_everything() -> None:
    backend, _ = await subscriptions(("subscribe", {}))
    assert backend.subscription.wants("CP1", "meter")
    assert backend.subscription.wants("CP2", "fault")


async def test_kinds_and_chargers_are_added_and_dropped() -> None:
    backend, outcome = await subscriptions(
        ("subscribe", {"events": ["status", "meter"]}),
        ("subscribe", {"events": "fault", "chargers": ["CP1"]}),
        ("unsubscribe", {"events": ["meter"], "chargers": "CP2"}),
    )
    wants = backend.subscription.wants
    assert [wants("CP1", kind) for kind in ("status", "meter", "fault")] == [True, True, True]
    assert [wants("CP2", kind) for kind in ("status", "meter", "fault")] == [True, False, False]
    assert [wants("CP3", kind) for kind in ("status", "meter", "fault")] == [True, True, False]
    assert outcome.result["events"] == ["meter", "status"]


async def test_who_wants_nothing_any_more_hears_of_nothing() -> None:
    backend, _ = await subscriptions(("subscribe", {"chargers": ["CP1"]}), ("unsubscribe", {}))
    assert not backend.subscription.listening


async def test_only_so_many_chargers_can_be_named() -> None:
    many = [f"C{number}" for number in range(600)]
    _, outcome = await subscriptions(
        ("subscribe", {"chargers": many}), ("subscribe", {"chargers": [f"X{name}" for name in many]})
    )
    assert (outcome.status, outcome.reason) == (Result.ERROR, Reason.INVALID)
