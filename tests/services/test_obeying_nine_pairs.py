"""Whatever a service asks, in all nine pairs: a valid answer, nothing in the charger without the right (I1, I2, I4, I8)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.core.commands import GetConfiguration, Order, Outcome, Reason, Trigger, refused
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.obeying.refusals import refusal
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.services.asked import ASKED, payloads
from tests.services.fakes import charger_of
from tests.services.obedience import served

LOOKS = (GetConfiguration, Trigger)
"""What reads and changes nothing."""

NO_WORD_FOR_NO = {"CostUpdated", "NotifyWebPaymentStarted"}
"""Answers without a field: what is not done of them is an error."""

each_call = pytest.mark.parametrize(("version", "action"), ASKED, ids=[f"{v}-{a}" for v, a in ASKED])
each_charger = pytest.mark.parametrize("charger", Version)
some = settings(max_examples=4, suppress_health_check=list(HealthCheck), deadline=None)


class Errors(logging.Handler):
    """What was logged as an error: where the proxy fails on a request, it answers all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(f"{record.getMessage()} {record.exc_info}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.seen.clear()
        logging.getLogger().addHandler(self)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self)
        assert self.seen == []


LOGS = Errors()


async def answered(out: Outstation, action: str, payload: dict[str, Any]) -> dict[str, Any] | ErrorCode:
    """A valid answer, or why there is none; anything else fails the test."""
    with LOGS.watched():
        try:
            answer = await obey(out, action, payload)
        except CallRefused as refused_:
            return refused_.code
    assert schema.check(out.version, action, answer, response=True) is None, answer
    return answer


@each_call
@each_charger
@given(data=st.data())
@some
async def test_every_call_has_a_valid_answer_and_changes_nothing_without_the_right(
    version: Version, action: str, charger: Version, data: st.DataObject
) -> None:
    out = served(version, charger, roles=())
    answer = await answered(out, action, data.draw(payloads(version, action)))
    assert not isinstance(answer, ErrorCode) or action in NO_WORD_FOR_NO
    assert [order for order in charger_of(out).asked if not isinstance(order, LOOKS)] == []


@each_call
@each_charger
@given(data=st.data(), reason=st.sampled_from(Reason))
@some
async def test_every_call_has_a_valid_answer_whatever_the_charger_says(
    version: Version, action: str, charger: Version, data: st.DataObject, reason: Reason
) -> None:
    def says_no(_: Order) -> Outcome:
        return refused(reason, "no")

    out = served(version, charger, roles=ControlClass, answer=says_no)
    answer = await answered(out, action, data.draw(payloads(version, action)))
    assert not isinstance(answer, ErrorCode) or action in NO_WORD_FOR_NO


@each_call
@each_charger
@given(data=st.data())
@some
async def test_every_call_has_a_valid_answer_where_the_charger_agrees_to_all(
    version: Version, action: str, charger: Version, data: st.DataObject
) -> None:
    out = served(version, charger, roles=ControlClass)
    payload = data.draw(payloads(version, action))
    answer = await answered(out, action, payload)
    assert isinstance(answer, dict) or answer is ErrorCode.NOT_SUPPORTED


@each_call
@given(data=st.data())
@some
async def test_what_is_denied_is_refused_with_every_role(version: Version, action: str, data: st.DataObject) -> None:
    out = served(version, version, roles=ControlClass, deny=frozenset({action}))
    answer = await answered(out, action, data.draw(payloads(version, action)))
    assert not isinstance(answer, ErrorCode) or action in NO_WORD_FOR_NO
    assert charger_of(out).asked == []


@pytest.mark.parametrize(
    ("version", "action"), [(v, a) for v, a in ASKED if a not in DIALECTS[v].obey and a not in NO_WORD_FOR_NO]
)
@given(data=st.data())
@some
def test_every_action_without_a_row_has_a_valid_no(version: Version, action: str, data: st.DataObject) -> None:
    no = refusal(action, data.draw(payloads(version, action)))
    assert no is not None
    assert schema.check(version, action, no, response=True) is None


@pytest.mark.parametrize("version", Version)
async def test_what_no_version_knows_is_not_implemented(version: Version) -> None:
    assert await answered(served(version), "SelfDestruct", {}) is ErrorCode.NOT_IMPLEMENTED


@pytest.mark.parametrize("version", Version)
async def test_what_a_charger_says_is_not_asked_of_one(version: Version) -> None:
    assert await answered(served(version), "BootNotification", {}) is ErrorCode.NOT_SUPPORTED


async def test_what_breaks_its_schema_is_said_to_be_so() -> None:
    assert await answered(served(Version.V16), "Reset", {"type": 1}) is ErrorCode.TYPE_CONSTRAINT_VIOLATION
    no = await answered(served(Version.V201), "SetMonitoringLevel", {})
    assert no is ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
