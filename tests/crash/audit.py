"""What chargers were told is compared with what the program's database holds."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.chargers import Charger, Visit

TOLERANCE_WH = 1.0


@dataclass
class Audit:
    """Finds deviations. What was confirmed and found right is not looked at again until the end."""

    file: Path
    chargers: list[Charger]
    deviations: list[str] = field(default_factory=list)
    checked: int = 0
    _seen: dict[str, int] = field(default_factory=dict)
    _open: dict[str, list[Visit]] = field(default_factory=dict)
    _session_ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def after_a_kill(self) -> None:
        """Everything confirmed is there, once, and is called as before."""
        if not any(visit.start_confirmed for charger in self.chargers for visit in charger.visits[:1]):
            return  # it may not even have made its tables
        with closing(self._connect()) as connection:
            for charger in self.chargers:
                self._look_after(connection, charger)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        return connection

    def _look_after(self, connection: sqlite3.Connection, charger: Charger) -> None:
        seen = self._seen.get(charger.id, 0)
        pending = [*self._open.get(charger.id, []), *charger.visits[seen:]]
        self._seen[charger.id] = len(charger.visits)
        sql = "SELECT * FROM session WHERE charger = ? ORDER BY started_at DESC LIMIT ?"
        rows = connection.execute(sql, (charger.id, len(pending) + 10)).fetchall() if pending else []
        found: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            found.setdefault(row["transaction_id"], []).append(row)
        self._open[charger.id] = [visit for visit in pending if not self._settled(visit, found)]

    def _settled(self, visit: Visit, found: dict[str, list[sqlite3.Row]]) -> bool:
        """Whether a visit needs no look any more."""
        rows = found.get(visit.transaction or "", [])
        if not visit.start_confirmed:
            return False
        if len(rows) != 1:
            self._deviate(visit, f"is there {len(rows)} times")
            return True
        (row,) = rows
        known = self._session_ids.setdefault((visit.charger, row["transaction_id"]), row["session_id"])
        if known != row["session_id"]:
            self._deviate(visit, f"was {known} and is {row['session_id']}")
        if not visit.stop_confirmed:
            if row["state"] == "closed":
                self._deviate(visit, "was closed though it runs")
            return False
        self._compare(visit, row)
        return True

    def _compare(self, visit: Visit, row: sqlite3.Row) -> None:
        """A visit that is over, and what is kept of it."""
        assert visit.stop is not None
        self.checked += 1
        if row["state"] != "ended":
            self._deviate(visit, f"ended, and is {row['state']}")
        if row["id_tag"] != visit.tag:
            self._deviate(visit, f"has the card {row['id_tag']}")
        if (row["meter_start"], row["meter_stop"]) != (visit.start, visit.stop):
            self._deviate(visit, f"is metered {row['meter_start']} to {row['meter_stop']}")
        if abs(row["energy_wh"] - (visit.stop - visit.start)) > TOLERANCE_WH:
            self._deviate(visit, f"counts {row['energy_wh']} Wh")

    def at_the_end(self) -> None:
        """Nothing waits any more: all there was is there, and nothing else; all counted as the meters did."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT * FROM session").fetchall()
            connectors = connection.execute("SELECT charger, register_wh FROM connector").fetchall()
        by_transaction: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in rows:
            by_transaction.setdefault((row["charger"], row["transaction_id"]), []).append(row)
        for charger in self.chargers:
            for visit in charger.visits:
                same = by_transaction.pop((charger.id, visit.transaction or ""), [])
                if len(same) == 1:
                    self._compare(visit, same[0])
                else:
                    self._deviate(visit, f"is there {len(same)} times at the end")
        for charger_id, transaction in by_transaction:
            self.deviations.append(f"{charger_id}: a transaction {transaction} that never was")
        self._compare_registers(dict(map(tuple, connectors)))
        self._look_for_ids_given_twice()

    def _compare_registers(self, kept: dict[str, float]) -> None:
        for charger in self.chargers:
            if charger.visits and abs(kept.get(charger.id, 0.0) - charger.register) > TOLERANCE_WH:
                self.deviations.append(f"{charger.id}: its register is {charger.register}, not {kept.get(charger.id)}")

    def _look_for_ids_given_twice(self) -> None:
        given = Counter(number for charger in self.chargers for number in charger.transaction_ids)
        self.deviations += [f"transaction {number} given {times} times" for number, times in given.items() if times > 1]

    def _deviate(self, visit: Visit, what: str) -> None:
        self.deviations.append(f"{visit.charger} {visit.transaction} {visit.start} to {visit.stop}: {what}")


@dataclass
class Hearer:
    """Events as they were published: no number of a charger may name two."""

    deviations: list[str] = field(default_factory=list)
    heard: int = 0
    missing: int = 0
    _last: dict[str, int] = field(default_factory=dict)

    def take(self, topic: str, payload: bytes) -> None:
        """An event. Those of a group say again what was said."""
        document: dict[str, Any] = json.loads(payload)
        if topic.rpartition("/")[2] != document["event"]:
            return
        charger, number = document["charger"], document["seq"]
        last = self._last.get(charger, 0)
        self.heard += 1
        if number <= last:
            self.deviations.append(f"{charger}: event {number} after {last}")
        self.missing += max(0, number - last - 1)
        self._last[charger] = max(number, last)
