"""What the charger says of its settings: asked as seldom as can be, and never more than a look (semantics §7).

Names are canonical: the 1.6 key where there is one, else the 2.x variable, as in `Virtual.settings`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

from ocpp_mqtt_proxy.core.commands import GetConfiguration, Outcome
from ocpp_mqtt_proxy.core.model import Variable, Version
from ocpp_mqtt_proxy.core.settings import Told
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.services.outstation import Outstation

log = logging.getLogger(__name__)

KEPT = timedelta(minutes=10)
"""How long it is believed what the charger said."""

PATIENCE_SECONDS = 20.0
"""How long a charger may take over all that one call of a service makes us ask: services give up at 30 s (§1.5)."""

AT_ONCE = 4
"""Variables asked for in one call: some chargers take no more (DeviceDataCtrlr.ItemsPerMessage)."""

VENDOR = "VendorCtrlr"
"""The component whose variables a 1.6 charger's own keys are, for a 2.x service (semantics §10.8)."""

_KEYS = {variable.lower(): key for variable, key in settings.TO_KEY.items()} | {
    key.lower(): key for key in settings.TO_VARIABLE
}


def canonical(out: Outstation, name: str) -> str:
    """A setting by the name that we keep it under, however a service spells it."""
    name = name.replace("@0.", ".", 1)  # EVSE 0 is the charging station
    component, _, rest = name.partition(".")
    own = rest if component.lower() == VENDOR.lower() and out.station.version is Version.V16 else name
    return _KEYS.get(own.lower(), own)


def told(out: Outstation) -> dict[str, Variable]:
    """What is known of the charger's settings, by their names in lower case."""
    station = out.station
    inventory = {} if station.version is Version.V16 else station.memory.inventory
    read = {canonical(out, name).lower(): variable for name, variable in inventory.items()}
    return read | station.settings.known


async def read(out: Outstation, names: Iterable[str] = ()) -> None:
    """Have the charger's settings known, and those of canonical names for sure: as far as it tells them, and in time.

    All of a 1.6 charger's are asked for at once; a 2.x charger's are in its device model.
    """
    if out.charger_id not in out.hub.links:
        return
    known = _afresh(out)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if out.station.version is Version.V16 and not known.whole:
                known.whole = await _ask(out, ())
            missing = [name for name in dict.fromkeys(names) if not known.strange(name.lower())]
            for begin in range(0, len(missing), AT_ONCE):
                await _ask(out, tuple(missing[begin : begin + AT_ONCE]))
    except TimeoutError:
        log.info("%s: the charger takes too long to tell its settings", out.name)


def _afresh(out: Outstation) -> Told:
    """What the charger said, where that is not too long ago."""
    station, now = out.station, out.hub.clock.now()
    if not station.settings.is_fresh(now, KEPT):
        station.settings = Told(since=now)
    return station.settings


async def _ask(out: Outstation, names: tuple[str, ...]) -> bool:
    """Ask the charger, for all or by name; whether it told. The question stays open where nobody waits any more."""
    outcome = await out.arbitration.dispatcher.send(out.station, GetConfiguration(names))
    if outcome.ok:
        _learn(out, outcome, names)
    return outcome.ok


def _learn(out: Outstation, outcome: Outcome, asked: Iterable[str]) -> None:
    """Remember what was said; of what was asked for by name, that there is no such thing too."""
    values, fixed = outcome.result.get("values"), outcome.result.get("readonly")
    known = out.station.settings
    for spelled, value in (values if isinstance(values, dict) else {}).items():
        name = canonical(out, spelled)
        model = out.station.memory.inventory.get(settings.variable(name))
        readonly = spelled in (fixed if isinstance(fixed, list) else ()) or (model is not None and model.readonly)
        known.known[name.lower()] = Variable(name, value, readonly, model.unit if model else None)
    known.unknown.update(name.lower() for name in asked if name.lower() not in known.known)
