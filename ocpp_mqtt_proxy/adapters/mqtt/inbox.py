"""The owner's commands from MQTT: `/set` topics and `request/<verb>`, each answered exactly once (contract §5)."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.adapters.mqtt.asking import Answers, Arguments, Clerk, Command
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_enabled, set_mode
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, failed
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.requests import BadRequest
from ocpp_mqtt_proxy.topics import Topics, slug

log = logging.getLogger(__name__)

MAX_SETTING = 100
SWITCHES = {"ON": True, "OFF": False}
NO_SWITCH = failed(Reason.INVALID, "allowed: ON, OFF")
BY = "mqtt"

AT_ONCE = frozenset({"override", "mode", "enabled"})
"""Settings that wait for no charger, and so not behind commands that do."""

_NUMBER = re.compile(r"[0-9]{1,6}")

BridgeVerb = Callable[[Arguments], Awaitable[Outcome]]


@dataclass
class Inbox:
    """Takes messages, has them carried out, sends the answers: one for each request, whatever it is like."""

    topics: Topics
    arbitration: Arbitration
    answers: Answers
    discovery_prefix: str
    bridge_verbs: dict[str, BridgeVerb] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clerk = Clerk(self.topics.base, self.answers, self.discovery_prefix)
        self.at_once = Clerk(self.topics.base, self.answers, self.discovery_prefix)

    @property
    def dispatcher(self) -> Dispatcher:
        """Who carries out what is asked of chargers."""
        return self.arbitration.dispatcher

    def subscriptions(self) -> Iterable[str]:
        """What to listen to."""
        base = self.topics.base
        return (
            f"{base}/bridge/request/+",
            f"{base}/charger/+/request/+",
            f"{base}/charger/+/+/set",
            f"{base}/charger/+/connector/+/+/set",
            f"{base}/backend/+/+/set",
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
                self._take_setting(self._command(incoming, "charger", charger, name), name)
            case ["backend", provider, name, "set"]:
                self._take_setting(self._command(incoming, "backend", provider, name), name)

    def _command(self, incoming: Incoming, *path: str) -> Command:
        *where, verb = path
        return Command(incoming, "/".join((self.topics.base, *where, "response", verb)))

    def _take_request(self, command: Command, work: Callable[[Command, Arguments], Awaitable[Outcome]]) -> None:
        arguments = self.clerk.open(command)
        if isinstance(arguments, Outcome):
            self.clerk.answer(command, arguments)
        else:
            self.clerk.start(command, lambda: work(command, arguments))

    def _take_setting(self, command: Command, name: str) -> None:
        if command.incoming.retained:
            log.warning("%s: a retained command is ignored; clear it at the broker", command.incoming.topic)
        else:
            clerk = self.at_once if name in AT_ONCE else self.clerk
            clerk.start(command, lambda: self._set(command))

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

    def _charger(self, topic_id: str) -> str:
        """The charger of a topic; the topic's own word where there is none, which is then unknown."""
        stations = self.dispatcher.hub.stations
        return next((charger_id for charger_id in stations if slug(charger_id) == topic_id), topic_id)

    # Settings

    async def _set(self, command: Command) -> Outcome:
        path = command.incoming.topic[len(self.topics.base) + 1 :].split("/")
        payload = command.incoming.payload[:MAX_SETTING].decode("utf-8", "replace").strip()
        if path[0] == "backend":
            outcome = await self._of_provider(path[1], path[2], payload)
        else:
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
            case ["override"]:
                return await self._override(charger, payload)
            case ["mode"]:
                return await self._mode(charger, payload)
        return failed(Reason.INVALID, f"{path[-1]} cannot be set")

    async def _override(self, charger: str, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
        return NO_SWITCH if on is None else await self._mode(charger, OWNER if on else AUTO)

    async def _mode(self, charger: str, mode: str) -> Outcome:
        return await self.dispatcher.carry_out(lambda: set_mode(self.arbitration, charger, mode, BY))

    async def _of_provider(self, topic_id: str, name: str, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
        if name != "enabled":
            return failed(Reason.INVALID, f"{name} cannot be set")
        if on is None:
            return NO_SWITCH
        known = self.arbitration.providers()
        provider = next((one for one in known if slug(one) == topic_id), topic_id)
        return await self.dispatcher.carry_out(lambda: set_enabled(self.arbitration, provider, on=on))

    async def _charging(self, charger: str, number: int, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
        if on is None:
            return NO_SWITCH
        return await self.dispatcher.set_charging(charger, number, on=on)

    async def _available(self, charger: str, payload: str) -> Outcome:
        on = SWITCHES.get(payload.upper())
        if on is None:
            return NO_SWITCH
        return await self.dispatcher.submit(charger, requests.Availability(operative=on))

    async def _current_limit(self, charger: str, payload: str) -> Outcome:
        try:
            request = requests.parse("limit", {"amps": float(payload)})
        except (ValueError, BadRequest):
            return failed(Reason.INVALID, "allowed: a current in A from 0 on")
        return await self.dispatcher.submit(charger, request)


def _last(command: Command) -> str:
    return command.incoming.topic.rpartition("/")[2]
