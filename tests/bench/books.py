"""A store with a past: chargers that are known and sessions that are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Place, StopReason, WattHours
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.session import Session, State

BATCH = 5_000
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)


async def fill(file: Path, chargers: int, sessions: int) -> None:
    """Write a past."""
    store = Store(file)
    await store.open()
    ids = [f"B{number:04d}" for number in range(chargers)]
    measurands = {"energy", "power", "soc", *(f"{what}_l{line}" for what in ("current", "power") for line in (1, 2, 3))}
    await store.record([ChargerMemory(one, accepted=True, measurands=measurands, seq=9) for one in ids])
    await store.record([Connector(one, 1, Place(1, 1), register=Register(5e6, 5e6)) for one in ids])
    for first in range(0, sessions, BATCH):
        numbers = range(first, min(first + BATCH, sessions))
        await store.record([_session(number, ids[number % chargers]) for number in numbers])
    await store.close()


def _session(number: int, charger: str) -> Session:
    began = BEGAN + timedelta(minutes=7 * number)
    return Session(
        session_id=f"bench-{number}",
        charger=charger,
        connector=1,
        transaction_id=str(number + 1),
        started_at=began,
        id_tag="BENCH",
        meter_start=WattHours(number * 10.0),
        state=State.ENDED,
        ended_at=began + timedelta(hours=1),
        meter_stop=WattHours(number * 10.0 + 7000),
        reason=StopReason.LOCAL,
        energy=7000.0,
    )
