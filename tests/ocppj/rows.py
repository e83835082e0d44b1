"""The corpus: frames as data, one row each (`corpus/README.md` says what the keys mean)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import Version

FOLDER = Path(__file__).parent / "corpus"

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Row:
    """One row of the corpus."""

    file: str
    fields: dict[str, Any]

    @property
    def version(self) -> Version:
        return Version(self.fields["version"])

    @property
    def why(self) -> str:
        return str(self.fields["why"])

    @property
    def from_charger(self) -> bool:
        return bool(self.fields["from"] == "CP")

    @property
    def kind(self) -> int | None:
        """The type of a single frame that has a shape: call, result, error …"""
        frame = self.fields.get("frame", [])
        return frame[0] if len(frame) > 2 and type(frame[0]) is int else None

    @property
    def message_id(self) -> Any:
        return self.fields["frame"][1]

    @property
    def action(self) -> str:
        return str(self.fields["action"] if "action" in self.fields else self.fields["frame"][2])

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.fields["frame"][3 if self.kind in (CALL, SEND) else 2])

    @property
    def expect(self) -> str:
        return str(self.fields["expect"])

    @property
    def accept(self) -> list[str]:
        """Every outcome that is right."""
        return [self.expect, *self.fields.get("accept", ())]

    @cached_property
    def wire(self) -> list[str | bytes]:
        """What is sent: text as `str`, where it is no text as `bytes`."""
        match self.fields:
            case {"frame": frame}:
                return [json.dumps(frame)]
            case {"sequence": frames}:
                return [json.dumps(frame) for frame in frames]
            case {"raw": raw}:
                return [raw]
            case {"raw_b64": encoded}:
                return [base64.b64decode(encoded)]
            case {"build": build}:
                return [build["prefix"] + build["repeat"] * build["count"] + build["suffix"]]
        raise AssertionError(f"nothing to send: {self}")

    def __str__(self) -> str:
        action = self.fields.get("action") or (self.fields["frame"][2] if self.kind == CALL else "")
        named = "/".join(part for part in (str(self.version), str(action), self.why) if part)
        return re.sub(r"[^\w/. -]+", "_", named)[:90]


def rows(*files: str, where: Callable[[Row], bool] = lambda _: True) -> list[Row]:
    """Rows of files, in order."""
    return [row for file in files for row in _read(file) if where(row)]


def _read(file: str) -> Iterator[Row]:
    for line in (FOLDER / f"{file}.jsonl").read_text("utf-8").split("\n"):
        if line:
            yield Row(file, json.loads(line))


VALID = ("valid_16", "valid_201", "valid_21")


def valid(*, from_charger: bool, kind: int) -> list[Row]:
    """Valid frames of one side and kind."""
    return rows(*VALID, where=lambda row: row.from_charger is from_charger and row.kind == kind)


def requests_by_id() -> dict[str, Row]:
    """The request that a valid result answers, by their id."""
    return {row.message_id: row for row in rows(*VALID) if row.kind == CALL}


def by_row(given: list[Row]) -> pytest.MarkDecorator:
    """Run a test once for each row, called by its name."""
    assert given, "no rows: a test over nothing proves nothing"
    return pytest.mark.parametrize("row", given, ids=str)
