"""Backends by MQTT: requests in their topics, answers and events out (contract §5, §7).

The broker's ACLs say who may write where; we say who may act: providers with `mqtt: true`, and with their token in
each request where one is set. A backend has no link here that could break, so it counts as present while we have
ours to the broker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.adapters.mqtt.asking import Answers, Arguments, Clerk, Command
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.backends.desk import Backend, Desk
from ocpp_mqtt_proxy.backends.fanout import Event, Fanout
from ocpp_mqtt_proxy.backends.subscription import KINDS, Subscription
from ocpp_mqtt_proxy.backends.tokens import Tokens
from ocpp_mqtt_proxy.checking import TooManyAttempts
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, failed, refused
from ocpp_mqtt_proxy.ports import Publisher
from ocpp_mqtt_proxy.topics import Topics, slug

MAX_RUNNING = 16
"""Requests of one backend that are carried out at once."""

BROKER = "the broker"
"""Where wrong tokens come from, as far as we can tell."""


@dataclass(eq=False)
class Topical:
    """A backend that hears on topics. Until it says otherwise it hears everything: the broker sorts it out."""

    backend: Backend
    clerk: Clerk
    topics: Topics
    publisher: Publisher

    def offer(self, event: Event) -> None:
        """Publish an event; the outbox is bounded."""
        topic = self.topics.backend(self.backend.provider, "event", slug(event.charger), event.kind)
        self.publisher.emit(topic, event.body)

    def flush(self) -> None:
        """The outbox writes by itself."""


@dataclass
class MqttBackends:
    """Every backend that may act by MQTT, and the refusal of all others."""

    topics: Topics
    desk: Desk
    tokens: Tokens
    fanout: Fanout
    publisher: Publisher
    answers: Answers
    discovery_prefix: str
    backends: dict[str, Topical] = field(default_factory=dict)
    _attended: bool = False

    def __post_init__(self) -> None:
        self._porter = self._clerk("[^/]+")
        for provider in sorted(self.tokens.by_mqtt):
            backend = Backend(provider, Subscription(of_all=KINDS))
            topical = Topical(backend, self._clerk(re.escape(slug(provider))), self.topics, self.publisher)
            self.backends[slug(provider)] = topical
            if self.desk.refusal(provider) is None:
                self.fanout.join(topical)

    def _clerk(self, own: str) -> Clerk:
        """Answers on a backend's own topics alone, of ours, whatever response topic it names."""
        ours = re.compile(f"backend/{own}/response/.+")
        return Clerk(self.topics.base, self.answers, self.discovery_prefix, ours, MAX_RUNNING)

    def subscription(self) -> str:
        """What to listen to."""
        return f"{self.topics.base}/backend/+/request/+"

    def attend(self, connected: bool) -> None:  # noqa: FBT001 (what has become of the connection)
        """The broker is there, or is lost."""
        if connected == self._attended:
            return
        self._attended = connected
        arbitration = self.desk.arbitration
        for provider in self.tokens.by_mqtt:
            if self.desk.refusal(provider) is None:
                (arbitration.arrived if connected else arbitration.left)(provider)

    def take(self, incoming: Incoming) -> None:
        """Take a message where it is a backend's. An empty payload is none: somebody clears a retained one."""
        match incoming.topic.removeprefix(f"{self.topics.base}/").split("/"):
            case ["backend", topic_id, "request", verb] if incoming.payload:
                self._take(topic_id, verb, incoming)

    def _take(self, topic_id: str, verb: str, incoming: Incoming) -> None:
        command = Command(incoming, f"{self.topics.base}/backend/{topic_id}/response/{verb}", action=verb)
        topical = self.backends.get(topic_id)
        if topical is None:
            self._turn_away(command, topic_id)
            return
        arguments, backend = topical.clerk.open(command), topical.backend
        if isinstance(arguments, Outcome):
            topical.clerk.answer(command, arguments)
        else:
            topical.clerk.start(command, lambda: self._carry_out(backend, verb, arguments))

    def _turn_away(self, command: Command, topic_id: str) -> None:
        opened = self._porter.open(command)  # for its id
        no = f"{topic_id} may not act by MQTT: its configuration lacks `mqtt: true`"
        if isinstance(opened, Outcome) and opened.reason is Reason.RETAINED:
            self._porter.answer(command, opened)
        else:
            self._porter.answer(command, refused(Reason.NOT_ALLOWED, no))

    async def _carry_out(self, backend: Backend, verb: str, arguments: Arguments) -> Outcome:
        if refusal := await self._stranger(backend.provider, arguments.pop("token", "")):
            return refusal
        if arguments.pop("action", verb) != verb:
            return failed(Reason.INVALID, "action: the topic names another one; leave it out")
        return await self.desk.carry_out(backend, verb, arguments)

    async def _stranger(self, provider: str, token: object) -> Outcome | None:
        """The refusal of whoever does not bring the token that is set."""
        if not self.tokens.needs_one(provider):
            return None
        try:
            if isinstance(token, str) and await self.tokens.is_right(provider, token, BROKER):
                return None
        except TooManyAttempts as error:
            return refused(Reason.RATE_LIMITED, str(error))
        return refused(Reason.NOT_ALLOWED, "token: missing or wrong")
