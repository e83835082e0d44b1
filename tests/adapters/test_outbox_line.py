"""The line of messages that wait for the broker, against the plainest line there can be."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.outbox import Line, Outgoing

STEPS = st.lists(st.sampled_from(["reading", "event", "back", "take", "room"]), max_size=60)


def message(*, lossy: bool) -> Outgoing:
    return Outgoing("ocpp/charger/CP1/event/meter" if lossy else "ocpp/charger/CP1/event/status", b"{}", lossy=lossy)


def taken(line: Line) -> list[Outgoing]:
    return [line.popleft() for _ in range(len(line))]


def test_a_reading_makes_room_however_late_it_came() -> None:
    line = Line()
    event, reading = message(lossy=False), message(lossy=True)
    for waiting in (event, reading):
        line.append(waiting)
    line.make_room()
    assert taken(line) == [event]


def test_without_readings_the_oldest_makes_room() -> None:
    line = Line()
    old, new = message(lossy=False), message(lossy=False)
    for waiting in (old, new):
        line.append(waiting)
    line.make_room()
    assert taken(line) == [new]


@given(STEPS)
def test_order_and_loss_are_those_of_a_plain_list(steps: list[str]) -> None:
    line, plain = Line(), list[Outgoing]()
    for step in steps:
        if step in ("reading", "event"):
            plain.append(message(lossy=step == "reading"))
            line.append(plain[-1])
        elif step == "back":
            plain.insert(0, message(lossy=True))
            line.put_back(plain[0])
        elif plain and step == "take":
            assert line.popleft() is plain.pop(0)
        elif plain:
            plain.remove(next((waiting for waiting in plain if waiting.lossy), plain[0]))
            line.make_room()
        assert len(line) == len(plain)
    assert taken(line) == plain
