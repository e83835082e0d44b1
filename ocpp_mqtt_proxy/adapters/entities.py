"""The entities that Home Assistant gets, as a table (contract §5, `reference/home_assistant.md` §7).

A row says what an entity is; `discovery.py` says it in MQTT. Keys become unique ids: they are for ever.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.model import OWNER, Status
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.core.station import REGISTER, Station
from ocpp_mqtt_proxy.core.tariff import Prices

DIAGNOSTIC = "diagnostic"
CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity. `topic` is where its state is, below the bridge's, charger's or connector's; None: it has none.

    `command` is where it writes; `options` are further keys of the discovery payload, as they are. `always`
    entities stay available while what they are about is offline. `called` is what its entity id ends in,
    where that is not the key.
    """

    key: str
    platform: str
    name: str
    topic: str | None = None
    command: str | None = None
    device_class: str | None = None
    unit: str | None = None
    state_class: str | None = None
    category: str | None = None
    icon: str | None = None
    always: bool = False
    called: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def _sensor(key: str, name: str, topic: str = "", **more: Any) -> Entity:  # noqa: ANN401
    return Entity(key, "sensor", name, topic=topic or key, **more)


def _from_json(path: str) -> dict[str, str]:
    """The value at a path of a topic that holds JSON."""
    return {"value_template": f"{{{{ value_json.{path} }}}}"}


def _measured(key: str, name: str, device_class: str, unit: str, digits: int) -> Entity:
    return _sensor(
        key,
        name,
        device_class=device_class,
        unit=unit,
        state_class="measurement",
        options={"suggested_display_precision": digits},
    )


def _by_line(metric: str, name: str, device_class: str, unit: str, digits: int) -> list[Entity]:
    return [_measured(f"{metric}_l{n}", f"{name} L{n}", device_class, unit, digits) for n in (1, 2, 3)]


def _button(key: str, name: str, verb: str, payload: str, **more: Any) -> Entity:  # noqa: ANN401
    return Entity(key, "button", name, command=f"request/{verb}", options={"payload_press": payload}, **more)


def _event(key: str, name: str, topic: str, types: list[str], icon: str, **more: Any) -> Entity:  # noqa: ANN401
    return Entity(key, "event", name, topic=f"event/{topic}", icon=icon, options={"event_types": types}, **more)


def _attributes(template: str) -> dict[str, str]:
    """Attributes out of a charger's `control`: a Jinja expression that makes an object."""
    return {"json_attributes_topic": "~control", "json_attributes_template": f"{{{{ ({template}) | tojson }}}}"}


MEASURED: Mapping[str, Entity] = {
    entity.key: entity
    for entity in [
        _measured("power", "Power", "power", "W", 0),
        *_by_line("power", "Power", "power", "W", 0),
        _measured("current", "Current", "current", "A", 1),
        *_by_line("current", "Current", "current", "A", 1),
        _measured("voltage", "Voltage", "voltage", "V", 0),
        *_by_line("voltage", "Voltage", "voltage", "V", 0),
        _measured("current_offered", "Current offered", "current", "A", 1),
        _measured("power_offered", "Power offered", "power", "W", 0),
        _measured("soc", "State of charge", "battery", "%", 0),
        _measured("temperature", "Temperature", "temperature", "°C", 1),
        _measured("frequency", "Frequency", "frequency", "Hz", 2),
    ]
}
"""By metric; each appears when its first value was seen."""

ENERGY = _sensor(
    "energy",
    "Energy",
    device_class="energy",
    unit="kWh",
    state_class="total_increasing",
    options={"suggested_display_precision": 2},
)

CONNECTOR: list[Entity] = [
    _sensor("status", "Status", device_class="enum", icon="mdi:ev-station", options={"options": [*Status]}),
    _sensor("error", "Error", category=DIAGNOSTIC, icon="mdi:alert-circle-outline"),
    Entity("plugged_in", "binary_sensor", "Plugged in", topic="plugged_in", device_class="plug"),
    Entity(
        "charging_now",
        "binary_sensor",
        "Charging",
        topic="status",
        device_class="battery_charging",
        called="charging",
        options={"value_template": "{{ 'ON' if value == 'charging' else 'OFF' }}"},
    ),
    Entity("problem", "binary_sensor", "Problem", topic="problem", device_class="problem", category=DIAGNOSTIC),
    Entity("charging", "switch", "Charging", topic="charging", command="charging/set", icon="mdi:ev-plug-type2"),
    _sensor(
        "session_energy",
        "Session energy",
        device_class="energy",
        unit="kWh",
        state_class="total_increasing",
        options={"suggested_display_precision": 2},
    ),
    _sensor("session_time", "Session time", device_class="duration", unit="s"),
    _sensor("session_provider", "Session provider", category=DIAGNOSTIC, icon="mdi:account-cash"),
    _sensor(
        "effective_limit",
        "Effective limit",
        device_class="current",
        unit="A",
        state_class="measurement",
        options={"suggested_display_precision": 1, "json_attributes_topic": "~~plan"},
    ),
    _sensor("limited_by", "Limited by", category=DIAGNOSTIC, icon="mdi:speedometer"),
    _sensor("transaction_id", "Transaction", category=DIAGNOSTIC, icon="mdi:identifier"),
    _sensor("id_tag", "Card", category=DIAGNOSTIC, icon="mdi:card-account-details-outline"),
    _sensor("stop_reason", "Stop reason", category=DIAGNOSTIC, icon="mdi:stop-circle-outline"),
]

CHARGER: list[Entity] = [
    Entity(
        "connected",
        "binary_sensor",
        "Connected",
        topic="availability",
        device_class="connectivity",
        category=DIAGNOSTIC,
        always=True,
        options={"payload_on": "online", "payload_off": "offline"},
    ),
    Entity("available", "switch", "In service", topic="available", command="available/set", category=CONFIG),
    _button("reset", "Restart", "reset", '{"type": "soft"}', device_class="restart", category=CONFIG),
    _button("refresh", "Refresh", "refresh", "{}", category=DIAGNOSTIC, icon="mdi:refresh"),
    _event("session_event", "Session", "session", ["started", "ended"], "mdi:car-electric"),
    _event("authorization_event", "Authorization", "authorization", ["authorization"], "mdi:card-account-details"),
    _event("fault_event", "Fault", "fault", ["fault"], "mdi:alert"),
    Entity(
        "ignores_limits",
        "binary_sensor",
        "Ignores limits",
        topic="ignores_limits",
        device_class="problem",
        category=DIAGNOSTIC,
    ),
    _sensor("firmware", "Firmware", category=DIAGNOSTIC, icon="mdi:chip"),
    _sensor("last_heartbeat", "Last heartbeat", device_class="timestamp", category=DIAGNOSTIC, always=True),
    _sensor(
        "reconnects",
        "Reconnects",
        category=DIAGNOSTIC,
        icon="mdi:lan-connect",
        state_class="total_increasing",
        always=True,
    ),
]

CONTROL: list[Entity] = [
    Entity(
        "override",
        "switch",
        "Override",
        topic="override",
        command="override/set",
        icon="mdi:hand-back-right",
        always=True,
    ),
    _sensor(
        "control_owner",
        "Control owner",
        "owner",
        icon="mdi:account-key",
        always=True,
        options=_attributes(
            "{'holders': value_json.holders, 'limits': value_json.limits, 'presence': value_json.presence}"
        ),
    ),
    _sensor(
        "last_refusal",
        "Last refusal",
        icon="mdi:cancel",
        always=True,
        options=_attributes("value_json.last_refusal or {}"),
    ),
    _event("control_event", "Control", "control", ["granted", "refused", "revoked"], "mdi:account-switch", always=True),
]
"""Who controls a charger: that is decided, and can be, while the charger is away."""

OF_CHARGERS = ("charger_connected", "charger_disconnected", "charger_forgotten", "limits_ignored", "limits_obeyed")
OF_THE_STORE = ("store_failed", "store_healed", "store_replaced")
OF_THE_BOOKS = ("monthly_report", "monthly_report_corrected")
"""Kinds of events of the proxy itself."""

BRIDGE: list[Entity] = [
    Entity(
        "connection",
        "binary_sensor",
        "Connection",
        topic="state",
        device_class="connectivity",
        category=DIAGNOSTIC,
        always=True,
        options={"payload_on": "online", "payload_off": "offline"},
    ),
    _sensor("version", "Version", "info", category=DIAGNOSTIC, icon="mdi:tag", options=_from_json("version")),
    _sensor(
        "chargers_connected",
        "Chargers connected",
        category=DIAGNOSTIC,
        icon="mdi:ev-station",
        state_class="measurement",
    ),
    Entity(
        "bridge_event",
        "event",
        "Event",
        topic="event",
        category=DIAGNOSTIC,
        icon="mdi:bell-outline",
        called="event",
        options={"event_types": [*OF_CHARGERS, *OF_THE_STORE, *OF_THE_BOOKS]},
    ),
    Entity(
        "bridge_problem",
        "binary_sensor",
        "Problem",
        topic="health",
        device_class="problem",
        category=DIAGNOSTIC,
        options={
            "value_template": "{{ 'ON' if value_json.faults else 'OFF' }}",
            "json_attributes_topic": "~health",
            "json_attributes_template": "{{ {'faults': value_json.faults} | tojson }}",
        },
    ),
    _sensor(
        "queue_depth",
        "Queue depth",
        "health",
        category=DIAGNOSTIC,
        icon="mdi:tray-full",
        state_class="measurement",
        options=_from_json("queue_depth"),
    ),
]
"""Of the proxy itself. Its queue depth is what waits anywhere in it: facts to be shown, messages for the broker."""


PRESENCE = _sensor(
    "presence",
    "Presence",
    device_class="enum",
    category=DIAGNOSTIC,
    icon="mdi:home-account",
    options={"options": [*Presence]},
)
"""Who is at home, as the arbiter believes."""


def of_provider(provider: str, name: str) -> Iterator[Entity]:
    """The entities of any provider, below its topic."""
    yield Entity(
        f"provider_{provider}_enabled",
        "switch",
        f"{name} enabled",
        topic="enabled",
        command="enabled/set",
        category=CONFIG,
        icon="mdi:account-check",
        called=f"{_called(provider)}_enabled",
    )


def of_backend(provider: str, name: str) -> Iterator[Entity]:
    """Those of one that connects to us."""
    yield _connected(provider, name, "connected")


def of_service(service: str, name: str) -> Iterator[Entity]:
    """Those of one that we connect to, below its topic as a service: connected once all its links are."""
    yield _connected(
        service,
        name,
        "state",
        value_template="{{ 'ON' if value == 'online' else 'OFF' }}",
        json_attributes_topic="~info",
        json_attributes_template="{{ {'faults': value_json.faults} | tojson }}",
    )
    yield _sensor(
        f"service_{service}_queue_depth",
        f"{name} queue depth",
        "info",
        category=DIAGNOSTIC,
        icon="mdi:tray-full",
        state_class="measurement",
        called=f"{_called(service)}_queue_depth",
        options=_from_json("queue_depth"),
    )


def _connected(provider: str, name: str, topic: str, **options: str) -> Entity:
    return Entity(
        f"provider_{provider}_connected",
        "binary_sensor",
        f"{name} connected",
        topic=topic,
        device_class="connectivity",
        category=DIAGNOSTIC,
        called=f"{_called(provider)}_connected",
        options=options,
    )


def _called(provider: str) -> str:
    return as_id(provider) or "provider"


def as_id(name: str) -> str:
    """A name as entity ids have it: lower case, digits and underscores; maybe nothing."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def of_charger(station: Station, providers: Iterable[str] = ()) -> Iterator[Entity]:
    """The entities of a charger as a whole, which these providers may be put in charge of."""
    yield from CHARGER
    yield from CONTROL
    yield Entity(
        "mode",
        "select",
        "Mode",
        topic="mode",
        command="mode/set",
        icon="mdi:account-cog",
        always=True,
        options={"options": [AUTO, OWNER, *providers]},
    )
    yield Entity(
        "current_limit",
        "number",
        "Current limit",
        topic="current_limit",
        command="current_limit/set",
        device_class="current",
        unit="A",
        options={"min": 0, "max": max(1, station.plan.max_current), "step": 0.1, "mode": "slider"},
    )
    if station.memory.nameplate.firmware:
        # No latest version is known but the installed one; an update shows while it is being installed.
        yield Entity(
            "firmware_update",
            "update",
            "Firmware",
            topic="firmware",
            device_class="firmware",
            category=DIAGNOSTIC,
            options={"latest_version_topic": "~firmware"},
        )


def of_connector(station: Station, connector: Connector) -> Iterator[Entity]:
    """The entities of a connector. What was never read on its charger has none."""
    yield from CONNECTOR
    yield _sensor(
        "session_cost",
        "Session cost",
        device_class="monetary",
        unit=station.plan.prices.owner.currency,
        options={"suggested_display_precision": 2},
    )
    if currency := _paid_in(station.plan.prices):
        yield _sensor(
            "session_revenue",
            "Session revenue",
            "session",
            device_class="monetary",
            unit=currency,
            icon="mdi:cash-plus",
            options={"suggested_display_precision": 2, **_from_json("revenue")},
        )
    number = f'{{"connector": {connector.number}}}'
    yield _button("unlock", "Unlock", "unlock", number, category=CONFIG, icon="mdi:lock-open-variant")
    yield _button("close_session", "Close session", "close_session", number, category=CONFIG, icon="mdi:book-remove")
    if REGISTER in station.memory.measurands:
        yield ENERGY
    for metric in sorted(station.memory.measurands):
        if metric in MEASURED:
            yield MEASURED[metric]


def _paid_in(prices: Prices) -> str | None:
    """The currency of what providers owe; None where they owe nothing or in several, for which no one unit fits."""
    currencies = {tariff.currency for tariff in prices.providers.values()}
    return currencies.pop() if len(currencies) == 1 else None
