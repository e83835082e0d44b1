"""A ledger that keeps what it is given as the store does, in memory: for tests that stop the program and start it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.adapters.store import controls, rows
from ocpp_mqtt_proxy.adapters.store.migrations import migrate
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.station import ChargerMemory, Plan, Station, restore
from ocpp_mqtt_proxy.ports import Ledger


@dataclass
class KeptLedger(Ledger):
    """What was noted is on disk once `write` was called; what was recorded is at once."""

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
        self.note(changes)
        self.write()

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        self.note(changes)
        self.write()
        then()

    async def forget(self, charger: ChargerMemory) -> None:
        raise AssertionError("nobody forgets a charger here")

    def write(self) -> None:
        """All that was noted, as it stands now."""
        for change in self.noted.values():
            for sql, values in rows.statements(change):
                self.books.execute(sql, values)
        self.noted.clear()

    def lose(self) -> None:
        """The power goes: what was noted and not written is gone."""
        self.noted.clear()

    def station(self, charger_id: str, plan: Plan) -> Station | None:
        """A charger as the program finds it when it starts."""
        found = self.books.execute("SELECT * FROM charger WHERE id = ?", (charger_id,)).fetchone()
        if found is None:
            return None
        connectors = [rows.connector(row) for row in self.books.execute("SELECT * FROM connector ORDER BY number")]
        sessions = [rows.session(row) for row in self.books.execute("SELECT * FROM session")]
        station = restore(rows.charger(found), plan, connectors, sessions)
        for row in self.books.execute("SELECT * FROM control"):
            station.control = controls.control(row)
        return station
