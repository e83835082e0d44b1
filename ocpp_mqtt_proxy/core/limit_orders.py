"""Orders of our own limits: which profile of ours a charger is to hold, and in what form it takes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.model import Amps, Target


class Purpose(StrEnum):
    """What a profile limits: one transaction, every one that has no profile of its own, or the whole charger."""

    TRANSACTION = "transaction"
    DEFAULT = "default"
    CHARGER = "charger"


class Layer(StrEnum):
    """Which of our profiles: of a transaction, below all others, or in between; its key where there is one of it."""

    SESSION = "session"
    BASE = "base"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ProfileForm:
    """What form of a charging profile a charger takes: chargers differ, and refuse what others need.

    `in_watts` for those that take only power (ChargingScheduleAllowedChargingRateUnit), `relative` for those
    that take no start time. `purpose` for those that do not take the one that fits: None is that one.
    """

    stack_level: int = 0
    in_watts: bool = False
    relative: bool = False
    purpose: Purpose | None = None

    @property
    def bears_another(self) -> bool:
        """Whether a second default can lie below one of this form: at the next lower level, by a date."""
        return self.stack_level > 0 and not self.relative and self.purpose in (None, Purpose.DEFAULT)


STARTED_AGO = timedelta(minutes=1)
"""How long ago a schedule of ours began that holds from now on: it is to hold at once (1.6 §5.16.4)."""


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Limit the current per phase; 0 pauses. Installed as one profile of ours.

    `start` is where the schedule begins by the charger's clock: `STARTED_AGO`. `limit` holds from now on, `later` what
    follows (seconds from now, A), and all of it for so many `seconds`: None for good. With `transaction_id` it holds
    for that transaction alone. `base` is the one below all others, which is there when they are over. `since` is now,
    by our own clock. `instead_of` is what the charger refused, where it is to give nothing now.
    """

    at: Target
    limit: Amps
    start: datetime
    phases: int = 3
    form: ProfileForm = ProfileForm()
    transaction_id: str | None = None
    later: tuple[tuple[float, Amps], ...] = ()
    seconds: float | None = None
    base: bool = False
    since: datetime | None = None
    instead_of: Amps | None = None

    @property
    def purpose(self) -> Purpose:
        """What the profile limits: what it is for, where the charger takes that."""
        return self.form.purpose or (Purpose.TRANSACTION if self.transaction_id else Purpose.DEFAULT)

    @property
    def stands_for_a_transaction(self) -> bool:
        """Whether one transaction is limited by what limits others too, and outlasts it."""
        return self.transaction_id is not None and self.purpose != Purpose.TRANSACTION

    def held(self, now: datetime) -> Held:
        """What the charger holds once it took this."""
        since = self.since or now
        steps = tuple((since + timedelta(seconds=after), amps) for after, amps in self.later)
        until = None if self.seconds is None else since + timedelta(seconds=self.seconds)
        return Held(((since, self.limit), *steps), until)


@dataclass(frozen=True, slots=True)
class ClearLimit:
    """Take our profile of a connector away: it outlasted the transaction that it was for."""

    at: Target
