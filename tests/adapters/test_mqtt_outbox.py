"""What waits for the broker is bounded; readings go first, the rest in order, and every loss is counted."""

from __future__ import annotations

import asyncio

import pytest

from ocpp_mqtt_proxy.adapters.mqtt.outbox import LONG, MAX_EVENTS, MAX_TRIES, QUIET_SECONDS, Outbox

METER, STATUS = "ocpp/charger/CP1/event/meter", "ocpp/charger/CP1/event/status"


class Open(Outbox):
    """An outbox whose other end the test is."""

    def lose(self) -> None:
        self._take_back()

    def rest(self) -> list[tuple[str, bytes]]:
        """All that waits, taken and acknowledged."""
        sent = []
        while message := self.next():
            self.sent(message)
            sent.append((message.topic, message.payload))
        return sent


def connected() -> Open:
    outbox = Open()
    outbox.connected.set()
    return outbox


def test_the_last_value_of_a_topic_is_the_only_one() -> None:
    outbox = connected()
    for value in ("1", "2", "3"):
        outbox.retain("power", value)
    assert outbox.rest() == [("power", b"3")]


@pytest.mark.parametrize("size", [LONG - 1, LONG, 20 * LONG])
def test_a_payload_of_any_length_is_sent_as_it_was_and_once(size: int) -> None:
    outbox = connected()
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    for _ in range(2):
        outbox.retain("config", payload)
    assert outbox.rest() == [("config", payload)]
    outbox.republish()
    assert outbox.rest() == [("config", payload)]


def test_a_long_payload_is_kept_small() -> None:
    outbox = connected()
    outbox.retain("config", b'{"state_topic": "ocpp/charger/CP1/connector/1/power"}' * 250)
    assert sum(map(len, outbox._retained.values())) < LONG  # noqa: SLF001 (who else knows)


def test_states_go_before_events() -> None:
    outbox = connected()
    outbox.emit(STATUS, b"x")
    outbox.retain("power", "1")
    assert [topic for topic, _ in outbox.rest()] == ["power", STATUS]


def test_what_waits_is_bounded() -> None:
    outbox = connected()
    for number in range(MAX_EVENTS + 10):
        outbox.emit(STATUS, b"%d" % number)
    assert outbox.waiting == MAX_EVENTS
    assert outbox.counters.dropped == 10
    assert outbox.rest()[0] == (STATUS, b"10")


def test_readings_make_room_for_what_matters() -> None:
    outbox = connected()
    for _ in range(MAX_EVENTS):
        outbox.emit(METER, b"reading")
    outbox.emit(STATUS, b"x")
    outbox.emit(METER, b"one more")
    assert outbox.counters.dropped == 2
    assert outbox.rest().count((STATUS, b"x")) == 1


def test_an_outage_costs_readings_and_no_events() -> None:
    outbox = Open()
    for number in range(100):
        outbox.emit(METER, b"reading")
        outbox.emit(STATUS, b"%d" % number)
    assert outbox.counters.dropped == 100
    assert outbox.rest() == [(STATUS, b"%d" % number) for number in range(100)]


def test_what_was_not_acknowledged_is_sent_again_in_order() -> None:
    outbox = connected()
    for number in range(3):
        outbox.emit(STATUS, b"%d" % number)
    first, _, _ = outbox.next(), outbox.next(), outbox.next()
    assert first is not None
    outbox.sent(first)
    outbox.lose()
    assert outbox.rest() == [(STATUS, b"1"), (STATUS, b"2")]


def test_a_state_that_was_under_way_is_sent_again_with_its_last_value() -> None:
    outbox = connected()
    outbox.retain("power", "1")
    outbox.next()
    outbox.retain("power", "2")
    outbox.lose()
    assert outbox.rest() == [("power", b"2")]


def test_a_message_over_which_sessions_break_is_dropped() -> None:
    outbox = connected()
    outbox.answer("answers", b"too long for this broker", None)
    for _ in range(MAX_TRIES):
        assert outbox.next() is not None
        outbox.lose()
    assert outbox.next() is None
    assert outbox.counters.dropped == 1


def test_a_message_over_which_sessions_break_takes_no_other_with_it() -> None:
    """Who is to blame shows only when the last try goes alone."""
    outbox = connected()
    for number in range(5):
        outbox.emit(STATUS, b"%d" % number)
    for _ in range(MAX_TRIES - 1):
        assert [message.payload for message in iter(outbox.next, None)] == [b"%d" % number for number in range(5)]
        outbox.lose()
    first = outbox.next()
    assert first is not None
    assert outbox.next() is None
    outbox.sent(first)
    to_blame = outbox.next()
    assert to_blame is not None
    outbox.lose()
    assert outbox.rest() == [(STATUS, b"2"), (STATUS, b"3"), (STATUS, b"4")]
    assert outbox.counters.dropped == 1


def test_a_last_try_waits_until_it_is_alone() -> None:
    outbox = connected()
    outbox.emit(STATUS, b"to blame?")
    for _ in range(MAX_TRIES - 1):
        outbox.next()
        outbox.lose()
    outbox.retain("power", "1")
    state = outbox.next()
    assert state is not None
    assert outbox.next() is None
    outbox.sent(state)
    assert outbox.rest() == [(STATUS, b"to blame?")]


def test_before_anything_is_announced_only_what_is_gone_goes() -> None:
    outbox = connected()
    outbox.retain("kept", "1")
    outbox.emit(STATUS, b"x")
    outbox.clear("gone")
    outbox.clearing = True
    outbox.republish()
    assert outbox.rest() == [("gone", b"")]
    outbox.clearing = False
    assert outbox.rest() == [("kept", b"1"), (STATUS, b"x")]


def test_a_topic_is_delivered_once_its_last_value_is_acknowledged() -> None:
    outbox = connected()
    assert not outbox.delivered("power")
    outbox.retain("power", "1")
    assert not outbox.delivered("power")
    message = outbox.next()
    assert not outbox.delivered("power")
    assert message is not None
    outbox.sent(message)
    assert outbox.delivered("power")


def test_the_log_tells_of_each_reason_once_a_minute_however_much_is_dropped(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, seconds = connected(), [0.0, 1.0, QUIET_SECONDS - 1, QUIET_SECONDS, QUIET_SECONDS + 1]
    for second in seconds:
        monkeypatch.setattr("ocpp_mqtt_proxy.adapters.mqtt.outbox.time.monotonic", lambda second=second: second)
        for why in ("not authorized", "quota exceeded"):
            outbox.emit(STATUS, b"x")
            message = outbox.next()
            assert message is not None
            outbox.drop(message, why, "so it says")
    assert outbox.counters.dropped == 10
    assert caplog.text.count("not authorized (so it says)") == 2
    assert caplog.text.count("quota exceeded (so it says)") == 2


def test_everything_is_sent_again_with_what_is_to_be_forgotten_first() -> None:
    outbox = connected()
    outbox.retain("a", "1")
    outbox.retain("b", "2")
    outbox.rest()
    outbox.clear("a")
    outbox.republish()
    assert outbox.rest() == [("a", b""), ("b", b"2")]
    assert not outbox.has("a")


@pytest.mark.parametrize("retained", [True, False])
async def test_idle_is_when_all_was_acknowledged(retained: bool) -> None:
    outbox = connected()
    outbox.retain("a", "1") if retained else outbox.emit(STATUS, b"x")
    idle = asyncio.create_task(outbox.idle())
    message = outbox.next()
    assert message is not None
    await asyncio.sleep(0)
    assert not idle.done()
    outbox.sent(message)
    await idle
