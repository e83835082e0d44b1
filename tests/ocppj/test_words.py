"""The word tables, against the enumerations of the schemas: random tries would not come by every word."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from ocpp.messages import get_validator

from ocpp_mqtt_proxy.core.model import OCCUPIED, Status, StopReason, Verdict, Version
from ocpp_mqtt_proxy.core.reports import Phase
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.names import snake
from ocpp_mqtt_proxy.ocppj.v16 import order as order16, words as words16
from ocpp_mqtt_proxy.ocppj.v21 import words as words21
from ocpp_mqtt_proxy.ocppj.v201 import order as order201, words as words201

EVERY_VERSION = pytest.mark.parametrize("known", [words16, words201], ids=["1.6", "2.0.1"])


def words_of(version: Version, action: str, name: str, kind: int = 2) -> set[str]:
    """The words of an enumeration, by its name in 2.0.1, by its field's in 1.6."""
    schema = get_validator(kind, action, str(version)).schema
    found = list(_enums(json.loads(json.dumps(schema, default=float)), name))
    assert found, f"{action} has no {name}"
    return {word for words in found for word in words}


def _enums(schema: Any, name: str) -> list[list[str]]:
    if isinstance(schema, list):
        return [words for inner in schema for words in _enums(inner, name)]
    if not isinstance(schema, dict):
        return []
    here = [schema[name]["enum"]] if isinstance(schema.get(name), dict) and "enum" in schema[name] else []
    return here + [words for inner in schema.values() for words in _enums(inner, name)]


def of_16(action: str, field: str, kind: int = 2) -> set[str]:
    return words_of(Version.V16, action, field, kind)


def of_201(action: str, enumeration: str, kind: int = 2) -> set[str]:
    return words_of(Version.V201, action, enumeration, kind)


def of_21(action: str, enumeration: str, kind: int = 2) -> set[str]:
    return words_of(Version.V21, action, enumeration, kind)


def values(table: dict[Any, Any]) -> Collection[Any]:
    return set(table.values())


WHOLE: list[tuple[str, Collection[str], set[str]]] = [
    ("1.6 status", set(words16.STATUS) - {"Occupied"}, of_16("StatusNotification", "status")),
    ("1.6 error code", words16.ERROR_CODES, of_16("StatusNotification", "errorCode")),
    ("1.6 reason", words16.REASON, of_16("StopTransaction", "reason")),
    ("1.6 verdict", words16.VERDICT, of_16("Authorize", "status", 3)),
    ("1.6 measurand", words16.MEASURANDS, of_16("MeterValues", "measurand")),
    ("1.6 context", alike.CONTEXTS, of_16("MeterValues", "context")),
    ("1.6 location", alike.LOCATIONS, of_16("MeterValues", "location")),
    ("1.6 phase", alike.PHASES, of_16("MeterValues", "phase")),
    ("1.6 upload", {*words16.UPLOADS.values(), "UploadFailed"}, of_16("DiagnosticsStatusNotification", "status")),
    ("1.6 trigger", set(order16.TRIGGERS.values()), of_16("TriggerMessage", "requestedMessage")),
    ("2.0.1 boot", set(words201.BOOT_REASON_WORD.values()), of_201("BootNotification", "BootReasonEnumType")),
    ("2.0.1 trigger", set(words201.TRIGGER_WORD.values()), of_201("TransactionEvent", "TriggerReasonEnumType")),
    ("2.0.1 reason", words201.REASON, of_201("TransactionEvent", "ReasonEnumType")),
    ("2.0.1 charging", words201.CHARGING_STATE, of_201("TransactionEvent", "ChargingStateEnumType")),
    ("2.0.1 phase of life", words201.PHASE, of_201("TransactionEvent", "TransactionEventEnumType")),
    ("2.0.1 token", words201.KINDS, of_201("Authorize", "IdTokenEnumType")),
    ("2.0.1 verdict", words201.VERDICT, of_201("Authorize", "AuthorizationStatusEnumType", 3)),
    ("2.0.1 measurand", words201.MEASURANDS, of_201("MeterValues", "MeasurandEnumType")),
    ("2.0.1 context", alike.CONTEXTS, of_201("MeterValues", "ReadingContextEnumType")),
    ("2.0.1 location", alike.LOCATIONS, of_201("MeterValues", "LocationEnumType")),
    ("2.0.1 phase", alike.PHASES, of_201("MeterValues", "PhaseEnumType")),
    ("2.1 trigger", set(words21.WORDS.trigger_word.values()), of_21("TransactionEvent", "TriggerReasonEnumType")),
    ("2.1 reason", words21.WORDS.reason, of_21("TransactionEvent", "ReasonEnumType")),
    ("2.1 charging", words201.CHARGING_STATE, of_21("TransactionEvent", "ChargingStateEnumType")),
    ("2.1 measurand", words21.WORDS.measurands, of_21("MeterValues", "MeasurandEnumType")),
    ("2.1 context", alike.CONTEXTS, of_21("MeterValues", "ReadingContextEnumType")),
    ("2.1 location", words21.WORDS.locations, of_21("MeterValues", "LocationEnumType")),
    ("2.1 phase", alike.PHASES, of_21("MeterValues", "PhaseEnumType")),
    ("2.1 boot", set(words201.BOOT_REASON_WORD.values()), of_21("BootNotification", "BootReasonEnumType")),
    ("2.1 verdict", words201.VERDICT, of_21("Authorize", "AuthorizationStatusEnumType", 3)),
]


@pytest.mark.parametrize(("ours", "theirs"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_a_table_has_every_word_and_no_other(ours: Collection[str], theirs: set[str]) -> None:
    assert set(ours) == theirs


PART: list[tuple[str, set[str], set[str]]] = [
    ("1.6 status", set(words16.STATUS_WORD.values()) - {"Occupied"}, of_16("StatusNotification", "status")),
    ("1.6 reason", set(words16.REASON_WORD.values()), of_16("StopTransaction", "reason")),
    ("1.6 verdict", set(words16.VERDICT_WORD.values()), of_16("Authorize", "status", 3)),
    ("1.6 firmware", set(words16.FIRMWARE_WORD.values()), of_16("FirmwareStatusNotification", "status")),
    ("2.0.1 status", set(words201.STATUS_WORD.values()), of_201("StatusNotification", "ConnectorStatusEnumType")),
    ("2.0.1 reason", set(words201.REASON_WORD.values()), of_201("TransactionEvent", "ReasonEnumType")),
    (
        "2.0.1 trigger of an end",
        set(words201.STOP_TRIGGER.values()),
        of_201("TransactionEvent", "TriggerReasonEnumType"),
    ),
    ("2.1 reason", set(words21.WORDS.reason_word.values()), of_21("TransactionEvent", "ReasonEnumType")),
    ("2.1 status", set(words201.STATUS_WORD.values()), of_21("StatusNotification", "ConnectorStatusEnumType")),
    ("2.0.1 upload", set(words201.UPLOAD_WORD.values()), of_201("LogStatusNotification", "UploadLogStatusEnumType")),
    ("2.0.1 message", set(order201.TRIGGERS.values()), of_201("TriggerMessage", "MessageTriggerEnumType")),
]


@pytest.mark.parametrize(("ours", "theirs"), [row[1:] for row in PART], ids=[row[0] for row in PART])
def test_what_we_write_is_a_word_of_the_version(ours: set[str], theirs: set[str]) -> None:
    assert ours <= theirs


@EVERY_VERSION
def test_a_word_means_what_it_says(known: Any) -> None:
    """Ours are the same in snake_case, but for two that the versions call differently."""
    for word, meaning in {**known.STATUS, **known.REASON, **known.VERDICT}.items():
        same = {"HardReset": "immediate_reset", "DeAuthorized": "deauthorized", "Occupied": OCCUPIED}.get(
            word, snake(word)
        )
        assert str(meaning) == same


def test_every_meaning_has_a_word_or_a_stated_substitute() -> None:
    assert set(words201.REASON_WORD) == set(words21.WORDS.reason_word) == set(StopReason)
    assert set(words21.SYNONYMS.values()) <= words201.MEASURANDS
    assert set(words201.VERDICT_WORD) == set(Verdict)
    assert set(words201.PHASE_WORD) == set(Phase)
    assert set(words16.STATUS_WORD) == {*Status, OCCUPIED} - {Status.UNKNOWN}
    assert set(order16.TRIGGERS) == set(order201.TRIGGERS)


@pytest.mark.parametrize(
    ("verdict", "word"),
    [(Verdict.NO_CREDIT, "Blocked"), (Verdict.UNKNOWN, None), (Verdict.NOT_AT_THIS_TIME, None)],
)
def test_a_verdict_of_201_that_16_lacks_is_no_acceptance(verdict: Verdict, word: str | None) -> None:
    assert words16.VERDICT_WORD.get(verdict) == word
