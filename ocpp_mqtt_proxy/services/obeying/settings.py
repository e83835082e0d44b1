"""Settings that a service reads and writes: one table of its own over the charger's (semantics §7; B05, B06).

Its link's settings and its readings' are its own, and kept. The charger's it may read; to set them takes `management`,
or that the owner allows it by the setting's name. What concerns how the charger or we are let in (passwords, security
profiles, addresses) is nobody's: never told and never set.
"""

from __future__ import annotations

from collections.abc import Iterable

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import (
    GetConfiguration,
    Outcome,
    Reason,
    Result,
    SetConfiguration,
    done,
)
from ocpp_mqtt_proxy.core.model import Variable
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.ocppj.v201.variables import attribute_of
from ocpp_mqtt_proxy.services.obeying import catalogue, permission, reading, table
from ocpp_mqtt_proxy.services.obeying.catalogue import OURS
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

ACCEPTED, REJECTED, NOT_SUPPORTED = "accepted", "rejected", "not_supported"
UNKNOWN_COMPONENT, UNKNOWN_VARIABLE, UNKNOWN_ATTRIBUTE = "unknown_component", "unknown_variable", "unknown_attribute"
YES = frozenset({ACCEPTED, "reboot_required"})

# Reading


async def get(out: Outstation, order: GetConfiguration) -> Outcome:
    """Settings by name, or for a 1.6 service all that are keys."""
    if not order.names:
        return await _all(out)
    owns = {name: _own(out, name) for name in order.names}
    await reading.read(out, [own for own in owns.values() if _is_the_chargers(own)])
    found = table.seen(out)
    values: dict[str, str] = {}
    because: dict[str, str] = {}
    for name, own in owns.items():
        variable = found.get(own.lower())
        if variable is None or attribute_of(name)[1] != "Actual":
            because[name] = _why_none(out, found, name, own)
        else:
            values[name] = variable.value or ""
    fixed = [name for name in values if found[owns[name].lower()].readonly]
    return done(values=values, readonly=fixed, unknown=sorted(because), because=because)


async def _all(out: Outstation) -> Outcome:
    await reading.read(out)
    keys = [variable for variable in table.seen(out).values() if table.is_key(out, variable)]
    values = {variable.name: variable.value or "" for variable in keys}
    return done(values=values, readonly=[variable.name for variable in keys if variable.readonly])


def _own(out: Outstation, name: str) -> str:
    return reading.canonical(out, attribute_of(name)[0])


def _is_the_chargers(own: str) -> bool:
    return own.lower() not in table.OURS_IN_LOWER_CASE and not catalogue.hidden(own)


def _why_none(out: Outstation, found: dict[str, Variable], name: str, own: str) -> str:
    """What is written only is there, and not told (B06.FR.09)."""
    if own.lower() in found:
        return UNKNOWN_ATTRIBUTE
    if not _is_the_chargers(own):
        return REJECTED
    return UNKNOWN_VARIABLE if table.has_component(out, found, name) else UNKNOWN_COMPONENT


# Writing


async def change(out: Outstation, order: SetConfiguration) -> Outcome:
    """Set settings, one after another; each has its own result."""
    became = {name: await _change(out, name, value) for name, value in order.values}
    if all(word in YES for word in became.values()):
        return done(set=became)
    reason = Reason.ROLE if REJECTED in became.values() else Reason.NOT_SUPPORTED
    told = ", ".join(f"{name}: {word}" for name, word in became.items())
    return Outcome(Result.REFUSED, reason, told, {"set": became})


async def _change(out: Outstation, name: str, value: str) -> str:
    own = _own(out, name)
    if any(permission.denies_key(out.plan, spelling) for spelling in _spellings(name, own)):
        return REJECTED
    if attribute_of(name)[1] != "Actual":
        return await _no(out, name, own, known=UNKNOWN_ATTRIBUTE)
    ours = table.OURS_IN_LOWER_CASE.get(own.lower())
    if ours is not None:
        return _keep(out, ours, value)
    if catalogue.hidden(own):
        return REJECTED
    return await _change_the_chargers(out, name, own, value)


def _spellings(name: str, own: str) -> Iterable[str]:
    """A setting as the owner may have written it."""
    return dict.fromkeys((name, own, settings.variable(own)))


def _keep(out: Outstation, name: str, value: str) -> str:
    """What is set of ours holds for this service alone; values that make no sense are refused (B05.FR.07, .08)."""
    takes = OURS[name].takes
    if takes is None or not takes(value):
        return REJECTED
    plain = value.strip()
    out.virtual.settings[name] = plain.lower() if plain.lower() in _FLAGS else plain
    out.retuned.set()
    out.keep()
    return ACCEPTED


_FLAGS = ("true", "false")


async def _change_the_chargers(out: Outstation, name: str, own: str, value: str) -> str:
    view = out
    for spelling in _spellings(name, own):
        view = permission.allowed_key(view, spelling)
    if not permission.has(view, ControlClass.MANAGEMENT):
        return await _no(out, name, own, known=REJECTED)
    order = SetConfiguration(((own, value),))
    outcome = await wishes.manage(view.arbitration, out.id, out.charger_id, f"ChangeConfiguration {own}", order)
    became, because = outcome.result.get("set"), outcome.result.get("because")
    if isinstance(because, dict) and own in because:
        return str(because[own])
    if isinstance(became, dict) and own in became:
        return str(became[own])
    return NOT_SUPPORTED if outcome.reason is Reason.NOT_SUPPORTED else REJECTED


async def _no(out: Outstation, name: str, own: str, *, known: str) -> str:
    """A setting is not set: for a reason, where there is such a one, else because there is none."""
    if _is_the_chargers(own):
        await reading.read(out, [own])
    found = table.seen(out)
    if own.lower() in found:
        return known
    return _why_none(out, found, name, own)


HANDLERS: Handlers = {GetConfiguration: get, SetConfiguration: change}
