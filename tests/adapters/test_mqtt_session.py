"""The MQTT session with real brokers: it comes about, tells everything, and comes back after every loss."""

from __future__ import annotations

import asyncio
import gc
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiomqtt
import pytest

from ocpp_mqtt_proxy.adapters.mqtt.session import Broker as Address, Incoming, MqttSession, Pace
from ocpp_mqtt_proxy.adapters.mqtt.wire import Connect
from ocpp_mqtt_proxy.demo import broker as local
from ocpp_mqtt_proxy.demo.broker import free_port
from tests.adapters.certificates import Authority
from tests.adapters.mqtt_rig import (
    QUICK,
    a_session,
    level,
    line_to,
    listening,
    one_connection_each,
    packet,
    retained,
    running,
    stub,
    until,
)  # fmt: skip
from tests.brokers import Broker


def of_a_whole_broker(broker: Broker) -> None:
    if not broker.speaks_mqtt5:
        pytest.skip(
            "the fallback broker knows no quality of service 0 and takes no offence; install mosquitto or Docker"
        )


@dataclass
class Polite:
    """A broker of 3.1.1 that says yes to everything and hands on nothing."""

    granted: int = 0
    serving: dict[str, asyncio.StreamWriter] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    unsubscribed: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await packet(reader)
        who = connect[12 : 12 + int.from_bytes(connect[10:12], "big")].decode()
        self.serving[who] = writer
        writer.write(WELCOME)
        with suppress(asyncio.IncompleteReadError):
            while True:
                writer.write(self.answer(*await packet(reader)))
        self.closed.add(who)

    def answer(self, first: int, body: bytes) -> bytes:
        size = int.from_bytes(body[:2], "big")
        match first >> 4:
            case 3 if first & 6:  # PUBLISH, to be acknowledged
                return bytes([0x40, 2, *body[2 + size : 4 + size]])
            case 8:  # SUBSCRIBE
                return bytes([0x90, 3, *body[:2], self.granted])
            case 10:  # UNSUBSCRIBE
                self.unsubscribed.append(body)
                return bytes([0xB0, 2, *body[:2]])
        return b""


# Versions


async def test_mqtt_5_is_spoken_first(mqtt5: Broker) -> None:
    async with running(a_session(mqtt5)) as session:
        assert session.version == "5"


@pytest.mark.parametrize("spoken", ["5", "3.1.1"])
async def test_a_configured_version_is_spoken(mqtt5: Broker, spoken: str) -> None:
    async with running(a_session(mqtt5, protocol=spoken)) as session:
        assert session.version == spoken


REFUSALS = {"as 5 does": bytes([0x20, 3, 0, 0x84, 0]), "as 3.1.1 does": bytes([0x20, 2, 0, 1])}
WELCOME = bytes([0x20, 2, 0, 0])


@pytest.mark.parametrize("how", REFUSALS)
async def test_a_broker_that_refuses_mqtt_5_is_asked_in_3_1_1_at_once(how: str) -> None:
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await packet(reader)
        levels.append(level(connect))
        writer.write(WELCOME if levels[-1] == 4 else REFUSALS[how])
        await writer.drain()
        if levels[-1] != 4:
            writer.close()

    slow = replace(QUICK, retry=(3600.0, 3600.0))
    async with stub(serve) as address, running(a_session(address, slow), connected=False) as session:
        await until(lambda: len(levels) == 2)
        assert levels == [5, 4]
        assert session.version == "3.1.1"


async def test_a_broker_that_says_nothing_to_mqtt_5_is_asked_in_3_1_1_for_once() -> None:
    """It may not know what to say, or just be slow: so 5 has its turn again."""
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await packet(reader)
        levels.append(level(connect))
        writer.close()

    hasty = replace(QUICK, hello=0.02, answer=0.02)
    async with stub(serve) as address, running(a_session(address, hasty), connected=False):
        await until(lambda: len(levels) >= 4)
        assert levels[:4] == [5, 4, 5, 4]


async def test_a_version_that_was_asked_for_is_not_given_up() -> None:
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await packet(reader)
        levels.append(level(connect))
        writer.write(REFUSALS["as 5 does"])
        await writer.drain()
        writer.close()

    async with stub(serve) as address, running(a_session(address, protocol="5"), connected=False):
        await until(lambda: len(levels) == 3)
        assert levels == [5, 5, 5]


HERE = {"mosquitto": local.mosquitto() is not None, "amqtt": local.AMQTT_PYTHON.exists()}


@pytest.mark.parametrize("kind", [kind for kind, there in HERE.items() if there])
async def test_every_broker_that_make_run_starts_is_understood(tmp_path: Path, kind: str) -> None:
    started = mosquitto(tmp_path, "allow_anonymous true") if kind == "mosquitto" else local.start_amqtt(free_port())
    try:
        session = a_session(Address("127.0.0.1", started.port), replace(QUICK, hello=0.5))
        async with running(session):
            session.retain(session.topics.bridge("info"), "{}")
            await until(lambda: not session.waiting)
            assert session.version == ("5" if started.speaks_mqtt5 else "3.1.1")
    finally:
        started.stop()


# Passwords and TLS


def mosquitto(folder: Path, *lines: str) -> local.Started:
    """A mosquitto with a configuration of the test's."""
    if local.mosquitto() is None:
        pytest.skip("no mosquitto binary here")
    as_root = "user root"  # else, run by root, it may not read the files of the test
    return local.start_mosquitto(folder, free_port(), as_root, *lines)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Address]:
    """A broker that asks for a password."""
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("no mosquitto_passwd here")
    file = tmp_path / "passwords"
    subprocess.run([tool, "-b", "-c", str(file), "proxy", "s3cret"], check=True, capture_output=True)  # noqa: S603 (ours)
    file.chmod(0o644)
    started = mosquitto(tmp_path, "allow_anonymous false", f"password_file {file}")
    yield Address("127.0.0.1", started.port, "proxy", "s3cret")
    started.stop()


NO_SECOND = "grants no second connection"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_password_opens_the_broker(guarded: Address, version: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running(a_session(guarded, protocol=version)) as session:
        assert session.connected.is_set()
        assert NO_SECOND not in caplog.text


async def test_a_wrong_password_is_told_of_and_tried_again_as_it_may_change(
    guarded: Address, caplog: pytest.LogCaptureFixture
) -> None:
    session = a_session(None)
    wrong = replace(guarded, password="wr0ng")
    answers = iter([None, wrong, wrong])

    async def find() -> Address | None:
        return next(answers, guarded)

    session.find_broker = find
    async with running(session):
        assert "there is no MQTT broker" in caplog.text
        assert "uthori" in caplog.text
        assert "wr0ng" not in caplog.text


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA of the test's, and the broker's certificate by it for 127.0.0.1."""
    authority = Authority.found(tmp_path_factory.mktemp("certificates"))
    authority.certify("broker")
    for file in authority.folder.iterdir():
        file.chmod(0o644)
    return authority.folder


@pytest.fixture
def behind_tls(tmp_path: Path, certificates: Path) -> Iterator[Address]:
    started = mosquitto(
        tmp_path,
        "allow_anonymous true",
        f"certfile {certificates / 'broker.pem'}",
        f"keyfile {certificates / 'broker.key'}",
    )
    yield Address("127.0.0.1", started.port, tls=True)
    started.stop()


async def test_a_broker_behind_tls_is_trusted_by_its_ca(
    behind_tls: Address, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = a_session(behind_tls, ca=str(certificates / "ca.pem"))
    async with running(session):
        for number in range(500):
            session.retain(session.topics.bridge("info", str(number)), "x" * 200)
        await until(lambda: not session.waiting)
    assert NO_SECOND not in caplog.text


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho leaves a socket it cannot trust to the collector
@pytest.mark.parametrize("ca", ["", "no-such-file.pem"])
async def test_a_broker_that_cannot_be_trusted_gets_nothing(
    behind_tls: Address, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(a_session(behind_tls, ca=ca), connected=False) as session:
        await until(lambda: caplog.text.count("MQTT at") == 2)
        assert session.counters.connects == 0
    gc.collect()


# States and the will


async def test_all_that_is_retained_is_there_before_online_is(own_broker: Broker) -> None:
    session = a_session(own_broker)
    for number in range(50):
        session.retain(session.topics.bridge("info", str(number)), "x")
    async with listening(own_broker, "#") as heard, running(session):
        await heard.wait(session.topics.bridge_state, "online")
        told = [topic for topic, *_ in heard.messages if "/response/" not in topic]
        assert told[-1] == session.topics.bridge_state
        assert len(told) == 51


async def test_the_broker_tells_when_we_are_gone(own_broker: Broker) -> None:
    async with line_to(own_broker) as line, listening(own_broker, "#") as heard:
        session = a_session(line.address, replace(QUICK, retry=(3600.0, 3600.0)))
        async with running(session):
            await heard.wait(session.topics.bridge_state, "online")
            await line.cut()
            await heard.wait(session.topics.bridge_state, "offline")
    assert (await retained(own_broker, session.topics.base))[session.topics.bridge_state] == "offline"


async def test_who_goes_says_so(own_broker: Broker) -> None:
    session = a_session(own_broker)
    async with listening(own_broker, "#") as heard:
        async with running(session):
            session.emit(session.topics.bridge("event"), b"the last word")
            await session.say_goodbye()
        await heard.wait(session.topics.bridge_state, "offline")
        assert heard.on(session.topics.bridge("event")) == ["the last word"]


async def test_who_goes_before_all_was_told_does_not_stay_online(own_broker: Broker) -> None:
    session = a_session(own_broker)
    for number in range(200):
        session.retain(session.topics.bridge("info", str(number)), "x")
    async with running(session):
        await session.say_goodbye()
    assert (await retained(own_broker, session.topics.base))[session.topics.bridge_state] == "offline"


async def test_a_goodbye_without_a_broker_does_not_wait() -> None:
    session = a_session(Address("127.0.0.1", free_port()))
    async with running(session, connected=False), asyncio.timeout(5):
        await session.say_goodbye()


# Publishing


async def test_many_values_of_one_topic_become_one_message(own_broker: Broker) -> None:
    session = a_session(own_broker)
    power = session.topics.connector("CP1", 1, "power")
    async with listening(own_broker, "#") as heard, running(session):
        await heard.wait(session.topics.bridge_state, "online")
        for value in range(1000):
            session.retain(power, str(value))
        await heard.wait(power, "999")
        assert heard.on(power) == ["999"]


async def test_what_has_not_changed_is_not_sent_again(own_broker: Broker) -> None:
    session = a_session(own_broker)
    info, event = session.topics.bridge("info"), session.topics.bridge("event")
    async with listening(own_broker, "#") as heard, running(session):
        session.retain(info, "same")
        await heard.wait(info, "same")
        session.retain(info, "same")
        session.emit(event, b"later")
        await heard.wait(event, "later")
        assert heard.on(info) == ["same"]


async def test_states_are_retained_and_events_are_not(own_broker: Broker) -> None:
    session = a_session(own_broker)
    base = session.topics.base
    async with running(session):
        session.retain(f"{base}/state", "kept")
        session.emit(f"{base}/event", b"passing")
        session.answer(f"{base}/answer", b"passing", None)
        await until(lambda: not session.waiting)
        assert (await retained(own_broker, base)) == {f"{base}/state": "kept", f"{base}/bridge/state": "online"}


async def test_a_cleared_topic_is_gone(own_broker: Broker) -> None:
    session = a_session(own_broker)
    base = session.topics.base
    async with running(session):
        session.retain(f"{base}/state", "kept")
        await until(lambda: not session.waiting)
        session.clear(f"{base}/state")
        await until(lambda: not session.waiting)
        assert f"{base}/state" not in await retained(own_broker, base)


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_the_quality_of_service_is_the_configured_one(own_broker: Broker, qos: int) -> None:
    of_a_whole_broker(own_broker)
    session = a_session(own_broker, qos=qos)
    async with aiomqtt.Client(own_broker.host, own_broker.port) as client, running(session):
        await client.subscribe("#", qos=2)
        session.emit(session.topics.bridge("event"), b"x")
        async for message in client.messages:
            if message.topic.value == session.topics.bridge("event"):
                assert message.qos == qos
                break


async def test_a_message_that_mqtt_does_not_know_costs_no_session(
    own_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    session = a_session(own_broker)
    async with listening(own_broker, "#") as heard, running(session):
        session.answer("not/+/a/topic", b"x", None)
        session.emit(session.topics.bridge("event"), b"next")
        await heard.wait(session.topics.bridge("event"), "next")
        assert session.counters.connects == 1
        assert session.counters.dropped == 1
        assert "is dropped" in caplog.text


async def test_a_message_that_the_broker_takes_offence_at_is_given_up(own_broker: Broker) -> None:
    """Some brokers hang up on what is too long for them: that must not go on for ever."""
    of_a_whole_broker(own_broker)
    session = a_session(own_broker)
    async with running(session):
        session.answer("not\x01text", b"x", None)
        await until(lambda: session.counters.dropped == 1)
        await until(lambda: session.connected.is_set() and not session.waiting)
        assert 1 < session.counters.connects <= 4


async def test_a_message_that_the_broker_takes_offence_at_takes_no_other_with_it(own_broker: Broker) -> None:
    of_a_whole_broker(own_broker)
    session = a_session(own_broker)
    event = session.topics.bridge("event")
    async with listening(own_broker, f"{session.topics.base}/#") as heard, running(session):
        for number in range(20):
            session.emit(event, b"%d" % number)
        session.answer("not\x01text", b"x", None)
        for number in range(20, 40):
            session.emit(event, b"%d" % number)
        await until(lambda: session.counters.dropped == 1)
        await until(lambda: set(heard.on(event)) == {str(number) for number in range(40)})


async def test_an_answer_never_overtakes_the_state_that_it_confirms(own_broker: Broker) -> None:
    session = a_session(own_broker)
    state, answer = session.topics.charger("CP1", "available"), session.topics.charger("CP1", "response", "reset")
    async with listening(own_broker, f"{session.topics.base}/charger/#") as heard, running(session):
        for number in range(200):
            session.emit(session.topics.charger("CP1", "event", "meter"), b"1")
            session.answer(answer, b"%d" % number, None)
            session.retain(state, str(number))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await heard.wait(answer, "199")
    known = -1
    for topic, payload, _ in heard.messages:
        known = int(payload) if topic == state else known
        assert topic != answer or int(payload) <= known


# Two connections that live and die together


async def test_a_lost_lane_ends_the_session_and_the_next_begins(
    own_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """`online` is only said while both are up."""
    of_a_whole_broker(own_broker)
    session = a_session(own_broker)
    async with listening(own_broker, f"{session.topics.base}/#") as heard, running(session):
        await heard.wait(session.topics.bridge_state, "online")
        _, intruder = await asyncio.open_connection(own_broker.host, own_broker.port)
        intruder.write(Connect(f"{session.client_id}-out").encode())
        await until(lambda: heard.on(session.topics.bridge_state)[1:] == ["offline", "online"])
        intruder.close()
        assert session.counters.connects == 2
        assert "the connection that publishes" in caplog.text


async def test_a_session_that_is_lost_takes_its_lane_along() -> None:
    """Else two would publish, one of them what is old."""
    broker = Polite()
    pace = replace(QUICK, retry=(3600.0, 3600.0), sweep=0.01)
    async with stub(broker.serve) as address, running(a_session(address, pace, protocol="3.1.1")) as session:
        await until(lambda: session.connected.is_set() and not session.waiting)
        broker.serving[session.client_id].close()
        await until(lambda: f"{session.client_id}-out" in broker.closed)
        assert not session.connected.is_set()


NO_SECONDS = {
    "in words of 3.1.1": bytes([0x20, 2, 0, 5]),
    "in words of 5": bytes([0x20, 3, 0, 0x97, 0]),
    "without": b"",
}


@pytest.mark.parametrize("how", NO_SECONDS)
async def test_a_broker_that_grants_one_connection_gets_everything_over_it(
    own_broker: Broker, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with one_connection_each(own_broker, NO_SECONDS[how]) as address:
        session = a_session(address, protocol="auto" if own_broker.speaks_mqtt5 else "3.1.1")
        base = session.topics.base
        async with listening(own_broker, f"{base}/#") as heard, running(session):
            session.retain(f"{base}/state", "x")
            for number in range(100):
                session.emit(f"{base}/event", b"%d" % number)
            session.answer("not/+/a/topic", b"x", None)
            session.answer(f"{base}/answer", b"x", b"7")
            await heard.wait(f"{base}/answer", "x")
            assert heard.on(f"{base}/event") == [str(number) for number in range(100)]
            assert heard.on(f"{base}/state") == ["x"]
            correlation = getattr(heard.properties[-1], "CorrelationData", None)
            assert correlation == (b"7" if own_broker.speaks_mqtt5 else None)
            assert session.counters.dropped == 1
            assert caplog.text.count(NO_SECOND) == 1
            assert f"{session.client_id}-out" in caplog.text


async def test_a_broker_that_grants_one_connection_is_lost_as_any_other(own_broker: Broker) -> None:
    async with one_connection_each(own_broker, b"") as address, running(a_session(address)) as session:
        session.retain(session.topics.bridge("info"), "x")
        await until(lambda: not session.waiting)
        own_broker.stop()
        await until(lambda: not session.connected.is_set())
        own_broker.start()
        await until(lambda: session.connected.is_set() and not session.waiting)
        assert session.topics.bridge("info") in await retained(own_broker, session.topics.base)


# Losses


async def test_after_a_loss_everything_is_told_again(own_broker: Broker) -> None:
    """The broker came back without what it had retained."""
    session = a_session(own_broker)
    base = session.topics.base
    async with running(session):
        for number in range(30):
            session.retain(f"{base}/state/{number}", "kept")
        await until(lambda: not session.waiting)
        before = await retained(own_broker, base)
        own_broker.stop()
        await until(lambda: not session.connected.is_set())
        own_broker.start()
        await until(lambda: session.connected.is_set() and not session.waiting)
        assert await retained(own_broker, base) == before
        assert len(before) == 31


async def test_a_restarted_broker_gets_the_last_values_only(own_broker: Broker) -> None:
    session = a_session(own_broker)
    base = session.topics.base
    async with running(session):
        session.retain(f"{base}/power", "1")
        session.retain(f"{base}/old", "x")
        await until(lambda: not session.waiting)
        own_broker.stop()
        await until(lambda: not session.connected.is_set())
        for value in range(10_000):
            session.retain(f"{base}/power", str(value))
        session.clear(f"{base}/old")
        own_broker.start()
        async with listening(own_broker, f"{base}/#") as heard:
            await heard.wait(f"{base}/power", "9999")
            await until(lambda: not session.waiting)
            assert set(heard.on(f"{base}/power")) == {"9999"}
        assert (await retained(own_broker, base)).keys() == {f"{base}/power", f"{base}/bridge/state"}


async def test_what_was_to_be_forgotten_during_an_outage_is_forgotten_after_it(own_broker: Broker) -> None:
    """The broker kept what it had retained; only the line was cut."""
    async with line_to(own_broker) as line:
        session = a_session(line.address)
        gone = session.topics.charger("CP1", "info")
        async with running(session):
            session.retain(gone, "x")
            await until(lambda: not session.waiting)
            await line.cut()
            await until(lambda: not session.connected.is_set())
            session.clear(gone)
            await line.mend()
            await until(lambda: session.connected.is_set() and not session.waiting)
            assert gone not in await retained(own_broker, session.topics.base)


async def test_events_wait_for_the_broker_and_readings_do_not(own_broker: Broker) -> None:
    session = a_session(own_broker)
    status, meter = (session.topics.charger("CP1", "event", kind) for kind in ("status", "meter"))
    async with listening(own_broker, "#") as heard:
        session.emit(status, b"first")
        session.emit(meter, b"first")
        session.emit(status, b"second")
        async with running(session):
            await heard.wait(status, "second")
    assert heard.on(status) == ["first", "second"]
    assert heard.on(meter) == []
    assert session.counters.dropped == 1


async def test_what_was_under_way_when_the_line_broke_is_sent_again(own_broker: Broker) -> None:
    async with line_to(own_broker) as line, listening(own_broker, "#") as heard:
        session = a_session(line.address)
        event = session.topics.bridge("event")
        async with running(session):
            for number in range(200):
                session.emit(event, str(number).encode())
            await heard.wait(event, "0")
            await line.cut()
            await until(lambda: not session.connected.is_set())
            await line.mend()
            await heard.wait(event, "199")
    first_of_each = list(dict.fromkeys(heard.on(event)))
    assert first_of_each == [str(number) for number in range(200)]


async def test_a_broker_that_is_away_is_asked_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    tried = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            tried.set()
            await asyncio.Event().wait()

    session = a_session(None, Pace())
    monkeypatch.setattr("ocpp_mqtt_proxy.adapters.mqtt.session.asyncio.sleep", sleep)
    room = asyncio.create_task(session.run())
    await tried.wait()
    room.cancel()
    assert all(0.8 * most <= wait <= most for wait, most in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True))


# Home Assistant


async def test_home_assistants_birth_has_everything_told_again(own_broker: Broker) -> None:
    session = a_session(own_broker)
    info = session.topics.bridge("info")
    async with listening(own_broker, "#") as heard, running(session):
        session.retain(info, "x")
        await heard.wait(info, "x")
        await heard.client.publish(session.config.status_topic, "online")
        await until(lambda: heard.on(info) == ["x", "x"])


async def test_a_device_that_somebody_deleted_in_home_assistant_comes_back_with_its_next_start(
    own_broker: Broker,
) -> None:
    session = a_session(own_broker)
    device = "h/device/ocppproxy_1_CP1/config"
    async with listening(own_broker, "#") as heard, running(session):
        session.retain(device, "{}")
        await heard.wait(device, "{}")
        await heard.client.publish(device, "", retain=True)
        await heard.client.publish(session.config.status_topic, "online")
        await until(lambda: heard.on(device) == ["{}", "", "{}"])


@pytest.mark.parametrize("payload", ["offline", "", "ONLINE?", "\x00"])
async def test_anything_else_on_its_status_topic_changes_nothing(own_broker: Broker, payload: str) -> None:
    session = a_session(own_broker)
    info, event = session.topics.bridge("info"), session.topics.bridge("event")
    async with listening(own_broker, "#") as heard, running(session):
        session.retain(info, "x")
        await heard.wait(info, "x")
        received = session.counters.received
        await heard.client.publish(session.config.status_topic, payload)
        await until(lambda: session.counters.received > received)
        session.emit(event, b"y")
        await heard.wait(event, "y")
        assert heard.on(info) == ["x"]


# What earlier runs left


def sweeping(broker: Broker, session: MqttSession) -> MqttSession:
    """A session that knows what is its own: what says `ours`."""
    session.sweep_filters = [f"{session.topics.base}/charger/+/+", "h/+/+/config"]
    session.is_stale = lambda _, payload: payload == b"ours"
    return session


async def test_what_an_earlier_run_left_is_cleared_and_nothing_else(own_broker: Broker) -> None:
    session = sweeping(own_broker, a_session(own_broker))
    base = session.topics.base
    left = {
        f"{base}/charger/GONE/info": "ours",
        f"{base}/charger/CP1/info": "ours",
        f"{base}/elsewhere": "ours",
        "h/device/gone/config": "ours",
        "h/device/lamp/config": "of a lamp",
        "lamp/state": "ours",
    }
    session.retain(f"{base}/charger/CP1/info", "new")
    async with listening(own_broker) as somebody:
        for topic, payload in left.items():
            await somebody.client.publish(topic, payload, retain=True, qos=1)
    async with running(session):
        await until(lambda: not session.waiting)
        now = await retained(own_broker, "h") | await retained(own_broker, base)
    assert now == {
        f"{base}/charger/CP1/info": "new",
        f"{base}/elsewhere": "ours",
        f"{base}/bridge/state": "online",
        "h/device/lamp/config": "of a lamp",
    }


async def test_what_is_gone_is_cleared_before_anything_is_announced(own_broker: Broker) -> None:
    """Home Assistant holds on to the first of two announcements of one entity."""
    session = sweeping(own_broker, a_session(own_broker))
    session.retain("h/device/new/config", "ours")
    async with listening(own_broker, "h/#") as heard:
        await heard.client.publish("h/sensor/old/config", "ours", retain=True, qos=1)
        async with running(session):
            await heard.wait("h/device/new/config", "ours")
    assert [topic for topic, *_ in heard.messages][-2:] == ["h/sensor/old/config", "h/device/new/config"]
    assert heard.on("h/sensor/old/config") == ["ours", ""]


async def test_thousands_of_other_peoples_announcements_do_no_harm(own_broker: Broker) -> None:
    session = sweeping(own_broker, a_session(own_broker))
    session.subscriptions = [f"{session.topics.base}/bridge/request/+"]
    taken: list[Incoming] = []
    session.take = taken.append
    async with listening(own_broker) as somebody:
        for number in range(3000):
            await somebody.client.publish(f"h/sensor/{number}/config", "of a lamp", retain=True)
        await somebody.client.publish(f"{session.topics.base}/x", "", qos=1)
        async with running(session):
            await somebody.client.publish(f"{session.topics.base}/bridge/request/refresh", "{}", qos=1)
            await until(lambda: taken)
            assert session.counters.connects == 1


async def test_once_all_was_seen_it_listens_to_what_it_needs_alone(own_broker: Broker) -> None:
    """What is said of a thousand chargers at the start would come back, and cost more than to say it."""
    session = sweeping(own_broker, a_session(own_broker, replace(QUICK, sweep=3600)))
    base, taken = session.topics.base, list[Incoming]()
    session.subscriptions, session.take = [f"{base}/bridge/request/+"], taken.append
    async with listening(own_broker) as somebody, asyncio.timeout(10):
        await somebody.client.publish(f"{base}/charger/GONE/info", "ours", retain=True, qos=1)
        async with running(session):
            for number in itertools.count(1):
                before = session.counters.received
                await somebody.client.publish(f"{base}/charger/CP1/info", "of somebody else", qos=1)
                await somebody.client.publish(f"{base}/bridge/request/refresh", "{}", qos=1)
                await until(lambda: len(taken) == number)  # noqa: B023 (waited for here)
                if session.counters.received == before + 1:
                    break


async def test_what_it_says_itself_while_it_looks_round_does_not_come_back(own_broker: Broker) -> None:
    """A broker without anything may still show something, so that it listens on for a while."""
    session = sweeping(own_broker, a_session(own_broker, replace(QUICK, sweep=3600)))
    base, taken = session.topics.base, list[Incoming]()
    session.subscriptions, session.take = [f"{base}/bridge/request/+"], taken.append
    async with listening(own_broker) as somebody, running(session):
        before = session.counters.received
        for number in range(200):
            session.retain(f"{base}/charger/CP{number}/info", "ours")
        await session.idle()
        await somebody.client.publish(f"{base}/bridge/request/refresh", "{}", qos=1)
        await until(lambda: taken)
        assert session.counters.received == before + 1


async def test_a_broker_that_never_shows_the_end_of_it_is_not_waited_for(own_broker: Broker) -> None:
    """It may not let us listen to ourselves."""
    session = a_session(own_broker, replace(QUICK, sweep=0.05))
    async with running(session):
        assert session.connected.is_set()


async def test_retained_commands_are_handed_on_and_not_swept(own_broker: Broker) -> None:
    session = sweeping(own_broker, a_session(own_broker))
    base = session.topics.base
    session.subscriptions = [f"{base}/charger/+/request/+", f"{base}/charger/+/+/set"]
    session.is_stale = lambda topic, _: topic.startswith(f"{base}/charger/")
    taken: list[Incoming] = []
    session.take = taken.append
    topics = [f"{base}/charger/CP1/request/stop", f"{base}/charger/CP1/available/set"]
    async with listening(own_broker) as somebody:
        for topic in topics:
            await somebody.client.publish(topic, "{}", retain=True, qos=1)
    async with running(session):
        await until(lambda: len(taken) == 2)
        assert {(incoming.topic, incoming.retained) for incoming in taken} == {(topic, True) for topic in topics}
        assert set(topics) <= (await retained(own_broker, base)).keys()


async def test_a_subscription_that_the_broker_refuses_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    broker = Polite(granted=0x80)
    async with stub(broker.serve) as address, running(a_session(address, protocol="3.1.1"), connected=False):
        await until(lambda: "does not let us listen" in caplog.text)


async def test_what_others_announce_is_not_listened_to_for_ever() -> None:
    broker = Polite()
    async with stub(broker.serve) as address:
        session = a_session(address, replace(QUICK, sweep=0.01), protocol="3.1.1")
        session.sweep_filters = ["h/+/+/config"]
        async with running(session):
            await until(lambda: b"h/+/+/config" in b"".join(broker.unsubscribed))
