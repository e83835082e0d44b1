"""The audit of limits: why a connector is bound by another, and whether it is kept to, for whoever asks later.

A provider may set another limit every few seconds for days. Of a connector's changes the log bears 60 at once and
then one in 30 s; the next that is there tells how many are not.
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core.audit import LIMIT, Cause, Decided
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station

TEXTS = {
    Cause.LOWERED: "lowered at once",
    Cause.RAISED: "raised after calm",
    Cause.SHARED: "the same, by another",
    Cause.CEILING: "the owner's word",
    Cause.PAUSED: "paused",
    Cause.RESUMED: "goes on after a pause",
    Cause.STEP: "a step of what the charger holds",
    Cause.FELL_BACK: "what the charger held ran out: it fell back",
    Cause.BEGAN: "a transaction began",
    Cause.ENDED: "a transaction ended",
    Cause.REFUSED: "the charger refused less: it was told to give nothing",
    Cause.STOPPED: "the charger refused less, and nothing too: its transaction is stopped",
    Cause.VERIFIED: "the charger is seen to keep to it",
    Cause.IGNORED: "the charger gives more",
}
"""The same for people."""

ALWAYS = frozenset({Cause.FELL_BACK, Cause.REFUSED, Cause.STOPPED, Cause.IGNORED})
"""What is explained however often it happens."""


def change(hearing: Hearing, connector: Connector, before: Amps | None, cause: Cause) -> None:
    """Another limit binds than before."""
    if cause not in ALWAYS and not connector.explained.bears(hearing.now):
        connector.unexplained += 1
        return
    more = {"unrecorded": connector.unexplained} if connector.unexplained else {}
    connector.explained.write(hearing.now)
    connector.unexplained = 0
    _explain(hearing, connector, cause, {"from": before, **more})


def seen(hearing: Hearing, connector: Connector, cause: Cause, by: str, gives: float | None = None) -> None:
    """The limit that binds is seen to be kept to, or not: by what flows, is offered or scheduled, so many A."""
    if cause in ALWAYS or connector.explained.bears(hearing.now):
        connector.explained.write(hearing.now)
        more = {} if gives is None else {"gives": round(gives, 1)}
        _explain(hearing, connector, cause, {"seen_by": by, **more})


def stopped(hearing: Hearing, session: Session) -> None:
    """A transaction is stopped: its charger refuses every limit that is low enough."""
    connector = hearing.station.connectors.get(session.connector)
    if connector is not None:
        _explain(hearing, connector, Cause.STOPPED, {"transaction_id": session.transaction_id})


def _explain(hearing: Hearing, connector: Connector, cause: Cause, more: dict[str, object]) -> None:
    station, effective = hearing.station, connector.effective_limit
    amount = "" if effective is None else f"{effective:g} A, "
    hearing.keep(
        Decided(
            at=hearing.now,
            charger=station.id,
            provider=connector.limited_by or OWNER,
            control_class=ControlClass.SMART_CHARGING,
            subject=LIMIT,
            granted=True,
            reason=cause,
            message=amount + TEXTS[cause],
            inputs={"connector": connector.number, "to": effective, **more, **_say(station, connector)},
        )
    )


def _say(station: Station, connector: Connector) -> dict[str, object]:
    """What everybody who has a say allowed."""
    return {
        "ceiling": station.ceiling_of(connector.number),
        "allowed": dict(station.allowed.get(connector.number, {})),
        "safe": station.memory.safe,
        "session": connector.session.limit if connector.session is not None else None,
        "verified": connector.limit_verified,
    }


def cause_of(hearing: Hearing, connector: Connector, effective: Amps, order: SetLimit | None) -> Cause:
    """Why another limit binds: by an order that the charger confirmed, by time, or by what is allowed."""
    station, before, session = hearing.station, connector.effective_limit, connector.session
    if order is not None and order.instead_of is not None:
        return Cause.REFUSED
    if session is not None and session.session_id in station.pausing:
        return Cause.PAUSED if station.pausing[session.session_id] else Cause.RESUMED
    if station.wish is not None:
        return Cause.CEILING
    if order is None and (by_itself := _by_itself(hearing, connector)) is not None:
        return by_itself
    if before == effective:
        return Cause.SHARED
    return Cause.RAISED if before is not None and effective > before else Cause.LOWERED


def _by_itself(hearing: Hearing, connector: Connector) -> Cause | None:
    """What the charger did by its clock since the last limit: it went on to a step, or what it held ran out."""
    session, since = connector.session, connector.bound_at
    if since is None:
        return None
    for held in (session.held if session is not None else None, hearing.station.memory.installed):
        if held is None:
            continue
        if held.until is not None and since < held.until <= hearing.now:
            return Cause.FELL_BACK
        if held.lasts(hearing.now):
            return Cause.STEP if any(since < at <= hearing.now for at, _ in held.steps[1:]) else None
    return None
