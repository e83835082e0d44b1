"""What Home Assistant takes by MQTT discovery, from 2024.3 to 2026.11, as tables; and a judge who applies them.

Stricter than Home Assistant: what one version rejects, or any version logs a line about, is a fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Document = dict[str, Any]

TOPIC = re.compile(r"(\w+)/(?:([A-Za-z0-9_-]+)/)?([A-Za-z0-9_-]+)/config")
"""Below the discovery prefix; anything else is an `illegal discovery topic`."""

TOP_KEYS = {"device", "origin", "components", "availability", "availability_mode", "qos", "encoding"}
"""Of a device message; one key more and all of it is rejected."""

DEVICE_KEYS = {
    "identifiers", "connections", "name", "manufacturer", "model", "serial_number", "sw_version", "hw_version",
    "suggested_area", "via_device", "configuration_url",
}  # fmt: skip
"""`model_id` came after 2024.3, which rejects it."""

ORIGIN_KEYS = {"name", "sw_version", "support_url"}

ENTITY_KEYS = {
    "platform", "unique_id", "object_id", "default_entity_id", "name", "icon", "entity_category", "availability",
    "availability_mode", "qos", "enabled_by_default", "json_attributes_topic", "json_attributes_template", "device",
    "origin",
}  # fmt: skip


@dataclass(frozen=True)
class Platform:
    """What a platform needs and takes beyond what every entity does, and its device classes."""

    needs: frozenset[str]
    takes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLATFORMS: Mapping[str, Platform] = {
    "sensor": Platform(
        _words("state_topic"),
        _words(
            "device_class state_class unit_of_measurement suggested_display_precision options expire_after "
            "force_update value_template"
        ),
    ),
    "binary_sensor": Platform(
        _words("state_topic"),
        _words("device_class payload_on payload_off off_delay expire_after value_template"),
        _words("battery_charging connectivity plug power problem running occupancy lock update heat safety"),
    ),
    "switch": Platform(
        _words("command_topic state_topic"),
        _words("payload_on payload_off state_on state_off optimistic retain device_class value_template"),
        _words("outlet switch"),
    ),
    "number": Platform(
        _words("command_topic state_topic min max"),
        _words("step mode unit_of_measurement device_class payload_reset retain value_template command_template"),
        _words("current power energy duration"),
    ),
    "select": Platform(
        _words("command_topic state_topic options"), _words("retain optimistic value_template command_template")
    ),
    "button": Platform(
        _words("command_topic"), _words("payload_press device_class retain"), _words("identify restart update")
    ),
    "event": Platform(
        _words("state_topic event_types"), _words("device_class value_template"), _words("button doorbell motion")
    ),
    "update": Platform(
        _words("state_topic"),
        _words(
            "device_class latest_version_topic latest_version_template command_topic payload_install title "
            "release_url value_template"
        ),
        _words("firmware"),
    ),
}


@dataclass(frozen=True)
class Quantity:
    """A sensor's device class: its units, where it has any, and the state classes that go with it."""

    units: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()


_MEASURED = frozenset({"measurement"})
QUANTITIES: Mapping[str, Quantity] = {
    "energy": Quantity(_words("Wh kWh MWh"), _words("total total_increasing")),
    "power": Quantity(_words("mW W kW MW"), _MEASURED),
    "current": Quantity(_words("A mA"), _MEASURED),
    "voltage": Quantity(_words("V mV kV"), _MEASURED),
    "frequency": Quantity(_words("Hz kHz MHz GHz"), _MEASURED),
    "battery": Quantity(_words("%"), _MEASURED),
    "temperature": Quantity(_words("°C °F K"), _MEASURED),
    "monetary": Quantity(_words("EUR USD GBP CHF SEK NOK DKK PLN CZK AUD"), frozenset({"total"})),
    "duration": Quantity(_words("d h min s ms"), _words("measurement total total_increasing")),
    "timestamp": Quantity(),
    "enum": Quantity(),
}

STATE_CLASSES = {"measurement", "total", "total_increasing"}
LONGEST_STATE = 255
LONGEST_MESSAGE = 256 * 1024
NONE = "None"


@dataclass
class Announced:
    """Every announcement retained, by topic below the prefix; `entities` are their components by unique id."""

    messages: dict[str, Document]
    entities: dict[str, Document] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, retained: Mapping[str, str | bytes], prefix: str) -> Announced:
        """Judge what is retained below a discovery prefix."""
        messages = {
            topic.removeprefix(f"{prefix}/"): json.loads(payload)
            for topic, payload in retained.items()
            if topic.startswith(f"{prefix}/") and topic.endswith("/config")
        }
        announced = cls(messages)
        announced.faults = list(announced._judge())
        return announced

    def _judge(self) -> Iterator[str]:
        for topic, message in self.messages.items():
            found = TOPIC.fullmatch(topic)
            if found is None:
                yield f"{topic}: illegal discovery topic"
                continue
            yield from (f"{topic}: {fault}" for fault in _of_envelope(message, found[1] == "device"))
            if len(json.dumps(message)) > LONGEST_MESSAGE:
                yield f"{topic}: too long"
            for name, entity in self._entities_of(found[1], message).items():
                yield from (f"{topic} {name}: {fault}" for fault in faults_of(entity))
                if self.entities.setdefault(entity.get("unique_id", ""), entity) is not entity:
                    yield f"{topic} {name}: its unique id is another's"
        yield from self._of_parents()

    def _entities_of(self, platform: str, message: Document) -> dict[str, Document]:
        """Entities as Home Assistant sees them: shared keys filled in; those being taken back aside."""
        if platform != "device":
            return {platform: message | {"platform": platform}}
        shared = {key: message[key] for key in ("availability", "availability_mode", "qos") if key in message}
        return {name: shared | given for name, given in message["components"].items() if set(given) != {"platform"}}

    def _of_parents(self) -> Iterator[str]:
        devices = [message["device"] for message in self.messages.values()]
        known = {identifier for device in devices for identifier in device["identifiers"]}
        for device in devices:
            if device.get("via_device", next(iter(known))) not in known:
                yield f"{device['name']}: via_device is no device of ours"


def _of_envelope(message: Document, whole_device: bool) -> Iterator[str]:
    if whole_device and (more := set(message) - TOP_KEYS):
        yield f"unknown top-level keys {more}"
    if whole_device and not message.get("components"):
        yield "no components"
    device, origin = message.get("device", {}), message.get("origin", {})
    if more := set(device) - DEVICE_KEYS:
        yield f"unknown device keys {more}"
    if not device.get("identifiers") or not device.get("name"):
        yield "the device has no identifiers or no name"
    if not all(isinstance(value, str) and value for key, value in device.items() if key != "identifiers"):
        yield "device keys must be text"
    if not origin.get("name") or set(origin) - ORIGIN_KEYS:
        yield "the origin has no name, or unknown keys"


def faults_of(entity: Document) -> Iterator[str]:
    """What is wrong with an entity, as Home Assistant sees it."""
    platform = PLATFORMS.get(entity.get("platform", ""))
    if platform is None:
        yield f"unknown platform {entity.get('platform')}"
        return
    if missing := platform.needs - set(entity):
        yield f"without {set(missing)}"
    if more := set(entity) - ENTITY_KEYS - platform.needs - platform.takes:
        yield f"unknown keys {more}"
    if entity["platform"] != "sensor" and entity.get("device_class") not in {None, *platform.classes}:
        yield f"unknown device class {entity['device_class']}"
    yield from _of_names(entity)
    yield from _of_topics(entity)
    yield from _OF_PLATFORM.get(entity["platform"], lambda _: iter(()))(entity)


def _of_names(entity: Document) -> Iterator[str]:
    if not entity.get("unique_id"):
        yield "no unique_id"
    if not entity.get("name"):
        yield "no name"
    if not re.fullmatch(rf"{entity['platform']}\.[a-z0-9]+(_[a-z0-9]+)*", entity.get("default_entity_id", "")):
        yield f"default_entity_id {entity.get('default_entity_id')} is none of its platform"
    if entity.get("default_entity_id", "").partition(".")[2] != entity.get("object_id"):
        yield "object_id, which old versions take, says something else"
    readable = entity["platform"] in ("sensor", "binary_sensor", "event")
    if entity.get("entity_category") not in (None, "diagnostic", *(() if readable else ("config",))):
        yield f"entity_category {entity['entity_category']}"


def _of_topics(entity: Document) -> Iterator[str]:
    for key, value in entity.items():
        if key.endswith("_topic") and not re.fullmatch(r"[^+#\x00-\x1f]+", value):
            yield f"{key} {value!r} is no topic to publish on"
    for place in entity.get("availability", []):
        if set(place) != {"topic"}:
            yield f"availability {place}"
    if len(entity.get("availability", [])) > 1 and entity.get("availability_mode") != "all":
        yield "several availabilities need the mode `all`"
    if entity.get("retain"):
        yield "commands must not be retained"


def _of_sensor(entity: Document) -> Iterator[str]:
    kind, unit, state = (entity.get(key) for key in ("device_class", "unit_of_measurement", "state_class"))
    if kind is not None and kind not in QUANTITIES:
        yield f"unknown device class {kind}"
        return
    if state is not None and state not in STATE_CLASSES:
        yield f"unknown state class {state}"
    if kind is not None:
        yield from _of_quantity(kind, unit, state)
    if ("options" in entity) != (kind == "enum") or entity.get("options") == []:
        yield "options are for an enum, which needs some"
    if "suggested_display_precision" in entity and unit is None:
        yield "a precision is for numbers"


def _of_quantity(kind: str, unit: str | None, state: str | None) -> Iterator[str]:
    quantity = QUANTITIES[kind]
    if unit not in (quantity.units or {None}):
        yield f"unit {unit} does not go with {kind}"
    if state is not None and state not in quantity.states:
        yield f"state class {state} does not go with {kind}"


def _of_number(entity: Document) -> Iterator[str]:
    if not entity.get("min", 1) < entity.get("max", 0):
        yield "max must be > min"
    if entity.get("step", 1) < 0.001 or entity.get("mode") not in (None, "auto", "box", "slider"):
        yield "step or mode"


def _of_event(entity: Document) -> Iterator[str]:
    if not entity.get("event_types"):
        yield "no event types"


def _of_select(entity: Document) -> Iterator[str]:
    if not entity.get("options") or len(set(entity["options"])) < len(entity["options"]):
        yield "options must be some, each once"


_OF_PLATFORM = {"sensor": _of_sensor, "select": _of_select, "number": _of_number, "event": _of_event}


# States


def fault_of_state(entity: Document, payload: str) -> str | None:
    """Why Home Assistant would complain of this state of an entity, or None."""
    value = _rendered(entity, payload)
    if len(value) > LONGEST_STATE and entity["platform"] != "event":
        return "longer than a state may be"
    return _OF_STATE[entity["platform"]](entity, value)


def _rendered(entity: Document, payload: str) -> str:
    """The value that the few forms of template we use take out of a payload."""
    template = entity.get("value_template", "{{ value }}")
    if path := re.fullmatch(r"\{\{ value_json\.([\w.]+) \}\}", template):
        value = json.loads(payload)
        for step in path[1].split("."):
            value = value[step]
        return str(value)
    if choice := re.fullmatch(r"\{\{ 'ON' if value == '(\w+)' else 'OFF' \}\}", template):
        return "ON" if payload == choice[1] else "OFF"
    if flag := re.fullmatch(r"\{\{ 'ON' if value_json\.(\w+) else 'OFF' \}\}", template):
        return "ON" if json.loads(payload)[flag[1]] else "OFF"
    assert template == "{{ value }}", f"a template this judge does not know: {template}"
    return payload


def _state_of_sensor(entity: Document, value: str) -> str | None:
    kind = entity.get("device_class")
    if kind == "enum":
        return None if value in entity["options"] else f"{value} is not among the options"
    if kind == "timestamp":
        # 2024.3 takes no None here, and no version an empty one.
        return None if _is_instant(value) else f"{value!r} is no time with an offset"
    if {"unit_of_measurement", "state_class"} & set(entity):
        return None if value == NONE or _is_number(value) else f"{value!r} is no number"
    return None if value else "empty"


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


def _is_instant(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _state_of_binary_sensor(entity: Document, value: str) -> str | None:
    allowed = (entity.get("payload_on", "ON"), entity.get("payload_off", "OFF"), NONE)
    return None if value in allowed else f"{value!r} is none of {allowed}"


def _state_of_switch(entity: Document, value: str) -> str | None:
    allowed = (entity.get("state_on", "ON"), entity.get("state_off", "OFF"), NONE)
    return None if value in allowed else f"{value!r} is none of {allowed}"


def _state_of_number(entity: Document, value: str) -> str | None:
    if value == NONE:
        return None
    fits = _is_number(value) and entity["min"] <= float(value) <= entity["max"]
    return None if fits else f"{value!r} is not between {entity['min']} and {entity['max']}"


def _state_of_select(entity: Document, value: str) -> str | None:
    return None if value in (NONE, *entity["options"]) else f"{value!r} is not among the options"


def _state_of_event(entity: Document, value: str) -> str | None:
    kind = json.loads(value).get("event_type")
    return None if kind in entity["event_types"] else f"event type {kind} is none of {entity['event_types']}"


def _state_of_update(_: Document, value: str) -> str | None:
    return None if value and value != NONE else "no version"


_OF_STATE = {
    "sensor": _state_of_sensor,
    "binary_sensor": _state_of_binary_sensor,
    "switch": _state_of_switch,
    "number": _state_of_number,
    "select": _state_of_select,
    "event": _state_of_event,
    "update": _state_of_update,
}
