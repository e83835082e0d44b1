"""The proxy in numbers, as Prometheus reads them (text format 0.0.4).

A family of numbers is a row: its name, what it is, and how it is had. Counters end in `_total` and only rise while
the program runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.bridge import Bridge
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import Status
from ocpp_mqtt_proxy.core.station import Station

PREFIX = "ocpp_proxy_"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one kind."""

    name: str
    kind: str
    help: str
    samples: Iterable[Sample]

    def lines(self) -> Iterator[str]:
        """As text; nothing where there is no number."""
        samples = list(self.samples)
        if samples:
            yield f"# HELP {PREFIX}{self.name} {self.help}"
            yield f"# TYPE {PREFIX}{self.name} {self.kind}"
        for labels, value in samples:
            inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{PREFIX}{self.name}{{{inside}}} {value:.12g}" if inside else f"{PREFIX}{self.name} {value:.12g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def text(bridge: Bridge) -> str:
    """Everything, in one text."""
    families = chain(_of_the_proxy(bridge), _of_chargers(bridge), _of_connectors(bridge), _of_sharing(bridge))
    return "\n".join(line for family in families for line in family.lines()) + "\n"


def _one(value: float) -> list[Sample]:
    return [({}, value)]


def _gauge(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    return Family(name, "gauge", help_, samples)


def _counter(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    return Family(f"{name}_total", "counter", help_, samples)


def _of_the_proxy(bridge: Bridge) -> Iterator[Family]:
    yield _gauge("info", "The version that runs.", [({"version": __version__}, 1)])
    yield _gauge("start_time_seconds", "When it started, in Unix time.", _one(bridge.started_at.timestamp()))
    yield _gauge("faults", "What is not as it should be, as in /health.", _one(len(bridge.faults())))
    times = os.times()
    yield _counter("cpu_seconds", "Processor time used.", _one(times.user + times.system))
    yield _gauge("clock_seconds", "The proxy's clock, in Unix time.", _one(time.time()))
    boxes = bridge.hub.bus.mailboxes
    yield _gauge("mailbox_waiting", "Facts that wait for a reader.", [({"reader": b.name}, len(b)) for b in boxes])
    dropped = [({"reader": b.name}, float(b.dropped)) for b in boxes]
    yield _counter("mailbox_dropped", "Facts that a slow reader lost.", dropped)
    if bridge.mqtt is not None:
        counters = bridge.mqtt.counters
        yield _gauge("mqtt_connected", "Whether the broker is there.", _one(bridge.mqtt.connected.is_set()))
        yield _gauge("mqtt_waiting", "Messages that wait for the broker.", _one(bridge.mqtt.waiting))
        yield _counter("mqtt_published", "Messages that the broker took.", _one(counters.published))
        yield _counter("mqtt_dropped", "Messages that were not sent.", _one(counters.dropped))


def _of_chargers(bridge: Bridge) -> Iterator[Family]:
    stations = list(bridge.hub.stations.values())
    counted = {station.id: bridge.gate.counted(station.id) for station in stations}

    def each(name: str) -> list[Sample]:
        return [({"charger": charger}, float(getattr(c, name))) for charger, c in counted.items()]

    yield _gauge("charger_connected", "Whether the charger is connected.", _by(stations, lambda s: s.connected))
    yield _gauge("charger_current_limit_amperes", "The owner's ceiling.", _by(stations, lambda s: s.limit))
    yield _counter("charger_connects", "How often it connected.", _by(stations, lambda s: s.connects))
    yield _counter("frames", "Frames that a charger sent.", each("frames"))
    yield _counter("bad_frames", "Frames that were none.", each("bad_frames"))
    yield _counter("repaired_frames", "Frames that were read by what the charger gets wrong.", each("repaired"))
    yield _counter("schema_violations", "Messages that broke their schema.", each("violations"))
    yield _counter("refused_calls", "Calls that were answered by an error.", each("refused"))


def _by(stations: Iterable[Station], value: object) -> list[Sample]:
    assert callable(value)
    return [({"charger": station.id}, float(value(station))) for station in stations]


_READ = {
    "power": ("power_watts", "Power that flows."),
    "current": ("current_amperes", "Current per phase, a mean of those that carry any."),
    "voltage": ("voltage_volts", "Voltage, a mean of the phases."),
    "soc": ("soc_percent", "How full the car is."),
    "temperature": ("temperature_celsius", "How warm the charger is."),
}


def _of_connectors(bridge: Bridge) -> Iterator[Family]:
    connectors = [(s, c) for s in bridge.hub.stations.values() for c in s.ordered()]
    states = [({**_labels(c), "status": str(one)}, float(c.status is one)) for _, c in connectors for one in Status]
    yield _gauge("connector_status", "1 for the status that the connector has.", states)
    energy = [(_labels(c), float(c.energy)) for _, c in connectors if c.energy is not None]
    yield _counter("connector_energy_watt_hours", "The lifetime register; it never falls.", energy)
    sessions = [(_labels(c), float(c.session is not None)) for _, c in connectors]
    yield _gauge("connector_session", "Whether a transaction runs.", sessions)
    limits = [(_labels(c), float(c.effective_limit)) for _, c in connectors if c.effective_limit is not None]
    yield _gauge("connector_limit_amperes", "The limit that binds.", limits)
    for metric, (name, help_) in _READ.items():
        read = [(_labels(c), value) for _, c in connectors if (value := c.value(metric)) is not None]
        yield _gauge(f"connector_{name}", help_, read)


def _labels(connector: Connector) -> Labels:
    return {"charger": connector.charger, "connector": str(connector.number)}


def _of_sharing(bridge: Bridge) -> Iterator[Family]:
    arbitration = bridge.arbitration
    holding = [
        ({"charger": s.id, "class": str(control_class), "provider": held.provider}, 1.0)
        for s in bridge.hub.stations.values()
        for control_class, held in s.control.holders.items()
    ]
    yield _gauge("control_holder", "1 for who holds a class of a charger.", holding)
    modes = [({"charger": s.id, "mode": s.control.mode}, 1.0) for s in bridge.hub.stations.values()]
    yield _gauge("control_mode", "1 for who is in charge of a charger.", modes)
    providers = arbitration.providers()
    present = [({"provider": p}, float(arbitration.house.present.get(p, 0))) for p in providers]
    yield _gauge("provider_links", "How many links a provider has open.", present)
    enabled = [({"provider": p}, float(p not in arbitration.house.disabled)) for p in providers]
    yield _gauge("provider_enabled", "Whether the owner lets a provider act.", enabled)
    decided = [
        ({"verdict": "granted" if not reason else "refused", "reason": reason}, float(count))
        for reason, count in sorted(arbitration.decided.items())
    ]
    yield _counter("decisions", "What the arbiter decided, by reason.", decided)
