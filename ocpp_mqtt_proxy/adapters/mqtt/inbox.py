"""The owner's commands from MQTT: `/set` topics and `request/<verb>`, each answered exactly once (contract §5)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from ocpp_mqtt_proxy import requests, shapes
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, failed, refused
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.requests import BadRequest
from ocpp_mqtt_proxy.topics import Topics, slug

log = logging.getLogger(__name__)

MAX_PAYLOAD = 64 * 1024
MAX_RUNNING = 100
"""Commands being carried out at once."""

SWITCHES = {"ON": True, "OFF": False}


class Answers(Protocol):
    """Where answers go."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer; does not wait."""


BridgeVerb = Callable[[dict[str, object]], Awaitable[Outcome]]


@dataclass(slots=True)
class Command:
    """A command as it came: where its answer goes by default, its id, and what to do."""

    incoming: Incoming
    reply_to: str
    id: object = None


@dataclass
class Inbox:
    """Takes messages, has them carried out, sends the answers."""

    topics: Topics
    dispatcher: Dispatcher
    answers: Answers
    discovery_prefix: str
    bridge_verbs: dict[str, BridgeVerb] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def subscriptions(self) -> Iterable[str]:
        """What to listen to."""
        base = self.topics.base
        return (
            f"{base}/bridge/request/+",
            f"{base}/charger/+/request/+",
            f"{base}/charger/+/+/set",
            f"{base}/charger/+/connector/+/+/set",
        )

    def take(self, incoming: Incoming) -> None:
        """Take a message; it is carried out on its own, so that a slow charger holds up nobody else."""
        if not incoming.payload or not incoming.topic.startswith(f"{self.topics.base}/"):
            return
        path = incoming.topic[len(self.topics.base) + 1 :].split("/")
        match path:
            case ["bridge", "request", verb]:
                self._start(self._bridge(incoming, verb))
            case ["charger", charger, "request", verb]:
                self._start(self._request(incoming, charger, verb))
            case ["charger", charger, name, "set"]:
                self._start(self._set(incoming, charger, name, None))
            case ["charger", charger, "connector", number, name, "set"]:
                self._start(self._set(incoming, charger, name, number))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.error("a command failed", exc_info=fault)

    # Requests

    async def _bridge(self, incoming: Incoming, verb: str) -> None:
        command = Command(incoming, self.topics.bridge("response", verb))
        arguments = self._open(command)
        if isinstance(arguments, Outcome):
            self._answer(command, arguments)
        elif (handler := self.bridge_verbs.get(verb)) is None:
            known = ", ".join(sorted(self.bridge_verbs))
            self._answer(command, failed(Reason.INVALID, f"unknown verb {verb!r}; allowed: {known}"))
        else:
            self._answer(command, await handler(arguments))

    async def _request(self, incoming: Incoming, charger: str, verb: str) -> None:
        command = Command(incoming, "/".join((self.topics.base, "charger", charger, "response", verb)))
        arguments = self._open(command)
        if isinstance(arguments, Outcome):
            self._answer(command, arguments)
            return
        try:
            request = requests.parse(verb, arguments)
        except BadRequest as error:
            self._answer(command, failed(Reason.INVALID, str(error)))
            return
        self._answer(command, await self.dispatcher.submit(self._charger(charger), request))

    def _open(self, command: Command) -> dict[str, object] | Outcome:
        """The arguments of a request, its id taken out; an outcome where there are none to be had."""
        incoming = command.incoming
        if incoming.retained:
            return refused(Reason.RETAINED, "requests must not be retained")
        if len(self._running) > MAX_RUNNING:
            return refused(Reason.RATE_LIMITED, "too many commands at once")
        if len(incoming.payload) > MAX_PAYLOAD:
            return failed(Reason.INVALID, f"the payload must be at most {MAX_PAYLOAD} bytes")
        try:
            document = orjson.loads(incoming.payload)
        except orjson.JSONDecodeError as error:
            return failed(Reason.INVALID, f"the payload must be a JSON object: {error}")
        if not isinstance(document, dict):
            return failed(Reason.INVALID, "the payload must be a JSON object")
        command.id = document.pop("id", None)
        return document

    def _charger(self, topic_id: str) -> str:
        """The charger of a topic; the topic's own word where there is none, which is then unknown."""
        stations = self.dispatcher.hub.stations
        return next((charger_id for charger_id in stations if slug(charger_id) == topic_id), topic_id)

    # Settings

    async def _set(self, incoming: Incoming, charger: str, name: str, number: str | None) -> None:
        if incoming.retained:
            log.warning("%s: a retained command is ignored; clear it at the broker", incoming.topic)
            return
        command = Command(incoming, "/".join((self.topics.base, "charger", charger, "response", name)))
        outcome = await self._settle(self._charger(charger), name, number, incoming.payload.decode("utf-8", "replace"))
        if not outcome.ok:
            log.warning("%s %s: %s %s", incoming.topic, outcome.status, outcome.reason, outcome.message)
        self._answer(command, outcome)

    async def _settle(self, charger: str, name: str, number: str | None, payload: str) -> Outcome:
        match name, number:
            case "charging", str() if number.isdigit():
                return await self._charging(charger, int(number), payload)
            case "available", None:
                return await self._available(charger, payload)
            case "current_limit", None:
                return await self._current_limit(charger, payload)
        return failed(Reason.INVALID, f"{name} cannot be set")

    async def _charging(self, charger: str, number: int, payload: str) -> Outcome:
        on = SWITCHES.get(payload.strip().upper())
        if on is None:
            return failed(Reason.INVALID, "allowed: ON, OFF")
        return await self.dispatcher.set_charging(charger, number, on=on)

    async def _available(self, charger: str, payload: str) -> Outcome:
        on = SWITCHES.get(payload.strip().upper())
        if on is None:
            return failed(Reason.INVALID, "allowed: ON, OFF")
        return await self.dispatcher.submit(charger, requests.Availability(operative=on))

    async def _current_limit(self, charger: str, payload: str) -> Outcome:
        try:
            request = requests.parse("limit", {"amps": float(payload)})
        except (ValueError, BadRequest):
            return failed(Reason.INVALID, "allowed: a current in A from 0 on")
        return await self.dispatcher.submit(charger, request)

    # Answers

    def _answer(self, command: Command, outcome: Outcome) -> None:
        payload = shapes.dump(shapes.answer(command.id, outcome))
        topic, correlation = command.reply_to, None
        if self._may_answer_on(command.incoming.response_topic):
            topic, correlation = str(command.incoming.response_topic), command.incoming.correlation
        self.answers.answer(topic, payload, correlation)

    def _may_answer_on(self, topic: str | None) -> bool:
        """A response topic is the asker's own; it must not make us write our states or commands."""
        if not topic or topic.startswith("$") or "+" in topic or "#" in topic:
            return False
        ours = topic.startswith(f"{self.topics.base}/") and "/response/" not in topic
        return not ours and not topic.startswith(f"{self.discovery_prefix}/")
