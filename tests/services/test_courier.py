"""What must be told for certain: in order, as often as it takes, and once (1.6 §3.7.1; 2.0.1 E04, E13, A04)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import IdToken, Place, StopReason, Version, WattHours
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer, PeerTransaction
from ocpp_mqtt_proxy.core.reports import Phase, SecurityReported, TransactionReported
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import CallError, ErrorCode
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services import wording
from ocpp_mqtt_proxy.services.courier import DISK_SECONDS, Courier
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused
from tests.fakes import NOON, FakeLedger
from tests.running import PATIENCE
from tests.services.fakes import FakeServiceLink, agreeable, an_outstation, link_of, outbox_of

BOTH = [Version.V16, Version.V201]
"""Where transactions are told by messages of their own, and where by events."""

SESSION = "s1"
CARD = IdToken("04A1B2C3")


def refusing(code: ErrorCode) -> Refused:
    return Refused(CallError("1", code, "no"))


@dataclass
class Service:
    """A service that fails as told, a failure a call, before it agrees."""

    version: Version
    failures: list[Exception] = field(default_factory=list)

    def __call__(self, action: str, payload: Object) -> Object:
        if self.failures:
            raise self.failures.pop(0)
        return self._agree(action, payload)

    def __post_init__(self) -> None:
        self._agree = agreeable(self.version)


@dataclass
class Bench:
    """A courier at work; `pauses` are the seconds it would have waited, `on_pause` happens then."""

    out: Outstation
    service: Service
    pauses: list[float] = field(default_factory=list)
    on_pause: Any = None

    def __post_init__(self) -> None:
        self.courier = Courier(self.out, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.on_pause is not None:
            self.on_pause()
        await asyncio.sleep(0)

    @property
    def ledger(self) -> FakeLedger:
        assert isinstance(self.out.hub.ledger, FakeLedger)
        return self.out.hub.ledger

    @property
    def sent(self) -> list[tuple[str, Payload]]:
        return link_of(self.out).calls

    def waits(self) -> list[int]:
        return [one.number for one in outbox_of(self.out.hub).waiting]

    def put(self, told: TransactionReported | SecurityReported, session: str = "") -> Outgoing:
        outgoing = Outgoing(self.out.id, "CP1", self.out.outbox.number(), NOON, told, session)
        outbox_of(self.out.hub).take([outgoing])
        return outgoing

    def put_session(self) -> None:
        """A session that began, was metered, and ended."""
        self.out.peer.transactions[SESSION] = PeerTransaction(
            SESSION, "17", connector=1, token=CARD, meter_start=WattHours(1000.0)
        )
        for report in a_session():
            self.put(report, SESSION)

    def lose_link(self) -> None:
        link_of(self.out).lose()

    def dial_again(self) -> None:
        self.out.link = FakeServiceLink(self.service.version, self.service)


def a_session() -> list[TransactionReported]:
    place = Place(1, 1)
    return [
        TransactionReported(Phase.STARTED, "17", NOON, place, CARD, "authorized", meter_start=WattHours(1000.0)),
        TransactionReported(Phase.UPDATED, "17", NOON, place, CARD, "authorized"),
        TransactionReported(
            Phase.ENDED,
            "17",
            NOON,
            place,
            trigger="stop_authorized",
            meter_stop=WattHours(3000.0),
            stop_reason=StopReason.LOCAL,
        ),
    ]


def a_bench(version: Version = Version.V16, *failures: Exception) -> Bench:
    service = Service(version, list(failures))
    out = an_outstation(version, link=FakeServiceLink(version, service))
    return Bench(out, service)


def events(bench: Bench) -> list[tuple[object, object]]:
    """The 2.x events that were sent, by kind and number."""
    return [(payload["eventType"], payload["seqNo"]) for action, payload in bench.sent if action == "TransactionEvent"]


async def test_a_16_service_hears_of_a_session_in_order_by_the_id_it_gave() -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    await bench.courier.drain()
    (start, _), *_, (stop, said) = bench.sent
    assert (start, stop, said["transactionId"]) == ("StartTransaction", "StopTransaction", 700)
    assert bench.waits() == []


async def test_a_2x_service_hears_of_a_session_in_order_and_numbered_without_gaps() -> None:
    bench = a_bench(Version.V201)
    bench.put_session()
    await bench.courier.drain()
    assert events(bench) == [("Started", 0), ("Updated", 1), ("Ended", 2)]
    assert bench.waits() == []


@pytest.mark.parametrize(("version", "of_a_reading"), [(Version.V16, [Delivered]), (Version.V201, [Delivered, Peer])])
async def test_that_a_message_is_delivered_is_written_in_one_with_what_its_answer_taught(
    version: Version, of_a_reading: list[type]
) -> None:
    """A reading teaches a 1.6 service's charger nothing; of a 2.x service's it uses up a number."""
    bench = a_bench(version)
    bench.put_session()
    writes: list[list[object]] = []
    record = bench.ledger.record

    async def listening(changes: Any) -> None:
        writes.append(list(changes))
        await record(changes)

    bench.ledger.record = listening  # type: ignore[method-assign]  # an ear on the fake
    await bench.courier.drain()
    assert [[type(change) for change in changes] for changes in writes] == [
        [Delivered, Peer],
        of_a_reading,
        [Delivered, Peer],
    ]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    "failure", [NoAnswer("in time"), refusing(ErrorCode.INTERNAL_ERROR), refusing(ErrorCode.NOT_SUPPORTED)], ids=str
)
async def test_a_message_that_fails_is_sent_again_after_waits_that_grow(version: Version, failure: Exception) -> None:
    """1.6 §9.1.31-32, E13.FR.01-03."""
    bench = a_bench(version, failure, failure)
    bench.put_session()
    await bench.courier.drain()
    assert bench.pauses == [60.0, 120.0]
    first, second, third, *_ = bench.sent
    assert first == second == third
    assert bench.waits() == []


async def test_that_a_service_does_not_take_what_it_must_hear_is_shown_until_it_does() -> None:
    bench, shown = a_bench(Version.V16, NoAnswer("no answer in time")), []
    bench.on_pause = lambda: shown.append(bench.out.fault)
    bench.put_session()
    await bench.courier.drain()
    assert (shown, bench.out.fault) == (["delivery: StartTransaction is not taken: no answer in time"], "")


@pytest.mark.parametrize("version", BOTH)
async def test_after_all_attempts_a_message_is_given_up_said_and_counted_and_the_next_goes(
    version: Version, caplog: pytest.LogCaptureFixture
) -> None:
    """1.6 §3.7.1, E13.FR.04."""
    caplog.set_level(logging.WARNING)
    bench = a_bench(version, *[NoAnswer("in time")] * 3)
    bench.put_session()
    await bench.courier.drain()
    given_up = [one for one in bench.ledger.recorded if isinstance(one, Delivered) and one.given_up]
    assert [one.number for one in given_up] == [1]
    assert [record.message for record in caplog.records] == [
        "CP1 at billing: message 1 (started) of session s1 is given up: 3 attempts, the last: in time"
    ]
    assert bench.waits() == []


async def test_a_16_transaction_whose_start_was_given_up_goes_on_without_a_number() -> None:
    """Errata 3.18."""
    bench = a_bench(Version.V16, *[NoAnswer("in time")] * 3)
    bench.put_session()
    await bench.courier.drain()
    assert link_of(bench.out).said("StopTransaction")[0]["transactionId"] == -1


async def test_the_number_of_an_event_given_up_is_used_up() -> None:
    bench = a_bench(Version.V201, *[NoAnswer("in time")] * 3)
    bench.put_session()
    await bench.courier.drain()
    assert events(bench) == [("Started", 0)] * 3 + [("Updated", 1), ("Ended", 2)]


@pytest.mark.parametrize(
    ("settings", "pauses"),
    [
        ({"TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "10"}, [10.0]),
        ({"TransactionMessageAttempts": "4"}, [60.0, 120.0, 180.0]),
        ({"TransactionMessageAttempts": "0"}, []),
        ({"TransactionMessageAttempts": "many", "TransactionMessageRetryInterval": "-1"}, [60.0, 120.0]),
    ],
)
async def test_how_often_and_how_long_is_what_the_service_set(settings: dict[str, str], pauses: list[float]) -> None:
    bench = a_bench(Version.V16, *[NoAnswer("in time")] * 9)
    bench.out.virtual.settings = settings
    bench.put_session()
    bench.on_pause = lambda: None
    await bench.courier.drain()
    assert bench.pauses[: len(pauses)] == pauses
    assert len(link_of(bench.out).said("StartTransaction")) == len(pauses) + 1


@pytest.mark.parametrize("code", [ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED])
async def test_a_service_that_knows_no_security_events_is_not_asked_twice(code: ErrorCode) -> None:
    bench = a_bench(Version.V16, refusing(code))
    bench.put(SecurityReported("TamperDetectionActivated", NOON))
    await bench.courier.drain()
    assert (len(bench.sent), bench.pauses, bench.waits()) == (1, [], [])


async def test_a_security_event_that_gets_no_answer_is_sent_again() -> None:
    """A04.FR.02."""
    bench = a_bench(Version.V201, NoAnswer("in time"))
    bench.put(SecurityReported("TamperDetectionActivated", NOON))
    await bench.courier.drain()
    assert link_of(bench.out).actions() == ["SecurityEventNotification"] * 2


@pytest.mark.parametrize("version", BOTH)
async def test_a_link_that_is_lost_uses_up_no_attempt(version: Version) -> None:
    bench = a_bench(version)
    bench.put_session()
    for _ in range(10):
        bench.service.failures = [LinkLost("gone")]
        bench.lose_link()
        bench.dial_again()
        await bench.courier.drain()
        assert bench.waits() == [1, 2, 3]
    await bench.courier.drain()
    assert (bench.pauses, bench.waits()) == ([], [])


@pytest.mark.parametrize("version", BOTH)
async def test_what_was_sent_and_not_answered_is_sent_again_as_it_was(version: Version) -> None:
    bench = a_bench(version)
    bench.put_session()
    link = link_of(bench.out)
    link.open.clear()
    delivering = asyncio.create_task(bench.courier.drain())
    while not link.calls:  # noqa: ASYNC110 (the link tells nobody)
        await asyncio.sleep(0)
    link.lose()
    await delivering
    bench.dial_again()
    await bench.courier.drain()
    assert bench.sent[0] == link.calls[0]


async def test_draining_takes_what_is_there_and_leaves_what_comes() -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    later: list[Outgoing] = []

    def answer(action: str, payload: Object) -> Object:
        if not later:
            later.append(bench.put(SecurityReported("StartupOfTheDevice", NOON)))
        return bench.service(action, payload)

    link_of(bench.out).answers = answer
    await bench.courier.drain()
    assert bench.waits() == [later[0].number]


async def test_running_delivers_what_comes() -> None:
    bench = a_bench(Version.V16)
    running = asyncio.create_task(bench.courier.run())
    await asyncio.sleep(0)
    bench.put(SecurityReported("StartupOfTheDevice", NOON))
    async with asyncio.timeout(PATIENCE):
        while bench.waits():  # noqa: ASYNC110 (an outbox tells of arrivals only)
            await asyncio.sleep(0)
    assert not running.done()
    bench.lose_link()
    bench.put(SecurityReported("StartupOfTheDevice", NOON))
    async with asyncio.timeout(PATIENCE):
        await running
    assert len(bench.waits()) == 1


@pytest.mark.parametrize("version", BOTH)
async def test_while_the_disk_fails_nothing_more_is_told_and_what_was_is_not_repeated(version: Version) -> None:
    bench = a_bench(version)
    bench.put_session()
    bench.ledger.broken = True

    def mend_at_last() -> None:
        assert len(bench.sent) == 1
        bench.ledger.broken = len(bench.pauses) < 5

    bench.on_pause = mend_at_last
    await bench.courier.drain()
    assert bench.pauses == [DISK_SECONDS] * 5
    assert len(bench.sent) == len({repr(call) for call in bench.sent})


async def test_while_what_waits_cannot_be_read_it_is_tried_again_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    box, failures = outbox_of(bench.out.hub), [LedgerFailed("disk")] * 3
    read = box.head

    async def head(*which: Any) -> list[Outgoing]:
        if failures:
            raise failures.pop()
        return await read(*which)

    monkeypatch.setattr(box, "head", head)
    await bench.courier.drain()
    assert (bench.pauses, bench.waits()) == ([DISK_SECONDS] * 3, [])
    assert caplog.text.count("waits for the disk") == 1


async def test_a_start_that_was_told_is_not_told_again_where_a_backup_brought_it_back() -> None:
    bench = a_bench(Version.V201)
    bench.put_session()
    bench.out.peer.transactions[SESSION].started = True
    bench.out.peer.transactions[SESSION].seq = 5
    await bench.courier.drain()
    assert events(bench) == [("Updated", 5), ("Ended", 6)]


async def test_a_session_that_was_told_to_its_end_is_not_told_again() -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    known = bench.out.peer.transactions[SESSION]
    known.started = known.ended = True
    await bench.courier.drain()
    assert (bench.sent, bench.waits()) == ([], [])


@pytest.mark.parametrize("answer", [{}, {"transactionId": 1}, {"transactionId": "x", "idTagInfo": {}}], ids=str)
async def test_an_answer_that_is_none_costs_an_attempt_and_no_more(answer: Object) -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    link_of(bench.out).answers = lambda action, _: answer if action == "StartTransaction" else {}
    await bench.courier.drain()
    assert bench.waits() == []


async def test_what_has_no_words_is_given_up_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = a_bench(Version.V16)
    bench.put_session()
    worded = wording.calls

    def faulty(out: Outstation, outgoing: Outgoing) -> Any:
        if outgoing.number == 1:
            raise RuntimeError("a fault of ours")
        return worded(out, outgoing)

    monkeypatch.setattr(wording, "calls", faulty)
    await bench.courier.drain()
    assert bench.waits() == []
    assert link_of(bench.out).actions()[-1] == "StopTransaction"
    assert "no words for message 1 (started) of session s1" in caplog.text
