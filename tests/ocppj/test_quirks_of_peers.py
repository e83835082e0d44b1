"""Quirks that other programs met, each with what is made of it: a charger's frames in, the domain's state out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.events import FaultChanged
from ocpp_mqtt_proxy.core.model import Nameplate
from ocpp_mqtt_proxy.core.reports import TransactionAnswer
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.quirks import active
from ocpp_mqtt_proxy.ocppj.rpc import spelled
from tests.core.yard import Yard
from tests.ocppj.judge import assert_valid, faults
from tests.ocppj.rows import Row, by_row, rows

NOW = datetime(2026, 3, 14, 8, 15, 40, tzinfo=UTC)
PEERS = rows("quirks_of_peers")


class Heard:
    """A charger that has said what a row has it say."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.yard = Yard(row.version, now=NOW)
        self.dialect = DIALECTS[row.version]
        self.mended: set[str] = set()
        self.outcomes: list[str] = []
        self.transaction: int | None = None
        self.plate = Nameplate(**row.fields.get("nameplate", {}))
        for frame in row.fields.get("sequence", [row.fields.get("frame")]):
            self._hear(frame[2], self._with_id(frame[3]))

    def _with_id(self, payload: dict[str, Any]) -> dict[str, Any]:
        return dict(json.loads(json.dumps(payload).replace('"$ID"', str(self.transaction))))

    def _hear(self, action: str, payload: dict[str, Any]) -> None:
        try:
            report, violation = self.dialect.decode(action, payload, lambda: active(self.plate))
        except CallRefused as refusal:
            self.outcomes.append(f"CallError:{spelled(refusal.code, self.row.version)}")
            return
        self.mended.update(violation.mended if violation else ())
        answer = self.yard.hear(report).answer
        assert answer is not None
        if action == "StartTransaction" and isinstance(answer, TransactionAnswer):
            self.transaction = int(answer.transaction_id)
        assert_valid(self.row.version, action, self.dialect.reply(action, answer), response=True)
        self.outcomes.append("CallResult")

    def shows(self, key: str, expected: Any) -> Any:
        """What there is to see where a row says what should be."""
        station = self.yard.station
        match key:
            case "connector":
                return {part: self._connector(part, value) for part, value in expected.items()}
            case "connectors":
                return sorted(station.connectors)
            case "faults":
                return len(self.yard.told(FaultChanged))
            case "mended":
                return sorted(self.mended)
            case "nameplate":
                return {part: getattr(station.memory.nameplate, part) for part in expected}
            case "quirks":
                return list(active(station.memory.nameplate).names)
            case "sessions":
                sessions = self.yard.sessions
                named = [*expected, *[{}] * (len(sessions) - len(expected))]
                return [{part: getattr(s, part) for part in wanted} for s, wanted in zip(sessions, named, strict=False)]
        raise AssertionError(f"nothing is known of {key}")

    def _connector(self, part: str, expected: Any) -> Any:
        connector = self.yard.connector
        match part:
            case "metrics":
                return {name: pytest.approx(connector.metrics.get(name), abs=0.01) for name in expected}
            case "shown":
                return {name: connector.value(name) for name in expected}
            case "without":
                return [name for name in expected if name not in connector.metrics]
            case _:
                return getattr(connector, part)


@by_row(PEERS)
def test_a_quirk_of_peers_is_taken_as_it_was_meant(row: Row) -> None:
    heard = Heard(row)
    assert set(heard.outcomes) == {row.expect}
    then = row.fields["then"]
    assert {key: heard.shows(key, expected) for key, expected in then.items()} == then


@by_row(PEERS)
def test_a_row_says_truly_whether_it_keeps_to_its_schema(row: Row) -> None:
    frames = row.fields.get("sequence", [row.fields.get("frame")])
    assert row.expect != "CallResult" or row.fields["valid"] is not any(_faults(row, frame) for frame in frames)


def _faults(row: Row, frame: list[Any]) -> list[str]:
    payload = json.loads(json.dumps(frame[3]).replace('"$ID"', "1"))
    return faults(row.version, frame[2], payload)


def test_no_row_is_there_twice() -> None:
    whys = [(row.version, row.why) for row in rows("quirks", "quirks_of_peers")]
    assert len(set(whys)) == len(whys)
