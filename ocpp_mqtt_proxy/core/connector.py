"""One connector: what it reports, what flows, and the session on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import OCCUPIED, OWNER, Amps, ChargingState, IdToken, Place, Sample, Status, WattHours
from ocpp_mqtt_proxy.core.readings import energy_of, metrics_of, pick
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.verifying import Check
from ocpp_mqtt_proxy.core.wear import Budget

BACKLOG = timedelta(minutes=10)
"""Readings older than this are a charger's backlog: they count for the session and are not shown as live."""

_PLUGGED = frozenset({Status.PREPARING, Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE, Status.FINISHING})
_STILL = frozenset({Status.AVAILABLE, Status.PREPARING, Status.FINISHING, Status.RESERVED})
"""States in which no energy flows, whatever was read last."""

_PAUSED = frozenset({Status.SUSPENDED_EV, Status.SUSPENDED_EVSE, Status.FINISHING})
"""States with which a flow ends; chargers that send no more readings then leave the last one standing."""

_FLOWS = frozenset({"power", "current", *(f"{f}_l{line}" for f in ("power", "current") for line in (1, 2, 3))})


FORMS = 64
"""Forms of messages that are remembered of one connector."""

Form = tuple[tuple[str | None, ...], ...]
"""What a message holds readings of: measurand, phase, context and location of each. A charger has a few of them."""

_form = itemgetter(0, 3, 4, 5)


class Promise(NamedTuple):
    """A session to come, until a time: for which card (in lower case), of which provider, with which own limit.

    `number` is our id of the start from afar that it follows from, `installed` the limit that the charger got with it.
    """

    tag: str
    until: datetime
    provider: str = OWNER
    limit: Amps | None = None
    number: int | None = None
    installed: Amps | None = None

    def meant_for(self, token: IdToken | None, now: datetime) -> bool:
        """Whether a session is the one, by its card; one without a card may be."""
        return now < self.until and (token is None or token.tag.lower() == self.tag)


class Problem(NamedTuple):
    """What a component says of its problem: its own code and words."""

    code: str
    info: str


@dataclass(slots=True)
class Connector:
    """The live state of one connector.

    `reported` is what the charger last said (a `Status` value or `OCCUPIED`); `status` is what it means.
    `measured` are the names of its `metrics`. `register` is the lifetime energy, which survives restarts.
    `last_session` is the last one that is over; `finishing` until its cable is out. `problems` are those of its
    components that last, the latest last (2.x). `says_occupied` once it said so: only then does its Available in
    mid-transaction mean that the cable is out. `promised` is what was asked of a session to come: whose it is, and
    the limit that it was asked to start with. `stand_in` is the state of the charger as a whole, where the
    connector never says its own. `check` is whether the session's limit, which binds since `bound_at`, is kept to;
    `overdraws` what flows where it is not, in A. `explained` is how many of its limits' changes the audit log bears,
    `unexplained` those since the last that is there.
    """

    charger: str
    number: int
    place: Place
    reported: str = Status.UNKNOWN
    status: Status = Status.UNKNOWN
    status_at: datetime | None = None
    error_code: str = "NoError"
    info: str = ""
    vendor_error_code: str = ""
    plugged_in: bool | None = None
    meter: Sample | None = None
    register: Register = field(default_factory=Register)
    session: Session | None = None
    last_session: Session | None = None
    finishing: bool = False
    effective_limit: Amps | None = None
    limited_by: str | None = None
    bound_at: datetime | None = None
    check: Check | None = None
    overdraws: float | None = None
    explained: Budget = field(default_factory=lambda: Budget(60, timedelta(seconds=30)))
    unexplained: int = 0
    promised: Promise | None = None
    stand_in: Status | None = None
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)
    says_occupied: bool = False
    measured: set[str] = field(default_factory=set)
    _metrics: dict[str, float] = field(default_factory=dict)
    _unread: dict[Form, Sample] = field(default_factory=dict)
    _forms: set[Form] = field(default_factory=set)

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of contract §5 by name, in W, A, V, %, °C and Hz. They are worked out when they are looked at."""
        if self._unread:
            for sample in self._unread.values():
                self._metrics.update(metrics_of(pick(sample.readings)))
            self._unread.clear()
        return self._metrics

    @property
    def energy(self) -> WattHours | None:
        """The lifetime register in Wh; None until a first reading: a 0 made up would be billed."""
        return WattHours(self.register.total) if self.register.raw is not None else None

    @property
    def charging(self) -> bool:
        """Whether a transaction runs here that we do not pause; a full car counts (contract §5)."""
        return self.session is not None and self.effective_limit != Amps(0)

    @property
    def limit_verified(self) -> bool | None:
        """Whether the charger is seen to keep to what binds its session; None where nobody knows."""
        return self.check.verified if self.check is not None else None

    @property
    def taken(self) -> Session | None:
        """The session that is in the way of another start; not one that waits for just that."""
        return self.session if self.session is not None and not self.session.awaits_card else None

    @property
    def shown_session(self) -> Session | None:
        """The running session, else the last one."""
        return self.session or self.last_session

    def report(self, status: str, at: datetime) -> None:
        """Take a status the charger reported and draw from it what follows."""
        if self.reported == Status.FAULTED and status != Status.FAULTED:
            self.problems.clear()
        self.says_occupied = self.says_occupied or status == OCCUPIED
        self.reported = status
        self.stand_in = None
        self.status_at = at
        self.settle()

    def settle(self) -> None:
        """Work the status out anew, after a status or the session changed (semantics §10.4)."""
        before, self.status = self.status, self._meaning()
        if self.status in _PLUGGED:
            self.plugged_in = True
        elif self.status is Status.AVAILABLE:
            self.plugged_in = self.finishing = False
        if self.session and self.session.charging_state is ChargingState.IDLE:
            self.plugged_in = False
        if self.still or (self.status in _PAUSED and self.status is not before):
            self._nothing_flows()

    @property
    def still(self) -> bool:
        """Whether nothing can flow, whatever was read last."""
        return self.session is None and self.status in _STILL

    def value(self, metric: str) -> float | None:
        """A metric; a flow is 0 where nothing can flow, though nothing was read: idle chargers send none."""
        return self.metrics.get(metric, 0.0 if self.still and metric in _FLOWS else None)

    def _nothing_flows(self) -> None:
        for flow in _FLOWS & self.metrics.keys():
            self.metrics[flow] = 0.0

    def open(self, session: Session) -> None:
        """A session begins here."""
        self.session = session
        self.finishing = False
        self.settle()

    def finish(self) -> None:
        """The session here is over."""
        self.last_session, self.session = self.session, None
        self.check = self.overdraws = None
        self.finishing = self.status is not Status.AVAILABLE
        self._nothing_flows()
        self.settle()

    def read(self, sample: Sample, now: datetime, *, live: bool = True) -> WattHours | None:
        """Take readings; the register's Wh where they hold one. Backlog does not change what is live."""
        at = sample.at or now
        energy = energy_of(sample.readings)
        if energy is not None:
            self.count(energy, at)
        if live and now - at <= BACKLOG and not self._older(at):
            self.meter = sample
            self._read_later(sample)
        return energy

    def _read_later(self, sample: Sample) -> None:
        """Readings come faster than anybody looks; but what was never read before is told at once."""
        form = tuple(map(_form, sample.readings))
        self._unread.pop(form, None)
        self._unread[form] = sample
        if form not in self._forms:
            self.measured |= self.metrics.keys()
            if len(self._forms) < FORMS:
                self._forms.add(form)

    def count(self, raw: WattHours, at: datetime) -> None:
        """Take a register reading. Counting does not begin with a 0: it may be a start that nobody metered."""
        if raw or self.register.raw is not None:
            self.register.read(raw, at)

    def _older(self, at: datetime) -> bool:
        return self.meter is not None and self.meter.at is not None and at < self.meter.at

    def _meaning(self) -> Status:
        if self.stand_in is not None:
            return Status.CHARGING if self.session else self.stand_in
        if self.reported != OCCUPIED:
            return self._in_transaction(Status(self.reported))
        if self.session is None:
            return Status.FINISHING if self.finishing else Status.PREPARING
        return self._of_charging_state(self.session)

    def _in_transaction(self, status: Status) -> Status:
        """A 2.x connector that says nothing, or never Occupied, is still told by its transaction."""
        session = self.session
        if session is None or session.charging_state is None:
            return status
        untold = status is Status.UNKNOWN or (status is Status.AVAILABLE and not self._left(session))
        return self._of_charging_state(session) if untold else status

    def _left(self, session: Session) -> bool:
        """Whether the car left in mid-transaction: the end was lost."""
        return self.says_occupied and self.status_at is not None and self.status_at > session.started_at

    def _of_charging_state(self, session: Session) -> Status:
        match session.charging_state:
            case ChargingState.CHARGING:
                return Status.CHARGING
            case ChargingState.SUSPENDED_EV:
                return Status.SUSPENDED_EV
            case ChargingState.SUSPENDED_EVSE:
                return Status.SUSPENDED_EVSE
            case ChargingState.IDLE:
                return Status.FINISHING if session.offered else Status.PREPARING
            case _:
                return Status.SUSPENDED_EVSE if session.offered else Status.PREPARING
