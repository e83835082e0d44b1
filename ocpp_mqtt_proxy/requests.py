"""What people may ask of a charger: the owner's verbs (contract §5), one model each.

`parse` turns a verb and JSON into a request, or raises BadRequest saying what is wrong, where and what is
allowed. The models are also what the API describes itself by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from ocpp_mqtt_proxy.core.commands import Message
from ocpp_mqtt_proxy.core.errors import ProxyError

MAX_NAMES = 500
"""Configuration names in one request."""

MAX_DEPTH = 60
"""Levels of what is passed on to a charger: with its frame, no more than charger and proxy take (`rpc.MAX_DEPTH`)."""


class BadRequest(ProxyError):
    """A request that cannot be understood."""


def _aware(value: object) -> object:
    """A time without a zone is UTC, as every time on our topics."""
    if not isinstance(value, str):
        raise PydanticCustomError("time", "must be a time as text, such as 2026-01-31T18:00:00Z")
    at = datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _no_boolean(value: object) -> object:
    """True is no number, though Python takes it for 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number")
    return value


def _as_text(value: object) -> object:
    """Configuration values and transaction ids may come as numbers or booleans."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _writable(value: object) -> object:
    """What can be written on to a charger."""
    if _is_deep(value, MAX_DEPTH):
        raise ValueError(f"must be nested at most {MAX_DEPTH} levels deep")
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("must be JSON: whole characters, whole numbers of at most 64 bits") from None
    return value


def _is_deep(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deep(one, levels - 1) for one in inner)


Instant = Annotated[datetime, BeforeValidator(_aware)]
Text = Annotated[str, Field(max_length=2500), BeforeValidator(_as_text)]
NoBoolean = BeforeValidator(_no_boolean)
ConnectorNumber = Annotated[int, Field(ge=1, le=1000), NoBoolean]
Amount = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), NoBoolean]
"""A current in A."""

Json = Annotated[Any, AfterValidator(_writable)]
Number = Annotated[int, Field(ge=-(2**31), lt=2**31), NoBoolean]
"""A number that chargers gave or take: 32 bits (1.6 §4.8)."""

Tag = Annotated[str, Field(min_length=1, max_length=36), BeforeValidator(_as_text)]


class Request(BaseModel):
    """Something asked of a charger. `connector` may be left out where there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    VERB: ClassVar[str]


class Start(Request):
    """Start charging, for the owner's tag where none is given; `limit_amps` holds for this session."""

    VERB = "start"
    connector: ConnectorNumber | None = None
    id_tag: Tag | None = None
    limit_amps: Amount | None = None


class Stop(Request):
    """Stop a transaction: the one on the connector, or that of the id."""

    VERB = "stop"
    connector: ConnectorNumber | None = None
    transaction_id: Text | None = None


class Pause(Request):
    """Let no current flow, without ending the transaction."""

    VERB = "pause"
    connector: ConnectorNumber | None = None


class Resume(Request):
    """Let current flow again, up to the limit."""

    VERB = "resume"
    connector: ConnectorNumber | None = None


class Limit(Request):
    """The owner's ceiling in A per phase; 0 pauses."""

    VERB = "limit"
    amps: Amount


class Unlock(Request):
    """Release the cable."""

    VERB = "unlock"
    connector: ConnectorNumber | None = None


class Reset(Request):
    """Restart the charger: `soft` once it is idle, `hard` at once."""

    VERB = "reset"
    type: Literal["soft", "hard"] = "soft"


class Availability(Request):
    """Put the charger, or one connector, into or out of service."""

    VERB = "availability"
    operative: bool
    connector: ConnectorNumber | None = None


class Trigger(Request):
    """Have the charger send a message now."""

    VERB = "trigger"
    message: Message
    connector: ConnectorNumber | None = None


class Configuration(Request):
    """Read settings by name (all, where the list is empty), or write some."""

    VERB = "configuration"
    get: list[Text] | None = Field(default=None, max_length=MAX_NAMES)
    set: dict[str, Text] | None = Field(default=None, max_length=MAX_NAMES)

    @model_validator(mode="after")
    def _one_of_both(self) -> Configuration:
        if (self.get is None) == (self.set is None):
            raise ValueError('give either "get": [names] or "set": {name: value}')
        return self


class DataTransfer(Request):
    """Send a vendor's own message."""

    VERB = "data_transfer"
    vendor_id: str = Field(min_length=1, max_length=255)
    message_id: str = Field(default="", max_length=50)
    data: Json = None


class ClearCache(Request):
    """Empty the charger's authorisation cache."""

    VERB = "clear_cache"


class Reserve(Request):
    """Keep a connector for a tag until a time."""

    VERB = "reserve"
    id_tag: Tag
    until: Instant
    connector: ConnectorNumber | None = None


class CancelReservation(Request):
    """Give a reserved connector free."""

    VERB = "cancel_reservation"
    reservation_id: Number


class Diagnostics(Request):
    """Have the charger upload its log."""

    VERB = "diagnostics"
    url: str = Field(min_length=1, max_length=512)


class Firmware(Request):
    """Have the charger fetch and install firmware, now where no time is given."""

    VERB = "firmware"
    url: str = Field(min_length=1, max_length=512)
    at: Instant | None = None


class CloseSession(Request):
    """End a session in our books whose end the charger never told."""

    VERB = "close_session"
    connector: ConnectorNumber | None = None


class Refresh(Request):
    """Ask the charger again for its state, readings and settings."""

    VERB = "refresh"


class Call(Request):
    """Send an OCPP call as it is."""

    VERB = "call"
    ocpp_action: str = Field(min_length=1, max_length=50)
    payload: Annotated[dict[str, Any], AfterValidator(_writable)] = {}


REQUESTS: Mapping[str, type[Request]] = MappingProxyType(
    {
        model.VERB: model
        for model in (
            Start,
            Stop,
            Pause,
            Resume,
            Limit,
            Unlock,
            Reset,
            Availability,
            Trigger,
            Configuration,
            Reserve,
            CancelReservation,
            DataTransfer,
            ClearCache,
            Diagnostics,
            Firmware,
            CloseSession,
            Refresh,
            Call,
        )
    }
)
"""The owner's verbs."""


def parse(verb: str, arguments: Mapping[str, object]) -> Request:
    """A request from its verb and arguments. Raises BadRequest."""
    model = REQUESTS.get(verb)
    if model is None:
        raise BadRequest(f"unknown verb {verb!r}; allowed: {', '.join(sorted(REQUESTS))}")
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        raise BadRequest("; ".join(faults(model, error))) from None


def faults(model: type[BaseModel], error: ValidationError) -> list[str]:
    """What is wrong with something, each with where: for whoever sent it."""
    told = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(str(step) for step in fault["loc"])
        message = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
        if fault["type"] == "extra_forbidden":
            message = "no such field"
            if len(fault["loc"]) == 1:
                known = (field.alias or name for name, field in model.model_fields.items())
                message += f"; allowed: {', '.join(known) or 'none'}"
        told.append(f"{where}: {message}" if where else message)
    return told
