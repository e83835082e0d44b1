"""Frames made strange: what a broken, babbling or hostile charger might send, out of the corpus's frames.

Everything is drawn from a `random.Random`, which may be hypothesis's, a seeded one, or a fuzzer's bytes.
A message is text, or bytes where it is none; `$TX` and `$OPEN` in it are filled in when it is sent (house.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

from ocpp_mqtt_proxy.core.model import Version
from tests.ocppj.rows import CALL, ERROR, FOLDER, RESULT, Row, rows

TX = "$TX"
"""Stands for a transaction id that the charger was given, or gave, last."""

OPEN = "$OPEN"
"""Stands for the id of the call of ours that is open."""

Step = str | bytes

FOUND = Path(__file__).parent / "found"
"""Inputs that once broke something: `{"version", "was", "steps": [[what is sent without waiting], …]}`."""


def packed(step: Step) -> str | list[str]:
    """A step as JSON has it: bytes that are no text in base64, in a list of their own."""
    return step if isinstance(step, str) else [base64.b64encode(step).decode()]


def unpacked(step: str | list[str]) -> Step:
    """A step out of JSON."""
    return step if isinstance(step, str) else base64.b64decode(step[0])


TIMES = (
    "2026-03-14T12:00:00Z", "2026-03-14T11:59:00.123+02:00", "2026-03-14T12:00:00", "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-14:00", "2026-02-30T12:00:00Z", "20260314T120000Z",
    "2026-W11-6", "2026-03-14", "2026-03-14T24:00:00Z", "2026-03-14 12:00:00", "T", "+002026-03-14T12:00:00Z",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 33, 999, 1000, 4711, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63),
    0.1, -0.0, 1.5, 1e17, 1e18, 1e19, 1e300, -1e300, 5e-324,
)  # fmt: skip
TEXTS: tuple[Any, ...] = (
    "", " ", "0", "-1", "1", "0000", "1e5", "1e400", "-1e400", "NaN", "Infinity", "-inf", "nan", "0x10", "1_000",
    "1,234.5", "1.234,5", "12 345", "١٢٣", "\uff11\uff12", "²", "½", "1" * 400, "0." + "0" * 400 + "1", "null", "None", "true",
    "\0", "\r\n", "\x1b[2J", "\x7f", "\u2028", "\u202e", "\ufeff", "\ufffe", "\U0010ffff", "e\u0301" * 50, "🔌" * 100,
    "ß", "İ", "ﬁ", "a" * 37, "a" * 256, "x" * 3000, "../../etc", "a/b#+", "'; DROP TABLE session; --", "%s%n%d", "{0}",
    "${jndi}", "=1+1", "Accepted", "Rejected", "accepted", "Charging", "Available", "Faulted", "Occupied", "Ended",
    "Started", "Updated", "Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Current.Import", "kWh", "Wh",
    "W", "A", "L1", "L1-N", "N", "Celsius", "Fahrenheit", "K", "Transaction.Begin", "Outlet", "SignedData", "Raw", TX,
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    None, True, False, [], {}, [[]], [{}], {"": {}}, [None], {"status": None}, ["a", 1, None, {}],
)  # fmt: skip
ODD: tuple[Any, ...] = (*SHAPES, *NUMBERS, *TEXTS, *TIMES)

SNIPPETS = (
    b"\\ud800", b"\\udfff\\ud800", b"\\u0000", b"1e400", b"-1e400", b"1e-400", b"NaN", b"Infinity", b"-0", b"01", b"1.",
    b"[", b"]", b"{", b"}", b'"', b":", b",", b"\\", b"/*", b"//", b"\xef\xbb\xbf", b"\xff", b"\xc0\x80", b"\xed\xa0\x80",
    b"\x00", b"\n", b" " * 100, b"9" * 30, b"9" * 5000, b'"a":1,"a":2,', b"[" * 70, b"[" * 1100, b'{"a":' * 80, b"true",
    b"null", b"[2,", b"[3,", b"[4,", b"[5,", b"[6,",
)  # fmt: skip


LONGEST = 100_000
"""Characters of a message; what is longer than a socket takes comes no further than there."""

FILES = tuple(sorted(file.stem for file in FOLDER.glob("*.jsonl")))


@cache
def frames(version: Version, *, from_charger: bool = True) -> tuple[bytes, ...]:
    """Every frame of the corpus that a charger of the version, or a CSMS, may send, as JSON."""
    known = rows(*FILES, where=lambda row: "from" in row.fields and _speaks(row, version))
    known = [row for row in known if row.from_charger is from_charger]
    found = [json.dumps(frame).encode() for row in known for frame in _frames(row)]
    assert found
    return tuple(found)


def _speaks(row: Row, version: Version) -> bool:
    """A 2.1 charger sends what a 2.0.1 charger does, and more."""
    return row.version is version or (version is Version.V21 and row.version is Version.V201)


def _any(random: Random, version: Version, *, from_charger: bool = True) -> list[Any]:
    frame: list[Any] = orjson.loads(random.choice(frames(version, from_charger=from_charger)))
    return frame


def _frames(row: Row) -> list[list[Any]]:
    given = row.fields.get("sequence") or [row.fields.get("frame")]
    return [frame for frame in given if isinstance(frame, list) and len(frame) > 2]


def a_frame(random: Random, version: Version, *, from_charger: bool = True) -> Step:
    """A frame of the corpus, mostly made strange, at the moment it is sent (TX, OPEN)."""
    frame = _any(random, version, from_charger=from_charger)
    _make_current(random, frame)
    return strange(random, frame, version)


def strange(random: Random, frame: list[Any], version: Version) -> Step:
    """A frame, mostly made strange."""
    for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3, 8))):
        _mutate(random, frame, version)
    text = json.dumps(frame, ensure_ascii=random.randrange(2) == 0)[:LONGEST]
    if random.randrange(8):
        return text
    data = text.encode()
    for _ in range(random.choice((1, 1, 2, 5))):
        data = random.choice(_BYTES)(random, data)
    return readable(data)


def readable(data: bytes) -> Step:
    """Bytes as text where they are text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


ASKED: dict[str, str] = {
    "start": '{"connector": 1, "id_tag": "CARD", "limit_amps": 10}',
    "stop": "{}",
    "pause": "{}",
    "resume": "{}",
    "limit": '{"amps": 10}',
    "unlock": '{"connector": 1}',
    "reset": '{"type": "hard"}',
    "availability": '{"operative": false}',
    "trigger": '{"message": "status"}',
    "configuration": '{"set": {"HeartbeatInterval": "60", "OCPPCommCtrlr.HeartbeatInterval": "60"}}',
    "data_transfer": '{"vendor_id": "us", "data": {"a": [1]}}',
    "clear_cache": "{}",
    "reserve": '{"connector": 1, "id_tag": "CARD", "until": "2026-03-15T12:00:00Z"}',
    "cancel_reservation": '{"reservation_id": 1}',
    "diagnostics": '{"url": "ftp://there/"}',
    "firmware": '{"url": "ftp://here/firmware"}',
    "close_session": "{}",
    "refresh": "{}",
    "call": '{"ocpp_action": "Anything", "payload": {"key": ["a"]}}',
}
"""What the owner asks of the charger meanwhile: each verb, and its arguments."""


def a_batch(random: Random, version: Version) -> list[Step]:
    """What happens next: mostly frames, one or several without waiting."""
    chance = random.randrange(32)
    if chance < 3:
        verb = random.choice(list(ASKED))
        return [f"!ask {verb} {ASKED[verb]}"]
    if chance == 3:
        return ["!deaf", a_frame(random, version), "!reconnect"] if random.randrange(3) == 0 else ["!reconnect"]
    if chance == 4:
        return [random.choice(("!disk fails", "!disk works", "!disk works"))]
    if chance == 5:
        return [f"!wait {random.choice((1, 60, 1000, 86_400, 10**7))}"]
    return [a_frame(random, version) for _ in range(random.choice((1, 1, 1, 2, 4, 12)))]


def _make_current(random: Random, frame: list[Any]) -> None:
    """A frame that fits into what goes on: a fresh id, the transaction that runs, the call of ours that is open."""
    if frame[0] == CALL:
        frame[1] = f"m{random.randrange(1 << 16)}"
    elif frame[0] in (RESULT, ERROR):
        frame[1] = OPEN
    for payload in [part for part in frame[2:] if isinstance(part, dict)]:
        info = payload.get("transactionInfo")
        for holder in (payload, info):
            if isinstance(holder, dict) and "transactionId" in holder and random.randrange(4):
                holder["transactionId"] = TX
        if "timestamp" in payload and random.randrange(2):
            payload["timestamp"] = TIMES[0]
        _set_meters(random, payload)


def _set_meters(random: Random, value: Any) -> None:
    """Have registers read what other readings of them are near to, or far from."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _set_meters(random, inner)
    if isinstance(value, dict):
        for key in ("meterStart", "meterStop"):
            if key in value and random.randrange(2):
                value[key] = round(random.choice(METERS))
        if "Register" in str(value.get("measurand", "Register")) and "value" in value and random.randrange(2):
            meter = random.choice(METERS)
            value["value"] = str(meter) if isinstance(value["value"], str) else meter


METERS = (
    0,
    0.4,
    5,
    900,
    999,
    1000,
    1000.5,
    1009,
    1500,
    2000,
    20_000,
    4_999_995,
    5_000_000,
    5_000_000.5,
    5_000_700,
    9_000_000,
)
"""What registers read, in Wh: near each other and far apart, below and above what is taken for noise or a restart."""


# Within the JSON


def changed(random: Random, document: dict[str, Any], version: Version) -> dict[str, Any]:
    """An object in which some things are not what they should be."""
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        _mutate(random, document, version)
    return document


def _mutate(random: Random, frame: list[Any] | dict[str, Any], version: Version) -> None:
    """Change one thing, somewhere."""
    holder, key = _somewhere(random, frame)
    if key is not None:
        random.choice(_CHANGES)(random, holder, key, version)


def _somewhere(random: Random, frame: list[Any] | dict[str, Any]) -> tuple[Any, Any]:
    """A place in a frame: what holds it, and its key there; no key where there is nothing."""
    holder: Any = frame
    while holder:
        key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or not random.randrange(4):
            return holder, key
        holder = inner
    return holder, None


def _drop(_: Random, holder: Any, key: Any, __: Version) -> None:
    del holder[key]


def _odd(random: Random) -> Any:
    """A strange value, for nobody else to change."""
    value = random.choice(ODD)
    return orjson.loads(orjson.dumps(value)) if isinstance(value, dict | list) else value


def _replace(random: Random, holder: Any, key: Any, _: Version) -> None:
    holder[key] = _odd(random)


def _nest(random: Random, holder: Any, key: Any, _: Version) -> None:
    value = holder[key]
    for _depth in range(random.choice((1, 2, 60, 70, 300))):
        value = [value] if random.randrange(2) else {"a": value}
    holder[key] = value


def _repeat(random: Random, holder: Any, key: Any, _: Version) -> None:
    value = holder[key]
    times = random.choice((2, 3, 40, 300))
    if isinstance(value, list):
        holder[key] = (value * times)[:2000]
    elif isinstance(holder, list):
        holder[key:key] = [value] * min(times, 40)
    else:
        holder[key] = str(value) * times


def _rename(random: Random, holder: Any, key: Any, _: Version) -> None:
    if isinstance(holder, dict):
        holder[random.choice((key.upper(), key[:1].upper() + key[1:], key + " ", "", "id", "a" * 300))] = holder.pop(
            key
        )


def _add(random: Random, holder: Any, key: Any, _: Version) -> None:
    value = _odd(random)
    if isinstance(holder, dict):
        holder[random.choice(("vendorX", "customData", "status", "timestamp", "transactionId", "evse", "value"))] = (
            value
        )
    else:
        holder.insert(key, value)


def _splice(random: Random, holder: Any, key: Any, version: Version) -> None:
    """A part of another frame."""
    other, there = _somewhere(random, _any(random, version))
    holder[key] = other[there]


def _twist(random: Random, holder: Any, key: Any, _: Version) -> None:
    """The same, otherwise written."""
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        holder[key] = json.dumps(value)
    elif isinstance(value, str):
        holder[key] = random.choice((value.upper(), value.lower(), f" {value} ", value[:-1], value + "Z", value[::-1]))
    else:
        holder[key] = random.choice(
            (str(value), f"{value:.3f}", -value, value * 1000, value + 0.5, value // 1, [value])
        )


_CHANGES: tuple[Callable[[Random, Any, Any, Version], None], ...] = (
    _drop, _replace, _replace, _replace, _nest, _repeat, _rename, _add, _splice, _twist, _twist,
)  # fmt: skip


# Within the bytes


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1]) + data[at + 1 :]


def _insert(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(SNIPPETS) + data[at:]


def _overwrite(random: Random, data: bytes) -> bytes:
    at, snippet = random.randrange(len(data) + 1), random.choice(SNIPPETS)
    return data[:at] + snippet + data[at + len(snippet) :]


def _cut_out(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randrange(40) :]


def _double(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[max(0, at - random.randrange(60)) :]


_BYTES = (_truncate, _flip, _flip, _insert, _insert, _overwrite, _cut_out, _double)
