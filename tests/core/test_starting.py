"""What a session has of its own from its start on: what was promised to whom asked for that start."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.commands import StartCharging
from ocpp_mqtt_proxy.core.model import Amps, Status, Target
from tests.core.yard import ONE, Yard, start, status, stop

TAG = "04A1B2C3"
AT = Target(1, ONE)


def test_a_limit_that_was_promised_before_the_session_began_is_its_own() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.confirm(StartCharging(AT, TAG.lower(), 1, Amps(10)))
    session = yard.started(start(0, tag=TAG))
    assert (session.limit, yard.station.limit) == (Amps(10), Amps(32))


def test_a_limit_that_was_promised_after_the_session_began_is_its_own() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    yard.confirm(StartCharging(AT, TAG, 1, Amps(10)))
    assert session.limit == Amps(10)


def test_of_a_limit_that_was_asked_for_the_session_has_all_though_less_could_be_given_at_its_start() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.confirm(StartCharging(AT, TAG, 1, Amps(6), wanted=Amps(10)))
    assert yard.started(start(0, tag=TAG)).limit == Amps(10)


def test_with_the_profile_of_a_start_alone_nothing_is_confirmed_yet() -> None:
    """That a charger starts says not that it keeps to what it was told with it."""
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.confirm(StartCharging(AT, TAG, 1, Amps(10)))
    session = yard.started(start(0, tag=TAG))
    assert (session.held, yard.connector.effective_limit) == (None, None)


def test_a_limit_is_not_kept_for_another_card_nor_for_later() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.confirm(StartCharging(AT, "OTHER", 1, Amps(10)))
    session = yard.started(start(0, tag=TAG))
    assert session.limit is None
    yard.hear(stop(session.transaction_id, 10))
    assert yard.started(start(20, tag="OTHER")).limit is None
