"""Orders: what somebody wants of a charger, and what became of it.

Orders are in the imperative, whatever the charger's OCPP version. A dialect turns an order into a call
and the call's answer into an outcome. `connector` is our number, 0 the whole charger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ocpp_mqtt_proxy.core.certificates import DeleteCertificate, InstallCertificate, ListCertificates, TakeCertificate
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose as ProfilePurpose
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import OWNER, Amps, IdToken, Target, TokenKind
from ocpp_mqtt_proxy.core.reports import Authorization


class Reason(StrEnum):
    """Why something was refused: the closed list of contract §7. Some come with providers only."""

    SHARING_DISABLED = "sharing_disabled"
    BLOCKED = "blocked"
    NOT_ALLOWED = "not_allowed"
    DISABLED = "disabled"
    OVERRIDE = "override"
    PRESENCE = "presence"
    PRESENCE_UNKNOWN = "presence_unknown"
    SCHEDULE = "schedule"
    ROLE = "role"
    RATE_LIMITED = "rate_limited"
    HELD_BY_OTHER = "held_by_other"
    CHARGER_OFFLINE = "charger_offline"
    CHARGER_FAULTED = "charger_faulted"
    CHARGER_UNAVAILABLE = "charger_unavailable"
    NOT_YOURS = "not_yours"
    UNKNOWN_CHARGER = "unknown_charger"
    UNKNOWN_CONNECTOR = "unknown_connector"
    CHARGER_REJECTED = "charger_rejected"
    TIMEOUT = "timeout"
    NOT_SUPPORTED = "not_supported"
    RETAINED = "retained"
    INVALID = "invalid"


class Result(StrEnum):
    """How an order ended (contract §5)."""

    OK = "ok"
    REFUSED = "refused"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order. `message` is for people; `result` holds what the charger gave back."""

    status: Result
    reason: Reason | None = None
    message: str = ""
    result: Mapping[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the charger did, or will do, what was asked."""
        return self.status is Result.OK


def done(message: str = "", **result: object) -> Outcome:
    """The charger has agreed."""
    return Outcome(Result.OK, None, message, result)


def refused(reason: Reason, message: str = "", **result: object) -> Outcome:
    """The rules or the charger said no."""
    return Outcome(Result.REFUSED, reason, message, result)


def failed(reason: Reason, message: str = "", **result: object) -> Outcome:
    """It could not be understood or done."""
    return Outcome(Result.ERROR, reason, message, result)


WITHDRAWN = Outcome(Result.ERROR, Reason.TIMEOUT, "it was overtaken by what came later")
"""An order that was not put: it was not wanted any more by the time that it could have been."""

Still = Callable[[], bool]
"""Whether an order is wanted still, asked when its turn comes."""


@dataclass(frozen=True, slots=True)
class StartCharging:
    """Start a transaction for a tag (1.6 RemoteStartTransaction, 2.x RequestStartTransaction), for a provider.

    `kind` is what the tag is: a `TokenKind`, or a 2.1 CSMS's own word. `limit` holds for all of it, and
    `wanted` is the one that was asked for, where less can be given now. `profile` is a CSMS's, in a limit's stead;
    `beyond` is what that asks for and we cannot keep to.
    """

    at: Target
    id_tag: str
    remote_start_id: int
    limit: Amps | None = None
    provider: str = OWNER
    kind: str = TokenKind.CENTRAL
    profile: ChargingProfile | None = None
    beyond: str = ""
    wanted: Amps | None = None


@dataclass(frozen=True, slots=True)
class StopCharging:
    """Stop a transaction, by the id that the charger knows it by."""

    transaction_id: str


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Install a charging profile of a CSMS. `transaction_id` is its own id of the transaction that it is for.

    `beyond` says what of it cannot be kept to (2.1); empty where all can.
    """

    at: Target
    profile: ChargingProfile
    transaction_id: str | None = None
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class ClearProfiles:
    """Take profiles of a CSMS away: those that match; `at` the connector, where one is given."""

    which: Criteria = field(default_factory=Criteria)
    at: Target | None = None


@dataclass(frozen=True, slots=True)
class ListProfiles:
    """Report the profiles of a CSMS that match, in ReportChargingProfiles (K09). `ids` or `sources` empty: all."""

    request_id: int
    at: Target | None = None
    purpose: ProfilePurpose | None = None
    level: int | None = None
    ids: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TellSchedule:
    """Tell what limits the current for so many seconds from now on (GetCompositeSchedule).

    `in_watts` None: as we like. The outcome's `result` holds `start`, `duration`, `in_watts`, and `periods`: pairs of
    seconds from the start and the limit; a charger's also for how many `phases` that is, where it says so.
    """

    at: Target
    duration: int
    in_watts: bool | None = None


@dataclass(frozen=True, slots=True)
class Unlock:
    """Release the cable."""

    at: Target


@dataclass(frozen=True, slots=True)
class Reset:
    """Restart the charger: `hard` at once, else once it is idle (semantics §7, Reset)."""

    hard: bool = False


@dataclass(frozen=True, slots=True)
class ChangeAvailability:
    """Put a connector, or with connector 0 the charger, into or out of service."""

    at: Target
    operative: bool


class Message(StrEnum):
    """What a charger may be asked to send (TriggerMessage)."""

    BOOT = "boot"
    DIAGNOSTICS = "diagnostics"
    FIRMWARE = "firmware"
    HEARTBEAT = "heartbeat"
    METER = "meter"
    STATUS = "status"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Ask the charger to send a message now."""

    message: Message
    at: Target = field(default_factory=Target)


@dataclass(frozen=True, slots=True)
class GetConfiguration:
    """Read configuration: 1.6 keys, or 2.x variables as `Component.Variable`. Empty: all (1.6).

    The outcome's `result` holds `values` by name, and as far as it is known `readonly` names and, for those without
    a value, in `because` why (`unknown_component`, `unknown_variable`, `unknown_attribute`, `rejected`).
    """

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetConfiguration:
    """Write configuration keys or variables. 1.6 takes one in a call: the hub sends one by one.

    The outcome's `result["set"]` says for each name what became of it, and `because` as with `GetConfiguration` why
    there is nothing to set.
    """

    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GetInventory:
    """Read a 2.x charger's device model (GetBaseReport); it arrives in InventoryReported parts.

    Not `full`: what can be set. `summary`: what tells whether the charger is well.
    """

    request_id: int
    full: bool = True
    summary: bool = False


@dataclass(frozen=True, slots=True)
class GetReport:
    """Read some of a 2.x charger's device model (B08): components, or variables of them, by name.

    With `criteria` (`Active`, `Available`, `Enabled`, `Problem`) only components of which one of these holds.
    """

    request_id: int
    names: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendLocalList:
    """Replace the local authorisation list, or with `differential` change it: None takes a card out (D01)."""

    version: int
    cards: tuple[tuple[IdToken, Authorization | None], ...] = ()
    differential: bool = False


@dataclass(frozen=True, slots=True)
class GetListVersion:
    """Which version the local authorisation list has (D02): in the outcome's `result["version"]`, 0 without one."""


@dataclass(frozen=True, slots=True)
class DataTransfer:
    """Send a vendor's own message."""

    vendor_id: str
    message_id: str = ""
    data: object = None


@dataclass(frozen=True, slots=True)
class ClearCache:
    """Empty the charger's authorisation cache."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Keep a connector for a tag until a time; `kind` as with a start."""

    at: Target
    reservation_id: int
    id_tag: str
    until: datetime
    kind: str = TokenKind.CENTRAL


@dataclass(frozen=True, slots=True)
class CancelReservation:
    """Give a reserved connector free."""

    reservation_id: int


@dataclass(frozen=True, slots=True)
class GetDiagnostics:
    """Have the charger upload its log to a URL; with `security` that of its security events."""

    request_id: int
    url: str
    security: bool = False


@dataclass(frozen=True, slots=True)
class UpdateFirmware:
    """Have the charger fetch and install firmware from a URL, not before a time.

    With the maker's certificate (PEM) and a signature by it, it must be theirs (L01).
    """

    request_id: int
    url: str
    at: datetime
    certificate: str = ""
    signature: str = ""

    @property
    def signed(self) -> bool:
        """Whether the charger is to check the signature."""
        return bool(self.certificate and self.signature)


@dataclass(frozen=True, slots=True)
class CheckTransaction:
    """Whether a transaction runs, and whether anything of it, or without an id of any, waits to be told (E14).

    The outcome's `result` holds `running` and `waiting`.
    """

    transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class RawCall:
    """Send an OCPP call as it is; the answer comes back in the outcome's `result`."""

    action: str
    payload: Mapping[str, object]


Order = (
    StartCharging
    | StopCharging
    | SetLimit
    | ClearLimit
    | SetProfile
    | ClearProfiles
    | ListProfiles
    | TellSchedule
    | Unlock
    | Reset
    | ChangeAvailability
    | Trigger
    | GetConfiguration
    | SetConfiguration
    | GetInventory
    | GetReport
    | SendLocalList
    | GetListVersion
    | DataTransfer
    | ClearCache
    | Reserve
    | CancelReservation
    | GetDiagnostics
    | UpdateFirmware
    | CheckTransaction
    | InstallCertificate
    | DeleteCertificate
    | ListCertificates
    | TakeCertificate
    | RawCall
)
