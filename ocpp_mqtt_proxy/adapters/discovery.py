"""Home Assistant's MQTT discovery: the entity table as devices, or as single components for older versions.

One device per charger; where it has several connectors, one more for each. Unique ids and identifiers carry
this installation's persisted instance, so that two proxies on one broker stay apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

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
    StatusChanged,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Publisher
from ocpp_mqtt_proxy.topics import Topics, slug

ORIGIN = {
    "name": "ocpp-mqtt-proxy",
    "sw_version": __version__,
    "support_url": "https://github.com/ocpp-mqtt-proxy/ocpp-mqtt-proxy",
}

_TELLS: tuple[type[Fact], ...] = (
    ChargerConnected,
    ChargerBooted,
    StatusChanged,
    MeasurandsSeen,
    InventoryRead,
)
"""Facts after which a charger may have entities that it had not."""

Document = dict[str, Any]


class Stations(Protocol):
    """What is looked at."""

    @property
    def stations(self) -> dict[str, Station]:
        """Every charger, by id."""


@dataclass(slots=True)
class Device:
    """A device to announce: its node in the topic, its description, its entities by component id."""

    node: str
    about: Document
    availability: list[Document]
    components: dict[str, Document] = field(default_factory=dict)


@dataclass
class Discovery:
    """Announces what there is, takes back what is gone."""

    hub: Stations
    mailbox: Mailbox
    publisher: Publisher
    topics: Topics
    instance: str
    prefix: str = "homeassistant"
    by_device: bool = True
    _announced: dict[str, dict[str, Document]] = field(default_factory=dict)
    _nodes: dict[str, set[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Announce, for ever."""
        while True:
            self.tell(await self.mailbox.take())

    def announce_all(self) -> None:
        """Announce the bridge and every charger that has shown what it is."""
        self._announce(self._bridge())
        for station in self.hub.stations.values():
            self._announce_charger(station)

    def tell(self, facts: list[Fact]) -> None:
        """Announce the chargers that these facts are about."""
        for fact in facts:
            if isinstance(fact, ChargerForgotten):
                self._take_back(fact.charger)
        for charger_id in {fact.charger: None for fact in facts if isinstance(fact, _TELLS)}:
            if station := self.hub.stations.get(charger_id):
                self._announce_charger(station)

    def _announce_charger(self, station: Station) -> None:
        """A charger that never booted nor showed a connector may be no charger at all."""
        if station.memory.accepted or station.connectors:
            for device in self._devices(station):
                self._nodes.setdefault(station.id, set()).add(device.node)
                self._announce(device)

    # Devices

    def _id(self, *parts: str) -> str:
        return "_".join(("ocppproxy", self.instance, *parts))

    def _bridge(self) -> Device:
        about = {
            "identifiers": [self._id()],
            "name": "OCPP MQTT Proxy",
            "manufacturer": "ocpp-mqtt-proxy",
            "model": "OCPP proxy",
            "sw_version": __version__,
        }
        device = Device(self._id(), about, [])
        device.components["connection"] = {
            "platform": "binary_sensor",
            "unique_id": self._id("bridge", "connection"),
            "object_id": "ocpp_mqtt_proxy_connection",
            "default_entity_id": "binary_sensor.ocpp_mqtt_proxy_connection",
            "name": "Connection",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": self.topics.bridge_state,
            "payload_on": "online",
            "payload_off": "offline",
        }
        return device

    def _devices(self, station: Station) -> Iterator[Device]:
        connectors = station.ordered()
        charger = Device(self._id(slug(station.id)), self._about_charger(station), self._availability(station))
        self._add(charger, station, None, entities.of_charger(station))
        if len(connectors) == 1:
            self._add(charger, station, connectors[0], entities.of_connector(station, connectors[0]))
        yield charger
        for connector in connectors if len(connectors) > 1 else []:
            yield self._connector(station, connector)

    def _connector(self, station: Station, connector: Connector) -> Device:
        node = self._id(slug(station.id), f"c{connector.number}")
        about = {
            "identifiers": [node],
            "name": f"{_name(station)} connector {connector.number}",
            "via_device": self._id(slug(station.id)),
        }
        device = Device(node, about, self._availability(station))
        self._add(device, station, connector, entities.of_connector(station, connector))
        return device

    def _about_charger(self, station: Station) -> Document:
        plate = station.memory.nameplate
        about = {
            "identifiers": [self._id(slug(station.id))],
            "name": _name(station),
            "manufacturer": plate.vendor,
            "model": plate.model,
            "serial_number": plate.serial,
            "sw_version": plate.firmware,
            "via_device": self._id(),
        }
        return {key: value for key, value in about.items() if value}

    def _availability(self, station: Station) -> list[Document]:
        return [
            {"topic": self.topics.bridge_state},
            {"topic": self.topics.charger(station.id, "availability")},
        ]

    # Components

    def _add(self, device: Device, station: Station, connector: Connector | None, rows: Iterator[Entity]) -> None:
        for entity in rows:
            part = [f"c{connector.number}"] if connector else []
            component_id = "_".join([*part, entity.key])
            device.components[component_id] = self._component(station, connector, entity, component_id)

    def _component(self, station: Station, connector: Connector | None, entity: Entity, component_id: str) -> Document:
        several = connector is not None and len(station.connectors) > 1
        name = [_entity_name(_name(station)), *([f"connector_{connector.number}"] if connector and several else [])]
        object_id = "_".join([*name, entity.key])
        document = {
            "platform": entity.platform,
            "unique_id": self._id(slug(station.id), component_id),
            "object_id": object_id,
            "default_entity_id": f"{entity.platform}.{object_id}",
            "name": entity.name,
            "device_class": entity.device_class,
            "unit_of_measurement": entity.unit,
            "state_class": entity.state_class,
            "entity_category": entity.category,
            "icon": entity.icon,
            "state_topic": self._topic(station, connector, entity.topic),
            "command_topic": self._command(station, connector, entity),
            **self._options(station, connector, entity),
        }
        if entity.always:
            document["availability"] = [{"topic": self.topics.bridge_state}]
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
        """Further keys; a value that begins with `~` is a path beside the entity's state."""
        return {
            key: self._topic(station, connector, value[1:])
            if isinstance(value, str) and value.startswith("~")
            else value
            for key, value in entity.options.items()
        }

    # Announcing

    def _announce(self, device: Device) -> None:
        """Announce a device. A component that it had and has no more is taken back by its bare platform."""
        before = self._announced.get(device.node, {})
        gone = {key: {"platform": old["platform"]} for key, old in before.items() if key not in device.components}
        self._announced[device.node] = device.components | gone
        if self.by_device:
            self._retain_device(device, gone)
        else:
            self._retain_components(device, gone)

    def _retain_device(self, device: Device, gone: dict[str, Document]) -> None:
        document: Document = {"device": device.about, "origin": ORIGIN, "qos": 1}
        if device.availability:
            document |= {"availability": device.availability, "availability_mode": "all"}
        document["components"] = device.components | gone
        self.publisher.retain(self._device_topic(device.node), orjson.dumps(document))

    def _retain_components(self, device: Device, gone: dict[str, Document]) -> None:
        for key, component in device.components.items():
            document = {k: v for k, v in component.items() if k != "platform"}
            document |= {"device": device.about, "origin": ORIGIN, "qos": 1}
            if device.availability:
                document.setdefault("availability", device.availability)
                document["availability_mode"] = "all"
            topic = self._component_topic(component["platform"], device.node, key)
            self.publisher.retain(topic, orjson.dumps(document))
        for key, component in gone.items():
            self.publisher.clear(self._component_topic(component["platform"], device.node, key))

    def _device_topic(self, node: str) -> str:
        return f"{self.prefix}/device/{node}/config"

    def _component_topic(self, platform: str, node: str, key: str) -> str:
        return f"{self.prefix}/{platform}/{node}/{key}/config"

    def _take_back(self, charger_id: str) -> None:
        """Forget a charger and its connectors: empty retained payloads remove the devices."""
        for node in self._nodes.pop(charger_id, set()):
            components = self._announced.pop(node)
            if self.by_device:
                self.publisher.clear(self._device_topic(node))
                continue
            for key, component in components.items():
                self.publisher.clear(self._component_topic(component["platform"], node, key))

    # What an earlier run left at the broker

    def filters(self) -> list[str]:
        """Where announcements of ours may be retained."""
        return [f"{self.prefix}/device/+/config", f"{self.prefix}/+/+/+/config"]

    def is_stale(self, topic: str, payload: bytes) -> bool:
        """Whether a retained announcement is ours and of nothing any more.

        One that still counts but lost components since is announced again with those taken back.
        """
        parts = topic.removeprefix(f"{self.prefix}/").split("/")
        node = parts[1] if len(parts) > 2 else ""
        if not node.startswith(self._id()) or not topic.startswith(f"{self.prefix}/"):
            return False
        style_fits = (parts[0] == "device") == self.by_device
        if not style_fits or node not in self._announced:
            return True
        if not self.by_device:
            return parts[2] not in self._announced[node]
        self._take_back_lost(node, payload)
        return False

    def _take_back_lost(self, node: str, payload: bytes) -> None:
        try:
            components = orjson.loads(payload)["components"]
            lost = {k: v for k, v in components.items() if k not in self._announced[node] and "platform" in v}
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            return
        if lost:
            self._announced[node] |= {k: {"platform": v["platform"]} for k, v in lost.items()}
            for device in self._known_devices():
                if device.node == node:
                    self._announce(device)

    def _known_devices(self) -> Iterator[Device]:
        yield self._bridge()
        for station in self.hub.stations.values():
            yield from self._devices(station)


def _name(station: Station) -> str:
    return station.plan.name or station.id


def _entity_name(name: str) -> str:
    """A name as entity ids have it: lower case, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "charger"
