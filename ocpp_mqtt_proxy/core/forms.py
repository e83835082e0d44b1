"""The forms of a charging profile that a charger may take: chargers differ in all that a profile may look like."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.core.commands import ProfileForm, Purpose
from ocpp_mqtt_proxy.core.station import Station


def forms(station: Station, *, of_session: bool = False) -> list[ProfileForm]:
    """The forms of a profile to try: the one that was taken before, then from the likeliest on.

    Where no profile of its kind is taken, one that limits more than was asked for is: the default for every
    transaction, and of the whole charger, which some write to flash, last. Not where it limits others' too.
    """
    ceiling = station.memory.form
    taken = station.memory.session_form if of_session else ceiling
    shapes = [*([replace(ceiling, purpose=None)] if ceiling else []), *_shapes(station)]
    purposes: list[Purpose | None] = [None, *([Purpose.DEFAULT] if of_session else [])]
    if station.sole() is not None:
        purposes.append(Purpose.CHARGER)
    likely = [replace(shape, purpose=purpose) for purpose in purposes for shape in shapes]
    return list(dict.fromkeys([*([taken] if taken else []), *likely]))


def _shapes(station: Station) -> list[ProfileForm]:
    """What a profile may look like, whatever it is for: first what this charger is known to need.

    The highest level the charger has beats what another CSMS left behind; some refuse their own highest, some
    any start time.
    """
    watts = not station.takes_amps
    levels = dict.fromkeys([max(0, (station.max_stack_level or 0) - 1), 0])
    absolute = [ProfileForm(level, watts) for level in levels]
    return [*station.traits.forms, *absolute, ProfileForm(0, watts, relative=True)]
