"""What a backend may say: a model for each action (contract §7), and the reading of it.

`parse` turns an action and its arguments into a message, or raises BadRequest saying what is wrong, where and what
is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.backends.profiles import ChargingProfile
from ocpp_mqtt_proxy.backends.subscription import EVERY_KIND, KINDS
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.requests import Amount, BadRequest, ConnectorNumber, NoBoolean, Request, Text

MAX_NAMES = 1000
"""Kinds, or chargers, in one message."""

ChargerName = Annotated[str, Field(min_length=1, max_length=255)]


def _listed(value: object) -> object:
    """One name may stand for a list of it."""
    return [value] if isinstance(value, str) else value


def _known(kinds: list[str]) -> list[str]:
    for kind in kinds:
        if kind != EVERY_KIND and kind not in KINDS:
            raise ValueError(f"{kind[:100]!r} is no kind of event; allowed: *, {', '.join(sorted(KINDS))}")
    return kinds


Names = Annotated[list[ChargerName], Field(max_length=MAX_NAMES), BeforeValidator(_listed)]
Kinds = Annotated[Names, AfterValidator(_known)]
Classes = Annotated[list[ControlClass], Field(min_length=1, max_length=len(ControlClass))]
Moment = Annotated[str, Field(max_length=100)]
"""A date or a time, as text."""


class Message(BaseModel):
    """Something a backend says. `ACTION` is what it calls it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ACTION: ClassVar[str]


class OfCharger(Message):
    """Something about a charger, which may be left out where there is one."""

    charger: ChargerName | None = None


class Subscribe(Message):
    """Hear of events: of these kinds (`*`: all), of these chargers; of all where they are left out."""

    ACTION = "subscribe"
    events: Kinds = [EVERY_KIND]
    chargers: Names | None = None


class Unsubscribe(Subscribe):
    """Hear of them no more."""

    ACTION = "unsubscribe"


class Status(OfCharger):
    """How a charger stands; all of them where none is named."""

    ACTION = "status"


class Sessions(OfCharger):
    """The backend's own sessions, newest first."""

    ACTION = "sessions"
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None
    limit: Annotated[int, Field(ge=1, le=1000), NoBoolean] = 100
    cursor: Text | None = None


class RequestControl(OfCharger):
    """Ask for classes; for `transactions` where none are named."""

    ACTION = "request_control"
    classes: Classes = [ControlClass.TRANSACTIONS]


class ReleaseControl(OfCharger):
    """Give classes back; all of them where none are named."""

    ACTION = "release_control"
    classes: Classes = list(ControlClass)


class Authorize(Message):
    """The answer to an `authorization_request`. `group` is the tag's parent."""

    ACTION = "authorize"
    request_id: Annotated[str, Field(min_length=1, max_length=255)]
    status: Literal["accepted", "blocked", "expired", "invalid"]
    group: Annotated[str, Field(min_length=1, max_length=36)] | None = None


class SetLimit(OfCharger):
    """Limit the current per phase, or the power of all phases together; for good where no duration is given."""

    ACTION = "set_limit"
    amps: Amount | None = None
    watts: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False), NoBoolean] | None = None
    connector: ConnectorNumber | None = None
    duration_s: Annotated[float, Field(gt=0, le=366 * 86400, allow_inf_nan=False), NoBoolean] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SetLimit:
        if (self.amps is None) == (self.watts is None):
            raise ValueError("give either amps (per phase) or watts")
        return self

    @property
    def duration(self) -> timedelta | None:
        """How long it holds."""
        return None if self.duration_s is None else timedelta(seconds=self.duration_s)


class ClearLimit(OfCharger):
    """Withdraw the backend's own limit."""

    ACTION = "clear_limit"
    connector: ConnectorNumber | None = None


class SetProfile(OfCharger):
    """Limit the current or power by a charging profile."""

    ACTION = "set_profile"
    profile: ChargingProfile
    connector: ConnectorNumber | None = None


class ClearProfile(OfCharger):
    """Withdraw the backend's own profile."""

    ACTION = "clear_profile"
    connector: ConnectorNumber | None = None


class Order(OfCharger):
    """Something that people may ask of a charger too: `REQUEST` says what."""

    REQUEST: ClassVar[type[Request]]

    def request(self) -> Request:
        """It, as people ask it."""
        return self.REQUEST.model_construct(**{name: getattr(self, name) for name in self.REQUEST.model_fields})


class Start(Order, requests.Start):
    """Start charging."""

    ACTION = "start"
    REQUEST = requests.Start


class Stop(Order, requests.Stop):
    """Stop a session of the backend's own."""

    ACTION = "stop"
    REQUEST = requests.Stop


class Unlock(Order, requests.Unlock):
    """Release the cable."""

    ACTION = "unlock"
    REQUEST = requests.Unlock


class Reserve(Order, requests.Reserve):
    """Keep a connector for a tag until a time."""

    ACTION = "reserve"
    REQUEST = requests.Reserve


class CancelReservation(Order, requests.CancelReservation):
    """Give a reservation of the backend's own back."""

    ACTION = "cancel_reservation"
    REQUEST = requests.CancelReservation


class Call(Order, requests.Call):
    """Send an OCPP call as it is."""

    ACTION = "call"
    REQUEST = requests.Call


ACTIONS: Mapping[str, type[Message]] = MappingProxyType(
    {
        model.ACTION: model
        for model in (
            *(Subscribe, Unsubscribe, Status, Sessions, RequestControl, ReleaseControl, Start, Stop, Authorize),
            *(SetLimit, ClearLimit, SetProfile, ClearProfile, Reserve, CancelReservation, Unlock, Call),
        )
    }
)
"""Every action."""

OLDER: Mapping[str, str] = MappingProxyType(
    {
        "RemoteStartTransaction": "start",
        "RequestStartTransaction": "start",
        "RemoteStopTransaction": "stop",
        "RequestStopTransaction": "stop",
    }
)
"""Older names of actions."""

_OLDER_FIELDS = {"connector_id": "connector"}


def parse(action: object, arguments: Mapping[str, object]) -> Message:
    """A message from its action and arguments. Raises BadRequest."""
    if not isinstance(action, str):
        raise BadRequest(f"action: must be one of {', '.join(sorted(ACTIONS))}")
    name = OLDER.get(action, action)
    model = ACTIONS.get(name)
    if model is None:
        raise BadRequest(f"action: {action[:100]!r} is unknown; allowed: {', '.join(sorted(ACTIONS))}")
    if action in OLDER:
        arguments = {_OLDER_FIELDS.get(field, field): value for field, value in arguments.items()}
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        raise BadRequest("; ".join(requests.faults(model, error))) from None
