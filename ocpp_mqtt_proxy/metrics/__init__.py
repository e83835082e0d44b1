"""The proxy in numbers, for Prometheus.

A family of numbers is a row: its name, what it is, and how it is had. Counters end in `_total` and only rise while
the program runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.backend_face import BackendFace
from ocpp_mqtt_proxy.bridge import Bridge
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.metrics.exposition import Family, Sample, by, counter, gauge, one
from ocpp_mqtt_proxy.metrics.process import of_process
from ocpp_mqtt_proxy.metrics.tally import Tally
from ocpp_mqtt_proxy.service_face import ServiceFace
from ocpp_mqtt_proxy.services.outstation import Outstation

PREFIX = "ocpp_proxy"


def parts(bridge: Bridge, backends: BackendFace, tally: Tally) -> Iterator[str]:
    """The text, a family at a time: of a thousand chargers all at once would hold up everybody for too long."""
    families = chain(
        of_process(bridge.started_at),
        _of_the_proxy(bridge),
        _of_mqtt(bridge),
        _of_chargers(bridge),
        _of_connectors(bridge),
        _of_sharing(bridge, tally),
        _of_sessions(bridge, tally),
        _of_backends(backends),
        _of_services(bridge.services),
    )
    return map(str, families)


def _gauge(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    return gauge(f"{PREFIX}_{name}", help_, samples)


def _counter(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    return counter(f"{PREFIX}_{name}", help_, samples)


def _of_the_proxy(bridge: Bridge) -> Iterator[Family]:
    yield _gauge("info", "The version that runs.", [({"version": __version__}, 1)])
    yield _gauge("faults", "What is not as it should be, as in /health.", one(len(bridge.faults())))
    yield _gauge("store_faults", "What is wrong with the database.", one(len(bridge.store.faults())))
    boxes = bridge.hub.bus.mailboxes
    yield _gauge("mailbox_waiting", "Facts that wait for a reader.", by("reader", {b.name: len(b) for b in boxes}))
    dropped: dict[str, float] = {b.name: b.dropped for b in boxes}
    yield _counter("mailbox_dropped", "Facts that a slow reader lost.", by("reader", dropped))
    refused = {str(status): count for status, count in bridge.gate.refused.items()}
    yield _counter("refused_handshakes", "Chargers' handshakes refused, by status.", by("status", refused))
    if bridge.door is not None:
        door = bridge.door.counters
        held = {"cut": door.cut, "delayed": door.delayed, "full": door.full}
        yield _counter("door_connections", "Connections not let in at once.", by("outcome", held))


def _of_mqtt(bridge: Bridge) -> Iterator[Family]:
    if bridge.mqtt is None:
        return
    counters = bridge.mqtt.counters
    yield _gauge("mqtt_connected", "Whether the broker is there.", one(bridge.mqtt.connected.is_set()))
    yield _gauge("mqtt_waiting", "Messages that wait for the broker.", one(bridge.mqtt.waiting))
    yield _counter("mqtt_published", "Messages that the broker took.", one(counters.published))
    yield _counter("mqtt_dropped", "Messages that were not sent.", one(counters.dropped))
    yield _counter("mqtt_connects", "How often the broker was connected to.", one(counters.connects))


_TRAFFIC = {
    "frames": ("frames", "Frames that a charger sent."),
    "bad_frames": ("bad_frames", "Frames that were none."),
    "repaired_frames": ("repaired", "Frames that were read by what the charger gets wrong."),
    "schema_violations": ("violations", "Messages that broke their schema."),
    "refused_calls": ("refused", "Calls that were answered by an error."),
}


def _of_chargers(bridge: Bridge) -> Iterator[Family]:
    stations = list(bridge.hub.stations.values())

    def each(value: Callable[[Station], float]) -> list[Sample]:
        return by("charger", {station.id: value(station) for station in stations})

    yield _gauge("charger_info", "What the charger is.", [(_nameplate(station), 1.0) for station in stations])
    heard = {station.id: at.timestamp() for station in stations if (at := station.last_heard)}
    yield _gauge("charger_last_heard_timestamp_seconds", "When it was last heard, in Unix time.", by("charger", heard))
    yield _gauge("charger_connected", "Whether the charger is connected.", each(lambda s: s.connected))
    yield _gauge("charger_current_limit_amperes", "The owner's ceiling.", each(lambda s: s.limit))
    yield _counter("charger_connects", "How often it connected.", each(lambda s: s.connects))
    counted = {station.id: bridge.gate.counted(station.id) for station in stations}
    for name, (field, help_) in _TRAFFIC.items():
        yield _counter(name, help_, by("charger", {charger: getattr(c, field) for charger, c in counted.items()}))


def _nameplate(station: Station) -> dict[str, str]:
    plate = station.memory.nameplate
    about = {"vendor": plate.vendor, "model": plate.model, "firmware": plate.firmware}
    return {"charger": station.id, **about, "ocpp_version": str(station.version or "")}


_READ = {
    "power": ("power_watts", "Power that flows."),
    "current": ("current_amperes", "Current per phase, a mean of those that carry any."),
    "voltage": ("voltage_volts", "Voltage, a mean of the phases."),
    "soc": ("soc_percent", "How full the car is."),
    "temperature": ("temperature_celsius", "How warm the charger is."),
}


def _of_connectors(bridge: Bridge) -> Iterator[Family]:
    connectors = [(_labels(c), c) for s in bridge.hub.stations.values() for c in s.ordered()]

    def each(value: Callable[[Connector], float | None]) -> list[Sample]:
        read = ((labels, value(connector)) for labels, connector in connectors)
        return [(labels, float(number)) for labels, number in read if number is not None]

    states = [(labels | {"status": str(c.status)}, 1.0) for labels, c in connectors]
    yield _gauge("connector_status", "1 for the status that the connector has.", states)
    yield _counter("connector_energy_watt_hours", "The lifetime register; it never falls.", each(lambda c: c.energy))
    yield _gauge("connector_session", "Whether a transaction runs.", each(lambda c: c.session is not None))
    yield _gauge("connector_limit_amperes", "The limit that binds.", each(lambda c: c.effective_limit))
    for metric, (name, help_) in _READ.items():
        read = [(labels, value) for labels, c in connectors if (value := c.value(metric)) is not None]
        yield _gauge(f"connector_{name}", help_, read)


def _labels(connector: Connector) -> dict[str, str]:
    return {"charger": connector.charger, "connector": str(connector.number)}


def _of_sharing(bridge: Bridge, tally: Tally) -> Iterator[Family]:
    arbitration = bridge.arbitration
    stations, providers = bridge.hub.stations.values(), arbitration.providers()
    holding = [
        ({"charger": s.id, "class": str(control_class), "provider": held.provider}, 1.0)
        for s in stations
        for control_class, held in s.control.holders.items()
    ]
    yield _gauge("control_holder", "1 for who holds a class of a charger.", holding)
    modes = [({"charger": s.id, "mode": s.control.mode}, 1.0) for s in stations]
    yield _gauge("control_mode", "1 for who is in charge of a charger.", modes)
    house = arbitration.house
    links = {provider: house.present.get(provider, 0) for provider in providers}
    yield _gauge("provider_links", "How many links a provider has open.", by("provider", links))
    enabled = {provider: provider not in house.disabled for provider in providers}
    yield _gauge("provider_enabled", "Whether the owner lets a provider act.", by("provider", enabled))
    believed = house.presence or Presence.UNKNOWN
    yield _gauge("presence", "1 for what is believed.", by("state", {str(p): p is believed for p in Presence}))
    judged = [_decided("refused" if why else "granted", why, count) for why, count in arbitration.decided.items()]
    revoked = [_decided("revoked", why, count) for why, count in tally.revoked.items()]
    yield _counter("decisions", "What the arbiter decided, by reason.", judged + revoked)


def _decided(verdict: str, reason: str, count: int) -> Sample:
    return {"verdict": verdict, "reason": str(reason)}, float(count)


def _of_sessions(bridge: Bridge, tally: Tally) -> Iterator[Family]:
    sessions = [session for station in bridge.hub.stations.values() for session in station.sessions()]
    running = Counter(dict.fromkeys((OWNER, *bridge.arbitration.providers()), 0))
    running.update(session.provider for session in sessions)
    yield _gauge("sessions_running", "Sessions that run, by whose they are.", by("provider", running))
    yield _counter("sessions_started", "Sessions that began.", by("provider", tally.started))
    ended = [({"provider": p, "reason": str(reason)}, float(count)) for (p, reason), count in tally.ended.items()]
    yield _counter("sessions_ended", "Sessions that ended, by reason.", ended)
    yield _counter("session_energy_watt_hours", "Energy of ended sessions.", by("provider", tally.energy))
    yield _counter("session_seconds", "Time of ended sessions.", by("provider", tally.seconds))
    owed = [({"provider": p, "currency": currency}, cents / 100) for (p, currency), cents in tally.revenue.items()]
    yield _counter("session_revenue", "What providers owe for ended sessions.", owed)


def _of_backends(backends: BackendFace) -> Iterator[Family]:
    counted = backends.gate.counted()
    yield _counter("backend_requests", "What backends asked.", one(counted.requests))
    yield _counter("backend_bad_requests", "What was no request.", one(counted.bad_requests))
    yield _counter("backend_events", "Events sent to backends.", one(counted.events))
    yield _counter("backend_dropped", "Events that slow backends lost.", one(counted.dropped))
    yield _counter("backend_too_slow", "Links closed because their reader was too slow.", one(counted.too_slow))
    refused = {str(status): count for status, count in backends.gate.refused.items()}
    yield _counter("backend_refused_handshakes", "Backends' handshakes refused, by status.", by("status", refused))


_SERVICE_TRAFFIC = {
    "frames_received": ("received", "Frames that a service sent."),
    "frames_sent": ("sent", "Frames sent to a service."),
    "bad_frames": ("bad_frames", "Frames of a service that were none."),
    "schema_violations": ("violations", "Answers of a service that broke their schema."),
    "refused_calls": ("refused", "Calls of a service that were answered by an error."),
}


def _of_services(face: ServiceFace) -> Iterator[Family]:
    outs = face.services.all()

    def each(value: Callable[[Outstation], float]) -> list[Sample]:
        return [({"service": out.id, "charger": out.charger_id}, float(value(out))) for out in outs]

    waiting = {(out.id, out.charger_id): out.outbox.depth(out.id, out.charger_id) for out in outs}
    traffic = {(out.id, out.charger_id): face.dialer.traffic(out.id, out.charger_id) for out in outs}
    yield _gauge("service_connected", "Whether a service has accepted a charger.", each(lambda o: o.accepted))
    depth = each(lambda o: waiting[o.id, o.charger_id].messages)
    yield _gauge("service_queue_depth", "Messages that wait for a service.", depth)
    dropped = each(lambda o: waiting[o.id, o.charger_id].dropped)
    yield _counter("service_dropped", "Messages that a service was never told.", dropped)
    for name, (field, help_) in _SERVICE_TRAFFIC.items():
        counted = [
            ({"service": service, "charger": charger}, float(getattr(one, field)))
            for (service, charger), one in traffic.items()
        ]
        yield _counter(f"service_{name}", help_, counted)
