"""Readings of a session as one service is shown them: of one register that never falls, and as often as it wants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import is_
from typing import NamedTuple

from ocpp_mqtt_proxy.core import instants
from ocpp_mqtt_proxy.core.model import ENERGY, Reading, Sample
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.readings import UPSTREAM
from ocpp_mqtt_proxy.core.register import NOISE_WH
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.ocppj.fields import whole
from ocpp_mqtt_proxy.services.outstation import Outstation

PERIODIC, CLOCK = "Sample.Periodic", "Sample.Clock"

ROUGHLY = timedelta(seconds=1)
"""How much too early a reading may be: meters are not punctual."""


class _Wish(NamedTuple):
    """The settings by which a service says how often it wants readings of a context, and of what (1.6 §9.1)."""

    interval: str
    measurands: str


_WISHES = {
    PERIODIC: _Wish("MeterValueSampleInterval", "MeterValuesSampledData"),
    CLOCK: _Wish("ClockAlignedDataInterval", "MeterValuesAlignedData"),
}


def settled(samples: tuple[Sample, ...], now: datetime) -> tuple[Sample, ...]:
    """Samples with the times that the charger meant."""
    return _the_same_or(samples, tuple(_settled(sample, now) for sample in samples))


def _settled(sample: Sample, now: datetime) -> Sample:
    at = instants.settle(sample.at, now)
    return sample if at is sample.at else sample._replace(at=at)


def _the_same_or(samples: tuple[Sample, ...], shown: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """What is shown; where that is what was read, the very same: it is put into words once for all services."""
    same = len(shown) == len(samples) and all(map(is_, shown, samples))
    return samples if same else shown


# The register


def of_one_register(known: PeerTransaction, session: Session, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Samples whose register goes on from what the service was shown, whatever the charger's meter did (I9).

    Nearly always that is what the meter shows. What is signed stays as it is, byte for byte (semantics §8.4).
    """
    series = _Series.of(known, session)
    if series is None:
        return samples
    shifted = (_shifted(series, sample) for sample in samples)
    return _the_same_or(samples, tuple(sample for sample in shifted if sample.readings or sample.sealed))


def _shifted(series: _Series, sample: Sample) -> Sample:
    readings = tuple(_on(series, sample.readings))
    same = len(readings) == len(sample.readings) and all(map(is_, readings, sample.readings))
    return sample if same else sample._replace(readings=readings)


class _Series(NamedTuple):
    """The register as shown: from the start to what it is now, and by how much the meter's own differs."""

    start: float
    now: float
    shift: float
    held: float | None

    @classmethod
    def of(cls, known: PeerTransaction, session: Session) -> _Series | None:
        """None where there was no register yet."""
        shown, meter = known.register(session.energy), session.register
        if shown is None or known.meter_start is None or meter is None or meter.raw is None:
            return None
        return cls(known.meter_start, shown, shown - meter.raw, meter.held)

    def fits(self, value: float) -> bool:
        """Whether a reading can be one of these: not before the start, nor of what is yet to come."""
        return self.start - NOISE_WH <= value <= self.now + NOISE_WH


def _on(series: _Series, readings: tuple[Reading, ...]) -> Iterator[Reading]:
    for reading in readings:
        if not _is_the_register(reading):
            yield reading
        elif reading.value != series.held:  # what waits to be confirmed was not counted either
            value = reading.value + series.shift if abs(series.shift) > NOISE_WH else reading.value
            if series.fits(value):
                yield (
                    reading if value == reading.value <= series.now else reading._replace(value=min(value, series.now))
                )


def _is_the_register(reading: Reading) -> bool:
    """Whether it is what the session's energy is counted by, and may be written anew."""
    if reading.measurand != ENERGY:
        return False
    return reading.phase is None and reading.signed is None and reading.location != UPSTREAM


# How often


def as_wanted(out: Outstation, key: str, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Samples as often as the service set it, and of what it set; where it set nothing, all of them.

    Only what is read by the clock is thinned: never a beginning, an end or what was asked for (semantics §7).
    """
    settings = out.virtual.settings
    if not settings or not samples:
        return samples
    thinned = (sample._replace(readings=tuple(_wanted(out, key, sample))) for sample in samples)
    return tuple(sample for sample in thinned if sample.readings or sample.sealed)


def _wanted(out: Outstation, key: str, sample: Sample) -> Iterator[Reading]:
    due: dict[str, bool] = {}
    for reading in sample.readings:
        wish = _WISHES.get(reading.context)
        if wish is None:
            yield reading
            continue
        if reading.context not in due:
            due[reading.context] = _is_due(out, f"{key} {reading.context}", wish, sample.at)
        if due[reading.context] and _is_listed(out.virtual.settings.get(wish.measurands), reading):
            yield reading


def _is_due(out: Outstation, series: str, wish: _Wish, at: datetime | None) -> bool:
    """Whether it is time for another reading; 0 seconds between them means none at all."""
    seconds = whole(out.virtual.settings.get(wish.interval))
    if seconds is None or at is None:
        return True
    if seconds <= 0:
        return False
    last = out.sampled.get(series)
    if last is not None and timedelta(0) <= at - last < timedelta(seconds=seconds) - ROUGHLY:
        return False
    out.sampled[series] = at if last is None else max(at, last)
    return True


def _is_listed(listed: str | None, reading: Reading) -> bool:
    if listed is None:
        return True
    names = {name.strip() for name in listed.split(",")}
    return reading.measurand in names or f"{reading.measurand}.{reading.phase}" in names
