"""What is remembered of one charger across restarts: what it is, what was learned of it, what it holds of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm
from ocpp_mqtt_proxy.core.model import Amps, Nameplate, Variable, Version


@dataclass(frozen=True, slots=True)
class Renewed:
    """A password that the charger was given in place of the configured one, which was `instead_of`; all hashed.

    Until it has come with it (`proven`) the one `before` counts too: None for the configured one (A01).
    """

    password: str
    instead_of: str
    before: str | None = None
    proven: bool = False


@dataclass(slots=True)
class ChargerMemory:
    """What is remembered of a charger across restarts.

    `accepted` once its boot was accepted. `limit` is the owner's ceiling in A as the charger confirmed it,
    `earlier_limit` what that was before it was 0, to go back to. `form` is the form of profile it took for every
    transaction, `session_form` for one. `lowered` are connectors with a profile of ours that outlasts the transaction
    it was for. `installed` is what it last confirmed for every transaction, `safe` what lies below that for good, in A.
    `untimed` once it turned out to take no duration, `flat` no second profile below the first, `most_periods` how many
    periods it took where more were refused. `learned` are quirks that it turned out to have. `asked` are profiles that
    it was put and has not answered, by their keys (`steering`): it may have taken them.

    `inventory` is the device model of a 2.x charger as it was read for
    `inventory_of` (its firmware).
    `measurands` are the metrics that were ever read. `seq` is the number of its last event; what is written
    down as such is `seq_reserved`, some ahead.
    """

    id: str
    version: Version = Version.V16
    nameplate: Nameplate = field(default_factory=Nameplate)
    accepted: bool = False
    operative: bool = True
    limit: Amps | None = None
    form: ProfileForm | None = None
    session_form: ProfileForm | None = None
    lowered: set[int] = field(default_factory=set)
    installed: Held | None = None
    safe: Amps | None = None
    earlier_limit: Amps | None = None
    untimed: bool = False
    flat: bool = False
    most_periods: int | None = None
    learned: set[str] = field(default_factory=set)
    asked: dict[str, Held] = field(default_factory=dict)
    inventory: dict[str, Variable] = field(default_factory=dict)
    inventory_of: str | None = None
    measurands: set[str] = field(default_factory=set)
    renewed: Renewed | None = field(default=None, repr=False)
    seq: int = 0
    seq_reserved: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
