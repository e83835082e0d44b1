"""Publishing where the broker grants us one connection only: over the one that listens.

It costs many times what a lane of our own does: it is for brokers that limit connections or know clients by id.
"""

from __future__ import annotations

import asyncio

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ocpp_mqtt_proxy.adapters.mqtt.outbox import Outbox, Outgoing

AT_ONCE = 20
"""Messages under way to the broker at once: what brokers commonly take (MQTT 5 Receive Maximum) and paho sends."""


class SharedLane:
    """A task for each message. A sliding window, not rounds: a broker's last acknowledgement may be 40 ms late."""

    def __init__(self, outbox: Outbox, client: aiomqtt.Client, *, qos: int, mqtt5: bool) -> None:
        self._outbox = outbox
        self._client = client
        self._qos = qos
        self._mqtt5 = mqtt5
        self._work = asyncio.Event()
        self._under_way = 0
        client.pending_calls_threshold = 2 * AT_ONCE

    def wake(self) -> None:
        """There is something in the outbox."""
        self._work.set()

    async def run(self) -> None:
        """Publish, for ever. Raises MqttError."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._under_way < AT_ONCE and (message := self._outbox.next()):
                    self._under_way += 1
                    tasks.create_task(self._send(message))

    async def close(self) -> None:
        """The connection is another's to close."""

    async def _send(self, message: Outgoing) -> None:
        properties = self._properties(message)
        try:
            await self._client.publish(message.topic, message.payload, self._qos, message.retain, properties)
        except ValueError as error:  # paho's word for a topic or a length that MQTT does not have
            self._outbox.drop(message, str(error))
        else:
            self._outbox.sent(message)
        finally:
            self._under_way -= 1
            self._work.set()

    def _properties(self, message: Outgoing) -> Properties | None:
        if message.correlation is None or not self._mqtt5:
            return None
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = message.correlation
        return properties
