"""Which profile a charger must be put next, so that it never gives more than is allowed (invariant I5).

There are three of them, ours alone:

    session   of each transaction: what binds it, in steps, for a quarter of an hour; put again before that is over
    default   of what begins before we can say more; while nothing runs it changes with what binds, and then runs out
    base      below both, for good: the charger's `safe_current`, which is what it falls back to when we are gone

A charger that takes no second default has one that goes down to the safe current by itself, as its last period. What
lowers goes at once. What raises waits for 10 s of calm, and until the charger's memory bears it (contract §8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.doubt import asked_too_much, in_doubt, may_apply, may_have
from ocpp_mqtt_proxy.core.held import Held, Steps, alive, exceeds, least, lesser, onward, value
from ocpp_mqtt_proxy.core.limit_orders import Layer
from ocpp_mqtt_proxy.core.limits.profile import usable
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import SOON, Failure, Station

CALM = timedelta(seconds=10)
"""How long what was put last has to have lasted before more is allowed (contract §8)."""

CHARGING = timedelta(minutes=15)
"""How long a transaction's profile lasts: then a charger whose proxy is gone falls back."""

STANDING_IN = timedelta(minutes=30)
"""How long the default lasts where it stands for a transaction's: it is in flash."""

SHOWN = timedelta(minutes=15)
"""How long a default lasts that is above the base: what begins then has it at once."""

SHUT = timedelta(hours=2)
"""How long one lasts that is below the base: put again each hour, it is written 88,000 times in ten years."""

RETRY = timedelta(seconds=10)
RETRIES = 6
"""How soon a charger is asked again that did not take a profile, and how often that doubles: some never take one."""

EXACT = timedelta(seconds=5)
"""By how much a charger's clock may be wrong where it is to take steps by itself."""


@dataclass(frozen=True, slots=True)
class Want:
    """A profile that is to be put to the charger. `lowers`: what it holds allows more than may flow.

    `needed`: something else may flow then; the others keep what is so. `instead_of`: nothing, as that was
    refused.
    """

    layer: Layer
    steps: Steps
    until: datetime | None = None
    session: Session | None = None
    lowers: bool = False
    needed: bool = False
    instead_of: Amps | None = None

    @property
    def key(self) -> str:
        """Its name among the profiles of the charger."""
        return self.layer if self.session is None else self.session.session_id

    @property
    def amps(self) -> Amps:
        """What holds at once."""
        return self.steps[0][1]


# What may flow


def goal(station: Station, connector: Connector, now: datetime, *, own: bool = True) -> Steps:
    """What may flow on a connector from now on; with what its session has of its own, where `own`."""
    ahead = station.ahead.get(connector.number)
    if ahead is None:
        ahead = ((now, station.plan.max_current if station.provided is None else station.provided.amps),)
    most = station.ceiling_of(connector.number)
    session = connector.session
    if own and session is not None:
        paused = station.pausing.get(session.session_id, session.paused)
        most = Amps(0) if paused else min(most, session.limit if session.limit is not None else most)
    return lesser(onward(ahead, now), usable(most))


def goal_of_all(station: Station, now: datetime, *, own: bool = True) -> Steps:
    """What may flow wherever a transaction begins; less where what stands for all stands for one that runs (`own`)."""
    station.sole()
    lines = [goal(station, one, now, own=own and _stands_for(station, one)) for one in station.ordered()]
    return least(lines, now)


def _stands_for(station: Station, connector: Connector) -> bool:
    return connector.session is not None and station.stands_in(connector.session)


def safe(station: Station) -> Amps:
    """What a charger falls back to when we are gone: never above the owner's ceiling."""
    return usable(min(station.plan.safe_current, station.ceiling))


def above_others(station: Station, session: Session | None, now: datetime) -> bool:
    """Whether more may flow than others allow, and not only more than its owner or the installation does.

    On the connector of a session; without one on any.
    """
    places = list(station.ahead) if session is None else [session.connector]
    others = [value(station.ahead[number], now) for number in places if number in station.ahead]
    if not others and station.provided is not None:
        others = [station.provided.amps]
    asked = alive(station.memory.asked.get(Layer.DEFAULT if session is None else session.session_id), now)
    has = value(may_apply(station, session, now, now + SOON), now)
    most = has if asked is None else max(has, value(asked.steps, now))
    return any(amps < min(most, station.plan.max_current) for amps in others)


# What the charger has to be put


def wants(station: Station, now: datetime, *, eager: bool = False) -> Iterator[Want]:
    """What has to be put to the charger now, the most urgent first. `eager`: what raises need not wait."""
    ready = [want for want in every_want(station, now, eager=eager) if eager or _due(station, want, now)]
    yield from sorted(ready, key=lambda want: not want.lowers)


def every_want(station: Station, now: datetime, *, eager: bool = False) -> Iterator[Want]:
    """The same with what the charger did not take just now, and is not to be asked again yet."""
    if not station.limited:
        return
    yield from _of_sessions(station, now, eager=eager)
    lasting = [*_base(station, now), *_default(station, now, eager=eager)]
    # Some take one default only: not the one that lies below.
    unknown = in_doubt(station, Layer.DEFAULT) or station.memory.installed is None
    yield from reversed(lasting) if unknown else lasting


def _due(station: Station, want: Want, now: datetime) -> bool:
    """What lowers never waits for what raised, and was not taken or not answered.

    What others allow less of is put again soon; ever later where no car charges, as some never take a limit.
    """
    failure = station.failed.get(want.key)
    if failure is None or (want.lowers and not failure.lowers):
        return True
    urgent = want.lowers and any(station.sessions()) and above_others(station, want.session, now)
    return now >= again_at(failure, lowers=urgent)


def again_at(failure: Failure, *, lowers: bool) -> datetime:
    """When a profile that was not taken is tried again: what lowers soon, what does not ever later."""
    return failure.at + RETRY * (1 if lowers else 2 ** min(RETRIES, failure.times - 1))


def _of_sessions(station: Station, now: datetime, *, eager: bool) -> Iterator[Want]:
    for connector in station.ordered():
        session = connector.session
        if session is not None and not station.stands_in(session):
            yield from _of_session(station, connector, session, now, eager=eager)


def _of_session(
    station: Station, connector: Connector, session: Session, now: datetime, *, eager: bool
) -> Iterator[Want]:
    wanted = goal(station, connector, now)
    has, own = station.applies(session, now, now + SOON), alive(session.held, now)
    until = now + CHARGING if falls_back(station, now + CHARGING) else None
    may = may_apply(station, session, now, now + SOON)
    lowers = _too_much(may, own, wanted, now) or asked_too_much(station, session.session_id, wanted, now)
    more = _more(has, wanted, now)
    lasted = calm(own or _put_meanwhile(station, session, now), now)
    rises = more and (eager or lasted) and station.wear.passing.bears(now)
    steps = wanted if rises or not more else lesser(wanted, value(has, now))
    until = _until_less(station, steps, until, lambda at: station.defaults(at, at + SOON)[0][1])
    worn = own is not None and _worn(own, now, until)
    rises = rises and _gains(own, has, steps, now, until)
    if lowers or rises or worn or in_doubt(station, session.session_id):
        yield Want(Layer.SESSION, _told(station, steps, until), until, session, lowers, lowers or rises)


def _put_meanwhile(station: Station, session: Session, now: datetime) -> Held | None:
    """The default where it was put since a session began; what there was before keeps no car waiting."""
    default = alive(station.memory.installed, now)
    return default if default is not None and default.since > session.started_at else None


def _base(station: Station, now: datetime) -> Iterator[Want]:
    """Never above what binds when it is put; what is below the default later is the default's to see to.

    What a session has of its own, as a pause, is no limit for those that come.
    """
    if not takes_base(station):
        return
    most, has = safe(station), station.memory.safe
    binds = value(goal_of_all(station, now, own=False), now)
    if has is None:
        yield Want(Layer.BASE, ((now, min(most, binds)),))
    elif has > most or asked_too_much(station, Layer.BASE, ((now, most),), now):
        yield Want(Layer.BASE, ((now, min(has, most)),), lowers=True, needed=True)
    elif has < most <= binds and station.wear.lasting.bears(now):
        yield Want(Layer.BASE, ((now, most),))
    elif in_doubt(station, Layer.BASE):
        yield Want(Layer.BASE, ((now, min(has, binds)),))


def _default(station: Station, now: datetime, *, eager: bool) -> Iterator[Want]:
    wanted = goal_of_all(station, now)
    has, own = station.defaults(now, now + SOON), alive(station.memory.installed, now)
    may = may_apply(station, None, now, now + SOON)
    lowers = _too_much(may, own, wanted, now) or asked_too_much(station, Layer.DEFAULT, wanted, now)
    more = _more(has, wanted, now) and _worth_it(station, value(has, now), value(wanted, now))
    rises = more and (eager or calm(own, now)) and station.wear.lasting.bears(now)
    doubted = Layer.DEFAULT in station.memory.asked or (Layer.DEFAULT in station.doubted and own is not None)
    steps = wanted if rises or not _more(has, wanted, now) else lesser(wanted, value(has, now))
    want = _default_want(station, steps, now)
    rises = rises and _gains(own, has, steps, now, want.until)
    want = replace(want, lowers=lowers, needed=lowers or rises)
    if lowers or rises or doubted or _default_worn(station, own, want, value(wanted, now), now):
        yield want


def _default_want(station: Station, steps: Steps, now: datetime) -> Want:
    base, first = station.memory.safe, steps[0][1]
    lasts = STANDING_IN if stands_for_one(station) else SHOWN
    if base is not None and has_base(station):
        if first < base:  # it lasts for long: it never goes above the base by itself
            steps, lasts = lesser(steps, base), SHUT
        until = _until_less(station, steps, now + lasts, lambda _: base)
        return Want(Layer.DEFAULT, _told(station, steps, until), until)
    if first <= safe(station) or not goes_down(station):
        return Want(Layer.DEFAULT, ((now, first),))
    down = lesser(onward(steps, now + lasts), safe(station))
    return Want(Layer.DEFAULT, ((now, first), *_as_many(down, takes_steps(station) - 1)))


def stands_for_one(station: Station) -> bool:
    """Whether the default stands for the profile of a transaction that runs."""
    return any(station.stands_in(session) for session in station.sessions())


def _worth_it(station: Station, has: Amps, wanted: Amps) -> bool:
    """Whether a raise is worth a write to flash: where a transaction needs it, or what begins next would."""
    if stands_for_one(station) or has < safe(station) <= wanted:
        return True
    installed = station.memory.installed
    return not any(station.sessions()) and (installed is None or installed.first != wanted)


def _default_worn(station: Station, own: Held | None, want: Want, wanted: Amps, now: datetime) -> bool:
    """Whether the default is to be put again before it is over."""
    base = station.memory.safe
    if own is None:
        return False
    if has_base(station) and own.until is None:
        return own.first != base
    if len(own.steps) == 1 and own.first > safe(station) and goes_down(station):
        return True
    if base is not None and wanted < min(base, safe(station)) and own.until is not None:
        return own.until - now <= SHUT / 2  # soon, where there was nothing to shut off below it when it was put
    needed = stands_for_one(station) or (base is not None and wanted < base)
    if len(own.steps) > 1 and own.until is None:
        return needed and now >= own.since + (own.steps[1][0] - own.since) / 2
    return needed and own.until is not None and _worn(own, now, want.until)


def _worn(held: Held, now: datetime, until: datetime | None) -> bool:
    """Whether half of its time is over, and it could last longer; or it has no end, and could have one."""
    half = held.halfway()
    if held.until is None or half is None:
        return until is not None
    return now >= half and (until is None or until > held.until)


def _too_much(has: Steps, own: Held | None, wanted: Steps, now: datetime) -> bool:
    """Whether more may flow than is allowed: now, when what is held runs out, or at a step of its own."""
    if value(has, now) > value(wanted, now):
        return True
    over = own.until if own is not None and own.until is not None else None
    if over is not None and over < now + SOON and value(has, over) > value(wanted, over):
        return True
    return over is not None and own is not None and len(own.steps) > 1 and exceeds(own.steps, wanted, now, over)


def _more(has: Steps, wanted: Steps, now: datetime) -> bool:
    """Whether less may flow than is allowed, now or soon."""
    return any(value(has, at) < min(value(wanted, now), value(wanted, at)) for at in (now, has[-1][0]))


def _gains(own: Held | None, has: Steps, steps: Steps, now: datetime, until: datetime | None) -> bool:
    """Whether more flows where it is put now: at once, or for longer than by what is held."""
    over = own.until if own is not None else None
    return over is None or until is None or until > over or steps[0][1] > value(has, now)


def calm(held: Held | None, now: datetime) -> bool:
    """Whether what is held has lasted long enough for more; not where the clock was put back."""
    return held is None or not timedelta(0) <= now - held.since < CALM


# What the charger takes


def takes_base(station: Station) -> bool:
    """Whether a second default can lie below the first, at the next lower stack level."""
    memory = station.memory
    if memory.flat or memory.untimed:
        return False
    return memory.form is None or memory.form.bears_another


def has_base(station: Station) -> bool:
    """Whether one lies below it, so that it may run out."""
    return station.memory.safe is not None and takes_base(station)


def goes_down(station: Station) -> bool:
    """Whether the default goes down to the safe current by itself, where none can lie below it."""
    return not takes_base(station) and takes_steps(station) > 1


def keeps(station: Station) -> bool:
    """Whether what the charger is put is there for good: it takes nothing below it, nor an end."""
    return station.memory.untimed or not (takes_base(station) or goes_down(station))


def takes_steps(station: Station) -> int:
    """How many periods the charger takes, of a schedule that it follows by its own clock."""
    if station.memory.form is not None and station.memory.form.relative:
        return 1
    if station.clock_ahead > EXACT or station.behind is None or station.behind > EXACT:
        return 1
    known = [most for most in (station.max_periods, station.memory.most_periods) if most is not None]
    return max(1, min(known, default=MOST_PERIODS))


MOST_PERIODS = 24
"""Periods of a profile of ours at most."""


def falls_back(station: Station, at: datetime) -> bool:
    """Whether what lies below a transaction's profile when it is over then is no more than the safe current."""
    memory = station.memory
    if memory.untimed or (memory.session_form is not None and memory.session_form.relative):
        return False
    below = station.defaults(at, at + SOON)[0][1]
    known = memory.safe is not None or alive(memory.installed, at) is not None
    return known and below <= station.plan.safe_current


def _until_less(
    station: Station, steps: Steps, until: datetime | None, below: Callable[[datetime], Amps]
) -> datetime | None:
    """When what is put is over. Where the charger cannot go on to less by itself, but falls back as low, by then."""
    if until is None or takes_steps(station) > 1:
        return until
    less = (at for at, amps in steps if amps < steps[0][1] and below(at) <= amps)
    return min(until, next(less, until))


def _told(station: Station, steps: Steps, until: datetime | None) -> Steps:
    """As many steps as the charger takes."""
    within = tuple(step for step in steps if until is None or step[0] < until)
    return _as_many(within, takes_steps(station) if until is not None else 1)


def _as_many(steps: Steps, most: int) -> Steps:
    """So many steps; where that is too few, the last is the least of what would follow: it is put anew in time."""
    if most == 1 or len(steps) <= most:
        return steps[:most]
    *kept, (at, _) = steps[:most]
    return (*kept, (at, min(amps for _, amps in steps[most - 1 :])))


# When to look again


def next_look(station: Station, now: datetime) -> datetime | None:
    """When something has to be put to the charger next, or what it holds goes on to its next step."""
    if not station.limited:
        return None
    held = [station.memory.installed, *(session.held for session in station.sessions())]
    times: list[datetime | None] = [again_at(failure, lowers=failure.lowers) for failure in station.failed.values()]
    for one in held:
        if one is not None:
            over = None if one.until is None else one.until - SOON
            times += [one.halfway(), over, one.until, one.since + CALM, *(at for at, _ in one.steps)]
    return min((at for at in times if at is not None and at > now), default=None)


def shown(station: Station, connector: Connector, now: datetime) -> Amps | None:
    """What binds a connector: what its session's profile allows; while none runs what one would have.

    None where the charger never confirmed anything.
    """
    memory, session = station.memory, connector.session
    confirmed = (memory.installed, memory.safe, session.held if session is not None else None)
    if connector.effective_limit is None and all(one is None for one in confirmed):
        return None
    has = max([value(may_apply(station, session, now, now + SOON), now), *may_have(station, session, now)])
    if session is not None and not session.awaits_card:
        return min(has, station.plan.max_current)
    return max(min(has, station.plan.max_current), value(goal(station, connector, now), now))
