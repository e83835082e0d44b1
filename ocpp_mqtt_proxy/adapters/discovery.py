"""Home Assistant's MQTT discovery: the entity table as devices, or as single components for older versions.

One device per charger; where it has several connectors, one more for each; one for the proxy itself. Unique
ids and identifiers carry this installation's persisted instance, so that two proxies on one broker stay apart.
What is deleted in Home Assistant but still there comes back with the next announcement of everything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.adapters import entities
from ocpp_mqtt_proxy.adapters.entities import Entity
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    ChargerBooted,
    ChargerConnected,
    ChargerForgotten,
    Fact,
    InventoryRead,
    MeasurandsSeen,
    ProviderChanged,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Publisher, Stations
from ocpp_mqtt_proxy.topics import Topics, slug
from ocpp_mqtt_proxy.turns import at_once, in_turns

ORIGIN = {
    "name": "ocpp-mqtt-proxy",
    "sw_version": __version__,
    "support_url": "https://github.com/ocpp-mqtt-proxy/ocpp-mqtt-proxy",
}

CALM = 1.0
"""Seconds between two announcements.

A charger shows its connectors one by one, and Home Assistant passes over part of a message that comes while it
is still taking in the one before.
"""

_TELLS: tuple[type[Fact], ...] = (
    ChargerConnected,
    ChargerBooted,
    StatusChanged,
    MeasurandsSeen,
    InventoryRead,
)
"""Facts after which a charger may have entities that it had not."""

WANTED = (*_TELLS, ChargerForgotten, ProviderChanged)
"""Facts that say anything to us: readings are not worth being woken for."""

Document = dict[str, Any]


@dataclass(slots=True)
class Device:
    """A device to announce: its node in the topic, its description, its entities by component id.

    `topics` are the discovery topics it is announced on.
    """

    node: str
    about: Document
    availability: list[Document]
    components: dict[str, Document] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Announced:
    """What is kept of a device that was announced: its topics, and its components' platforms.

    Chargers of a kind have the same components, so they share one `platforms`.
    """

    topics: set[str]
    platforms: dict[str, str]


@dataclass
class Discovery:
    """Announces what there is, takes back what is gone.

    `providers` are those to show, by id, with their names; `services` which of them we connect to.
    """

    hub: Stations
    mailbox: Mailbox
    publisher: Publisher
    topics: Topics
    instance: str
    prefix: str = "homeassistant"
    by_device: bool = True
    providers: Callable[[], Mapping[str, str]] = dict
    services: Callable[[], Collection[str]] = frozenset
    calm: float = CALM
    _announced: dict[str, Announced] = field(default_factory=dict)
    _sets: dict[tuple[tuple[str, str], ...], dict[str, str]] = field(default_factory=dict)
    _nodes: dict[str, set[str]] = field(default_factory=dict)
    _next: dict[str, Device] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Announce, for ever: what is gone at once, what is new once its charger has had its say."""
        while True:
            facts = await self.mailbox.take()
            self._take_back_forgotten(facts)
            if self._next or self._others_came(facts) or any(isinstance(fact, _TELLS) for fact in facts):
                await asyncio.sleep(self.calm)
                await in_turns(self._tell([*facts, *self.mailbox.take_now()]))
            if self._next:
                await asyncio.sleep(self.calm)
                self.finish()

    def announce_all(self) -> Iterator[None]:
        """Announce the bridge and every charger that has shown what it is; a step each."""
        self._announce(self._bridge())
        for station in list(self.hub.stations.values()):
            self._announce_charger(station)
            yield

    def tell(self, facts: list[Fact]) -> None:
        """Announce the chargers that these facts are about."""
        at_once(self._tell(facts))

    def _tell(self, facts: list[Fact]) -> Iterator[None]:
        self._take_back_forgotten(facts)
        if self._others_came(facts):
            yield from self.announce_all()
        for charger_id in {fact.charger: None for fact in facts if isinstance(fact, _TELLS)}:
            if station := self.hub.stations.get(charger_id):
                self._announce_charger(station)
                yield

    def _others_came(self, facts: Iterable[Fact]) -> bool:
        """Whether there are other providers than were announced."""
        return any(isinstance(fact, ProviderChanged) for fact in facts) and self._shown != self.providers()

    def finish(self) -> None:
        """The second half of an announcement that took something back: what could not be told in one."""
        later, self._next = self._next, {}
        for device in later.values():
            self._announce(device)

    def _announce_charger(self, station: Station) -> None:
        """A charger that never booted nor showed a connector may be no charger at all.

        Entities that move from one device to another are taken back first, and announced anew after a while.
        """
        if not station.memory.accepted and not station.connectors:
            return
        moving = False
        for device in self._devices(station):
            self._nodes.setdefault(station.id, set()).add(device.node)
            if moving and device.node not in self._announced:
                self._next[device.node] = device
            else:
                moving |= self._announce(device)

    # Devices

    def _node(self, *parts: str) -> str:
        return "_".join(("ocppproxy", self.instance, *parts))

    def _bridge(self) -> Device:
        about = {
            "identifiers": [self._node()],
            "name": "OCPP MQTT Proxy",
            "manufacturer": "ocpp-mqtt-proxy",
            "model": "OCPP proxy",
            "sw_version": __version__,
        }
        device = Device(self._node(), about, [{"topic": self.topics.bridge_state}])
        for entity in entities.BRIDGE:
            self._add_to_bridge(device, entity, self.topics.bridge)
        self._add_to_bridge(device, entities.PRESENCE, lambda _: self.topics.presence)
        self._shown = dict(self.providers())
        for provider, name in self._shown.items():
            self._add_provider(device, provider, name)
        return device

    def _add_provider(self, device: Device, provider: str, name: str) -> None:
        at = partial(self.topics.backend, provider)
        for entity in entities.of_provider(provider, name):
            self._add_to_bridge(device, entity, at)
        is_service = provider in self.services()
        others = entities.of_service(provider, name) if is_service else entities.of_backend(provider, name)
        for entity in others:
            self._add_to_bridge(device, entity, partial(self.topics.service, provider) if is_service else at)

    def _add_to_bridge(self, device: Device, entity: Entity, at: Callable[[str], str]) -> None:
        document = self._about_entity(device.node, entity.key, "ocpp_mqtt_proxy", entity)
        document["state_topic"] = at(entity.topic or "")
        if entity.command:
            document["command_topic"] = at(entity.command)
        if entity.always:
            document["availability"] = []
        device.components[entity.key] = document | _resolved(entity, at)

    def _devices(self, station: Station) -> Iterator[Device]:
        connectors = station.ordered()
        charger = Device(self._node(slug(station.id)), self._about_charger(station), self._availability(station))
        self._add(charger, station, None, entities.of_charger(station, self.providers()))
        if len(connectors) == 1:
            self._add(charger, station, connectors[0], entities.of_connector(station, connectors[0]))
        yield charger
        for connector in connectors if len(connectors) > 1 else []:
            yield self._connector(station, connector)

    def _connector(self, station: Station, connector: Connector) -> Device:
        charger = self._node(slug(station.id))
        node = f"{charger}--c{connector.number}"
        about = {
            "identifiers": [node],
            "name": f"{_name(station)} connector {connector.number}",
            "via_device": charger,
        }
        device = Device(node, about, self._availability(station))
        self._add(device, station, connector, entities.of_connector(station, connector))
        return device

    def _about_charger(self, station: Station) -> Document:
        plate = station.memory.nameplate
        about = {
            "identifiers": [self._node(slug(station.id))],
            "name": _name(station),
            "manufacturer": plate.vendor,
            "model": plate.model,
            "serial_number": plate.serial,
            "sw_version": plate.firmware,
            "via_device": self._node(),
        }
        return {key: value for key, value in about.items() if value}

    def _availability(self, station: Station) -> list[Document]:
        return [
            {"topic": self.topics.bridge_state},
            {"topic": self.topics.charger(station.id, "availability")},
        ]

    # Components

    def _add(self, device: Device, station: Station, connector: Connector | None, rows: Iterable[Entity]) -> None:
        node, name, part = self._node(slug(station.id)), _entity_name(station), ""
        if connector is not None:
            part = f"c{connector.number}_"
            name += f"_connector_{connector.number}" if len(station.connectors) > 1 else ""
        for entity in rows:
            component_id = f"{part}{entity.key}"
            about = self._about_entity(node, component_id, name, entity)
            device.components[component_id] = about | self._component(station, connector, entity)

    def _component(self, station: Station, connector: Connector | None, entity: Entity) -> Document:
        """Where an entity's state is and where its commands go."""
        document = {
            "state_topic": self._topic(station, connector, entity.topic),
            "command_topic": self._command(station, connector, entity),
            **self._options(station, connector, entity),
        }
        if entity.always:
            document["availability"] = [{"topic": self.topics.bridge_state}]
        return {key: value for key, value in document.items() if value is not None}

    def _about_entity(self, node: str, component_id: str, device_name: str, entity: Entity) -> Document:
        """What an entity is, wherever its state is. `--` keeps charger and component apart in the unique id."""
        object_id = f"{device_name}_{entity.called or entity.key}"
        document = {
            "platform": entity.platform,
            "unique_id": f"{node}--{component_id}",
            "object_id": object_id,
            "default_entity_id": f"{entity.platform}.{object_id}",
            "name": entity.name,
            "device_class": entity.device_class,
            "unit_of_measurement": entity.unit,
            "state_class": entity.state_class,
            "entity_category": entity.category,
            "icon": entity.icon,
        }
        return {key: value for key, value in document.items() if value is not None}

    def _topic(self, station: Station, connector: Connector | None, path: str | None) -> str | None:
        if path is None:
            return None
        if connector is None:
            return self.topics.charger(station.id, path)
        return self.topics.connector(station.id, connector.number, path)

    def _command(self, station: Station, connector: Connector | None, entity: Entity) -> str | None:
        """Requests go to the charger, whichever connector they are about; settings to where their state is."""
        at = None if entity.command and entity.command.startswith("request/") else connector
        return self._topic(station, at, entity.command)

    def _options(self, station: Station, connector: Connector | None, entity: Entity) -> Document:
        return _resolved(entity, lambda path: self._beside(station, connector, path))

    def _beside(self, station: Station, connector: Connector | None, path: str) -> str | None:
        """A topic beside an entity's state; with one more `~` one of its charger."""
        return self._topic(station, None if path.startswith("~") else connector, path.removeprefix("~"))

    # Announcing

    def _announce(self, device: Device, left: dict[str, str] | None = None) -> bool:
        """Announce a device; whether components were taken back that it had, or that an earlier run `left`.

        A component is taken back by its bare platform, once; afterwards the device is announced without it.
        """
        before = self._announced.get(device.node)
        had = (before.platforms if before else {}) | (left or {})
        gone = {key: {"platform": platform} for key, platform in had.items() if key not in device.components}
        if self.by_device:
            self._retain_device(device, gone)
        else:
            self._retain_components(device, before.topics if before else set())
        self._announced[device.node] = Announced(device.topics, self._platforms(device))
        self._next.pop(device.node, None)
        if gone:
            self._next[device.node] = device
        return bool(gone)

    def _platforms(self, device: Device) -> dict[str, str]:
        found = {key: component["platform"] for key, component in device.components.items()}
        return self._sets.setdefault(tuple(found.items()), found)

    def _retain_device(self, device: Device, gone: dict[str, Document]) -> None:
        document: Document = {
            "device": device.about,
            "origin": ORIGIN,
            "qos": 1,
            "availability": device.availability,
            "availability_mode": "all",
            "components": device.components | gone,
        }
        topic = f"{self.prefix}/device/{device.node}/config"
        device.topics = {topic}
        self.publisher.retain(topic, orjson.dumps(document))

    def _retain_components(self, device: Device, before: set[str]) -> None:
        for key, component in device.components.items():
            document: Document = {"availability": device.availability, "availability_mode": "all"}
            document |= {k: v for k, v in component.items() if k != "platform"}
            document |= {"device": device.about, "origin": ORIGIN, "qos": 1}
            topic = f"{self.prefix}/{component['platform']}/{device.node}/{key}/config"
            device.topics.add(topic)
            self.publisher.retain(topic, orjson.dumps(document))
        for topic in sorted(before - device.topics):
            self.publisher.clear(topic)

    def _take_back_forgotten(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, ChargerForgotten):
                for node in sorted(self._nodes.pop(fact.charger, set()), reverse=True):
                    self._take_back(node)

    def _take_back(self, node: str) -> None:
        """Empty retained payloads remove a device."""
        self._next.pop(node, None)
        if device := self._announced.pop(node, None):
            for topic in sorted(device.topics):
                self.publisher.clear(topic)

    # What an earlier run left at the broker

    def filters(self) -> list[str]:
        """Where announcements of ours may be retained."""
        return [f"{self.prefix}/device/+/config", f"{self.prefix}/+/+/+/config"]

    def is_stale(self, topic: str, payload: bytes) -> bool:
        """Whether a retained announcement is this installation's and of nothing any more.

        One that still counts but lost components since is announced again with those taken back.
        """
        node = self._node_of(topic)
        if node != self._node() and not node.startswith(f"{self._node()}_"):
            return False
        known = self._announced.get(node) or self._next.get(node)
        if known is None or topic not in known.topics:
            return True
        if self.by_device:
            self._take_back_left(node, _components(payload))
        return False

    def _take_back_left(self, node: str, left: dict[str, str]) -> None:
        """Take back the components of a device that an earlier run left."""
        known = self._announced.get(node)
        device = self._next.get(node)
        if device is None and known is not None and left.keys() - known.platforms.keys():
            device = self._device(node)
        if device is not None:
            self._announce(device, left)

    def _device(self, node: str) -> Device | None:
        """The device of a node, made anew."""
        if node == self._node():
            return self._bridge()
        owner = next((charger_id for charger_id, nodes in self._nodes.items() if node in nodes), None)
        station = self.hub.stations.get(owner or "")
        devices = self._devices(station) if station else ()
        return next((device for device in devices if device.node == node), None)

    def _node_of(self, topic: str) -> str:
        found = re.fullmatch(rf"{re.escape(self.prefix)}/[^/]+/([^/]+)(/[^/]+)?/config", topic)
        return found[1] if found else ""


def _components(payload: bytes) -> dict[str, str]:
    """The components a retained announcement has and their platforms, those that were being taken back aside."""
    try:
        components = orjson.loads(payload)["components"]
        return {key: value["platform"] for key, value in components.items() if len(value) > 1 and "platform" in value}
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
        return {}


def _name(station: Station) -> str:
    return station.plan.name or station.id


def _entity_name(station: Station) -> str:
    """A charger's name as entity ids have it: lower case, digits and underscores."""
    return entities.as_id(station.plan.name) or entities.as_id(station.id) or "charger"


def _resolved(entity: Entity, topic: Callable[[str], str | None]) -> Document:
    """Further keys; a value that begins with `~` is a path beside the entity's state, with `~~` its charger's."""
    return {
        key: topic(value[1:]) if isinstance(value, str) and value.startswith("~") else value
        for key, value in entity.options.items()
    }
