"""What a charger tells its CSMS, whatever its OCPP version, and what it is answered.

A dialect turns a frame into a report (`hear`) and a report into a frame (`say`); likewise an answer.
Times are aware datetimes; None where the charger gave none that could be read. Nobody changes a report; those
that come with every reading are not frozen all the same, because that costs a microsecond for every few fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ocpp_mqtt_proxy.core.limits.profile import Schedule
from ocpp_mqtt_proxy.core.model import (
    STATION,
    ChargingState,
    IdToken,
    Nameplate,
    Place,
    Sample,
    StopReason,
    Variable,
    Verdict,
    WattHours,
)


class Phase(StrEnum):
    """Where in its life a transaction is (TransactionEventEnumType)."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BootReported:
    """The charger (re)started, or was asked to say who it is."""

    nameplate: Nameplate
    reason: str = "unknown"


@dataclass(frozen=True, slots=True)
class HeartbeatReported:
    """The charger is there and wants the time."""


@dataclass(frozen=True, slots=True)
class StatusReported:
    """A connector, or with `STATION` the whole charger, changed state.

    `status` is a value of `Status`, or `OCCUPIED` from a 2.x charger.
    """

    place: Place
    status: str
    at: datetime | None = None
    error_code: str = "NoError"
    info: str = ""
    vendor_error_code: str = ""


@dataclass(frozen=True, slots=True)
class AuthorizationRequested:
    """A card was shown: may it charge?"""

    token: IdToken


@dataclass(slots=True)
class TransactionReported:
    """A transaction started, went on or ended.

    `transaction_id` is None for a 1.6 start, where the CSMS allots it, and for a 1.6 stop whose id is none.
    `place` is None where the
    charger left it out (1.6 stop; 2.x events after the first). `meter_start` and `meter_stop` are the
    register's readings in Wh where the message carries them in fields of their own (1.6).
    """

    phase: Phase
    transaction_id: str | None
    at: datetime | None
    place: Place | None = None
    token: IdToken | None = None
    trigger: str = ""
    charging_state: ChargingState | None = None
    seq_no: int | None = None
    offline: bool = False
    meter_start: WattHours | None = None
    meter_stop: WattHours | None = None
    samples: tuple[Sample, ...] = ()
    stop_reason: StopReason | None = None
    reservation_id: int | None = None
    remote_start_id: int | None = None


@dataclass(slots=True)
class MeterReported:
    """Readings; with a transaction's id only from a 1.6 charger (2.x sends those as TransactionEvent)."""

    place: Place
    samples: tuple[Sample, ...]
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class InventoryReported:
    """One part of a 2.x device-model report (NotifyReport); `more` while parts are to come.

    `most` is, where we tell it, the highest value that a variable can have, by its name.
    """

    request_id: int
    seq_no: int
    more: bool
    variables: tuple[Variable, ...]
    at: datetime | None = None
    most: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirmwareReported:
    """How a firmware update is getting on; `status` is OCPP's word in snake_case."""

    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class DiagnosticsReported:
    """How an upload of diagnostics or a log is getting on; `status` is OCPP's word in snake_case."""

    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class SecurityReported:
    """A security event of the charger (1.6 whitepaper A04, 2.x A04)."""

    type: str
    at: datetime | None = None
    info: str = ""


@dataclass(frozen=True, slots=True)
class ReservationReported:
    """A reservation ended by itself: `status` expired or removed (H04, H02)."""

    reservation_id: int
    status: str


@dataclass(frozen=True, slots=True)
class ProblemReported:
    """A component's problem, or its end, from a 2.x NotifyEvent (N07; semantics §10.4)."""

    place: Place
    component: str
    variable: str
    value: str
    cleared: bool
    code: str = ""
    info: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventsReported:
    """What one NotifyEvent says about faults, and about states of connectors (G01, N07)."""

    problems: tuple[ProblemReported, ...]
    statuses: tuple[StatusReported, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitReported:
    """Somebody else than a CSMS limits charging there (K12): `source` EMS, SO or Other, CSO for a CSMS all the same.

    `schedule` is what is allowed; None where that is not told, or cannot be kept to.
    """

    place: Place
    source: str
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class LimitCleared:
    """Somebody limits charging there no longer (K13)."""

    place: Place
    source: str


@dataclass(frozen=True, slots=True)
class DataTransferReported:
    """A vendor's own message."""

    vendor_id: str
    message_id: str = ""
    data: object = None


@dataclass(frozen=True, slots=True)
class NoticeReported:
    """Any other message: known, answered as the specification says, and of no consequence to us."""

    action: str
    payload: Mapping[str, object]
    place: Place = STATION


Report = (
    BootReported
    | HeartbeatReported
    | StatusReported
    | AuthorizationRequested
    | TransactionReported
    | MeterReported
    | InventoryReported
    | FirmwareReported
    | DiagnosticsReported
    | SecurityReported
    | ReservationReported
    | EventsReported
    | LimitReported
    | LimitCleared
    | DataTransferReported
    | NoticeReported
)


def card_of(report: Report) -> IdToken | None:
    """The card that a report shows."""
    return report.token if isinstance(report, AuthorizationRequested | TransactionReported) else None


@dataclass(frozen=True, slots=True)
class Authorization:
    """The answer to a card. `expires` bounds how long the charger may remember it (cache)."""

    verdict: Verdict
    group: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """The answer to a boot: the time, the heartbeat interval in seconds, and OCPP's status in lower case.

    Where that is not accepted, the interval is the wait until the next boot. Ours is always accepted.
    """

    now: datetime
    interval: int
    status: str = "accepted"


@dataclass(frozen=True, slots=True)
class TimeAnswer:
    """The answer to a heartbeat."""

    now: datetime


@dataclass(frozen=True, slots=True)
class AuthorizationAnswer:
    """The answer to a card shown."""

    authorization: Authorization


@dataclass(slots=True)
class TransactionAnswer:
    """The answer to a transaction message.

    `authorization` is None where no card was shown.
    """

    transaction_id: str
    authorization: Authorization | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The answer where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Noted(Acknowledged):
    """The answer to a notice: `payload` is the notice's own, since some answers repeat a part of it."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Relayed(Acknowledged):
    """The answer to a notice that somebody else gave: as it came, in the charger's own version."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DataTransferAnswer:
    """The answer to a vendor's message: OCPP's status in snake_case, and data where there is any."""

    status: str
    data: object = None


Answer = BootAnswer | TimeAnswer | AuthorizationAnswer | TransactionAnswer | Acknowledged | DataTransferAnswer
