"""Requests on topics: opened, carried out, and answered exactly once each, whoever asks (contract §5)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import orjson

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, failed, refused

log = logging.getLogger(__name__)

MAX_PAYLOAD = 64 * 1024
MAX_RUNNING = 100
"""Commands being carried out at once."""

_NO_TOPIC = re.compile(r"[+#\x00-\x1f\x7f-\x9f]|^\$|^$")
"""What a topic to publish on cannot be, or is the broker's own."""
ANY_ANSWER = re.compile(r"(bridge|(charger|backend)/[^/]+)/response/.+")


class Answers(Protocol):
    """Where answers go."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer; does not wait."""


Arguments = dict[str, object]
Work = Callable[[], Awaitable[Outcome]]


@dataclass(slots=True)
class Command:
    """A command as it came: where its answer goes by default, its id once it is known; of a backend's its action."""

    incoming: Incoming
    reply_to: str
    id: object = None
    action: str | None = None

    def response(self, outcome: Outcome) -> bytes:
        """The answer, encoded."""
        if self.action is not None:
            return shapes.dump(shapes.response(self.id, self.action, outcome))
        return shapes.dump(shapes.answer(self.id, outcome))


@dataclass
class Clerk:
    """Opens requests, has them carried out, sends the answers: one for each, whatever it is like.

    `ours` are the topics of our own tree, below the base, that an asker may have its answer on; at most `most`
    commands are carried out at once, and those are `running`.
    """

    base: str
    answers: Answers
    discovery_prefix: str
    ours: re.Pattern[str] = ANY_ANSWER
    most: int = MAX_RUNNING
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, command: Command, work: Work) -> None:
        """Have a command carried out on its own, and answered."""
        if len(self.running) >= self.most:
            self.answer(command, refused(Reason.RATE_LIMITED, "too many commands at once"))
            return
        task = asyncio.create_task(self._carry_out(command, work))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _carry_out(self, command: Command, work: Work) -> None:
        try:
            outcome = await work()
        except Exception:  # a fault of ours costs one answer its sense, not the asker its answer
            log.exception("%s failed", command.incoming.topic)
            outcome = failed(Reason.INVALID, "it failed by a fault of ours; the log says more")
        self.answer(command, outcome)

    def open(self, command: Command) -> Arguments | Outcome:
        """The arguments of a request, its id taken out; an outcome where there are none to be had."""
        opened = self._parsed(command)
        return refused(Reason.RETAINED, "requests must not be retained") if command.incoming.retained else opened

    def _parsed(self, command: Command) -> Arguments | Outcome:
        incoming = command.incoming
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

    def answer(self, command: Command, outcome: Outcome) -> None:
        """Send the answer to a command."""
        try:
            payload = command.response(outcome)
        except TypeError:  # what a charger answered may be too deep for our JSON
            payload = command.response(replace(outcome, result={}))
        asked, topic = command.incoming.response_topic, command.reply_to
        if asked is not None and self._may_answer_on(asked):
            topic = asked
        self.answers.answer(topic, payload, command.incoming.correlation)

    def _may_answer_on(self, topic: str) -> bool:
        """A response topic is the asker's own; it must not make us write our states, commands or announcements."""
        if _NO_TOPIC.search(topic) or topic.startswith(f"{self.discovery_prefix}/"):
            return False
        base = f"{self.base}/"
        return not topic.startswith(base) or self.ours.fullmatch(topic.removeprefix(base)) is not None
