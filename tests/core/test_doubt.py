"""What a charger may hold of our profiles after a boot: nobody knows which of them it lost."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.doubt import may_apply
from ocpp_mqtt_proxy.core.held import Held, value
from ocpp_mqtt_proxy.core.limit_orders import Layer
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from tests.core.yard import NOON

MINUTE = timedelta(minutes=1)
END = 30 * MINUTE
amps = st.sampled_from([0, 6, 10, 16, 32]).map(Amps)


@st.composite
def held(draw: st.DrawFn) -> Held:
    times = sorted({0, *draw(st.sets(st.integers(1, 20), max_size=2))})
    until = draw(st.none() | st.integers(times[-1] + 1, 30))
    steps = tuple((NOON + at * MINUTE, draw(amps)) for at in times)
    return Held(steps, None if until is None else NOON + until * MINUTE)


@given(
    own=st.none() | held(),
    default=st.none() | held(),
    safe=st.none() | amps,
    lost=st.sets(st.sampled_from(["S", Layer.DEFAULT, Layer.BASE, "another's"])),
    at=st.integers(0, 29),
)
def test_whatever_it_lost_no_more_applies_than_may(
    own: Held | None, default: Held | None, safe: Amps | None, lost: set[str], at: int
) -> None:
    station = Station(ChargerMemory("CP1", installed=default, safe=safe), lost=lost)
    session = Session("S", "CP1", 1, "T", NOON, "CARD", held=own)
    then, found = NOON + at * MINUTE, []
    base = None if safe is None else Held(((NOON, safe),))
    for key, one in (("S", own), (Layer.DEFAULT, default), (Layer.BASE, base)):
        if one is not None and one.lasts(then):
            found.append(value(one.steps, then))
            if key not in lost:
                break
    else:
        found.append(station.unlimited)
    assert value(may_apply(station, session, NOON, NOON + END), then) == max(found)
