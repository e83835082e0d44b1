"""Chargers in every shape that MQTT and Home Assistant must show, made of the domain's own parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from ocpp_mqtt_proxy.adapters.entities import MEASURED
from ocpp_mqtt_proxy.core.model import Amps, Nameplate, Place, Reading, Sample, Status, StopReason, Version, WattHours
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import REGISTER, Station
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff
from ocpp_mqtt_proxy.hub import Hub
from tests.fakes import NOON, FakeLink, a_hub

PLATE = Nameplate("Alfen", "Eve Single Pro-line", "ACE0123456", "6.5.0")
Maker = Callable[[Hub], Station]


def bare(hub: Hub, charger_id: str = "CP1") -> Station:
    """Connected, booted, nothing shown yet."""
    hub.connect(charger_id, FakeLink(), "10.0.0.5")
    station = hub.station(charger_id)
    station.memory.accepted = True
    return station


def idle(hub: Hub, charger_id: str = "CP1", connectors: int = 1) -> Station:
    """Booted, with connectors that are free."""
    station = bare(hub, charger_id)
    station.memory.nameplate = PLATE
    for number in range(1, connectors + 1):
        connector = station.at(Place(number, 1))
        assert connector is not None
        connector.report(Status.AVAILABLE, NOON)
    return station


def charging(hub: Hub, charger_id: str = "CP1", connectors: int = 1) -> Station:
    """Everything that can be read was read, on every connector; a session runs on the first."""
    station = idle(hub, charger_id, connectors)
    station.memory.measurands = {REGISTER, *MEASURED}
    station.memory.limit = Amps(16)
    station.last_heartbeat = NOON
    for connector in station.ordered():
        connector.metrics.update(dict.fromkeys(MEASURED, 21.5))
        connector.meter = Sample(NOON, (Reading("Power.Active.Import", 7360.0, "W", "L1"),))
        connector.register.read(WattHours(1_234_567), NOON)
        connector.effective_limit, connector.limited_by = Amps(16), "owner"
    first = station.connector(1)
    session = Session("test-1", station.id, 1, "17", NOON - timedelta(hours=1), id_tag="04A1B2C3")
    session.parts[0].cost = Decimal("1.5")
    session.begin(WattHours(1_230_000), NOON)
    first.open(session)
    first.report(Status.CHARGING, NOON)
    return station


def over(hub: Hub) -> Station:
    """Its session has ended; the cable is still in."""
    station = charging(hub)
    session = station.connector(1).session
    assert session is not None
    session.end(WattHours(1_234_567), NOON, StopReason.EV_DISCONNECTED, station.plan.prices)
    station.connector(1).finish()
    station.connector(1).report(Status.FINISHING, NOON)
    return station


def faulted(hub: Hub) -> Station:
    station = charging(hub)
    station.connector(1).error_code = "GroundFailure"
    station.connector(1).report(Status.FAULTED, NOON)
    return station


def offline(hub: Hub) -> Station:
    """Known from before, and not here."""
    station = charging(hub)
    hub.disconnect(station.id, hub.links[station.id], "gone")
    station.last_heartbeat = None
    return station


def talkative(hub: Hub) -> Station:
    """Texts as long as a sloppy charger may send them."""
    station = charging(hub)
    station.memory.nameplate = replace(PLATE, firmware="v" * 900)
    station.connector(1).error_code = "E" * 900
    session = station.connector(1).session
    assert session is not None
    session.id_tag = session.transaction_id = "x" * 900
    return station


def lowered(hub: Hub) -> Station:
    """Its ceiling was set when it was allowed more than now."""
    station = charging(hub)
    station.plan.max_current = Amps(10)
    return station


def newer(hub: Hub) -> Station:
    """A 2.0.1 station of two EVSEs, one of them with two connectors."""
    station = idle(hub, "DE*ABC*E1", 0)
    station.memory.version = Version.V201
    for place in (Place(1, 1), Place(2, 1), Place(2, 2)):
        connector = station.at(place)
        assert connector is not None
        connector.report("occupied", NOON)
    return station


def elsewhere(hub: Hub) -> Station:
    """Named, priced and limited in other ways."""
    station = charging(hub, "Büro #2")
    station.plan = Plan(name="Büro: links", max_current=Amps(0), prices=Prices(Tariff("CHF", Decimal("0.2"))))
    return station


KINDS: dict[str, Maker] = {
    "bare": bare,
    "idle": idle,
    "charging": charging,
    "over": over,
    "faulted": faulted,
    "offline": offline,
    "talkative": talkative,
    "lowered": lowered,
    "newer": newer,
    "elsewhere": elsewhere,
    "three connectors": lambda hub: charging(hub, connectors=3),
}


def made(kind: str) -> tuple[Hub, Station]:
    """A hub with one charger of a kind."""
    hub = a_hub()
    return hub, KINDS[kind](hub)
