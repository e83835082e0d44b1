"""Repairs of single values that break their schema: what was meant, where that is plain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ocpp_mqtt_proxy.ocppj.fields import number, zulu
from ocpp_mqtt_proxy.ocppj.quirks.rows import LEFT_OUT
from ocpp_mqtt_proxy.ocppj.schema import Fault

SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "context": {"transaction.start": "Transaction.Begin", "transaction.stop": "Transaction.End"},
    "unit": {
        "°c": "Celsius",
        "amp": "A",
        "amps": "A",
        "c": "Celsius",
        "celcius": "Celsius",
        "hz": "Hertz",
        "kelvin": "K",
        "volt": "V",
        "volts": "V",
        "%": "Percent",
    },
}
"""Words that stand for others, by field, in lower case."""

_MILLISECONDS = 10**11
"""An epoch beyond is told in milliseconds: as seconds it would be in the year 5138."""


def text_for_a_number(fault: Fault) -> object:
    """A number where text is wanted."""
    given = fault.value
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return str(given) if is_number and fault.wants("string") else given


def time_for_a_number(fault: Fault) -> object:
    """Seconds or milliseconds since 1970 where a time is wanted."""
    given = number(fault.value)
    if given is None or isinstance(fault.value, str) or not fault.wants("string") or not _is_time(fault.key):
        return fault.value
    try:
        return zulu(datetime.fromtimestamp(given / 1000 if given > _MILLISECONDS else given, UTC))
    except (ValueError, OverflowError, OSError):
        return fault.value


def _is_time(key: str) -> bool:
    return key == "timestamp" or key.endswith(("DateTime", "Time"))


def number_for_a_text(fault: Fault) -> object:
    """Text where a number is wanted, and true or false as text."""
    if not isinstance(fault.value, str):
        return fault.value
    if fault.wants("boolean"):
        return {"true": True, "false": False}.get(fault.value.strip().lower(), fault.value)
    amount = number(fault.value) if fault.wants("integer") or fault.wants("number") else None
    if amount is None:
        return fault.value
    return amount if fault.wants("number") else round(amount)


def whole_number(fault: Fault) -> object:
    """A fraction where a whole number is wanted."""
    amount = number(fault.value) if isinstance(fault.value, float) else None
    return fault.value if amount is None or not fault.wants("integer") else round(amount)


def list_of_one(fault: Fault) -> object:
    """An object where a list of such is wanted."""
    return [fault.value] if isinstance(fault.value, dict) and fault.wants("array") else fault.value


def no_null(fault: Fault) -> object:
    """Nothing where something is wanted: the field is left out (2.0.1 Part 4 §4.1.5)."""
    return LEFT_OUT if fault.value is None and fault.rule == "type" else fault.value


def word_as_spelled(fault: Fault) -> object:
    """A word in another case or spelling, where the one that was meant is allowed."""
    if fault.rule != "enum" or not isinstance(fault.value, str):
        return fault.value
    said = fault.value.strip().lower()
    meant = SYNONYMS.get(fault.key, {}).get(said, said).lower()
    return next((word for word in fault.allowed if isinstance(word, str) and word.lower() == meant), fault.value)
