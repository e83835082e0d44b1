"""What is made of each quirk of the corpus: its `tolerant_action`, seen in the running service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.commands import GetConfiguration, Message, Outcome, Reason, Trigger
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    CardDecided,
    DataTransferred,
    Fact,
    HeartbeatHeard,
    MeterRead,
    SessionEnded,
    SessionStarted,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.model import STATION, Place, Reading, Status, Target, Verdict, Version
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.adapters.test_corpus_on_the_wire import Wire, wire
from tests.core.yard import plain
from tests.ocppj.rows import CALL, RESULT, Row, by_row, rows
from tests.running import PATIENCE, Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

V16 = Version.V16
F = TypeVar("F", bound=Fact)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One service for all rows, with a card of the house; each row is a charger of its own."""
    cards = [{"tag": tag} for tag in ("A", "336699", "QWERTY12345678901234", "DEADBEEF", "0000001012951691")]
    async with running(tmp_path_factory.mktemp("quirks"), None, id_tags=cards) as started:
        yield started


@dataclass
class Scene:
    """A charger on a real socket, and what the service knows of it."""

    service: Running
    charger: Wire
    mailbox: Mailbox
    row: Row

    @property
    def station(self) -> Station:
        return self.service.app.hub.stations[self.charger.charger_id]

    @property
    def connector(self) -> Connector:
        return self.station.connectors[1]

    async def told(self, kind: type[F]) -> list[F]:
        """The facts of a kind about this charger since the last question: all there are before a heartbeat's."""
        assert await self.charger.is_alive()
        facts: list[Fact] = []
        async with asyncio.timeout(PATIENCE):
            while not any(isinstance(fact, HeartbeatHeard) for fact in facts):
                told = await self.mailbox.take()
                facts += [fact for fact in told if fact.charger == self.charger.charger_id]
        return [fact for fact in facts if isinstance(fact, kind)]

    async def hears_that(self, status: Status) -> None:
        """Wait until the connector is told to be in a state."""
        async with asyncio.timeout(PATIENCE):
            while not any(self._is_that(fact, status) for fact in await self.mailbox.take()):
                pass

    def _is_that(self, fact: Fact, status: Status) -> bool:
        mine = fact.charger == self.charger.charger_id and fact.connector == 1
        return mine and isinstance(fact, StatusChanged) and fact.status is status

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """Send a call; its answer's payload."""
        kind, _, answer = (
            await self.charger.answer([CALL, f"c-{action}-{len(self.charger.answers)}", action, payload])
        )[:3]
        assert kind == RESULT
        return dict(answer)

    async def boot(self, **plate: str) -> None:
        await self.call("BootNotification", **{"chargePointVendor": "X", "chargePointModel": "M", **plate})

    async def start(self, wh: int = 1000, tag: str = "A") -> int:
        """Have a transaction run; its id."""
        at = "2026-03-14T08:00:00Z"
        answer = await self.call("StartTransaction", connectorId=1, idTag=tag, meterStart=wh, timestamp=at)
        return int(answer["transactionId"])

    async def say(self, **changed: Any) -> dict[str, Any]:
        """Send the row's call, with some fields changed; its answer's payload."""
        kind, message_id, action, payload = self.row.fields["frame"]
        answer = await self.charger.answer([kind, message_id, action, payload | changed])
        assert answer[0] == RESULT
        return dict(answer[2])

    async def say_all(self) -> list[dict[str, Any]]:
        """Send the row's calls at once; their answers' payloads."""
        frames = self.row.fields["sequence"]
        before = len(self.charger.answers)
        for frame in frames:
            await self.charger.send(frame)
        await self.charger.until(lambda: len(self.charger.answers) == before + len(frames))
        return [dict(frame[2]) for frame in self.charger.answers[before:]]

    async def readings(self) -> list[Reading]:
        """What is read of the row's meter values."""
        await self.say()
        return [reading for fact in await self.told(MeterRead) for reading in fact.readings]

    async def answered(self, order: Any) -> Outcome:
        """What becomes of an order that the row answers."""
        self.charger.held = DIALECTS[V16].put(order)
        asked = asyncio.create_task(self.service.app.hub.links[self.charger.charger_id].send(order))
        await self.charger.until(lambda: self.charger.held_id)
        text = self.row.wire[0]
        assert isinstance(text, str)
        pending = text.partition("$PENDING:")[2].partition('"')[0]
        await self.charger.send(text.replace(f"$PENDING:{pending}", str(self.charger.held_id)))
        return await asked


@contextlib.asynccontextmanager
async def scene(service: Running, row: Row) -> AsyncIterator[Scene]:
    """A charger of its own."""
    bus = service.app.bus
    mailbox = bus.mailbox("test")
    try:
        async with wire(service, row.version) as charger:
            yield Scene(service, charger, mailbox, row)
    finally:
        bus.mailboxes.remove(mailbox)


def of(row: Row, action: str) -> list[dict[str, Any]]:
    return [frame[3] for frame in row.fields["sequence"] if frame[2] == action]


# What is made of each


async def the_unit_of_the_measurand_counts(s: Scene) -> None:
    (reading,) = await s.readings()
    assert (reading.measurand, reading.unit, reading.value) == ("Power.Active.Export", "W", 0.0)


async def its_transactions_tell_of_the_connector(s: Scene) -> None:
    await s.boot()
    await s.say()
    await s.hears_that(Status.AVAILABLE)
    transaction = await s.start()
    await s.hears_that(Status.CHARGING)
    await s.call("StopTransaction", transactionId=transaction, meterStop=1500, timestamp="2026-03-14T09:00:00Z")
    await s.hears_that(Status.AVAILABLE)


async def separators_are_dropped(s: Scene) -> None:
    assert [reading.value for reading in await s.readings()] == [1_203_400.0]


async def the_call_fails_alone(s: Scene) -> None:
    outcome = await s.answered(GetConfiguration(("OnlyAskedHere",)))
    assert outcome.reason is Reason.TIMEOUT
    assert await s.charger.is_alive()


async def it_is_one_transaction(s: Scene) -> None:
    first, again = await s.say_all()
    assert first == again
    assert first["idTagInfo"]["status"] == "Accepted"
    assert len(await s.told(SessionStarted)) == 1


async def the_tag_of_the_start_stands(s: Scene) -> None:
    transaction = await s.start(wh=0)
    await s.say(transactionId=transaction)
    assert ended(s).id_tag == "A"


async def it_is_of_the_running_transaction(s: Scene) -> None:
    await s.start(wh=11_000)
    await s.say()
    (told,) = await s.told(MeterRead)
    assert s.connector.session is not None
    assert told.transaction_id == s.connector.session.transaction_id
    assert s.connector.session.energy == 1000.0


async def no_energy_is_less_than_none(s: Scene) -> None:
    transaction = await s.start(wh=s.row.fields["context"]["meterStart"])
    await s.say(transactionId=transaction)
    assert ended(s).energy == 0.0


async def the_context_is_that_of_a_beginning(s: Scene) -> None:
    assert [reading.context for reading in await s.readings()] == ["Transaction.Begin"]


async def a_rollover_is_no_energy(s: Scene) -> None:
    transaction = int((await s.say())["transactionId"])
    assert s.connector.session is not None
    assert plain(s.connector.session.meter_start) == 2**31 - 1
    await s.call("StopTransaction", transactionId=transaction, meterStop=500, timestamp="2026-03-14T09:15:30Z")
    assert 0 <= ended(s).energy <= 500


async def connector_0_is_the_charger(s: Scene) -> None:
    await s.say()
    assert s.station.status is Status.UNAVAILABLE
    assert 0 not in s.station.connectors


async def a_stray_comma_is_dropped_where_that_is_known(s: Scene) -> None:
    (text,) = s.row.wire
    await s.charger.send(text)
    assert await s.charger.is_alive()
    assert (counters(s).bad_frames, s.charger.answers) == (1, [])
    await s.boot(chargePointVendor="ZJBENY", chargePointModel="BCP-B2N-L")
    s.charger.answers.clear()
    await s.charger.send(text)
    await s.charger.until(lambda: s.charger.answers)
    assert [reading.value for fact in await s.told(MeterRead) for reading in fact.readings] == [1.0]


async def the_zone_is_the_one_that_fits(s: Scene) -> None:
    local = datetime.now(UTC) + timedelta(hours=2)
    await s.say(timestamp=local.replace(tzinfo=None).isoformat(timespec="seconds"))
    at = s.connector.status_at
    assert at is not None
    assert datetime.now(UTC) - at < timedelta(minutes=8)


async def numbers_are_text(s: Scene) -> None:
    values = [item["value"] for item in s.row.payload["meterValue"][0]["sampledValue"]]
    assert [reading.value for reading in await s.readings()] == [float(value) for value in values]
    assert counters(s).mended == {"numbers_for_text": 1}


async def the_tag_is_as_it_came_and_known(s: Scene) -> None:
    answer = await s.say()
    assert answer["idTagInfo"]["status"] == "Accepted"
    (session,) = s.station.sessions()
    assert session.id_tag == s.row.payload["idTag"]


async def placeholders_are_nothing(s: Scene) -> None:
    await s.say()
    assert (s.connector.info, s.connector.vendor_error_code) == ("", "")


async def the_session_of_a_tag_too_long_ends(s: Scene) -> None:
    transaction = await s.start(wh=250_000, tag="QWERTY12345678901234")
    await s.say(transactionId=transaction)
    assert (ended(s).id_tag, ended_energy(s)) == ("QWERTY12345678901234", 390.0)


async def both_are_confirmed_and_one_counts(s: Scene) -> None:
    transaction = await s.start(wh=0)
    for payload, message_id in zip(of(s.row, "StopTransaction"), ("r1", "r2"), strict=True):
        stop = payload | {"transactionId": transaction}
        assert (await s.charger.answer([CALL, message_id, "StopTransaction", stop]))[0] == RESULT
    assert len(await s.told(SessionEnded)) == 1


async def it_is_now(s: Scene) -> None:
    await s.say(connectorId=1)
    at = s.connector.status_at
    assert at is not None
    assert datetime.now(UTC) - at < timedelta(minutes=1)


async def every_spelling_is_celsius(s: Scene) -> None:
    assert [(reading.value, reading.unit) for reading in await s.readings()] == [(31.0, "°C")] * 3


async def an_empty_key_is_null_where_that_is_known(s: Scene) -> None:
    (text,) = s.row.wire
    await s.charger.send(text)
    assert await s.charger.is_alive()
    assert (counters(s).bad_frames, s.charger.answers) == (1, [])
    await s.boot(chargePointVendor="AEFA", chargePointModel="Home OCPP", firmwareVersion="SW:A1B_2.8-HW:B07_0.5")
    await s.charger.send(text)
    await s.charger.until(lambda: s.charger.of("mv9"))
    assert s.charger.of("mv9") == [[RESULT, "mv9", {}]]
    assert s.connector.energy == 1750.0
    assert counters(s).mended == {"keys_without_values": 1, "nulls": 1}


async def the_charger_as_a_whole_is_meant(s: Scene) -> None:
    await s.say()
    assert s.station.status is Status.AVAILABLE
    assert s.station.at(STATION) is None


async def its_clock_is_known_to_be_ahead(s: Scene) -> None:
    local = datetime.now(UTC) + timedelta(hours=2)
    await s.say(timestamp=local.isoformat(timespec="seconds").replace("+00:00", "Z"))
    shown = s.service.app.bridge.status()["chargers"][s.charger.charger_id]
    assert shown["clock_ahead_s"] == pytest.approx(7200, abs=60)
    assert s.connector.status_at is not None
    assert s.connector.status_at <= datetime.now(UTC)


async def the_transaction_that_fits_is_ended(s: Scene) -> None:
    await s.start(wh=1000, tag="DEADBEEF")
    await s.say()
    assert ended_energy(s) == 200.0


async def keys_are_what_they_are(s: Scene) -> None:
    outcome = await s.answered(GetConfiguration(("MaxCurrent", "HeartbeatInterval", "StopTransactionOnInvalid")))
    assert outcome.result["values"] == {
        "MaxCurrent": "40000",
        "HeartbeatInterval": "0",
        "StopTransactionOnInvalid": "false",
    }


async def nothing_is_opened_again(s: Scene) -> None:
    start, again = of(s.row, "StartTransaction")
    (stop,) = of(s.row, "StopTransaction")
    first = await s.call("StartTransaction", **start)
    await s.call("StopTransaction", **stop | {"transactionId": first["transactionId"]})
    assert await s.call("StartTransaction", **again) == first
    assert list(s.station.sessions()) == []
    assert len(await s.told(SessionStarted)) == 1


async def data_is_passed_on_as_it_came(s: Scene) -> None:
    await s.say()
    (told,) = await s.told(DataTransferred)
    assert told.data == s.row.payload["data"]


async def a_stranger_gets_a_transaction_and_a_no(s: Scene) -> None:
    answer = await s.say()
    assert answer["idTagInfo"]["status"] == "Invalid"
    assert answer["transactionId"] > 0
    assert [fact.verdict for fact in await s.told(CardDecided)] == [Verdict.INVALID]


async def a_fraction_is_rounded(s: Scene) -> None:
    transaction = await s.start(wh=26_000)
    await s.say(transactionId=transaction)
    assert (plain(ended(s).meter_stop), ended_energy(s)) == (26_008, 8.0)
    assert counters(s).mended == {"fractions": 1}


async def hertz_is_hertz(s: Scene) -> None:
    assert [(reading.value, reading.unit) for reading in await s.readings()] == [(50.01, "Hz")]


async def it_is_told_once(s: Scene) -> None:
    assert await s.say_all() == [{}, {}, {}]
    assert [fact.status for fact in await s.told(StatusChanged)] == [Status.AVAILABLE]


async def an_empty_tag_is_none(s: Scene) -> None:
    transaction = await s.start(wh=0)
    answer = await s.say(transactionId=transaction)
    assert "idTagInfo" not in answer
    assert ended(s).id_tag == "A"


async def readings_come_by_themselves(s: Scene) -> None:
    """Asked for readings it refuses; so it is told how often to send them, though it shows no such setting."""
    s.charger.reply = {"status": "Rejected"}
    nobody_else_s = Trigger(Message.METER, Target(7, Place(7, 1)))
    assert (await s.answered(nobody_else_s)).reason is Reason.CHARGER_REJECTED
    change = {"key": "MeterValueSampleInterval", "value": "30"}
    await s.charger.until(lambda: ("ChangeConfiguration", change) in s.charger.asked)


def ended(s: Scene) -> Session:
    session = s.connector.last_session
    assert session is not None
    assert not session.running
    return session


def ended_energy(s: Scene) -> float:
    return ended(s).energy


def counters(s: Scene) -> Any:
    return s.service.app.gate.counted(s.charger.charger_id)


Action = Callable[[Scene], Awaitable[None]]

ACTIONS: dict[str, Action] = {
    "power measurand with energy unit": the_unit_of_the_measurand_counts,
    "only connector 0 is ever reported": its_transactions_tell_of_the_connector,
    "thousands separators in a sampled value": separators_are_dropped,
    "truncated GetConfiguration result": the_call_fails_alone,
    "the same StartTransaction twice": it_is_one_transaction,
    "StopTransaction without idTag": the_tag_of_the_start_stands,
    "negative charger-invented transactionId": it_is_of_the_running_transaction,
    "meterStop below meterStart": no_energy_is_less_than_none,
    "context Transaction.Start": the_context_is_that_of_a_beginning,
    "meterStart near 2^31": a_rollover_is_no_energy,
    "connectorId 0 used as list index": connector_0_is_the_charger,
    "CALL built with a leading comma": a_stray_comma_is_dropped_where_that_is_known,
    "timestamp without any zone": the_zone_is_the_one_that_fits,
    "sampled value as JSON number": numbers_are_text,
    "idTag padded with backslashes": the_tag_is_as_it_came_and_known,
    "'none' placeholders": placeholders_are_nothing,
    "StopTransaction idTag of 21 characters": the_session_of_a_tag_too_long_ends,
    "retried StopTransaction": both_are_confirmed_and_one_counts,
    "1970 timestamps": it_is_now,
    "unit C / Celcius / Celsius": every_spelling_is_celsius,
    "zone-less fractional timestamp plus an empty": an_empty_key_is_null_where_that_is_known,
    "2.0.1 station-level StatusNotification": the_charger_as_a_whole_is_meant,
    "local time labelled Z": its_clock_is_known_to_be_ahead,
    "StopTransaction with transactionId -1": the_transaction_that_fits_is_ended,
    "misspelt key": keys_are_what_they_are,
    "replayed StartTransaction": nothing_is_opened_again,
    "double-encoded JSON string": data_is_passed_on_as_it_came,
    "StartTransaction with an idTag no backend knows": a_stranger_gets_a_transaction_and_a_no,
    "fractional meterStop": a_fraction_is_rounded,
    "unit Hz": hertz_is_hertz,
    "duplicate StatusNotification burst": it_is_told_once,
    "DataTransfer data as object": data_is_passed_on_as_it_came,
    "empty idTag in StopTransaction": an_empty_tag_is_none,
    "sampled value as float number": numbers_are_text,
    "TriggerMessage MeterValues always Rejected": readings_come_by_themselves,
}
"""By how the row's `why` begins."""

QUIRKS = rows("quirks")
ELSEWHERE: dict[str, Callable[[Row], bool]] = {
    "an upgrade request: test_gate.py": lambda row: "handshake" in row.fields,
    "a CSMS speaks; the same chain of profiles towards a charger: test_dispatch.py": lambda row: not row.from_charger,
}


def action_of(row: Row) -> Action | None:
    found = [action for why, action in ACTIONS.items() if row.why.startswith(why)]
    assert len(found) <= 1, row.why
    return found[0] if found else None


def is_elsewhere(row: Row) -> bool:
    return any(applies(row) for applies in ELSEWHERE.values())


async def test_every_row_has_its_action_here_or_a_reason_why_not() -> None:
    assert [row.why for row in QUIRKS if (action_of(row) is None) is not is_elsewhere(row)] == []
    used = {action_of(row) for row in QUIRKS}
    assert set(ACTIONS.values()) <= used


@by_row([row for row in QUIRKS if not is_elsewhere(row)])
async def test_a_quirk_is_taken_as_it_was_meant(service: Running, row: Row, caplog: pytest.LogCaptureFixture) -> None:
    action = action_of(row)
    assert action is not None
    async with scene(service, row) as s:
        await action(s)
        assert await s.charger.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


# What there is to see of it


FORCED = {"id": "Forced", "quirks": ["not_a_number", "no_numbers_for_text"]}
NAN = json.dumps(
    [
        CALL,
        "nan",
        "MeterValues",
        {
            "connectorId": 1,
            "meterValue": [
                {
                    "timestamp": "2026-03-14T08:15:30Z",
                    "sampledValue": [{"value": float("nan")}, {"value": 7, "measurand": "Voltage"}],
                }
            ],
        },
    ]
)


async def test_configuration_forces_a_quirk_and_all_of_it_can_be_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, None, chargers=[FORCED]) as service, wire(service, V16, "Forced") as charger:
        assert await charger.is_alive()
        await charger.send(NAN)
        await charger.until(lambda: charger.of("nan"))
        await charger.send(NAN)
        assert await charger.is_alive()
        bridge = service.app.bridge
        assert bridge.status()["chargers"]["Forced"]["quirks"] == ["not_a_number"]
        assert bridge.status()["chargers"]["Forced"]["traffic"]["mended"] == {"not_a_number": 2, "nulls": 2}
        assert bridge.health()["repaired"] == {"Forced": {"not_a_number": 2, "nulls": 2}}
    lines = [line for line in caplog.messages if "repaired (not_a_number)" in line]
    assert len(lines) == 1
    assert '"value": NaN' in lines[0]


async def test_what_was_counted_stays_counted_over_reconnects(service: Running) -> None:
    for times in (1, 2):
        async with wire(service, V16, "again") as charger:
            await charger.send(NAN)
            assert await charger.is_alive()
            assert service.app.gate.counted("again").bad_frames == times


async def test_half_a_character_and_an_endless_number_are_read_by_everybody(service: Running) -> None:
    async with wire(service, V16) as charger:
        await charger.send(r'[2,"half","DataTransfer",{"vendorId":"x","data":"\ud83d"}]')
        await charger.send(NAN.replace('"nan"', '"endless"').replace("NaN", "1e400"))
        await charger.until(lambda: len(charger.answers) == 2)
        assert [frame[:2] for frame in charger.answers] == [[RESULT, "half"], [RESULT, "endless"]]


async def test_boots_in_a_row_are_one_commissioning(service: Running) -> None:
    async with wire(service, V16) as charger:
        for number in range(10):
            boot = {"chargePointVendor": "X", "chargePointModel": "M"}
            await charger.send([CALL, f"boot{number}", "BootNotification", boot])
        await charger.until(lambda: len(charger.answers) == 10)
        assert await charger.is_alive()
        link = service.app.hub.links[charger.charger_id]
        await link.send(GetConfiguration(("Last",)))
        questions = [payload for action, payload in charger.asked if action == "GetConfiguration"]
        assert len(questions) <= 3
