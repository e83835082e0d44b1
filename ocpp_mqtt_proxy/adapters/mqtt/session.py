"""The session with the broker: connect, publish, take messages, and come back after every loss.

It is two connections, which live and die together: aiomqtt's has the will and hears, the lane beside it
(publisher.py) publishes, so that what is published keeps its order.

The service runs on while the broker is away. After each (re)connect what an earlier run left behind is
cleared, then everything retained is sent again, because the broker may have forgotten it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

import aiomqtt
from aiomqtt import Message, MqttError, ProtocolVersion, Topic, Will
from aiomqtt.exceptions import MqttConnectError

from ocpp_mqtt_proxy.adapters.mqtt import wire
from ocpp_mqtt_proxy.adapters.mqtt.outbox import Outbox, nobody
from ocpp_mqtt_proxy.adapters.mqtt.publisher import Lane, LaneLost, open_lane
from ocpp_mqtt_proxy.adapters.mqtt.shared import SharedLane
from ocpp_mqtt_proxy.config import Mqtt
from ocpp_mqtt_proxy.ports import Clock
from ocpp_mqtt_proxy.topics import Topics

log = logging.getLogger(__name__)

KEEPALIVE = 30
"""Seconds of silence that a broker hears of us at most."""

MAX_INCOMING = 10_000
_WRONG_PROTOCOL = frozenset({1, 132})
"""Answers of a broker that does not speak MQTT 5: 3.1.1's and 5's."""
_SILENCE = "Operation timed out"
"""aiomqtt's words for a broker that does not answer."""
_REFUSED = 128
"""From this reason code on a broker says no."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds.

    `retry` after the first loss and at most; `answer` is how long the broker may take, `hello` how long to a
    version of MQTT that it may not know; `birth` is how long after Home Assistant's birth everything is
    sent again, at random, so that not all devices do at once; `sweep` is how long the broker has to show what
    it retains; `letting_go` is what Home Assistant needs to take away what was cleared; `goodbye` is how long
    the last messages may take.
    """

    retry: tuple[float, float] = (1.0, 30.0)
    answer: float = 10.0
    hello: float = 5.0
    birth: tuple[float, float] = (1.0, 10.0)
    sweep: float = 5.0
    letting_go: float = 1.0
    goodbye: float = 2.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is."""

    host: str
    port: int = 1883
    username: str = ""
    password: str = ""
    tls: bool = False


@dataclass(slots=True)
class Incoming:
    """A message that came in. `response_topic` and `correlation` only with MQTT 5."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


class _Unheard(asyncio.Queue[Message]):
    """What came in and is still to be heard, but for what we say ourselves.

    While we look round for what the broker retains we hear that too, and of a thousand chargers it is so much
    that requests would get lost among it.
    """

    def __init__(self, is_ours: Callable[[str], bool], maxsize: int) -> None:
        super().__init__(maxsize)
        self._is_ours = is_ours

    def put_nowait(self, item: Message) -> None:
        """Leave a message. Raises QueueFull."""
        if item.retain or not self._is_ours(item.topic.value):
            super().put_nowait(item)


FindBroker = Callable[[], Awaitable[Broker | None]]
Take = Callable[[Incoming], None]


@dataclass(kw_only=True)
class MqttSession(Outbox):
    """An outbox with a broker at its other end. `find_broker` is asked before each connect: it may change.

    `take` gets what arrives on `subscriptions`; `lost` is called when there is nobody to hear, `attended` when there
    is somebody who takes what we publish, or no more. What is retained on `sweep_filters` and `is_stale` is cleared.
    """

    config: Mqtt
    topics: Topics
    client_id: str
    find_broker: FindBroker
    clock: Clock
    pace: Pace = Pace()
    subscriptions: Iterable[str] = ()
    take: Take | None = None
    attended: Callable[[bool], None] = lambda _: None
    lost: Callable[[], None] = nobody
    is_stale: Callable[[str, bytes], bool] | None = None
    sweep_filters: Iterable[str] = ()
    lost_since: datetime | None = None
    broker_name: str = ""
    protocol: ProtocolVersion = ProtocolVersion.V5
    _swept: asyncio.Event = field(default_factory=asyncio.Event)
    _in_order: bool = False
    _certain: bool = False
    _missed: bool = False
    _announced: bool = False
    _leaving: bool = False
    _birth: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        if self.config.protocol == "3.1.1":
            self.protocol = ProtocolVersion.V311

    @property
    def version(self) -> str:
        """The MQTT version spoken."""
        return "5" if self.protocol is ProtocolVersion.V5 else "3.1.1"

    # Connecting

    async def run(self) -> None:
        """Keep a session open, for ever. A broker that is away or refuses is asked again, ever more slowly."""
        delay, longest = self.pace.retry
        self.lost_since = self.clock.now()
        self.lost()
        while True:
            broker = await self._broker()
            protocol = self.protocol
            if broker is not None and await self._session(broker):
                delay = self.pace.retry[0]
            if self.protocol is protocol:
                await asyncio.sleep(delay * random.uniform(0.8, 1.0))  # noqa: S311 (not for secrets)
                delay = min(longest, delay * 2)

    async def _broker(self) -> Broker | None:
        broker = await self.find_broker()
        if broker is None and not self._missed:
            log.warning("there is no MQTT broker; it is looked for again and again")
        self._missed = broker is None
        return broker

    async def _session(self, broker: Broker) -> bool:
        """One session; whether it came so far that everything was told."""
        self._announced = told = False
        self.clearing = True
        connects = self.counters.connects
        try:
            await self._converse(broker)
        except* (MqttError, LaneLost, OSError) as errors:
            error = _first(errors)
            log.warning("MQTT at %s:%s: %s", broker.host, broker.port, error)
            self._choose_version(error, answered=self.counters.connects > connects)
        finally:
            told = self._announced and self.delivered(self.topics.bridge_state)
            self._take_back()
            self.lost_since = self.lost_since or self.clock.now()
        if (task := asyncio.current_task()) and task.cancelling():
            # Before Python 3.13 a task group that fails while it is cancelled tells only of its failure.
            raise asyncio.CancelledError
        self.lost()
        return told

    def _choose_version(self, error: BaseException, *, answered: bool) -> None:
        """MQTT 5; 3.1.1 for good where the broker wants it, and for once where it does not answer at all."""
        if self.config.protocol != "auto":
            return
        if self.protocol is ProtocolVersion.V5:
            code = error.rc if isinstance(error, MqttConnectError) else None
            self._certain = getattr(code, "value", code) in _WRONG_PROTOCOL
            if self._certain or (not answered and str(error) == _SILENCE):
                self.protocol = ProtocolVersion.V311
        elif not self._certain:
            self.protocol = ProtocolVersion.V5

    def _client(self, broker: Broker, tls: ssl.SSLContext | None) -> aiomqtt.Client:
        guess = self.protocol is ProtocolVersion.V5 and self.config.protocol == "auto"
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=broker.password or None,
            identifier=self.client_id,
            protocol=self.protocol,
            will=Will(self.topics.bridge_state, b"offline", qos=1, retain=True),
            keepalive=KEEPALIVE,
            timeout=self.pace.hello if guess else self.pace.answer,
            max_queued_incoming_messages=MAX_INCOMING,
            queue_type=cast("type[asyncio.Queue[Message]]", partial(_Unheard, self.has)),
            tls_context=tls,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _converse(self, broker: Broker) -> None:
        tls = _tls(self.config) if broker.tls else None
        async with self._client(broker, tls) as client, asyncio.TaskGroup() as tasks:
            client.timeout = self.pace.answer
            self.counters.connects += 1
            self.broker_name = f"{broker.host}:{broker.port}"
            tasks.create_task(self._receive_for_ever(client, tasks))
            wanted = [*self.subscriptions, *([self.config.status_topic] if self.config.status_topic else [])]
            await self._subscribe(client, wanted, qos=1)
            await self._look_round(client, tasks)
            await self._publish(client, await self._lane(broker, client, tls), tasks)

    async def _subscribe(self, client: aiomqtt.Client, filters: Iterable[str], qos: int) -> None:
        for topic_filter in filters:
            (code, *_) = await client.subscribe(topic_filter, qos=qos)
            if getattr(code, "value", code) >= _REFUSED:
                log.warning("the broker does not let us listen to %s", topic_filter)

    # What an earlier run left

    async def _look_round(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        """Have the broker show what it retains: what is of nothing any more is to be cleared.

        A message of ours to ourselves comes behind the last of it. A broker of which none came before that may hand
        them out by and by, and has some more seconds; no other, because we also hear all that we say meanwhile.
        """
        filters = [*self.sweep_filters, self._marker]
        self._swept.clear()
        self._in_order = False
        await self._subscribe(client, filters, qos=0)
        await client.publish(self._marker, b"all seen")
        with suppress(TimeoutError):
            async with asyncio.timeout(self.pace.sweep):
                await self._swept.wait()
        seconds = 0.0 if self._in_order and self._swept.is_set() else self.pace.sweep
        tasks.create_task(self._end_sweep(client, filters, seconds))

    async def _end_sweep(self, client: aiomqtt.Client, filters: Iterable[str], seconds: float) -> None:
        await asyncio.sleep(seconds)
        for topic_filter in filters:
            await client.unsubscribe(topic_filter)

    @property
    def _marker(self) -> str:
        return self.topics.bridge("response", "sweep")

    # Taking

    async def _receive_for_ever(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        async for message in client.messages:
            self.counters.received += 1
            self._hear(_incoming(message), tasks)

    def _hear(self, incoming: Incoming, tasks: asyncio.TaskGroup) -> None:
        if incoming.topic == self._marker:
            self._swept.set()
        elif incoming.topic == self.config.status_topic:
            self._hear_home_assistant(incoming, tasks)
        elif incoming.retained and self._sweeps(incoming.topic):
            self._in_order = True
            if incoming.payload and self.is_stale and self.is_stale(incoming.topic, incoming.payload):
                self._forget(incoming.topic)
        elif self.take is not None:
            self.take(incoming)

    def _sweeps(self, topic: str) -> bool:
        return any(Topic(topic).matches(topic_filter) for topic_filter in self.sweep_filters)

    def _forget(self, topic: str) -> None:
        if not self.has(topic):
            self.clear(topic)

    def _hear_home_assistant(self, incoming: Incoming, tasks: asyncio.TaskGroup) -> None:
        """Home Assistant has just started: it may have missed what is not retained at its broker."""
        waiting = self._birth is not None and not self._birth.done()
        if incoming.payload == b"online" and not incoming.retained and not waiting:
            self._birth = tasks.create_task(self._after_birth())

    async def _after_birth(self) -> None:
        await asyncio.sleep(random.uniform(*self.pace.birth))  # noqa: S311 (not for secrets)
        self.republish()

    # Publishing

    async def _lane(self, broker: Broker, client: aiomqtt.Client, tls: ssl.SSLContext | None) -> Lane:
        """A connection of its own for what we publish, or the one we have where the broker grants no second."""
        version = wire.V5 if self.protocol is ProtocolVersion.V5 else wire.V311
        hello = wire.Connect(f"{self.client_id}-out", version, KEEPALIVE, broker.username, broker.password)
        qos, patience = self.config.qos, self.pace.answer
        try:
            return await open_lane(broker.host, broker.port, tls, self, hello, qos=qos, patience=patience)
        except LaneLost as error:
            log.warning(
                "the broker grants no second connection, as %s: %s; everything goes over the first, at a higher cost",
                hello.client_id,
                error,
            )
            return SharedLane(self, client, qos=qos, mqtt5=version == wire.V5)

    async def _publish(self, client: aiomqtt.Client, lane: Lane, tasks: asyncio.TaskGroup) -> None:
        """Publish on a lane until it is lost. Raises LaneLost or MqttError."""
        self.rouse = lane.wake
        tasks.create_task(self._announce())
        try:
            await lane.run()
        except LaneLost:
            await self._say_offline(client)
            raise
        finally:
            self.rouse = nobody
            self.connected.clear()
            self.attended(self.connected.is_set())
            await lane.close()

    async def _announce(self) -> None:
        """Clear what is gone before anything is announced anew, then send everything; `online` comes last."""
        if self._gone():
            self.republish()
            await self.idle()
            await asyncio.sleep(self.pace.letting_go)
        self.clearing = False
        self.connected.set()
        self.attended(self.connected.is_set())
        self.lost_since = None
        log.info("MQTT connected to %s (MQTT %s)", self.broker_name, self.version)
        self._withhold(self.topics.bridge_state)
        self.republish()
        self.retain(self.topics.bridge_state, "offline" if self._leaving else "online")
        self._announced = True

    async def _say_offline(self, client: aiomqtt.Client) -> None:
        """Only the lane is lost: the broker, which still hears us, would not send the will."""
        if self.connected.is_set():
            with suppress(MqttError, TimeoutError):
                async with asyncio.timeout(self.pace.goodbye):
                    await client.publish(self.topics.bridge_state, b"offline", qos=1, retain=True)

    async def say_goodbye(self) -> None:
        """Tell that we go: a clean disconnect keeps the broker from sending the will. Raises TimeoutError."""
        self._leaving = True
        if self.connected.is_set():
            self.retain(self.topics.bridge_state, "offline")
            async with asyncio.timeout(self.pace.goodbye):
                await self.idle()


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
