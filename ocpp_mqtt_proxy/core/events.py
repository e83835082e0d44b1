"""Facts: what has happened, in the past tense (contract §6).

Every fact tells its charger and when; most tell their connector. `KIND` is the event kind that users see, or
empty for a fact that changes what is shown without being an event of its own. `seq` is given by the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from ocpp_mqtt_proxy.core.model import Amps, ChargingState, Nameplate, Place, Reading, Status, Verdict
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence


@dataclass(slots=True, kw_only=True)
class Fact:
    """Something that happened. `connector` is our number, 0 the charger as a whole."""

    KIND: ClassVar[str] = ""

    charger: str
    at: datetime
    connector: int = 0
    place: Place | None = None
    seq: int = 0
    ocpp_version: str = ""


@dataclass(slots=True, kw_only=True)
class ChargerConnected(Fact):
    """The charger's socket is open."""

    KIND = "connected"
    address: str
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class ChargerDisconnected(Fact):
    """The charger's socket is gone."""

    KIND = "disconnected"
    address: str
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class ChargerBooted(Fact):
    """The charger said who it is."""

    KIND = "boot"
    nameplate: Nameplate
    reason: str


@dataclass(slots=True, kw_only=True)
class HeartbeatHeard(Fact):
    """The charger is alive."""

    KIND = "heartbeat"


@dataclass(slots=True, kw_only=True)
class StatusChanged(Fact):
    """A connector, or the charger, is in another state."""

    KIND = "status"
    status: Status
    error_code: str = "NoError"
    info: str = ""
    vendor_error_code: str = ""


@dataclass(slots=True, kw_only=True)
class MeterRead(Fact):
    """Readings came in."""

    KIND = "meter"
    readings: tuple[Reading, ...]
    transaction_id: str | None = None
    context: str = "Sample.Periodic"
    read_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class CardDecided(Fact):
    """A card was accepted or refused, and by whom."""

    KIND = "authorization"
    id_tag: str
    verdict: Verdict
    by: str


@dataclass(slots=True, kw_only=True)
class SessionStarted(Fact):
    """A transaction began."""

    KIND = "transaction_started"
    session: Session


@dataclass(slots=True, kw_only=True)
class SessionUpdated(Fact):
    """A transaction went on."""

    KIND = "transaction_updated"
    session: Session
    charging_state: ChargingState | None = None
    trigger: str = ""


@dataclass(slots=True, kw_only=True)
class SessionEnded(Fact):
    """A transaction is over; its figures are final unless the charger corrects a close of ours."""

    KIND = "transaction_ended"
    session: Session


@dataclass(slots=True, kw_only=True)
class FaultChanged(Fact):
    """A connector, or the charger, is faulted or no longer."""

    KIND = "fault"
    status: Status
    error_code: str
    info: str
    cleared: bool


@dataclass(slots=True, kw_only=True)
class LimitChanged(Fact):
    """Another current limit is in force, in A per phase. `verified` where the charger was seen to keep to it before."""

    KIND = "limit"
    effective: Amps
    by: str
    verified: bool = False


@dataclass(slots=True, kw_only=True)
class LimitVerified(Fact):
    """The charger is seen to keep to the limit that is in force."""

    KIND = "limit"
    effective: Amps
    by: str


@dataclass(slots=True, kw_only=True)
class LimitsIgnored(Fact):
    """The charger gives more than a limit that it confirmed, in A."""

    effective: Amps
    gives: float


@dataclass(slots=True, kw_only=True)
class LimitsObeyed(Fact):
    """It keeps to its limits again."""


@dataclass(slots=True, kw_only=True)
class ReservationEnded(Fact):
    """A reservation expired or was removed by the charger."""

    KIND = "reservation"
    reservation_id: int
    status: str


@dataclass(slots=True, kw_only=True)
class FirmwareChanged(Fact):
    """A firmware update got further."""

    KIND = "firmware"
    status: str
    request_id: int | None


@dataclass(slots=True, kw_only=True)
class DiagnosticsChanged(Fact):
    """An upload of diagnostics got further."""

    KIND = "diagnostics"
    status: str
    request_id: int | None


@dataclass(slots=True, kw_only=True)
class SecurityNoticed(Fact):
    """The charger noticed something about its security."""

    KIND = "security"
    type: str
    noticed_at: datetime
    info: str


@dataclass(slots=True, kw_only=True)
class DataTransferred(Fact):
    """A vendor's own message came in."""

    KIND = "data_transfer"
    vendor_id: str
    message_id: str
    data: object


@dataclass(slots=True, kw_only=True)
class AvailabilityChanged(Fact):
    """The charger was taken out of service, or put back."""

    operative: bool


@dataclass(slots=True, kw_only=True)
class MeasurandsSeen(Fact):
    """Something was read for the first time ever."""


@dataclass(slots=True, kw_only=True)
class QuirksChanged(Fact):
    """The charger turned out to have a quirk, or not to have it."""


@dataclass(slots=True, kw_only=True)
class InventoryRead(Fact):
    """A 2.x device model was read whole; `connectors` may now be known."""


@dataclass(slots=True, kw_only=True)
class ChargerForgotten(Fact):
    """The charger was taken out of our books: everything shown of it is to go."""


@dataclass(slots=True, kw_only=True)
class NoticeHeard(Fact):
    """A message that changes nothing of ours; told to whoever looks."""

    KIND = "notice"
    action: str
    payload: Mapping[str, object] = field(default_factory=dict)


# Who controls (contract §8)


@dataclass(slots=True, kw_only=True)
class ControlGranted(Fact):
    """A provider got a class."""

    KIND = "control_granted"
    provider: str
    control_class: ControlClass
    holder: str | None = None
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class ControlRefused(Fact):
    """A provider asked for what it may not."""

    KIND = "control_refused"
    provider: str
    control_class: ControlClass
    reason: str
    holder: str | None = None


@dataclass(slots=True, kw_only=True)
class ControlRevoked(Fact):
    """A class was taken from a provider, or given back."""

    KIND = "control_revoked"
    provider: str
    control_class: ControlClass
    reason: str
    holder: str | None = None


@dataclass(slots=True, kw_only=True)
class MonthReported(Fact):
    """A month is over and was reported; `corrected` where something came later still. Of no charger."""

    document: Mapping[str, object]
    corrected: bool = False


@dataclass(slots=True, kw_only=True)
class ModeChanged(Fact):
    """The owner put somebody in charge: `auto`, `owner` or a provider. `by` is who said so."""

    KIND = "override"
    mode: str
    by: str


@dataclass(slots=True, kw_only=True)
class AuthorizationAsked(Fact):
    """A card is shown that only providers may know; told to the one that is asked alone."""

    KIND = "authorization_request"
    provider: str
    request_id: str
    id_tag: str
    until: datetime


@dataclass(slots=True, kw_only=True)
class LimitsChanged(Fact):
    """A provider set or withdrew a limit of its own, or the owner set his."""


@dataclass(slots=True, kw_only=True)
class ChargerLimited(Fact):
    """Somebody limits the charger at the charger itself, or no longer."""


@dataclass(slots=True, kw_only=True)
class PresenceChanged(Fact):
    """What the arbiter believes of who is at home. Of the house, not of a charger: `charger` is empty."""

    presence: Presence | None


@dataclass(slots=True, kw_only=True)
class LoggedIn(Fact):
    """Somebody logged in to the page, from an address. `charger` is empty."""

    address: str


@dataclass(slots=True, kw_only=True)
class ProviderChanged(Fact):
    """A provider came, went, was switched on or off, or was refused something. `charger` is empty."""

    provider: str
