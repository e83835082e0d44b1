"""What payloads must look like: the OCPP schemas, compiled when first needed.

The schemas are the `ocpp` package's files; nothing of that package is imported (its classes cost a third of a
second to load). Formats are not judged: a time without a zone is a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import jsonschema_rs
import orjson

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode

_FOLDER = {Version.V16: "v16", Version.V201: "v201", Version.V21: "v21"}

_CODES = {
    "type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "required": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "minItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "maxItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "additionalProperties": ErrorCode.FORMAT_VIOLATION,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """How a payload breaks its schema. `missing` are the required fields of the message itself that are absent.

    `mended` are the quirks by which it was repaired, if only in part.
    """

    code: ErrorCode
    path: str
    message: str
    missing: frozenset[str] = frozenset()
    mended: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path or 'payload'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that breaks a schema: where it stands, what rule it breaks, and what that would allow.

    `allowed` are types (`integer`, `string` …) for the rule `type`, words for `enum`.
    """

    path: tuple[str | int, ...]
    rule: str
    allowed: tuple[object, ...]
    value: object

    @property
    def key(self) -> str:
        """The name of the field, for an item of a list that of the list."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "")

    def wants(self, kind: str) -> bool:
        """Whether a value of this type is wanted, and this one is none."""
        return self.rule == "type" and kind in self.allowed


@cache
def _folder(version: Version) -> Path:
    package = find_spec("ocpp")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / _FOLDER[version] / "schemas"


def _file(version: Version, action: str, *, response: bool) -> Path:
    """A request's is called so in 2.x, but for one that is never answered."""
    if response:
        return _folder(version) / f"{action}Response.json"
    request = _folder(version) / f"{action}Request.json"
    return request if request.exists() else _folder(version) / f"{action}.json"


@cache
def actions(version: Version) -> frozenset[str]:
    """Every action that a version knows, in either direction."""
    names = (file.stem for file in _folder(version).glob("*.json"))
    return frozenset(name.removesuffix("Response").removesuffix("Request") for name in names)


@dataclass(frozen=True, slots=True)
class _Schema:
    """A compiled schema, the fields it requires of the message itself, and all that it knows of it."""

    validator: jsonschema_rs.Validator
    required: frozenset[str]
    fields: frozenset[str]


@cache
def _request(version: Version, action: str) -> _Schema:
    return _compiled(_file(version, action, response=False))


@cache
def _response(version: Version, action: str) -> _Schema:
    return _compiled(_file(version, action, response=True))


def _compiled(file: Path) -> _Schema:
    schema = orjson.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    validator = jsonschema_rs.validator_for(schema, validate_formats=False)
    return _Schema(validator, frozenset(schema.get("required", ())), frozenset(schema.get("properties", ())))


def check(version: Version, action: str, payload: Mapping[str, object], *, response: bool = False) -> Violation | None:
    """How a payload breaks the schema of an action the version knows; None where it does not.

    Judged up to the first fault only: a long list of faults would take seconds to gather.
    """
    schema = _response(version, action) if response else _request(version, action)
    try:
        schema.validator.validate(payload)
    except jsonschema_rs.ValidationError as error:
        return _violation(error, schema.required.difference(payload))
    return None


def known(version: Version, action: str, payload: Mapping[str, object], *, response: bool = False) -> dict[str, object]:
    """A payload of another version, without the fields that this one lacks (semantics §10.9)."""
    schema = _response(version, action) if response else _request(version, action)
    return {name: value for name, value in payload.items() if name in schema.fields}


def faults(version: Version, action: str, payload: Mapping[str, object]) -> list[Fault]:
    """Every value of a charger's payload that breaks its schema. To gather them takes 3 µs each: see `check`."""
    errors = _request(version, action).validator.iter_errors(payload)
    return [_fault(error) for error in errors]


def _fault(error: jsonschema_rs.ValidationError) -> Fault:
    told = error.kind.as_dict()
    allowed = told.get("types") or told.get("options") or ()
    return Fault(tuple(error.instance_path), error.kind.name, tuple(allowed), error.instance)


def _violation(error: jsonschema_rs.ValidationError, missing: frozenset[str]) -> Violation:
    return Violation(
        code=_CODES.get(error.kind.name, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
        path=".".join(str(step) for step in error.instance_path),
        message=_short(error.message),
        missing=missing,
    )


def _short(message: str) -> str:
    return message if len(message) <= 160 else message[:157] + "..."
