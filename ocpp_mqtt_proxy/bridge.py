"""The proxy as a whole: what may be asked of it, and what there is to see of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from ocpp_mqtt_proxy import __version__, shapes
from ocpp_mqtt_proxy.adapters.backends.gate import BackendGate
from ocpp_mqtt_proxy.adapters.chargers.gate import ChargerGate
from ocpp_mqtt_proxy.adapters.mqtt.session import MqttSession
from ocpp_mqtt_proxy.adapters.server import Door
from ocpp_mqtt_proxy.adapters.store import Incident, Store
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.groups import Groups
from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.config_file import BadConfiguration
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.service_face import ServiceFace

log = logging.getLogger(__name__)

HEALTH_SECONDS = 60
"""How often it is told how the proxy is; also whenever that changes with the store."""


@dataclass
class Bridge:
    """The proxy as a whole.

    `mqtt` is None where there is no broker to speak to; `reread` reads the configuration again.
    """

    config: Config
    hub: Hub
    store: Store
    gate: ChargerGate
    arbitration: Arbitration
    services: ServiceFace
    groups: Groups
    started_at: datetime
    mqtt: MqttSession | None = None
    door: Door | None = None
    backends: BackendGate | None = None
    reread: Callable[[], Config] | None = None

    # What may be asked of it

    def verbs(self) -> dict[str, Callable[[dict[str, object]], Awaitable[Outcome]]]:
        """The verbs of `ocpp/bridge/request/` (contract §5)."""
        return {
            "accept_charger": self._accept_charger,
            "forget_charger": self._forget_charger,
            "refresh": self._refresh,
            "reload_services": lambda _: self.reload_services(),
            "test_service": self._test_service,
        }

    async def _accept_charger(self, arguments: dict[str, object]) -> Outcome:
        charger = arguments.get("charger")
        if not isinstance(charger, str) or not charger:
            return failed(Reason.INVALID, "charger: the id of a charger that waits")
        self.gate.accept(charger)
        return done(f"{charger} may connect")

    async def reload_services(self) -> Outcome:
        """Take `ocpp_services`, and the rules for them, as the configuration has them now."""
        if self.reread is None:
            return failed(
                Reason.NOT_SUPPORTED, "this program was started without a configuration that could be read again"
            )
        try:
            config = await asyncio.to_thread(self.reread)
        except BadConfiguration as error:
            return failed(Reason.INVALID, f"nothing is changed: {error}")
        outcome = await self.services.change(config)
        log.info("services reloaded: %s", outcome.message)
        return outcome

    async def _forget_charger(self, arguments: dict[str, object]) -> Outcome:
        charger = arguments.get("charger")
        if not isinstance(charger, str):
            return failed(Reason.INVALID, "charger: the id of a charger")
        try:
            if any(self.hub.station(charger).sessions()):
                return refused(Reason.INVALID, f"a session runs on {charger}; stop or close it first")
            await self.hub.forget(charger)
        except UnknownCharger as error:
            return refused(Reason.UNKNOWN_CHARGER, str(error))
        return done(f"{charger} is forgotten; its sessions stay")

    async def _refresh(self, _: dict[str, object]) -> Outcome:
        if self.mqtt is not None:
            self.mqtt.republish()
        return done("everything retained is sent again")

    async def _test_service(self, arguments: dict[str, object]) -> Outcome:
        service, charger = arguments.get("service"), arguments.get("charger")
        if not isinstance(service, str) or not service:
            return failed(Reason.INVALID, "service: the id of a service")
        return await self.test_service(service, charger if isinstance(charger, str) else "")

    async def test_service(self, service: str, charger: str = "") -> Outcome:
        """How far a connection to a service comes; as the only charger where none is named."""
        chargers = list(self.hub.stations)
        if not charger and len(chargers) == 1:
            charger = chargers[0]
        if not charger:
            return failed(Reason.INVALID, f"charger: one of {', '.join(chargers) or 'those that came once; none did'}")
        return await self.services.try_out(service, charger)

    # What there is to see

    def info(self) -> shapes.Json:
        """Who it is and how it is configured (`ocpp/bridge/info`)."""
        return {
            "version": __version__,
            "instance": self.hub.numbers.instance,
            "started_at": shapes.time(self.started_at),
            "ocpp_versions": [str(version) for version in DIALECTS],
            "configuration": self.config.masked(show_tags=self.config.mqtt.show_tags),
        }

    def status(self) -> shapes.Json:
        """Everything live (`GET /status`)."""
        now, house = self.hub.clock.now(), self.arbitration.house
        return {
            "version": __version__,
            "started_at": shapes.time(self.started_at),
            "chargers": {s.id: shapes.charger(s, now) | self._traffic(s.id) for s in self.hub.stations.values()},
            "waiting": [
                {"charger": s.charger_id, "address": s.address, "at": shapes.time(s.at)}
                for s in self.gate.strangers.values()
            ],
            "control": {s.id: shapes.control(s.control, house.presence) for s in self.hub.stations.values()},
            "providers": {
                provider: {"name": name, **self._provider(provider)}
                for provider, name in self.arbitration.providers().items()
            },
            "services": self.services.overview.status(),
            "groups": self.groups.status(),
            "presence": house.presence or Presence.UNKNOWN,
            "mqtt": self._mqtt_status(),
        }

    def _provider(self, provider: str) -> shapes.Json:
        house, arbitration = self.arbitration.house, self.arbitration
        shown = shapes.provider(
            connected=provider in house.present,
            classes=arbitration.held(provider),
            refusal=arbitration.refusals.get(provider),
        )
        return shown | {"enabled": provider not in house.disabled}

    def _traffic(self, charger_id: str) -> shapes.Json:
        return {"traffic": self.gate.counted(charger_id).shown()}

    def _mqtt_status(self) -> shapes.Json:
        if self.mqtt is None:
            return {"connected": False, "broker": None}
        counters = self.mqtt.counters
        return {
            "connected": self.mqtt.connected.is_set(),
            "broker": self.mqtt.broker_name or None,
            "protocol": self.mqtt.version,
            "lost_since": shapes.time(self.mqtt.lost_since),
            "waiting": self.mqtt.waiting,
            "published": counters.published,
            "dropped": counters.dropped,
            "connects": counters.connects,
        }

    def health(self) -> shapes.Json:
        """Counters and queues (`ocpp/bridge/health`)."""
        counted = {charger_id: self.gate.counted(charger_id) for charger_id in self.hub.stations}
        links = counted.values()
        return {
            "at": shapes.time(self.hub.clock.now()),
            "faults": self.faults(),
            "chargers": {"known": len(self.hub.stations), "connected": len(self.hub.links)},
            "frames": sum(c.frames for c in links),
            "bad_frames": sum(c.bad_frames for c in links),
            "schema_violations": sum(c.violations for c in links),
            "refused_calls": sum(c.refused for c in links),
            "repaired_frames": sum(c.repaired for c in links),
            "repaired": {charger_id: dict(c.mended) for charger_id, c in counted.items() if c.mended},
            "unused_answers": sum(c.unused for c in links),
            "over_budget": {charger_id: c.excess for charger_id, c in counted.items() if c.excess != Excess()},
            "refused_handshakes": {str(status): count for status, count in sorted(self.gate.refused.items())},
            "door": self.door and self.door.counters,
            "backends": self.backends and self.backends.counted(),
            "queue_depth": sum(map(len, self.hub.bus.mailboxes)) + (self.mqtt.waiting if self.mqtt else 0),
            "mailboxes": {m.name: {"waiting": len(m), "dropped": m.dropped} for m in self.hub.bus.mailboxes},
            "mqtt": self._mqtt_status(),
        }

    def faults(self) -> list[str]:
        """What is not as it should be; empty where all is well."""
        faults = [f"store: {fault}" for fault in self.store.faults()]
        if self.mqtt is not None and not self.mqtt.connected.is_set():
            faults.append(f"mqtt: not connected since {shapes.time(self.mqtt.lost_since)}")
        return faults

    # What it tells by itself

    async def tell_health(self) -> None:
        """How it is, now and then, for ever, while there is somebody to tell."""
        assert self.mqtt is not None
        while True:
            await self.mqtt.connected.wait()
            self._show_health()
            await asyncio.sleep(HEALTH_SECONDS)

    def _show_health(self) -> None:
        if self.mqtt is not None:
            self.mqtt.retain(self.mqtt.topics.bridge("health"), shapes.dump(self.health()))

    async def attend_store(self) -> None:
        """Tell at once, for ever, what is wrong with the store and what was done; fill one that was replaced."""
        while True:
            await self.store.news.wait()
            self.store.news.clear()
            while self.store.incidents:
                incident = self.store.incidents.popleft()
                if incident.kind == "store_replaced":
                    self.store.note(self.hub.everything())
                self._tell(incident)
            self._show_health()

    def _tell(self, incident: Incident) -> None:
        if self.mqtt is not None:
            at = shapes.time(self.hub.clock.now())
            document = {"event": incident.kind, "event_type": incident.kind, "message": incident.message, "at": at}
            self.mqtt.emit(self.mqtt.topics.bridge("event"), shapes.dump(document))
