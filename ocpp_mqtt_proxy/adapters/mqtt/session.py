"""The session with the broker: connect, publish, take messages, and come back after every loss.

The service runs on while the broker is away. Of retained topics the last value waits; events wait in a
bounded queue, in which meter readings make room first. After each (re)connect everything retained is sent
again, because the broker may have forgotten it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import aiomqtt
from aiomqtt import Message, MqttError, ProtocolVersion, Will
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ocpp_mqtt_proxy.config import Mqtt
from ocpp_mqtt_proxy.ports import Clock
from ocpp_mqtt_proxy.topics import Topics

log = logging.getLogger(__name__)

BACKOFF_MAX = 30.0
MAX_EVENTS = 5_000
"""Messages that may wait for the broker."""

AT_ONCE = 20
"""Messages under way to the broker at once: what brokers commonly take (MQTT 5 Receive Maximum) and paho sends."""

MAX_INCOMING = 1_000
BIRTH_DELAY = (1.0, 10.0)
"""Seconds after Home Assistant's birth before everything is sent again: not all devices at once."""

SWEEP_SECONDS = 5.0
"""How long after a connect retained topics are looked through for what is gone."""

GOODBYE_SECONDS = 2.0
LOSSY_SUFFIXES = ("/event/meter", "/event/heartbeat")
_WRONG_PROTOCOL = frozenset({1, 132})
"""Answers of a broker that does not speak MQTT 5: 3.1.1's and 5's."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is."""

    host: str
    port: int = 1883
    username: str = ""
    password: str = ""
    tls: bool = False


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False


@dataclass(slots=True)
class Incoming:
    """A message that came in. `response_topic` and `correlation` only with MQTT 5."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(slots=True)
class Counters:
    """What went over the session."""

    published: int = 0
    dropped: int = 0
    connects: int = 0
    received: int = 0


FindBroker = Callable[[], Awaitable[Broker | None]]
Take = Callable[[Incoming], None]


@dataclass
class MqttSession:
    """Fulfils `ports.Publisher`. `find_broker` is asked before each connect: credentials may change."""

    config: Mqtt
    topics: Topics
    client_id: str
    find_broker: FindBroker
    clock: Clock
    subscriptions: Iterable[str] = ()
    take: Take | None = None
    is_stale: Callable[[str, bytes], bool] | None = None
    sweep_filters: Iterable[str] = ()
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    counters: Counters = field(default_factory=Counters)
    lost_since: datetime | None = None
    broker_name: str = ""
    protocol: ProtocolVersion = ProtocolVersion.V5
    _retained: dict[str, bytes] = field(default_factory=dict)
    _dirty: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _events: deque[Outgoing] = field(default_factory=deque)
    _under_way: dict[Outgoing, None] = field(default_factory=dict)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _sweeping: bool = False

    # Publisher

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Have the broker keep this as the topic's state; nothing is sent where it does already."""
        raw = payload.encode() if isinstance(payload, str) else payload
        if self._retained.get(topic) != raw:
            self._retained[topic] = raw
            self._dirty[topic] = None
            self._wake()

    def clear(self, topic: str) -> None:
        """Have the broker forget a topic."""
        self._retained.pop(topic, None)
        self._dirty[topic] = None
        self._wake()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    def emit(self, topic: str, payload: bytes) -> None:
        """Send a message that is not kept."""
        self._queue(Outgoing(topic, payload))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer, with the correlation data of its request."""
        self._queue(Outgoing(topic, payload, correlation))

    def _queue(self, message: Outgoing) -> None:
        if len(self._events) >= MAX_EVENTS:
            self.counters.dropped += 1
            if message.topic.endswith(LOSSY_SUFFIXES):
                return
            self._make_room()
        elif not self.connected.is_set() and message.topic.endswith(LOSSY_SUFFIXES):
            self.counters.dropped += 1
            return
        self._events.append(message)
        self._wake()

    def _make_room(self) -> None:
        """The oldest reading goes, else the oldest message."""
        for index, waiting in enumerate(self._events):
            if waiting.topic.endswith(LOSSY_SUFFIXES):
                del self._events[index]
                return
        self._events.popleft()

    def has(self, topic: str) -> bool:
        """Whether a topic is retained by us."""
        return topic in self._retained

    @property
    def waiting(self) -> int:
        """Messages not yet with the broker."""
        return len(self._dirty) + len(self._events) + len(self._under_way)

    # Session

    async def run(self) -> None:
        """Keep a session open, for ever. A broker that is away or refuses is asked again, ever more slowly."""
        delay = 1.0
        self.lost_since = self.clock.now()
        while True:
            broker = await self.find_broker()
            if broker is not None and await self._session(broker):
                delay = 1.0
            await asyncio.sleep(delay * random.uniform(0.8, 1.0))  # noqa: S311
            delay = min(BACKOFF_MAX, delay * 2)

    async def _session(self, broker: Broker) -> bool:
        """One session; whether it came about at all."""
        before = self.counters.connects
        try:
            await self._converse(broker)
        except* (MqttError, OSError, ssl.SSLError) as errors:
            self._note_loss(broker, _first(errors))
        finally:
            self.connected.clear()
            self._take_back()
            self.lost_since = self.lost_since or self.clock.now()
        return self.counters.connects > before

    def _note_loss(self, broker: Broker, error: BaseException) -> None:
        if self._speaks_only_311(error):
            self.protocol = ProtocolVersion.V311
            log.info("the broker at %s speaks no MQTT 5; going on with 3.1.1", broker.host)
            return
        log.warning("MQTT at %s:%s: %s", broker.host, broker.port, error)

    def _speaks_only_311(self, error: BaseException) -> bool:
        if self.config.protocol != "auto" or self.protocol is ProtocolVersion.V311:
            return False
        code = error.rc if isinstance(error, MqttConnectError) else None
        return getattr(code, "value", code) in _WRONG_PROTOCOL

    async def _converse(self, broker: Broker) -> None:
        async with self._client(broker) as client, asyncio.TaskGroup() as tasks:
            client.pending_calls_threshold = 2 * AT_ONCE
            self.counters.connects += 1
            self.broker_name = f"{broker.host}:{broker.port}"
            await self._subscribe(client)
            self.republish()
            self.connected.set()
            self.lost_since = None
            log.info("MQTT connected to %s (MQTT %s)", self.broker_name, self.version)
            tasks.create_task(self._publish_for_ever(client, tasks))
            tasks.create_task(self._sweep(client))
            await self._receive_for_ever(client, tasks)

    @property
    def version(self) -> str:
        """The MQTT version spoken."""
        return "5" if self.protocol is ProtocolVersion.V5 else "3.1.1"

    def _client(self, broker: Broker) -> aiomqtt.Client:
        if self.config.protocol != "auto":
            self.protocol = ProtocolVersion.V5 if self.config.protocol == "5" else ProtocolVersion.V311
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=broker.password or None,
            identifier=self.client_id,
            protocol=self.protocol,
            will=Will(self.topics.bridge_state, b"offline", qos=1, retain=True),
            keepalive=30,
            timeout=10,
            max_queued_incoming_messages=MAX_INCOMING,
            tls_context=_tls(self.config) if broker.tls else None,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        wanted = [*self.subscriptions, *([self.config.status_topic] if self.config.status_topic else [])]
        for topic_filter in wanted:
            await client.subscribe(topic_filter, qos=1)

    async def _receive_for_ever(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        async for message in client.messages:
            self.counters.received += 1
            incoming = _incoming(message)
            if incoming.topic == self.config.status_topic:
                if incoming.payload == b"online" and not incoming.retained:
                    tasks.create_task(self._after_birth())
            elif self._sweeping and incoming.retained and self._gone(incoming):
                self.clear(incoming.topic)
            elif self.take is not None:
                self.take(incoming)

    async def _after_birth(self) -> None:
        """Home Assistant has just started: it may have missed what is not retained at its broker."""
        await asyncio.sleep(random.uniform(*BIRTH_DELAY))  # noqa: S311
        self.republish()

    def republish(self) -> None:
        """Send everything retained again."""
        self._dirty = OrderedDict.fromkeys(self._retained) | self._dirty
        self._wake()

    # Clearing what is gone

    def _gone(self, incoming: Incoming) -> bool:
        if not incoming.payload or self.has(incoming.topic) or self.is_stale is None:
            return False
        return self.is_stale(incoming.topic, incoming.payload)

    async def _sweep(self, client: aiomqtt.Client) -> None:
        """Look through what the broker retains for topics of ours that are of nothing any more."""
        self._sweeping = True
        for topic_filter in self.sweep_filters:
            await client.subscribe(topic_filter, qos=0)
        await asyncio.sleep(SWEEP_SECONDS)
        for topic_filter in self.sweep_filters:
            await client.unsubscribe(topic_filter)
        self._sweeping = False

    # Publishing

    async def _publish_for_ever(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        """Send what waits; `online` once the states are on their way.

        A sliding window, not rounds: a broker's acknowledgements are held back by its TCP until more comes
        from us, so to wait for the last of a round takes 40 ms.
        """
        greeted = False
        while True:
            await self._work.wait()
            self._work.clear()
            self._fill_window(client, tasks)
            if not greeted and not self._dirty:
                greeted = True
                tasks.create_task(client.publish(self.topics.bridge_state, b"online", qos=1, retain=True))

    def _fill_window(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        while len(self._under_way) < AT_ONCE and (self._dirty or self._events):
            message = self._next()
            self._under_way[message] = None
            tasks.create_task(self._send(client, message))

    def _next(self) -> Outgoing:
        """What goes next: the last value of each retained topic, then the other messages in order."""
        if not self._dirty:
            return self._events.popleft()
        topic, _ = self._dirty.popitem(last=False)
        return Outgoing(topic, self._retained.get(topic, b""), retain=True)

    async def _send(self, client: aiomqtt.Client, message: Outgoing) -> None:
        properties = self._properties(message)
        qos = self.config.qos
        await client.publish(message.topic, message.payload, qos=qos, retain=message.retain, properties=properties)
        del self._under_way[message]
        self.counters.published += 1
        if self._dirty or self._events:
            self._work.set()
        elif not self._under_way:
            self._idle.set()

    def _take_back(self) -> None:
        """What was under way when the session broke is sent again in the next one."""
        lost, self._under_way = list(self._under_way), {}
        self._dirty = OrderedDict.fromkeys(message.topic for message in lost if message.retain) | self._dirty
        self._events.extendleft(message for message in reversed(lost) if not message.retain)

    def _properties(self, message: Outgoing) -> Properties | None:
        if message.correlation is None or self.protocol is not ProtocolVersion.V5:
            return None
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = message.correlation
        return properties

    async def say_goodbye(self) -> None:
        """Tell that we go: a clean disconnect keeps the broker from sending the will."""
        self.retain(self.topics.bridge_state, "offline")
        if self.connected.is_set():
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._idle.wait()


def _incoming(message: Message) -> Incoming:
    payload = message.payload if isinstance(message.payload, bytes) else str(message.payload or "").encode()
    properties = message.properties
    return Incoming(
        topic=message.topic.value,
        payload=payload,
        retained=message.retain,
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation=getattr(properties, "CorrelationData", None),
    )


def _tls(config: Mqtt) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=config.ca or None)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that started it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
