from __future__ import annotations

from typing import get_args

import pytest

from ocpp_mqtt_proxy.core import external, hearing, rules, transactions
from ocpp_mqtt_proxy.core.commands import ChangeAvailability, Reason, Reset, Result, done, failed, refused
from ocpp_mqtt_proxy.core.events import AvailabilityChanged, ChargerConnected, ChargerDisconnected, LimitChanged
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Amps, Status, Target, Version
from ocpp_mqtt_proxy.core.reports import Report
from tests.core.yard import NOON, ONE, TWO, Yard, start, status


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.hear(status(Status.AVAILABLE, ONE))
    yard.hear(status(Status.AVAILABLE, TWO))
    return yard


def test_every_report_has_a_rule() -> None:
    assert (hearing.RULES | transactions.RULES | external.RULES).keys() == set(get_args(Report))


def test_a_charger_connects_and_disconnects() -> None:
    yard = Yard()
    yard.note(rules.connect(yard.station, Version.V201, "192.0.2.1", yard.now, yard.numbers))
    station = yard.station
    assert (station.connected, station.address, station.connects) == (True, "192.0.2.1", 1)
    assert (station.version, station.connected_since, station.memory.first_seen) == (Version.V201, NOON, NOON)
    yard.pass_(hours=1)
    yard.note(rules.disconnect(station, "timed out", yard.now, yard.numbers))
    assert (station.connected, station.connected_since, station.memory.last_seen) == (False, None, yard.now)
    assert [fact.address for fact in yard.told(ChargerConnected)] == ["192.0.2.1"]
    assert [(fact.address, fact.reason) for fact in yard.told(ChargerDisconnected)] == [("192.0.2.1", "timed out")]
    yard.note(rules.connect(station, Version.V16, "192.0.2.2", yard.pass_(hours=1), yard.numbers))
    assert (station.connects, station.memory.first_seen, station.version) == (2, NOON, Version.V16)


def test_what_a_charger_did_last_stays_shown_while_it_is_away(yard: Yard) -> None:
    rules.disconnect(yard.station, "gone", yard.now, yard.numbers)
    assert yard.status is Status.AVAILABLE


LIMIT = SetLimit(Target(), Amps(10), NOON, form=ProfileForm(3))


def test_a_confirmed_limit_is_in_force_on_every_connector(yard: Yard) -> None:
    yard.station.wish = Amps(10)
    yard.confirm(LIMIT)
    assert [(c.effective_limit, c.limited_by) for c in yard.station.ordered()] == [
        (Amps(10), "owner"),
        (Amps(10), "owner"),
    ]
    assert [(fact.connector, fact.effective, fact.by) for fact in yard.told(LimitChanged)] == [
        (1, Amps(10), "owner"),
        (2, Amps(10), "owner"),
    ]


def test_a_confirmed_limit_is_remembered_with_the_form_it_was_taken_in(yard: Yard) -> None:
    yard.confirm(LIMIT)
    assert yard.station.memory.installed == LIMIT.held(NOON)
    assert yard.station.memory.form == ProfileForm(3)
    assert yard.station.memory in yard.kept


def test_a_pause_of_one_connector_leaves_the_other_and_the_ceiling_alone(yard: Yard) -> None:
    session = yard.started(start(0, place=TWO))
    yard.confirm(SetLimit(Target(2, TWO), Amps(0), NOON, transaction_id=session.transaction_id))
    assert [c.effective_limit for c in yard.station.ordered()] == [None, Amps(0)]
    assert yard.station.memory.limit is None


def test_a_charger_taken_out_of_service_is_out_of_service(yard: Yard) -> None:
    yard.confirm(ChangeAvailability(Target(), operative=False))
    yard.confirm(ChangeAvailability(Target(), operative=False))
    assert not yard.station.memory.operative
    assert [fact.operative for fact in yard.told(AvailabilityChanged)] == [False]


def test_a_connector_taken_out_of_service_is_not_the_charger(yard: Yard) -> None:
    yard.confirm(ChangeAvailability(Target(2, TWO), operative=False))
    assert yard.station.memory.operative


def test_other_orders_are_no_facts(yard: Yard) -> None:
    told = len(yard.facts)
    yard.confirm(Reset())
    assert len(yard.facts) == told


def test_an_outcome_says_whether_it_was_done() -> None:
    assert done("so be it", a=1).ok
    assert done(a=1).result == {"a": 1}
    no = refused(Reason.CHARGER_REJECTED, "busy")
    assert (no.ok, no.status, no.reason, no.message) == (False, Result.REFUSED, Reason.CHARGER_REJECTED, "busy")
    assert failed(Reason.TIMEOUT).status is Result.ERROR
