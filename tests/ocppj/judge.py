"""An independent judge of payloads: the `ocpp` package's own validator, on `jsonschema`."""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping
from typing import Any

from ocpp.messages import get_validator

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.ocppj.rows import CALL, RESULT, SEND, Row


def faults(version: Version, action: str, payload: Mapping[str, object], *, response: bool = False) -> list[str]:
    """What is wrong with a payload, by both judges; they must agree."""
    theirs = _theirs(version, action, payload, response=response)
    ours = schema.check(version, action, payload, response=response)
    assert bool(theirs) == (ours is not None), f"the judges disagree: {theirs} {ours}"
    return theirs


def _theirs(version: Version, action: str, payload: Mapping[str, object], *, response: bool) -> list[str]:
    kind = SEND if action in DIALECTS[version].overhear else CALL
    validator = get_validator(RESULT if response else kind, action, str(version), parse_float=decimal.Decimal)
    exact: Any = json.loads(json.dumps(payload), parse_float=decimal.Decimal)
    return [f"{list(fault.path)} {fault.message}" for fault in validator.iter_errors(exact)]


def assert_valid(version: Version, action: str, payload: Mapping[str, object], *, response: bool = False) -> None:
    """A payload fits its schema, whoever judges."""
    assert faults(version, action, payload, response=response) == []


TOLERATED = frozenset(
    {"BootNotification", "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction", "TransactionEvent"}
)
"""What a charger would send again for ever: the good part is used (corpus/README.md)."""


def right_outcomes(row: Row) -> list[str]:
    """How a charger's frame may be answered, in the corpus's words; a tolerated one with a wrong value by a result."""
    if row.kind == CALL and row.action in TOLERATED & schema.actions(row.version):
        found = faults(row.version, row.action, row.payload)
        if found and not any("required property" in fault for fault in found):
            return ["CallResult"]
    return row.accept
