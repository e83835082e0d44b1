"""The MQTT face, wired: what is published, what is announced to Home Assistant, and what is listened to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from ocpp_mqtt_proxy.adapters.discovery import WANTED, Discovery
from ocpp_mqtt_proxy.adapters.mqtt.backends import MqttBackends
from ocpp_mqtt_proxy.adapters.mqtt.house import HouseFeed
from ocpp_mqtt_proxy.adapters.mqtt.household import Household
from ocpp_mqtt_proxy.adapters.mqtt.inbox import BridgeVerb, Inbox
from ocpp_mqtt_proxy.adapters.mqtt.plans import WANTED as PLAN_FACTS, Plans
from ocpp_mqtt_proxy.adapters.mqtt.presence import PresenceFeed
from ocpp_mqtt_proxy.adapters.mqtt.price import PriceFeed
from ocpp_mqtt_proxy.adapters.mqtt.services import ServiceTopics
from ocpp_mqtt_proxy.adapters.mqtt.session import Broker, Incoming, MqttSession
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.adapters.supervisor import Supervisor
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.groups import Groups
from ocpp_mqtt_proxy.arbitration.outlook import outlook
from ocpp_mqtt_proxy.backend_face import BackendFace
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.tariff import Prices
from ocpp_mqtt_proxy.services.views import Overview
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.turns import in_turns

DEVICE_DISCOVERY_SINCE = (2024, 11)

_ROOMS = ("charger", "backend", "service")
"""Parts of our tree whose topics come and go."""

Take = Callable[[Incoming], None]


class MqttFace:
    """Everything about MQTT. `rooms` are to be run once it is open."""

    def __init__(
        self,
        config: Config,
        topics: Topics,
        arbitration: Arbitration,
        supervisor: Supervisor | None,
        backends: BackendFace,
        services: Overview,
        prices: Prices,
        groups: Groups,
    ) -> None:
        hub = arbitration.hub
        self.config = config
        self.topics = topics
        self.arbitration = arbitration
        self.supervisor = supervisor
        self.prices = prices
        self.groups = groups
        self.session = MqttSession(
            config=config.mqtt,
            topics=topics,
            client_id=config.mqtt.client_id or f"ocpp-mqtt-proxy-{hub.numbers.instance}",
            find_broker=self._find_broker,
            clock=hub.clock,
        )
        self.backends = MqttBackends(
            topics=topics,
            desk=backends.desk,
            tokens=backends.tokens,
            fanout=backends.fanout,
            publisher=self.session,
            answers=self.session,
            discovery_prefix=config.mqtt.discovery_prefix,
        )
        self.household = Household(arbitration, self.session, topics)
        self.services = ServiceTopics(services, self.session, topics)
        self.states = States(
            hub=hub,
            mailbox=hub.bus.mailbox("mqtt"),
            publisher=self.session,
            clock=hub.clock,
            topics=topics,
            show_tags=config.mqtt.show_tags,
            house=arbitration.house,
            also=self._hear_beside,
        )
        self.plans = Plans(
            foresee=lambda station: outlook(arbitration, station, hub.clock.now()),
            hub=hub,
            mailbox=hub.bus.mailbox("plans", only=PLAN_FACTS),
            retain=self.states.retain,
            clock=hub.clock,
            topics=topics,
        )
        self.rooms: dict[str, Callable[[], Awaitable[None]]] = {
            "states": self.states.run,
            "mqtt": self.session.run,
            "services shown": self.services.run,
            "plans": self.plans.run,
        }

    def _hear_beside(self, facts: Sequence[Fact]) -> None:
        self.household.hear(facts)
        self.services.hear(facts)

    async def open(self, verbs: Mapping[str, BridgeVerb]) -> None:
        """Publish all there is, as far as there is a broker; `verbs` are what may be asked of the proxy itself."""
        self._listen(dict(verbs))
        stale, base = [self._is_stale_state], self.topics.base
        filters = [
            f"{base}/charger/+/+",
            f"{base}/charger/+/connector/+/+",
            f"{base}/backend/+/+",
            f"{base}/service/+/+",
        ]
        if discovery := await self._discovery():
            await in_turns(discovery.announce_all())
            stale.append(discovery.is_stale)
            filters += discovery.filters()
            self.rooms["discovery"] = discovery.run
        self.session.is_stale = lambda topic, payload: any(judge(topic, payload) for judge in stale)
        self.session.sweep_filters = filters
        self.household.publish_all()
        self.services.publish()
        await in_turns(self.states.publish_all())
        await in_turns(self.plans.publish_all())

    def _listen(self, verbs: dict[str, BridgeVerb]) -> None:
        config = self.config
        inbox = Inbox(self.topics, self.arbitration, self.session, config.mqtt.discovery_prefix, verbs)
        alone = not config.presence_sensor
        feed = PresenceFeed(self.arbitration, self.topics, config.presence_topic, alone=alone)
        prices = PriceFeed(config.tariff.price_topic, self.arbitration.hub.clock, self.prices.set_owner_price)
        fed = {group.id: group.house_topic for group in config.groups}
        house = HouseFeed(fed, self.groups.house_takes, self.groups.house_took)
        takers: list[Take] = [inbox.take, feed.take, prices.take, house.take, self.backends.take]
        self.session.subscriptions = [
            *(*inbox.subscriptions(), *feed.subscriptions(), *prices.subscriptions(), *house.subscriptions()),
            self.backends.subscription(),
        ]
        self.session.attended = self.backends.attend
        self.session.take = lambda incoming: _give(takers, incoming)
        self.session.lost = lambda: _tell((feed.lost, self.groups.houses_lost))

    async def _discovery(self) -> Discovery | None:
        config = self.config.mqtt
        if config.discovery == "off":
            return None
        hub = self.arbitration.hub
        return Discovery(
            hub=hub,
            mailbox=hub.bus.mailbox("discovery", only=WANTED),
            publisher=self.session,
            topics=self.topics,
            instance=hub.numbers.instance,
            prefix=config.discovery_prefix,
            by_device=await self._by_device(),
            providers=self.arbitration.providers,
            services=lambda: set(self.services.overview.services),
        )

    async def _by_device(self) -> bool:
        """Whether to announce whole devices; only the Supervisor can tell that Home Assistant is too old."""
        if self.config.mqtt.discovery != "auto":
            return self.config.mqtt.discovery == "device"
        version = await self.supervisor.home_assistant_version() if self.supervisor else None
        return version is None or version >= DEVICE_DISCOVERY_SINCE

    async def _find_broker(self) -> Broker | None:
        config = self.config.mqtt
        if config.host:
            password = config.password.get_secret_value()
            return Broker(config.host, config.port, config.username, password, config.tls)
        service = await self.supervisor.mqtt() if self.supervisor else None
        if service is None:
            return None
        return Broker(service.host, service.port, service.username, service.password, service.tls)

    def _is_stale_state(self, topic: str, payload: bytes) -> bool:  # noqa: ARG002
        """Whether a retained topic in our tree is of nothing any more."""
        return topic.startswith(tuple(f"{self.topics.base}/{room}/" for room in _ROOMS))


def _give(takers: list[Take], incoming: Incoming) -> None:
    """Give a message to each; they know by its topic whether it is theirs."""
    for take in takers:
        take(incoming)


def _tell(those: Iterable[Callable[[], None]]) -> None:
    """Tell each that the broker is lost."""
    for one in those:
        one()
