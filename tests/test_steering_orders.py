"""What is wanted of a charger as an order, and plainer where it refuses that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.held import Held, value
from ocpp_mqtt_proxy.core.limit_orders import STARTED_AGO, Layer, ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Amps, Target
from ocpp_mqtt_proxy.core.steering import Want
from ocpp_mqtt_proxy.steering.orders import order_for, plainer
from tests.core.yard import NOON, ONE, Yard, start

SECOND = timedelta(seconds=1)
WANTED = Held(((NOON, Amps(10)), (NOON + 60 * SECOND, Amps(16)), (NOON + 600 * SECOND, Amps(6))), NOON + 900 * SECOND)


def want(layer: Layer = Layer.DEFAULT) -> Want:
    return Want(layer, WANTED.steps, WANTED.until)


def test_what_is_wanted_is_what_the_charger_holds_once_it_took_the_order() -> None:
    order = order_for(Yard().station, want(), ProfileForm(4), NOON)
    assert order.held(NOON + SECOND) == WANTED
    assert (order.form, order.start, order.base) == (ProfileForm(4), NOON - STARTED_AGO, False)


def test_what_was_over_before_the_order_was_made_is_no_step_of_it() -> None:
    order = order_for(Yard().station, want(), ProfileForm(), NOON + 60 * SECOND)
    assert order.held(NOON) == Held(((NOON + 60 * SECOND, Amps(10)), WANTED.steps[-1]), WANTED.until)


def test_a_charger_that_takes_no_start_gets_neither_steps_nor_an_end_which_would_count_from_its_plug_in() -> None:
    order = order_for(Yard().station, want(), ProfileForm(relative=True), NOON)
    assert (order.later, order.seconds) == ((), None)


@pytest.mark.parametrize(("ahead", "behind", "error"), [(0, None, 0), (0, 0, 0), (3600, 0, 3600), (0, 90, -90)])
def test_an_order_begins_by_the_charger_s_own_clock(ahead: int, behind: int | None, error: int) -> None:
    station = Yard().station
    station.clock_ahead = ahead * SECOND
    station.behind = None if behind is None else behind * SECOND
    order = order_for(station, want(), ProfileForm(), NOON)
    assert order.start == NOON + error * SECOND - STARTED_AGO
    assert order.since == NOON


def test_a_transaction_s_profile_is_for_its_connector_and_the_base_for_all() -> None:
    yard = Yard()
    session = yard.started(start(0))
    own = order_for(yard.station, Want(Layer.SESSION, WANTED.steps, session=session), ProfileForm(), NOON)
    assert (own.at, own.transaction_id) == (Target(1, ONE), session.transaction_id)
    base = order_for(yard.station, Want(Layer.BASE, WANTED.steps[:1]), ProfileForm(4), NOON)
    assert (base.at, base.transaction_id, base.base) == (Target(), None, True)


def test_an_order_with_many_steps_is_plainer_with_one_to_the_least_that_follows() -> None:
    order = order_for(Yard().station, want(), ProfileForm(), NOON)
    one = plainer(order)
    assert one == replace(order, later=((60, Amps(6)),))


def test_without_its_steps_an_order_ends_before_the_first_that_lowers() -> None:
    order = replace(order_for(Yard().station, want(), ProfileForm(), NOON), later=((600, Amps(6)),))
    short = plainer(order)
    assert short is not None
    assert (short.later, short.seconds) == ((), 600)
    plain = plainer(short)
    assert plain is not None
    assert (plain.later, plain.seconds) == ((), None)
    assert plainer(plain) is None


def test_what_goes_down_by_itself_and_has_no_end_is_plain_without_that() -> None:
    order = SetLimit(Target(), Amps(16), NOON, later=((900.0, Amps(6)),))
    plain = plainer(order)
    assert plain == SetLimit(Target(), Amps(16), NOON)


currents = st.integers(0, 32).map(Amps)
later = st.dictionaries(st.integers(1, 60), currents, max_size=4).map(lambda found: tuple(sorted(found.items())))


@given(limit=currents, later=later, seconds=st.integers(1, 60))
def test_as_long_as_a_plainer_order_with_an_end_lasts_it_never_gives_more_than_the_first(
    limit: Amps, later: tuple[tuple[float, Amps], ...], seconds: int
) -> None:
    order = SetLimit(Target(), limit, NOON, later=tuple(step for step in later if step[0] < seconds), seconds=seconds)
    short = plainer(order)
    if short is None or short.seconds is None:
        return
    whole, part = order.held(NOON), short.held(NOON)
    for at in (NOON + second * SECOND for second in range(60)):
        assert not part.lasts(at) or (whole.lasts(at) and value(part.steps, at) <= value(whole.steps, at))
