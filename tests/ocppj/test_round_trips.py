"""What one end writes the other reads: reports, orders, answers and outcomes, in every version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.core import commands, reports
from ocpp_mqtt_proxy.core.certificates import ListCertificates
from ocpp_mqtt_proxy.core.commands import RawCall
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import Target, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.profiles import PROFILE_ID
from tests.ocppj import strategies
from tests.ocppj.judge import assert_valid
from tests.ocppj.rows import CALL, valid

quick = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def _cases(rows: str) -> Iterator[Any]:
    for dialect in DIALECTS.values():
        for kind in getattr(dialect, rows):
            yield pytest.param(dialect.version, kind, id=f"{dialect.version}-{kind.__name__}")


each_report = pytest.mark.parametrize(("version", "kind"), list(_cases("say")))
each_order = pytest.mark.parametrize(("version", "kind"), list(_cases("order")))


# Reports


@pytest.mark.parametrize("version", DIALECTS)
def test_there_is_something_to_try_of_every_row(version: Version) -> None:
    dialect = DIALECTS[version]
    assert dialect.say.keys() == strategies.told_reports(version).keys()
    assert dialect.order.keys() == strategies.orders(version).keys()


@each_report
@given(data=st.data())
@quick
def test_what_is_said_is_heard(version: Version, kind: type, data: st.DataObject) -> None:
    dialect = DIALECTS[version]
    report = data.draw(strategies.told_reports(version)[kind])
    ((action, payload),) = dialect.say[kind].encode(report)
    assert_valid(version, action, payload)
    assert dialect.decode(action, payload) == (report, None)


@each_report
@given(data=st.data())
@quick
def test_whatever_is_said_fits_its_schema(version: Version, kind: type, data: st.DataObject) -> None:
    dialect = DIALECTS[version]
    report = data.draw(strategies.any_reports(version)[kind])
    for action, payload in dialect.say[kind].encode(report):
        assert_valid(version, action, payload)


@each_report
@given(data=st.data())
@quick
def test_what_was_heard_once_is_said_and_heard_the_same(version: Version, kind: type, data: st.DataObject) -> None:
    """A dialect loses what its version cannot say, once; from then on nothing more."""
    dialect = DIALECTS[version]
    report = data.draw(strategies.any_reports(version)[kind])
    for action, payload in dialect.say[kind].encode(report):
        heard, _ = dialect.decode(action, payload)
        for again, repeated in dialect.say[type(heard)].encode(heard):
            assert (again, dialect.decode(again, repeated)[0]) == (action, heard)


# Answers to reports

HEARD = {
    (row.version, row.action): DIALECTS[row.version].decode(row.action, row.payload)[0]
    for row in valid(from_charger=True, kind=CALL)
}


@pytest.mark.parametrize("version", DIALECTS)
@given(data=st.data())
@settings(max_examples=100)
def test_every_answer_to_a_charger_fits_its_schema(version: Version, data: st.DataObject) -> None:
    dialect = DIALECTS[version]
    action = data.draw(st.sampled_from(sorted(dialect.hear)))
    answer = data.draw(strategies.answers_to(version, HEARD[version, action]))
    assert_valid(version, action, dialect.reply(action, answer), response=True)


@each_report
@given(data=st.data())
@quick
def test_an_answer_is_read_as_it_was_meant(version: Version, kind: type, data: st.DataObject) -> None:
    dialect = DIALECTS[version]
    report = data.draw(strategies.told_reports(version)[kind])
    answer = data.draw(strategies.answers(version, kind))
    ((action, _),) = dialect.say[kind].encode(report)
    once = dialect.say[kind].read(dialect.reply(action, answer))
    assert type(once) is type(answer)
    assert _gist(once) == _gist(answer)
    if kind is not reports.TransactionReported:  # 2.x does not repeat the id, nor does a 1.6 stop
        assert dialect.say[kind].read(dialect.reply(action, once)) == once


def _gist(answer: reports.Answer) -> object:
    """What of an answer a charger acts on: yes or no, the time, the interval."""
    match answer:
        case reports.BootAnswer() | reports.TimeAnswer() | reports.Acknowledged():
            return answer
        case reports.DataTransferAnswer(status):
            return status
        case reports.AuthorizationAnswer(authorization) | reports.TransactionAnswer(_, authorization):
            if authorization is None:  # no card was shown, and 1.6 must say something
                return True, None
            return authorization.verdict == "accepted", authorization.expires
    raise AssertionError(answer)


# Orders


def test_every_order_has_a_row_in_some_version() -> None:
    rows = {kind for dialect in DIALECTS.values() for kind in dialect.order}
    assert rows == set(get_args(commands.Order)) - {RawCall} - ASKED_OF_US


ASKED_OF_US = {commands.SetProfile, commands.ClearProfiles, commands.ListProfiles}
"""Orders that come from CSMSs and go no further: a charger gets one profile, of ours."""


@each_order
@given(data=st.data())
@quick
def test_what_is_ordered_is_obeyed(version: Version, kind: type, data: st.DataObject) -> None:
    dialect = DIALECTS[version]
    order = data.draw(strategies.orders(version)[kind])
    call = dialect.put(order)
    assert call is not None
    assert_valid(version, *call)
    assert dialect.command(*call) == as_a_csms_s(order, version)


def as_a_csms_s(order: commands.Order, version: Version) -> commands.Order:
    """An order of ours as whoever gets it understands it: our limits are profiles like any CSMS's."""
    match order:
        case SetLimit(at=at, transaction_id=its):
            return commands.SetProfile(
                at, one_profile(version, at, order.limit, its, order.form.stack_level, order.start), its
            )
        case ClearLimit(at=at):
            return commands.ClearProfiles(Criteria(PROFILE_ID + at.connector))
        case commands.StartCharging(at=at, limit=float() as limit):
            return replace(order, limit=None, profile=one_profile(version, at, limit, "the one to come"))
    return order


def one_profile(
    version: Version,
    at: Target,
    limit: float,
    transaction: str | None,
    level: int = 0,
    start: datetime | None = None,
) -> ChargingProfile:
    """The one profile of ours, of one period. Schedules have ids in 2.x."""
    number = PROFILE_ID + at.connector
    return ChargingProfile(
        Schedule((Period(0, limit),), start=start, id=0 if version is Version.V16 else number),
        Purpose.TRANSACTION if transaction else Purpose.DEFAULT,
        Kind.ABSOLUTE if start else Kind.RELATIVE,
        id=number,
        level=level,
        connector=at.connector,
    )


@each_order
@given(data=st.data())
@quick
def test_every_outcome_of_an_order_can_be_answered_and_is_read(
    version: Version, kind: type, data: st.DataObject
) -> None:
    dialect = DIALECTS[version]
    order = data.draw(strategies.orders(version)[kind])
    outcome = data.draw(strategies.outcomes(order))
    call = dialect.put(order)
    assert call is not None
    action, payload = call
    answer = dialect.response(action, dialect.command(action, payload), outcome)
    assert_valid(version, action, answer, response=True)
    read = dialect.outcome(order, answer)
    if (version, kind) not in SAY_NEITHER_YES_NOR_NO:
        assert read.ok is outcome.ok or _is_partly_done(outcome)


NEITHER = (commands.GetConfiguration, ClearLimit, ListCertificates)
SAY_NEITHER_YES_NOR_NO = {
    (Version.V16, commands.GetDiagnostics),
    (Version.V16, commands.UpdateFirmware),
    (Version.V201, commands.GetListVersion),
    (Version.V21, commands.GetListVersion),
    (Version.V201, commands.CheckTransaction),
    (Version.V21, commands.CheckTransaction),
    *((version, kind) for version in DIALECTS for kind in NEITHER),
}
"""Answers without a status; and of a profile cleared, `Unknown` is as good as done."""


def _is_partly_done(outcome: commands.Outcome) -> bool:
    told = outcome.result.get("set")
    return isinstance(told, dict) and not set(told.values()) <= {"accepted", "reboot_required"}


@pytest.mark.parametrize("version", DIALECTS)
def test_a_raw_call_goes_as_it_is_and_its_answer_comes_as_it_is(version: Version) -> None:
    dialect = DIALECTS[version]
    order = RawCall("GetLocalListVersion", {"vendor": "own"})
    assert dialect.put(order) == ("GetLocalListVersion", {"vendor": "own"})
    assert dialect.outcome(order, {"listVersion": 3}).result == {"listVersion": 3}
