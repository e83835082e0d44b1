"""What a CSMS may ask: payloads that fit a schema, drawn from the schema itself, and the actions there are."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ocpp
import orjson
from hypothesis import strategies as st

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS

FOLDER = Path(ocpp.__file__).parent
TIMES = st.sampled_from(["2026-03-14T12:00:00Z", "2030-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])
IDS = st.integers(0, 3) | st.integers(0, 2**31 - 1)


def actions(version: Version) -> list[str]:
    """All that a CSMS may call."""
    told = (DIALECTS[version].hear.keys() - {"DataTransfer"}) | DIALECTS[version].overhear.keys()
    return sorted(schema.actions(version) - told)


ASKED = [(version, action) for version in Version for action in actions(version)]


@cache
def payloads(version: Version, action: str) -> st.SearchStrategy[Any]:
    """Payloads of an action that fit its schema."""
    name = action if version is Version.V16 else f"{action}Request"
    file = FOLDER / f"v{str(version).replace('.', '')}" / "schemas" / f"{name}.json"
    whole = orjson.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    return _of(whole, whole.get("definitions", {})).filter(lambda p: schema.check(version, action, p) is None)


def _of(part: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in part:
        return _of(definitions[part["$ref"].rpartition("/")[2]], definitions)
    if "enum" in part:
        return st.sampled_from(part["enum"])
    kind = part.get("type")
    if kind == "object":
        return _object(part, definitions)
    if kind == "array":
        least = part.get("minItems", 0)
        return st.lists(
            _of(part["items"], definitions), min_size=least, max_size=min(least + 2, part.get("maxItems", 9))
        )
    simple = _SIMPLE.get(str(kind))
    return simple(part) if simple else st.none() | st.just("any")


def _object(part: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    given = {key: _of(value, definitions) for key, value in part.get("properties", {}).items() if key != "customData"}
    required = set(part.get("required", ()))
    return st.fixed_dictionaries(
        {key: value for key, value in given.items() if key in required},
        optional={key: value for key, value in given.items() if key not in required},
    )


def _text(part: dict[str, Any]) -> st.SearchStrategy[str]:
    if part.get("format") == "date-time":
        return TIMES
    most = min(part.get("maxLength", 40), 40)
    return st.sampled_from(["1", "Reset", "CARD", "a" * most, "ä"]).map(lambda text: text[:most]) | st.text(
        max_size=most
    )


_SIMPLE: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _text,
    "integer": lambda part: IDS.filter(lambda n: part.get("minimum", 0) <= n <= part.get("maximum", 2**31)),
    "number": lambda part: (
        st.integers(0, 320)
        .map(lambda n: n / 10)
        .filter(lambda n: part.get("minimum", -1) <= n <= part.get("maximum", 1e9))
    ),
    "boolean": lambda _: st.booleans(),
}
