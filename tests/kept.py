"""A ledger that keeps what it is given as the store does, in memory: for tests that stop the program and start it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.adapters.store import controls, rows
from ocpp_mqtt_proxy.adapters.store.migrations import migrate
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.station import Station, restore
from ocpp_mqtt_proxy.ports import Ledger


@dataclass
class KeptLedger(Ledger):
    """What was noted is on disk once `write` was called; what was recorded or given to keep is at once."""

    books: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))
    noted: dict[tuple[str, ...], Change] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books.row_factory = sqlite3.Row
        migrate(self.books)

    @property
    def full(self) -> bool:
        return False

    def note(self, changes: Iterable[Change]) -> None:
        self.noted |= {rows.key_of(change): change for change in changes}

    async def record(self, changes: Sequence[Change]) -> None:
        self._write(changes)

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        self._write(changes)
        then()

    async def forget(self, charger: ChargerMemory) -> None:
        raise AssertionError("nobody forgets a charger here")

    def write(self) -> None:
        """All that was noted, as it stands now."""
        self._write(list(self.noted.values()))

    def _write(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.noted.pop(rows.key_of(change), None)
            for sql, values in rows.statements(change):
                self.books.execute(sql, values)

    def lose(self) -> None:
        """The power goes: what was noted and not written is gone."""
        self.noted.clear()

    def stations(self, plan: Plan) -> dict[str, Station]:
        """The chargers as the program finds them when it starts."""
        memories = [rows.charger(row) for row in self.books.execute("SELECT * FROM charger")]
        return {memory.id: self._station(memory, plan) for memory in memories}

    def _station(self, memory: ChargerMemory, plan: Plan) -> Station:
        connectors = map(rows.connector, self._of(memory.id, "connector"))
        station = restore(memory, plan, connectors, map(rows.session, self._of(memory.id, "session")))
        for row in self._of(memory.id, "control"):
            station.control = controls.control(row)
        return station

    def _of(self, charger_id: str, table: str) -> list[sqlite3.Row]:
        return list(self.books.execute(f"SELECT * FROM {table} WHERE charger = ?", (charger_id,)))  # noqa: S608 (our own names)
