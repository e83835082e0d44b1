"""Reading fields out of payloads that may not be what they should.

Real chargers send numbers as text, text as numbers, empty strings, `null`, thousands separators and times
without a zone. These functions take what makes sense and give None or a default for the rest; they never raise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import inf, nan
from typing import TypeVar, cast

import orjson

T = TypeVar("T")
Object = Mapping[str, object]

NOTHING: Object = {}
_PLACEHOLDERS = frozenset({"", "none", "null", "n/a"})
MAX_READINGS = 1000
"""Readings of one instant that are looked at. No meter has more; a megabyte of them would hold up everybody."""

MAX_TEXT = 2500
"""Characters kept of any text; the longest that the specifications allow for what we read."""

MAX_NUMBER = 10**18
"""No number of a charger's means anything beyond; databases and other readers of ours end at 2**63."""


def text(source: Object, key: str) -> str:
    """Text, trimmed; a number as its digits; else empty."""
    return word(source.get(key))


def word(value: object) -> str:
    """A value as text, trimmed; a number as its digits; else empty."""
    if isinstance(value, str):
        return value.strip()[:MAX_TEXT]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def words(source: Object, key: str) -> str:
    """Text for people; `none` and its like are nothing."""
    value = text(source, key)
    return "" if value.lower() in _PLACEHOLDERS else value


def number(value: object) -> float | None:
    """A number, from JSON or text; None for anything else, and for what is too large to mean anything."""
    if isinstance(value, str):
        try:
            amount = float(value)
        except ValueError:
            amount = _with_commas(value)
    elif isinstance(value, _NUMBERS) and value is not True and value is not False:
        amount = float(value) if abs(value) <= MAX_NUMBER else inf
    else:
        return None
    return amount if -MAX_NUMBER <= amount <= MAX_NUMBER else None


def _with_commas(value: str) -> float:
    """A comma alone is a decimal point, others part thousands; not a number where it is none."""
    lone = value.count(",") == 1 and "." not in value
    try:
        return float(value.replace(",", "." if lone else ""))
    except ValueError:
        return nan


_NUMBERS = (int, float)


def integer(source: Object, key: str) -> int | None:
    """A whole number, rounded where it is not; None where there is none."""
    return whole(source.get(key))


def whole(value: object) -> int | None:
    """A value as a whole number, rounded where it is not; None where it is no number."""
    amount = number(value)
    return None if amount is None else round(amount)


def identifier(source: Object, key: str) -> str | None:
    """An id as text, whether it came as a number or as text; None where there is none."""
    value = source.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip()[:MAX_TEXT] or None if isinstance(value, str) else None


def flag(source: Object, key: str) -> bool:
    """True for true and its spellings."""
    value = source.get(key)
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def instant(source: Object, key: str) -> datetime | None:
    """A time as it stands: naive where it has no zone; None where it cannot be read."""
    value = source.get(key)
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip().upper())
        return at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def child(source: Object, key: str) -> Object:
    """An object within; an empty one where there is none."""
    value = source.get(key)
    return cast("Object", value) if isinstance(value, dict) else NOTHING


def children(source: Object, key: str) -> Iterator[Object]:
    """The objects of a list; an object that should be a list of one counts as such."""
    value = source.get(key)
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item


def choice(source: Object, key: str, table: Mapping[str, T], default: T) -> T:
    """What a word means by a table, whatever its case."""
    value = text(source, key)
    if value in table:
        return table[value]
    lowered = value.lower()
    return next((meaning for word, meaning in table.items() if word.lower() == lowered), default)


def as_text(value: object) -> str | None:
    """Data as 1.6 carries it, which is text: anything else becomes JSON."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def zulu(at: datetime) -> str:
    """A time as chargers read it: UTC, whole seconds, `Z` (semantics §3.1). Without a zone it is UTC."""
    utc = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return utc.isoformat(timespec="seconds") + "Z"


def without_nothing(**fields: object) -> dict[str, object]:
    """A payload without the fields that are None or empty text: absent ones are left out (Part 4 §4.1.5)."""
    return {key: value for key, value in fields.items() if value is not None and value != ""}
