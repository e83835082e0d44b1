"""The forms of a charging profile that a charger may take: chargers differ in all that a profile may look like."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, Purpose
from ocpp_mqtt_proxy.core.station import Station


def forms(station: Station, *, of_session: bool = False) -> list[ProfileForm]:
    """The forms of a profile to try: the one that was taken before, then from the likeliest on.

    Where no profile of its kind is taken, one that limits more than was asked for is: the default for every
    transaction, and of the whole charger, which some write to flash, last. Not where it limits others' too.
    """
    of_all = station.memory.form
    taken = station.memory.session_form if of_session else of_all
    shapes = [*([replace(of_all, purpose=None)] if of_all else []), *_shapes(station)]
    purposes: list[Purpose | None] = [None, *([Purpose.DEFAULT] if of_session else [])]
    if station.sole() is not None:
        purposes.append(Purpose.CHARGER)
    likely = [replace(shape, purpose=purpose) for purpose in purposes for shape in shapes]
    return list(dict.fromkeys([*([taken] if taken else []), *likely]))


def _shapes(station: Station) -> list[ProfileForm]:
    """What a profile may look like, whatever it is for: first what this charger is known to need.

    The highest level the charger has beats what another CSMS left behind; some refuse their own highest, some
    any start time. One that does not say which unit it takes, or says both, may take one of them only.
    """
    units = [False, True] if station.takes_amps and station.takes_watts else [not station.takes_amps]
    levels = dict.fromkeys([_level(station), 0])
    found = list(station.traits.forms)
    for watts in units:
        found += [*(ProfileForm(level, watts) for level in levels), ProfileForm(0, watts, relative=True)]
    return found


def _level(station: Station) -> int:
    """The stack level to try first: one below the highest, above 0 where it can be: so that there is one below it."""
    most = station.max_stack_level
    return 1 if most is None else max(most - 1, min(most, 1))


def at_its_level(station: Station, form: ProfileForm) -> ProfileForm:
    """A form that was taken at another level than the one that is tried first by what is known now."""
    if station.max_stack_level is None or not form.stack_level or form in station.traits.forms:
        return form
    return replace(form, stack_level=_level(station))


def base_forms(station: Station) -> list[ProfileForm]:
    """The forms of a default that has another one below it: as it was taken, else those likely to be."""
    known = station.memory.form
    likely = [known] if known is not None else forms(station)
    return [form for form in likely if form.bears_another]
