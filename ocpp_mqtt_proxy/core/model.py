"""The words of the domain (contract §1), each with its unit.

Enumerations carry the values that users see: snake_case, the same whatever the charger's OCPP version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

Amps = NewType("Amps", float)
WattHours = NewType("WattHours", float)

OWNER = "owner"
CHARGER = "charger"
"""Whose limit it is that was put on a charger at the charger itself."""
RESERVED_IDS = frozenset({"auto", OWNER, "none"})
"""Ids no charger and no provider may have (contract §1)."""

_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def is_provider_id(text: str) -> bool:
    """Whether a provider may be called so."""
    return _PROVIDER_ID.fullmatch(text) is not None and text.lower() not in RESERVED_IDS


class Place(NamedTuple):
    """Where on a charger, in OCPP 2.x terms.

    `evse` 0 is the charger as a whole. `connector` None is the EVSE as a whole, or not told.
    OCPP 1.6 connector n is EVSE n, connector 1.
    """

    evse: int
    connector: int | None = None


STATION = Place(0, 0)

WHOLE = Place(0)
"""The charger as a whole, as orders have it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an order goes, in the charger's own terms; the hub fills it in from our connector number."""

    connector: int = 0
    place: Place = WHOLE


class Version(StrEnum):
    """An OCPP version, written as users write it."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


class Status(StrEnum):
    """What a connector is doing (contract §5)."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"
    UNKNOWN = "unknown"


OCCUPIED = "occupied"
"""What a 2.x connector reports for five of our states; its transaction tells which (semantics §10.4)."""


class ChargingState(StrEnum):
    """The state of a 2.x transaction (ChargingStateEnumType)."""

    CHARGING = "charging"
    EV_CONNECTED = "ev_connected"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    IDLE = "idle"


class Verdict(StrEnum):
    """Whether an id tag may charge (AuthorizationStatusEnumType)."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INVALID = "invalid"
    CONCURRENT_TX = "concurrent_tx"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED_TYPE_EVSE = "not_allowed_type_evse"
    NOT_AT_THIS_LOCATION = "not_at_this_location"
    NOT_AT_THIS_TIME = "not_at_this_time"
    UNKNOWN = "unknown"


class StopReason(StrEnum):
    """Why a transaction ended (1.6 Reason and 2.x ReasonEnumType together, semantics §10.5)."""

    DEAUTHORIZED = "deauthorized"
    EMERGENCY_STOP = "emergency_stop"
    ENERGY_LIMIT_REACHED = "energy_limit_reached"
    EV_DISCONNECTED = "ev_disconnected"
    GROUND_FAULT = "ground_fault"
    IMMEDIATE_RESET = "immediate_reset"
    LOCAL = "local"
    LOCAL_OUT_OF_CREDIT = "local_out_of_credit"
    MASTER_PASS = "master_pass"  # noqa: S105 (an OCPP word, not a password)
    OTHER = "other"
    OVERCURRENT_FAULT = "overcurrent_fault"
    POWER_LOSS = "power_loss"
    POWER_QUALITY = "power_quality"
    REBOOT = "reboot"
    REMOTE = "remote"
    REQ_ENERGY_TRANSFER_REJECTED = "req_energy_transfer_rejected"
    SOC_LIMIT_REACHED = "soc_limit_reached"
    SOFT_RESET = "soft_reset"
    STOPPED_BY_EV = "stopped_by_ev"
    TIME_LIMIT_REACHED = "time_limit_reached"
    TIMEOUT = "timeout"
    UNLOCK_COMMAND = "unlock_command"


class TokenKind(StrEnum):
    """What an id tag is (IdTokenEnumType of 2.0.1 and 2.1); 1.6 does not say."""

    CENTRAL = "Central"
    DIRECT_PAYMENT = "DirectPayment"
    EMAID = "eMAID"
    EVCCID = "EVCCID"
    ISO14443 = "ISO14443"
    ISO15693 = "ISO15693"
    KEY_CODE = "KeyCode"
    LOCAL = "Local"
    MAC_ADDRESS = "MacAddress"
    NO_AUTHORIZATION = "NoAuthorization"
    VIN = "VIN"


@dataclass(frozen=True, slots=True)
class IdToken:
    """A card, app or car that asks to charge.

    `tag` is compared without regard to case (1.6 CiString20, 2.x identifierString). `kind` is a `TokenKind`, or
    another word of a 2.1 charger's, where it is free text.
    """

    tag: str
    kind: str | None = None
    group: str | None = None


class Signed(NamedTuple):
    """What a meter signed (SignedMeterValueType), byte for byte; 1.6 has the data alone."""

    data: str
    method: str = ""
    encoding: str = ""
    public_key: str = ""


class Reading(NamedTuple):
    """One sampled value in base units: Wh, W, A, V, varh, var, VA, K and % as OCPP has them, °C, Hz.

    `measurand`, `phase`, `context` and `location` are OCPP's own words, which 1.6 and 2.x share.
    `signed` is the charger's signed form, where it gave one.
    """

    measurand: str
    value: float
    unit: str
    phase: str | None = None
    context: str = "Sample.Periodic"
    location: str | None = None
    signed: Signed | None = None


class Sample(NamedTuple):
    """What was read at one instant. `at` is None where the charger gave no usable time.

    `sealed` are readings of a 1.6 charger whose number stands in what is signed alone: their `value` is none.
    """

    at: datetime | None
    readings: tuple[Reading, ...]
    sealed: tuple[Reading, ...] = ()


ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
CURRENT = "Current.Import"
CURRENT_OFFERED = "Current.Offered"
POWER_OFFERED = "Power.Offered"
VOLTAGE = "Voltage"
SOC = "SoC"
TEMPERATURE = "Temperature"
FREQUENCY = "Frequency"


@dataclass(frozen=True, slots=True)
class Nameplate:
    """Who built the charger and what runs on it, as its last BootNotification said."""

    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    iccid: str = ""
    imsi: str = ""
    meter_type: str = ""
    meter_serial: str = ""


class Variable(NamedTuple):
    """One variable of a 2.x device model (its Actual value), or one 1.6 configuration key.

    `name` is how users name it: `HeartbeatInterval`, or `OCPPCommCtrlr.HeartbeatInterval`.
    """

    name: str
    value: str | None
    readonly: bool = False
    unit: str | None = None
    component: str = ""
    place: Place | None = None
