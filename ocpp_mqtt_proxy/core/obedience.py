"""Whether chargers keep to the limits that bind, and what follows: it is told, explained, and counts for their group.

Looked at with each reading of a limited session until it is known; from then on only of a charger that was caught.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_mqtt_proxy.core import explaining
from ocpp_mqtt_proxy.core.audit import Cause
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import LimitsIgnored, LimitsObeyed, LimitVerified
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import value
from ocpp_mqtt_proxy.core.model import Amps, Sample
from ocpp_mqtt_proxy.core.station import SOON
from ocpp_mqtt_proxy.core.verifying import Check, Ignored, Seen, drawn_of, evidence, seen_in, slack

FRESH = timedelta(minutes=2)
"""How old a reading may be that tells what flowed before a limit."""


def begin(hearing: Hearing, connector: Connector, effective: Amps) -> None:
    """Another limit binds a connector from now on; where a session runs it is yet to be seen whether that is kept."""
    before, caught = connector.effective_limit, hearing.station.ignores is not None
    if connector.session is None:
        connector.check = None
    elif connector.check is None or connector.check.amps != effective:
        lowers = before is None or effective < before
        connector.check = Check(effective, hearing.now, _flowed(hearing, connector), lowers, caught=caught)


def _flowed(hearing: Hearing, connector: Connector) -> float:
    """What flowed just now, in A on the fullest phase; nothing where that was not read."""
    meter = connector.meter
    if meter is None or meter.at is None or hearing.there - meter.at > FRESH:
        return 0.0
    return drawn_of(connector.metrics) or 0.0


def watch(hearing: Hearing, connector: Connector, sample: Sample) -> None:
    """Readings of a session came in: look whether its limit is kept to, where that is not known."""
    check, effective = connector.check, connector.effective_limit
    if (check is not None and check.closed) or effective is None or connector.session is None:
        return
    if check is None:  # it binds from before the session, or from before we began
        begin(hearing, connector, effective)
        return
    at = min(hearing.now, (sample.at or hearing.now) + (hearing.station.behind or timedelta(0)))
    if not check.tells(at) or check.passes_over(sample.readings):
        return
    seen = seen_in(sample.readings, lambda: connector.metrics.get("voltage"), hearing.station.plan.phases)
    if evidence(check.amps, check.before, seen) is None or not _is_held(hearing, connector, check, sample):
        return
    if check.take(seen, at):
        _judged(hearing, connector, check, seen)
    elif check.verified is False:
        _count(connector, seen)


def _is_held(hearing: Hearing, connector: Connector, check: Check, sample: Sample) -> bool:
    """Whether that limit, and no other, is what the charger held when it read: it goes on by its own clock."""
    station, at = hearing.station, sample.at or hearing.now
    has = value(station.applies(connector.session, at, at + SOON), at)
    return min(has, station.plan.max_current) == check.amps


def scheduled(hearing: Hearing, connector: Connector, check: Check, amps: float) -> None:
    """The charger told its composite schedule."""
    if connector.check is check and check.scheduled(amps):
        _judged(hearing, connector, check, Seen())


def _judged(hearing: Hearing, connector: Connector, check: Check, seen: Seen) -> None:
    if check.verified:
        connector.overdraws = None
        hearing.tell(LimitVerified, connector, effective=check.amps, by=connector.limited_by)
        explaining.seen(hearing, connector, Cause.VERIFIED, check.by)
        _acquit(hearing, connector, check)
    else:
        _count(connector, seen)
        explaining.seen(hearing, connector, Cause.IGNORED, check.by, _given(seen))
        _accuse(hearing, connector, check, _given(seen))


def _count(connector: Connector, seen: Seen) -> None:
    """What its group has to count: what flows, else what may."""
    now = seen.drawn if seen.drawn is not None else _given(seen)
    if now:
        connector.overdraws = now


def _given(seen: Seen) -> float:
    """The most that it gives."""
    return max((one for one in seen if one is not None), default=0.0)


def _accuse(hearing: Hearing, connector: Connector, check: Check, gives: float) -> None:
    station = hearing.station
    before, station.ignores = station.ignores, Ignored(hearing.now, gives)
    if before is not None:
        station.ignores = Ignored(before.since, max(before.gave, gives))
        return
    hearing.tell(LimitsIgnored, connector, effective=check.amps, gives=gives)


def _acquit(hearing: Hearing, connector: Connector, check: Check) -> None:
    """It obeys again: but not by keeping to a limit that allows what it gave anyhow."""
    ignores = hearing.station.ignores
    if ignores is not None and check.amps + slack(check.amps) < ignores.gave:
        hearing.station.ignores = None
        hearing.tell(LimitsObeyed, connector)
