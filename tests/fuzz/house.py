"""A house for one strange charger: everything that a frame passes on its way through the program, in one place.

The link, the dialect, the hub, the core, the store's rows, the states, the announcements and the documents of the
page are real; sockets, disk, broker and time are not. Whatever is said, `say` judges what came of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson

from ocpp_mqtt_proxy import requests, shapes
from ocpp_mqtt_proxy.adapters.chargers.link import Link, Timing
from ocpp_mqtt_proxy.adapters.discovery import Discovery
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.adapters.store import migrations, rows
from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.station import MAX_CONNECTORS, Station, restore
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.logs import JsonFormatter, TextFormatter
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ports import Ledger, LedgerFailed, Publisher
from ocpp_mqtt_proxy.topics import Topics
from tests.fakes import FakeClock, a_hub
from tests.fuzz.judge import judge
from tests.fuzz.mutations import OPEN, TX, Step

AT_ONCE = Timing(boot_grace=0, boot_patience=0, calm=0, call=3600)
PATIENCE = 200
"""Turns of the loop within which an answer comes; nothing here waits for anything else."""

TABLES = migrations.scripts()
MAX_TOPIC = 65_535
CHARGER = "CP1"


class Wire:
    """A socket's other end: what is put into it waits while the link wants no more."""

    def __init__(self) -> None:
        self.excess = Excess()
        self.said: list[bytes] = []
        self.waiting: deque[bytes] = deque()
        self._take: Callable[[bytes], None] = self.waiting.append
        self.deaf = False
        self._held = False
        self._gone = asyncio.Event()

    def say(self, data: bytes) -> None:
        self.waiting.append(data)
        self._deliver()

    def cut(self) -> None:
        self._gone.set()

    def _deliver(self) -> None:
        while self.waiting and not self._held:
            self._take(self.waiting.popleft())

    # What the link sees of it

    def listen(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def put(self, message: bytes) -> bool:
        if self.deaf or self._gone.is_set():
            return False
        self.said.append(message)
        return True

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._deliver()

    def part(self, reason: str) -> None:
        self._gone.set()

    async def wait_closed(self) -> None:
        await self._gone.wait()

    @property
    def farewell(self) -> str:
        return "the fuzz is over"


@dataclass
class Books(Ledger):
    """The store's rows, in memory: what cannot be written is known at once. Nothing can be while it is `broken`."""

    broken: bool = False
    full: bool = False

    database: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))
    notes: dict[tuple[str, ...], Change] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database.row_factory = sqlite3.Row
        for script in TABLES:
            self.database.executescript(script)

    async def record(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.notes.pop(rows.key_of(change), None)
        await asyncio.sleep(0)
        if self.broken:
            raise LedgerFailed("disk full")
        self._write(changes)

    def note(self, changes: Iterable[Change]) -> None:
        self.notes |= {rows.key_of(change): change for change in changes}

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        self.note(changes)
        asyncio.get_running_loop().call_soon(then)

    async def forget(self, charger: ChargerMemory) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        if not self.broken:
            notes, self.notes = self.notes, {}
            self._write(notes.values())

    def _write(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for sql, values in rows.statements(change):
                self.database.execute(sql, values)

    def read(self, station: Station) -> Station:
        """The charger as it would be after a restart."""
        chargers = [rows.charger(row) for row in self.database.execute("SELECT * FROM charger")]
        connectors = [rows.connector(row) for row in self.database.execute("SELECT * FROM connector")]
        sessions = [rows.session(row) for row in self.database.execute("SELECT * FROM session")]
        return restore(chargers[0], station.plan, connectors, sessions)


class Wall(Publisher):
    """Takes every message that a broker would take."""

    def retain(self, topic: str, payload: str | bytes) -> None:
        self._take(topic, payload.encode() if isinstance(payload, str) else payload)

    def clear(self, topic: str) -> None:
        self._take(topic, b"")

    def emit(self, topic: str, payload: bytes) -> None:
        assert orjson.loads(payload)
        self._take(topic, payload)

    def _take(self, topic: str, payload: bytes) -> None:
        assert topic.isprintable()
        assert "#" not in topic
        assert "+" not in topic
        assert len(topic) < MAX_TOPIC
        payload.decode()


LOGGERS = (logging.getLogger("ocpp_mqtt_proxy"), logging.getLogger("asyncio"))


class Listener(logging.Handler):
    """Reads the log as both formats write it: every line can be written, and none tells of a fault of ours."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.faults: list[str] = []
        self._formats = (TextFormatter(), JsonFormatter())

    @contextmanager
    def on(self) -> Iterator[None]:
        """Listen, as the program would at its usual level."""
        for logger in LOGGERS:
            logger.addHandler(self)
        before = LOGGERS[0].level
        if before != logging.INFO:
            LOGGERS[0].setLevel(logging.INFO)
        try:
            yield
        finally:
            if before != logging.INFO:
                LOGGERS[0].setLevel(before)
            for logger in LOGGERS:
                logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        lines = [form.format(record) for form in self._formats]
        assert "\n" not in lines[1]
        if record.levelno >= logging.ERROR:
            self.faults.append(lines[0])


class House:
    """A charger's house, for as long as the `async with`. `version` is what it speaks."""

    def __init__(self, version: Version, *, log_frames: bool = True) -> None:
        self.dialect = DIALECTS[version]
        self.books = Books()
        self.clock = FakeClock()
        self.hub: Hub = a_hub()
        self.hub.ledger, self.hub.clock = self.books, self.clock
        topics, wall = Topics(), Wall()
        self.states = States(self.hub, self.hub.bus.mailbox("mqtt"), wall, self.clock, topics)
        self.discovery = Discovery(self.hub, self.hub.bus.mailbox("discovery"), wall, topics, "test")
        self.commissioning = Commissioning(self.hub)
        self.dispatcher = Dispatcher(self.hub, self.commissioning)
        self.outcomes: list[asyncio.Task[Outcome]] = []
        self.frames = 0
        self._log_frames = log_frames
        self._listener = Listener()
        self._transaction: object = "1"
        self._energy: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        with self._listener.on():
            await self._plug_in()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        with self._listener.on():
            await self._unplug()
        if kind is None:
            self._judge_books()
            assert self._listener.faults == [], self._listener.faults
        self.books.database.close()

    # Its socket

    async def _plug_in(self) -> None:
        self.wire = Wire()
        self.link = Link(
            CHARGER, self.dialect, self.wire, self.hub, self.commissioning, AT_ONCE, log_frames=self._log_frames
        )
        self.hub.connect(CHARGER, self.link, "127.0.0.1")
        self._conversation = asyncio.create_task(self.link.run())
        await asyncio.sleep(0)

    async def _unplug(self) -> None:
        """Close the socket: what we still ask of the charger comes to nothing, and that is an outcome."""
        self.wire.cut()
        await self._conversation
        self.hub.disconnect(CHARGER, self.link, "fuzzed")
        for outcome in await asyncio.gather(*self.outcomes):
            shapes.dump(shapes.answer("1", outcome))
        self.outcomes = []

    @property
    def station(self) -> Station:
        return self.hub.stations[CHARGER]

    # What happens

    async def say(self, *steps: Step) -> None:
        """Let it happen, and judge what came of it. Steps that begin with `!` are no frames (`_do`)."""
        frames: list[Step] = []
        with self._listener.on():
            for step in steps:
                if isinstance(step, str) and step.startswith("!"):
                    await self._hear_out(frames)
                    frames = []
                    await self._do(*step[1:].split(" ", 2))
                else:
                    frames.append(self._fill_in(step))
            await self._hear_out(frames)

    async def _do(self, what: str, *more: str) -> None:
        match what, more:
            case "wait", (seconds,):
                self.clock.pass_(seconds=float(seconds))
            case "disk", (how,):
                self.books.broken = how == "fails"
            case "deaf", ():
                self.wire.deaf = True  # closed for what we write, and not yet for what was sent
            case "reconnect", ():
                await self._unplug()
                await self._plug_in()
            case "ask", (verb, arguments):
                request = requests.parse(verb, json.loads(arguments))
                self.outcomes.append(asyncio.create_task(self.dispatcher.submit(CHARGER, request)))
            case _:
                raise ValueError(what)

    def _fill_in(self, step: Step) -> Step:
        """A message with the ids that it wants to name."""
        opened = next((frame[1] for frame in map(orjson.loads, reversed(self.wire.said)) if frame[0] == 2), "none")
        if isinstance(step, bytes):
            return step.replace(OPEN.encode(), str(opened).encode())
        return step.replace(f'"{TX}"', json.dumps(self._transaction)).replace(OPEN, str(opened))

    async def _hear_out(self, frames: list[Step]) -> None:
        """Send frames without waiting; then wait for what is owed."""
        self.clock.pass_(seconds=1)
        before = len(self.wire.said)
        for frame in frames:
            self.wire.say(frame.encode() if isinstance(frame, str) else frame)
        said = await self._until_quiet(before)
        judge(self.dialect, [] if self.wire.deaf else frames, said)
        self.frames += len(frames)
        self._note_transaction(frames, said)
        self.wire.said = self.wire.said[-50:]
        self._look()

    async def _until_quiet(self, before: int) -> list[Any]:
        """What was said, once nothing more comes."""
        count = -1
        for _ in range(PATIENCE):
            for _turn in range(12):
                await asyncio.sleep(0)
            if count == len(self.wire.said) and not self.wire.waiting:
                break
            count = len(self.wire.said)
        return [orjson.loads(frame) for frame in self.wire.said[before:]]

    def _note_transaction(self, frames: list[Step], said: list[Any]) -> None:
        """Keep in mind which transaction the charger would speak of."""
        given = [frame[2].get("transactionId") for frame in said if frame[0] == 3]
        given += [found for frame in frames[-1:] if (found := _transaction_named(frame)) is not None]
        self._transaction = next((one for one in reversed(given) if one is not None), self._transaction)

    # What must hold

    def _look(self) -> None:
        """Whoever looks sees something, and nothing that cannot be."""
        assert self._listener.faults == [], self._listener.faults
        self.states.tell(self.states.mailbox.take_now())
        self.discovery.tell(self.discovery.mailbox.take_now())
        self.discovery.finish()
        shapes.dump(shapes.charger(self.station, self.clock.now()))
        self.books.flush()
        self._judge_station()

    def _judge_station(self) -> None:
        station = self.station
        assert len(station.connectors) <= MAX_CONNECTORS
        for connector in station.connectors.values():
            if connector.energy is not None:
                self._never_falls(f"connector {connector.number}", connector.energy)
        sessions = {session.session_id: session for session in station.book.by_transaction.values()}
        for session in sessions.values():
            self._never_falls(session.session_id, session.energy)
            assert session.ended_at is None or session.ended_at >= session.started_at
        running = Counter(session.connector for session in sessions.values() if session.running)
        assert not [number for number, count in running.items() if count > 1], running
        assert {number: 1 for number, c in station.connectors.items() if c.session is not None} == running

    def _never_falls(self, what: str, energy: float) -> None:
        assert math.isfinite(energy)
        assert energy >= self._energy.get(what, 0.0), (what, energy, self._energy)
        self._energy[what] = energy

    def _judge_books(self) -> None:
        """What is written down is what there was, once that can be."""
        self.books.broken = False
        self.books.flush()
        count = "SELECT count(*) FROM session"
        if self.books.database.execute(count).fetchone()[0] < 200:
            twice = "SELECT transaction_id FROM session GROUP BY transaction_id HAVING count(*) > 1"
            assert self.books.database.execute(twice).fetchall() == []
        read = self.books.read(self.station)
        for number, connector in self.station.connectors.items():
            if connector.session is not None:
                assert read.connectors[number].session == connector.session
            if connector.energy is not None:
                assert read.connectors[number].energy == connector.energy


def _transaction_named(frame: Step) -> object:
    try:
        payload = json.loads(frame)[3]
        return payload.get("transactionInfo", {}).get("transactionId")
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return None
