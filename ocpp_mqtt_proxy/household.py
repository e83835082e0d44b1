"""What the configuration says of the house, in the domain's words."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo

from ocpp_mqtt_proxy.config import Charger, Config
from ocpp_mqtt_proxy.core.authorization import House, UnknownTag
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.station import Plan
from ocpp_mqtt_proxy.core.tariff import Tariff
from ocpp_mqtt_proxy.exports import MachineZone
from ocpp_mqtt_proxy.ocppj import quirks


def house_of(config: Config) -> House:
    """The house's cards and rule."""
    return House(
        owner_tag=config.owner_tag,
        cards={card.tag.lower(): card.name for card in config.id_tags},
        unknown=UnknownTag(config.unknown_id_tag),
        open_to_all=config.open_to_all,
    )


def plan_of(charger: Charger | None, config: Config) -> Plan:
    """What the configuration says of a charger; the defaults for one it does not name."""
    given = charger or Charger(id="charger")
    measurands = {"auto": (), "keep": None}
    chosen = given.measurands
    switches = tuple(given.quirks)
    return Plan(
        name=given.name,
        max_current=Amps(given.max_current),
        safe_current=Amps(given.safe_current),
        phases=given.phases,
        heartbeat_interval=given.heartbeat_interval,
        ping_interval=given.ping_interval,
        meter_interval=given.meter_interval,
        measurands=measurands[chosen] if isinstance(chosen, str) else tuple(chosen),
        quirks=switches,
        traits_of=lambda plate: quirks.active(plate, switches).traits,
        tariff=Tariff(config.tariff.currency, config.tariff.price_per_kwh),
    )


def zone_of(config: Config) -> tzinfo:
    """The time zone of dates that name none."""
    return ZoneInfo(config.timezone) if config.timezone else MachineZone()
