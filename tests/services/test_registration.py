"""Where we stand with a service, and what that allows (B01-B03; 1.6 §4.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.peer import Peer, Standing
from ocpp_mqtt_proxy.core.reports import BootAnswer
from ocpp_mqtt_proxy.services.registration import (
    DAY,
    LONGEST_OWN_WAIT,
    OWN_PULSE,
    OWN_WAIT,
    Reception,
    Registration,
    pulse,
    reception,
)
from tests.fakes import NOON


def a_registration() -> Registration:
    return Registration(Peer("billing", "CP1"))


def answer(status: str, interval: int = 60) -> BootAnswer:
    return BootAnswer(NOON, interval, status)


@pytest.mark.parametrize("status", ["accepted", "pending", "rejected"])
def test_a_service_s_word_is_remembered(status: str) -> None:
    registration = a_registration()
    assert registration.answered(answer(status), NOON) == status
    assert (registration.peer.standing, registration.peer.interval) == (status, 60)


def test_one_that_accepted_us_wants_no_other_boot() -> None:
    registration = a_registration()
    registration.answered(answer("accepted"), NOON)
    assert registration.wait(NOON) == 0


@pytest.mark.parametrize("status", ["pending", "rejected", "maybe", ""])
def test_else_the_boot_is_repeated_once_the_interval_has_passed(status: str) -> None:
    registration = a_registration()
    registration.answered(answer(status, 40), NOON)
    assert registration.wait(NOON) == 40
    assert registration.wait(NOON + timedelta(seconds=30)) == 10
    assert registration.wait(NOON + timedelta(seconds=41)) == 0


def test_where_no_interval_is_named_ours_grows() -> None:
    registration, waits = a_registration(), []
    for _ in range(8):
        registration.answered(answer("pending", 0), NOON)
        waits.append(registration.wait(NOON))
    assert waits[:3] == [OWN_WAIT, 2 * OWN_WAIT, 4 * OWN_WAIT]
    assert waits[-1] == LONGEST_OWN_WAIT


def test_once_accepted_our_own_wait_begins_anew() -> None:
    registration = a_registration()
    for status in ("pending", "pending", "accepted", "rejected"):
        registration.answered(answer(status, 0), NOON)
    assert registration.wait(NOON) == OWN_WAIT


def test_a_boot_without_an_answer_is_repeated_and_changes_nothing() -> None:
    registration = a_registration()
    registration.answered(answer("accepted"), NOON)
    registration.unanswered(NOON)
    assert registration.wait(NOON) == OWN_WAIT
    assert registration.peer.standing is Standing.ACCEPTED


@given(st.integers(0, 10**30))
def test_no_interval_breaks_the_clock(seconds: int) -> None:
    registration = a_registration()
    registration.answered(answer("pending", seconds), NOON)
    assert registration.wait(NOON) > 0
    assert 0 < pulse(seconds) <= DAY


def test_a_service_that_names_no_pulse_gets_ours() -> None:
    assert pulse(0) == OWN_PULSE


START_OR_STOP = {
    Version.V16: ("RemoteStartTransaction", "RemoteStopTransaction"),
    Version.V201: ("RequestStartTransaction", "RequestStopTransaction"),
    Version.V21: ("RequestStartTransaction", "RequestStopTransaction"),
}


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("standing", [Standing.PENDING, Standing.UNKNOWN])
def test_until_it_accepts_us_a_service_may_look_but_not_start(standing: Standing, version: Version) -> None:
    assert {reception(standing, version, action) for action in START_OR_STOP[version]} == {Reception.REJECTED}
    for action in ("TriggerMessage", "ChangeAvailability", "GetBaseReport", "GetConfiguration"):
        assert reception(standing, version, action) is Reception.OBEYED


@pytest.mark.parametrize("version", Version)
def test_one_that_rejected_us_may_do_nothing(version: Version) -> None:
    expected = Reception.UNHEARD if version is Version.V16 else Reception.FORBIDDEN
    for action in ("TriggerMessage", "GetConfiguration", *START_OR_STOP[version]):
        assert reception(Standing.REJECTED, version, action) is expected


@pytest.mark.parametrize("version", Version)
def test_one_that_accepted_us_is_obeyed(version: Version) -> None:
    for action in ("TriggerMessage", *START_OR_STOP[version]):
        assert reception(Standing.ACCEPTED, version, action) is Reception.OBEYED
