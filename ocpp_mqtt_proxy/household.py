"""What the configuration says of the house, in the domain's words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from ocpp_mqtt_proxy.config import Charger, Config, sections
from ocpp_mqtt_proxy.config.sections import Provider, Schedule
from ocpp_mqtt_proxy.core.authorization import House, UnknownTag
from ocpp_mqtt_proxy.core.groups import Group, overbooked, warning
from ocpp_mqtt_proxy.core.house_load import HouseLoad
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.sharing import Circumstances, ControlClass, Presence, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.core.tariff import Period, Prices, Tariff
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


def plan_of(charger: Charger | None, config: Config, prices: Prices | None = None) -> Plan:
    """What the configuration says of a charger; the defaults for one it does not name."""
    given = charger or Charger(id="charger")
    measurands = {"auto": (), "keep": None}
    chosen = given.measurands
    switches = tuple(given.quirks)
    return Plan(
        name=given.name,
        password=given.password.get_secret_value(),
        max_current=Amps(given.max_current),
        max_currents={number: Amps(most) for number, most in given.connector_max_current.items()},
        enforced="max_current" in given.model_fields_set or bool(given.connector_max_current),
        safe_current=Amps(given.safe_current),
        phases=given.phases,
        group=config.group_of(given.id),
        heartbeat_interval=given.heartbeat_interval,
        ping_interval=given.ping_interval,
        meter_interval=given.meter_interval,
        measurands=measurands[chosen] if isinstance(chosen, str) else tuple(chosen),
        quirks=switches,
        traits_of=lambda plate, learned: quirks.active(plate, switches, frozenset(learned)).traits,
        prices=prices or prices_of(config),
    )


def groups_of(config: Config) -> list[Group]:
    """The fuses that several chargers share."""
    return [
        Group(given.id, tuple(given.chargers), Amps(given.max_current), HouseLoad() if given.house_topic else None)
        for given in config.groups
    ]


def warnings_of(config: Config) -> list[str]:
    """What may be meant, and is not safe."""
    safe = {group.id: [config.chargers_by_id[one].safe_current for one in group.chargers] for group in config.groups}
    return [warning(one.id, one.max_current) for one in config.groups if overbooked(safe[one.id], one.max_current)]


def prices_of(config: Config) -> Prices:
    """What energy costs the owner, and what providers pay for theirs."""
    zone = zone_of(config)
    paying = {given.id: _tariff_of(given.tariff, zone) for given in config.providers if given.tariff is not None}
    return Prices(Tariff(config.tariff.currency, config.tariff.price_per_kwh), paying)


def _tariff_of(given: sections.Tariff, zone: tzinfo) -> Tariff:
    return Tariff(
        currency=given.currency,
        price_per_kwh=given.price_per_kwh,
        price_per_hour=given.price_per_hour,
        session_fee=given.session_fee,
        periods=tuple(Period(Window(_clock(p.start), _clock(p.end)), p.price_per_kwh) for p in given.periods),
        zone=zone,
    )


def _clock(text: str) -> time:
    """A time of day; 24:00 is the midnight that ends the day, which a window takes as such."""
    return time() if text == "24:00" else time.fromisoformat(text)


def zone_of(config: Config) -> tzinfo:
    """The time zone of dates that name none."""
    return ZoneInfo(config.timezone) if config.timezone else MachineZone()


def rules_of(config: Config) -> Rules:
    """What the house demands of providers. A service with authority over transactions may act at any time.

    One that is allowed to set profiles has the role: what it sets stands for as long as it may.
    """
    terms = {given.id: _terms_of(given, config) for given in config.providers}
    for service in config.ocpp_services:
        known = terms.get(service.id, Terms(service.id, presence=PresenceRule(config.default_presence)))
        named = next((p for p in config.providers if p.id == service.id), None)
        if "transactions" in service.authority and (named is None or named.presence is None):
            known = replace(known, presence=PresenceRule.ANY)
        if "SetChargingProfile" in service.allow:
            known = replace(known, roles=known.roles | {ControlClass.SMART_CHARGING})
        terms[service.id] = known
    strangers = Terms("", presence=PresenceRule(config.default_presence)) if config.accept_unknown_backends else None
    return Rules(
        sharing=config.allow_shared_charging,
        preferred=config.preferred_provider,
        rate_limit=timedelta(seconds=config.rate_limit_seconds),
        control_timeout=timedelta(seconds=config.control_timeout_seconds),
        allowed=frozenset(config.allowed_providers),
        blocked=frozenset(config.blocked_providers),
        unknown_denies=config.presence_unknown == "deny",
        override_stops=config.on_override == "stop",
        zone=zone_of(config),
        providers=terms,
        strangers=strangers,
    )


def _terms_of(given: Provider, config: Config) -> Terms:
    return Terms(
        id=given.id,
        name=given.name,
        roles=frozenset(ControlClass(role) for role in given.roles),
        priority=given.priority,
        presence=PresenceRule(given.presence or config.default_presence),
        schedule=tuple(_window_of(window) for window in given.schedule),
        max_current=None if given.max_current is None else Amps(given.max_current),
    )


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _window_of(given: Schedule) -> Window:
    return Window(_clock(given.start), _clock(given.end), frozenset(_DAYS.index(day) for day in given.days))


def circumstances_of(config: Config, disabled: Iterable[str]) -> Circumstances:
    """What holds for the house at the start: a feed that is configured has not spoken yet."""
    fed = config.presence_topic or config.presence_sensor
    return Circumstances(Presence.UNKNOWN if fed else None, set(disabled))
