"""The only wiring: the configuration becomes rooms, the rooms run until the program is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_urlsafe

from ocpp_mqtt_proxy import logs, metrics, shapes
from ocpp_mqtt_proxy.adapters.chargers.gate import ChargerGate
from ocpp_mqtt_proxy.adapters.chargers.link import Timing
from ocpp_mqtt_proxy.adapters.mqtt.session import MqttSession
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.adapters.server import Door, SocketRoute
from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.adapters.supervisor import Supervisor
from ocpp_mqtt_proxy.adapters.web import Web
from ocpp_mqtt_proxy.adapters.web.access import Access
from ocpp_mqtt_proxy.adapters.web.control import ControlApi
from ocpp_mqtt_proxy.adapters.web.plans import PlanApi
from ocpp_mqtt_proxy.adapters.web.services import ServiceApi
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.groups import WATCHED as WITH_FUSES, Groups
from ocpp_mqtt_proxy.arbitration.limits import steer
from ocpp_mqtt_proxy.arbitration.outlook import outlook
from ocpp_mqtt_proxy.arbitration.owner import override
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch
from ocpp_mqtt_proxy.authority import Authority
from ocpp_mqtt_proxy.backend_face import BackendFace
from ocpp_mqtt_proxy.books import Books
from ocpp_mqtt_proxy.bridge import Bridge
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.config import Config, not_acted_upon
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import LoggedIn
from ocpp_mqtt_proxy.core.limits.outlook import Outlook
from ocpp_mqtt_proxy.core.station import restore
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.home_assistant_face import feed_of
from ocpp_mqtt_proxy.household import circumstances_of, groups_of, house_of, plan_of, prices_of, rules_of, zone_of
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.metrics.tally import COUNTED, Tally
from ocpp_mqtt_proxy.mqtt_face import MqttFace
from ocpp_mqtt_proxy.ports import Clock
from ocpp_mqtt_proxy.reporting import Reporting
from ocpp_mqtt_proxy.service_face import ServiceFace
from ocpp_mqtt_proxy.steering.verifying import WATCHED as OBEDIENCE, Verifying
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.welcome import in_container, own_address, welcome

log = logging.getLogger(__name__)

HOUSE_SECONDS = 60
RESTART_SECONDS = 5
CANCEL_SECONDS = 0.5

FULL_COLLECTIONS = 100
"""How many smaller collections of garbage go before one of all, which holds everybody up for 10 ms."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)


class App:
    """The program while it runs."""

    def __init__(
        self,
        config: Config,
        timing: Timing | None = None,
        supervisor: Supervisor | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
        reread: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config
        self._reread = reread
        self.clock = clock or SystemClock()
        self.supervisor = supervisor if supervisor is not None else Supervisor.of()
        self.store = Store(Path(config.database.path), zone_of(config))
        self.books = Books(self.store, self.clock, zone_of(config), house_of(config).cards)
        self.prices = prices_of(config)
        self.bus = Bus()
        self.topics = Topics(config.mqtt.base_topic)
        self.started_at = self.clock.now()
        self.port = 0
        self.ingress_port = 0
        self.mqtt: MqttSession | None = None
        self.states: States | None = None
        self.tally = Tally()
        self.budget = budget or Budget()
        self._timing = timing or Timing()
        self._stopping = asyncio.Event()
        self._rooms: list[asyncio.Task[None]] = []
        self._doors: list[Door] = []

    # Life

    async def start(self) -> None:
        """Open the store, take chargers in, then everything else. Raises LedgerFailed, OSError."""
        await self.store.open()
        await self._build_hub()
        await self.hub.wake()
        self.backends = BackendFace(self.config, self.arbitration, self.books, self.authority, self.budget)
        self.gate = ChargerGate(self.hub, self.config, self.commissioning, self._timing, self.budget)
        self.bridge = Bridge(
            *(self.config, self.hub, self.store, self.gate, self.arbitration, self.services, self.groups),
            self.started_at,
        )
        self.bridge.backends, self.bridge.reread = self.backends.gate, self._reread
        await self._open_doors()
        await self._start_mqtt()
        self._room("store", self.store.run)
        self._room("housekeeping", self._keep_house)
        self._room("reports", Reporting(self.store, self.books, self.bus).run)
        self._room("arbiter", Watch(self.arbitration, self.bus.mailbox("arbiter", only=WATCHED)).run)
        if self.groups.groups:
            self._room("groups", partial(self.groups.run, self.bus.mailbox("groups", only=WITH_FUSES)))
        self._room("verifying", Verifying(self.hub, self.bus.mailbox("verifying", only=OBEDIENCE)).run)
        self._room("backends", self.backends.fanout.run)
        self._room("services", self.services.services.run)
        self._room("overview", self.services.overview.run)
        self._room("tally", partial(self.tally.run, self.bus.mailbox("tally", only=COUNTED)))
        self._room("incidents", self.bridge.attend_store)
        if feed := feed_of(self.config, self.arbitration, self.supervisor):
            self._room("home assistant", feed.run)
        self._say_what_next()

    async def run(self) -> None:
        """Run until told to stop."""
        try:
            await self.start()
        except BaseException:  # cancelled too, or its threads would keep the program alive
            await self.store.close()
            raise
        # What is there now stays, and need not be gone through for garbage: with a thousand chargers that would hold
        # up everybody for a quarter of a second, now and then.
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTIONS)
        try:
            await self._stopping.wait()
        finally:
            await self.stop()

    def ask_to_stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def reload(self) -> None:
        """Take the services as the configuration has them now."""
        reloading = asyncio.create_task(_reload(self.bridge), name="reload")
        self._rooms.append(reloading)
        reloading.add_done_callback(self._rooms.remove)

    async def stop(self) -> None:
        """Take no more work, close sockets with 1001, tell and write down the last, within 10 s (contract §2)."""
        log.info("stopping")
        try:
            await asyncio.gather(*(door.close() for door in self._doors), self.services.services.close())
            self.store.note(self.hub.rest())
            await self._take_leave()
        finally:  # whatever goes wrong with the rest
            await self._end_rooms()
            await self.store.close()

    async def _take_leave(self) -> None:
        if self.mqtt is not None and self.states is not None:
            self.states.catch_up()
            with suppress(TimeoutError):
                await self.mqtt.say_goodbye()

    async def _end_rooms(self) -> None:
        """Cancel every room until it ends: asyncio loses a cancellation that meets another error on its way."""
        rooms = set(self._rooms)
        for _ in range(4):
            for room in rooms:
                room.cancel()
            if rooms:
                _, rooms = await asyncio.wait(rooms, timeout=CANCEL_SECONDS)

    def _room(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._rooms.append(asyncio.create_task(_for_ever(name, work), name=name))

    # Building

    async def _build_hub(self) -> None:
        config = self.config
        self.hub = Hub(
            clock=self.clock,
            bus=self.bus,
            ledger=self.store,
            numbers=await self.store.numbers(),
            house=house_of(config),
            plan_for=lambda charger_id: plan_of(config.charger(charger_id), config, self.prices),
        )
        await self.store.take_in_use(self.hub.numbers)
        await self._restore()
        self.commissioning = Commissioning(self.hub)
        self.dispatcher = Dispatcher(self.hub, self.commissioning)
        house = circumstances_of(config, await self.store.disabled())
        refusals = await self.store.refusals()
        self.arbitration = Arbitration(self.hub, self.dispatcher, rules_of(config), self.store, house, refusals)
        steer(self.arbitration)
        self.groups = Groups(self.arbitration, groups_of(config), self.hub.plan_for)
        self.services = ServiceFace(config, self.arbitration, self.store, self.budget)
        await self.services.restore()
        roster = self.hub.mirror = self.services.services
        self.authority = self.hub.authority = Authority(
            self.arbitration, referee_for=roster.referee_for, is_service=roster.is_service
        )

    async def _restore(self) -> None:
        connectors: dict[str, list[Connector]] = defaultdict(list)
        for connector in await self.store.connectors():
            connectors[connector.charger].append(connector)
        controls = await self.store.controls()
        for memory in await self.store.chargers():
            sessions = await self.store.remembered(memory.id)
            station = restore(memory, self.hub.plan_for(memory.id), connectors[memory.id], sessions)
            station.control = controls.get(memory.id, station.control)
            self.hub.stations[memory.id] = station

    async def _open_doors(self) -> None:
        config = self.config
        token = config.http.api_token.get_secret_value() or await self.store.meta("api_token", token_urlsafe(24))
        ingress_port = config.ingress.port if config.ingress.enabled else 0
        web = Web(
            access=Access(token, ingress_port, config.ingress.allow_from),
            books=self.books,
            clock=self.clock,
            zone=zone_of(config),
            status=self.bridge.status,
            faults=self.bridge.faults,
            accept_charger=self.gate.accept,
            control=ControlApi(partial(override, self.arbitration, by="api"), self.store),
            services=ServiceApi(self.bridge.test_service),
            plans=PlanApi(self._foresee),
            metrics=lambda: metrics.parts(self.bridge, self.backends, self.tally),
            tell_login=self._tell_login,
        )
        app = web.app()
        chargers = SocketRoute(_is_charger_path, self.gate.admit, self.gate.converse)
        door = self.bridge.door = Door(app, [chargers, self.backends.route()], self.budget)
        self.port = await door.open(config.http.host, config.http.port)
        self._doors.append(door)
        if ingress_port:
            ingress = Door(app)
            self.ingress_port = await ingress.open(config.http.host, ingress_port)
            self._doors.append(ingress)

    def _foresee(self, charger: str, ahead: timedelta) -> Outlook:
        return outlook(self.arbitration, self.hub.station(charger), self.clock.now(), ahead)

    def _tell_login(self, address: str) -> None:
        self.bus.publish(LoggedIn(charger="", at=self.clock.now(), address=address))

    async def _start_mqtt(self) -> None:
        config = self.config.mqtt
        if not config.host and not self.supervisor:
            log.warning("no MQTT broker is configured: chargers are served, nothing is published (set mqtt.host)")
            return
        face = MqttFace(
            *(self.config, self.topics, self.arbitration, self.supervisor),
            *(self.backends, self.services.overview, self.prices, self.groups),
        )
        self.mqtt, self.states = face.session, face.states
        self.bridge.mqtt = face.session
        await face.open(self.bridge.verbs())
        face.session.retain(self.topics.bridge("info"), shapes.dump(self.bridge.info()))
        for name, work in face.rooms.items():
            self._room(name, work)
        self._room("health", self.bridge.tell_health)

    async def _keep_house(self) -> None:
        """Now and then: tell how much was not told, drop what is kept too long, and make a backup."""
        while True:
            logs.tell_left_out()
            await asyncio.sleep(HOUSE_SECONDS)
            await self.store.tidy(self.config.database.keep_days, self.config.database.keep_audit_days)

    def _say_what_next(self) -> None:
        """A first-time user should know what to do."""
        sidebar, container = bool(self.ingress_port), in_container()
        for line in welcome(own_address(), self.port, sidebar=sidebar, container=container):
            log.info(line)
        for key in not_acted_upon(self.config):
            log.warning("configured, but not acted upon in this version: %s", key)


def _is_charger_path(path: str) -> bool:
    """Every WebSocket path is a charger's but `/backend` and `/api/…` (contract §4)."""
    return path != "/backend" and not path.startswith(("/backend/", "/api/"))


async def _reload(bridge: Bridge) -> None:
    outcome = await bridge.reload_services()
    if not outcome.ok:
        log.error("services are not reloaded: %s", outcome.message)


async def _for_ever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run a room; one that fails by a fault of ours is begun again and costs nobody else anything."""
    while True:
        try:
            await work()
        except Exception:  # it is told and begun again; the house stays lit
            log.exception("%s failed and is begun again", name)
        await asyncio.sleep(RESTART_SECONDS)
