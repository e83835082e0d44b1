"""Taking readings in: into the connector that was read and the session they count for."""

from __future__ import annotations

from ocpp_mqtt_proxy.core import obedience
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import MeasurandsSeen, MeterRead
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import Sample, WattHours
from ocpp_mqtt_proxy.core.readings import energy_of
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.station import REGISTER

_BEGIN = frozenset({"Transaction.Begin"})
_END = frozenset({"Transaction.End"})


def first_energy(samples: tuple[Sample, ...]) -> WattHours | None:
    """The register where a transaction began: of that context, else the first there is."""
    return _energy(samples, _BEGIN)


def last_energy(samples: tuple[Sample, ...]) -> WattHours | None:
    """The register where a transaction ended: of that context, else the last there is."""
    return _energy(samples[::-1], _END)


def _energy(samples: tuple[Sample, ...], preferred: frozenset[str]) -> WattHours | None:
    for contexts in (preferred, None):
        for sample in samples:
            energy = energy_of(sample.readings, contexts)
            if energy is not None:
                return energy
    return None


def take(
    hearing: Hearing, connector: Connector, session: Session | None, samples: tuple[Sample, ...], *, live: bool = True
) -> None:
    """Take readings in. Those of a session that ended are history: they change its figures and what is live no more.

    Not `live`: nobody is told.
    """
    over = session is not None and session.state is State.ENDED
    for given in samples:
        at = hearing.settle(given.at)
        sample = given._replace(at=at)
        energy = connector.read(sample, hearing.now, live=not over)
        if energy is not None:
            hearing.keep(connector)
            if session is not None and session.running:
                session.read(energy, at, hearing.station.plan.prices)
                hearing.keep(session)
        _remember_measurands(hearing, connector)
        if live:
            _tell(hearing, connector, session, sample)
            if session is not None and not over:
                obedience.watch(hearing, connector, sample)


def _remember_measurands(hearing: Hearing, connector: Connector) -> None:
    """What was ever read stays known: it has an entity in Home Assistant."""
    memory = hearing.station.memory
    if connector.energy is not None:
        connector.measured.add(REGISTER)
    if not connector.measured <= memory.measurands:
        memory.measurands |= connector.measured
        hearing.keep(memory)
        hearing.tell(MeasurandsSeen, connector)


def _tell(hearing: Hearing, connector: Connector, session: Session | None, sample: Sample) -> None:
    if not sample.readings:
        return
    hearing.tell(
        MeterRead,
        connector,
        readings=sample.readings,
        transaction_id=session.transaction_id if session else None,
        context=sample.readings[0].context,
        read_at=sample.at,
    )
