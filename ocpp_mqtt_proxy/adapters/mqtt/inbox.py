"""The owner's commands from MQTT: `/set` topics and `request/<verb>`, each answered exactly once (contract §5)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
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
MAX_SETTING = 100
MAX_RUNNING = 100
"""Commands being carried out at once."""

SWITCHES = {"ON": True, "OFF": False}
_NUMBER = re.compile(r"[0-9]{1,6}")
_NO_TOPIC = re.compile(r"[+#\x00-\x1f\x7f-\x9f]|^\$|^$")
"""What a topic to publish on cannot be, or is the broker's own."""
_OUR_ANSWERS = re.compile(r"(bridge|(charger|backend)/[^/]+)/response/.+")


class Answers(Protocol):
    """Where answers go."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer; does not wait."""


Arguments = dict[str, object]
BridgeVerb = Callable[[Arguments], Awaitable[Outcome]]
Work = Callable[[], Awaitable[Outcome]]


@dataclass(slots=True)
class Command:
    """A command as it came: where its answer goes by default, its id once it is known."""

    incoming: Incoming
    reply_to: str
    id: object = None


@dataclass
class Inbox:
    """Takes messages, has them carried out, sends the answers: one for each request, whatever it is like."""

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
        """Take a message; it is carried out on its own, so that a slow charger holds up nobody else.

        An empty payload is no message: somebody clears a retained one.
        """
        if not incoming.payload or not incoming.topic.startswith(f"{self.topics.base}/"):
            return
        path = incoming.topic[len(self.topics.base) + 1 :].split("/")
        match path:
            case ["bridge", "request", verb]:
                self._take_request(self._command(incoming, "bridge", verb), self._bridge)
            case ["charger", charger, "request", verb]:
                self._take_request(self._command(incoming, "charger", charger, verb), self._request)
            case ["charger", charger, name, "set"] | ["charger", charger, "connector", _, name, "set"]:
                self._take_setting(self._command(incoming, "charger", charger, name))

    def _command(self, incoming: Incoming, *path: str) -> Command:
        *where, verb = path
        return Command(incoming, "/".join((self.topics.base, *where, "response", verb)))

    def _take_request(self, command: Command, work: Callable[[Command, Arguments], Awaitable[Outcome]]) -> None:
        arguments = self._open(command)
        if isinstance(arguments, Outcome):
            self._answer(command, arguments)
        else:
            self._start(command, lambda: work(command, arguments))

    def _take_setting(self, command: Command) -> None:
        if command.incoming.retained:
            log.warning("%s: a retained command is ignored; clear it at the broker", command.incoming.topic)
        else:
            self._start(command, lambda: self._set(command))

    def _start(self, command: Command, work: Work) -> None:
        if len(self._running) >= MAX_RUNNING:
            self._answer(command, refused(Reason.RATE_LIMITED, "too many commands at once"))
            return
        task = asyncio.create_task(self._carry_out(command, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _carry_out(self, command: Command, work: Work) -> None:
        try:
            outcome = await work()
        except Exception:  # a fault of ours costs one answer its sense, not the asker its answer
            log.exception("%s failed", command.incoming.topic)
            outcome = failed(Reason.INVALID, "it failed by a fault of ours; the log says more")
        self._answer(command, outcome)

    # Requests

    async def _bridge(self, command: Command, arguments: Arguments) -> Outcome:
        verb = _last(command)
        handler = self.bridge_verbs.get(verb)
        if handler is None:
            known = ", ".join(sorted(self.bridge_verbs))
            return failed(Reason.INVALID, f"unknown verb {verb!r}; allowed: {known}")
        return await handler(arguments)

    async def _request(self, command: Command, arguments: Arguments) -> Outcome:
        try:
            request = requests.parse(_last(command), arguments)
        except BadRequest as error:
            return failed(Reason.INVALID, str(error))
        charger = command.incoming.topic.split("/")[-3]
        return await self.dispatcher.submit(self._charger(charger), request)

    def _open(self, command: Command) -> Arguments | Outcome:
        """The arguments of a request, its id taken out; an outcome where there are none to be had."""
        incoming = command.incoming
        if incoming.retained:
            return refused(Reason.RETAINED, "requests must not be retained")
        if len(incoming.payload) > MAX_PAYLOAD:
            return failed(Reason.INVALID, f"the payload must be at most {MAX_PAYLOAD} bytes")
        try:
            document = orjson.loads(incoming.payload)
        except orjson.JSONDecodeError as error:
            return failed(Reason.INVALID, f"the payload must be a JSON object: {error}")
        if not isinstance(document, dict):
            return failed(Reason.INVALID, "the payload must be a JSON object")
        given = document.pop("id", None)
        if isinstance(given, dict | list):
            return failed(Reason.INVALID, "id: must be a text or a number")
        command.id = given
        return document

    def _charger(self, topic_id: str) -> str:
        """The charger of a topic; the topic's own word where there is none, which is then unknown."""
        stations = self.dispatcher.hub.stations
        return next((charger_id for charger_id in stations if slug(charger_id) == topic_id), topic_id)

    # Settings

    async def _set(self, command: Command) -> Outcome:
        path = command.incoming.topic[len(self.topics.base) + 1 :].split("/")
        payload = command.incoming.payload[:MAX_SETTING].decode("utf-8", "replace").strip()
        outcome = await self._settle(self._charger(path[1]), path[2:-1], payload)
        if not outcome.ok:
            log.warning("%s %s: %s %s", command.incoming.topic, outcome.status, outcome.reason, outcome.message)
        return outcome

    async def _settle(self, charger: str, path: list[str], payload: str) -> Outcome:
        match path:
            case ["connector", number, "charging"] if _NUMBER.fullmatch(number):
                return await self._charging(charger, int(number), payload)
            case ["available"]:
                return await self._available(charger, payload)
            case ["current_limit"]:
                return await self._current_limit(charger, payload)
        return failed(Reason.INVALID, f"{path[-1]} cannot be set")

    async def _charging(self, charger: str, number: int, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
        if on is None:
            return failed(Reason.INVALID, "allowed: ON, OFF")
        return await self.dispatcher.set_charging(charger, number, on=on)

    async def _available(self, charger: str, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
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
        try:
            payload = shapes.dump(shapes.answer(command.id, outcome))
        except TypeError:  # what a charger answered may be too deep for our JSON
            payload = shapes.dump(shapes.answer(command.id, replace(outcome, result={})))
        asked, topic = command.incoming.response_topic, command.reply_to
        if asked is not None and self._may_answer_on(asked):
            topic = asked
        self.answers.answer(topic, payload, command.incoming.correlation)

    def _may_answer_on(self, topic: str) -> bool:
        """A response topic is the asker's own; it must not make us write our states, commands or announcements."""
        if _NO_TOPIC.search(topic) or topic.startswith(f"{self.discovery_prefix}/"):
            return False
        base = f"{self.topics.base}/"
        return not topic.startswith(base) or _OUR_ANSWERS.fullmatch(topic.removeprefix(base)) is not None


def _last(command: Command) -> str:
    return command.incoming.topic.rpartition("/")[2]
