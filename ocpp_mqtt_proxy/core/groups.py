"""Groups: one fuse for several chargers, shared fairly and never exceeded (invariant I5).

Nobody knows which phase a charger hangs on, so each counts on every phase, also one with fewer: all is in A per phase.
What a charger may draw is what it last confirmed, or more that it was asked since; of one that cannot be reached, or
did not do what it was asked, its `safe` current where that is more: what it falls back to. A raise therefore waits for
the lowerings that make room for it.

So the sum is never above the fuse, whoever is lost and whenever we are, as long as all safe currents together are not.
Where they are (`overbooked`), nobody can keep those that are lost from what they fall back to: then the others are
given nothing, and the sum is at most what all may fall back to.

Those that want share equally; what one cannot use goes to the others. Below what a car takes at least, they take turns:
who has waited longest comes first, and keeps its turn for `TURN` at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core.house_load import MARGIN, HouseLoad
from ocpp_mqtt_proxy.core.limits.profile import LEAST_CURRENT, rounded
from ocpp_mqtt_proxy.core.model import Amps

TURN = timedelta(minutes=15)
"""How long a car that has current keeps it while others wait for a turn."""

REST = timedelta(minutes=1)
"""How long a car that lost its current waits at least: contactors and cars bear no flicker."""

_NOTHING = Amps(0)
_DUST = 1e-6
"""What sums of decimal fractions may be off by."""


@dataclass(frozen=True, slots=True)
class Member:
    """A charger of a group as it stands, in A per phase of each connector.

    `wants`: a car there takes what it gets, `most` at most. `held`: what it may draw as it last confirmed, or was asked
    since. `sure`: it did what it was asked last. Every connector has the same limit. `keeps`: what it has it has for
    good, also where nobody can reach it any more; then what others fall back to is kept free for them beside it.
    """

    id: str
    wants: bool = False
    most: Amps = LEAST_CURRENT
    held: Amps = _NOTHING
    safe: Amps = LEAST_CURRENT
    online: bool = True
    sure: bool = True
    connectors: int = 1
    keeps: bool = False

    @property
    def follows(self) -> bool:
        """Whether it does as it is asked."""
        return self.online and self.sure

    @property
    def draws(self) -> float:
        """What it may draw in all, whatever happens to it."""
        return self.connectors * self.held if self.follows and not self.keeps else self.falls

    @property
    def falls(self) -> float:
        """What it may draw in all, now or once it falls back."""
        return self.connectors * max(self.held, self.safe)

    @property
    def safely(self) -> float:
        """What it draws at most in all once it has fallen back."""
        return self.connectors * self.safe

    @property
    def least(self) -> float:
        """What it needs at least to be of use."""
        return self.connectors * LEAST_CURRENT

    @property
    def hungry(self) -> bool:
        """Whether it can be given anything."""
        return self.online and self.wants and self.most >= LEAST_CURRENT


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a car that wants is to have current, since when, and from when on it may again."""

    on: bool
    since: datetime
    rested: datetime


@dataclass(frozen=True, slots=True)
class Shares:
    """What members are allowed, in A per phase of each connector, and whose turn it is."""

    amps: Mapping[str, Amps] = field(default_factory=dict)
    turns: Mapping[str, Turn] = field(default_factory=dict)


@dataclass(slots=True)
class Group:
    """One fuse, in A per phase. `house` is None where nobody measures what else hangs on it."""

    id: str
    chargers: tuple[str, ...]
    max_current: Amps
    house: HouseLoad | None = None
    turns: Mapping[str, Turn] = field(default_factory=dict)

    def room(self, now: datetime) -> Amps:
        """What the fuse has for the chargers; nothing, while nobody knows what the house takes."""
        if self.house is None:
            return self.max_current
        load = self.house.load(now)
        return _NOTHING if load is None else Amps(max(0.0, self.max_current - load - MARGIN))


def total(members: Iterable[Member]) -> float:
    """What members may draw together."""
    return sum(member.draws for member in members)


def overbooked(safe: Iterable[float], fuse: float) -> bool:
    """Whether what chargers fall back to is more than their fuse bears."""
    return sum(safe) > fuse + _DUST


def warning(group_id: str, fuse: float) -> str:
    """What is said of a group that is overbooked."""
    return (
        f"groups: {group_id}: what its chargers fall back to without a connection (safe_current) is together above its "
        f"max_current of {fuse:g} A: those that are lost may draw more than the fuse bears"
    )


def share_out(members: Iterable[Member], room: float, turns: Mapping[str, Turn], now: datetime) -> Shares:
    """What each member that is online may be asked to keep to now, of the room that the fuse has for all of them.

    Whoever is to have less is told so at once; more, only as far as there is room beside all that may be drawn now.
    """
    every = _beside_who_keeps(list(members))
    online = [one for one in every if one.online]
    left = _left(room, (one for one in every if not one.online))
    chosen, turns = _take_turns([one for one in online if one.hungry], left, turns, now)
    free = _kept_free(online, chosen)
    aims = _aims(chosen, left - free, _left(room, (one for one in every if not one.follows)) - free)
    lower = {one.id: min(aims.get(one.id, _NOTHING), one.held) for one in online}
    return Shares(lower | _raises(online, aims, room - total(every)), turns)


def _beside_who_keeps(members: list[Member]) -> list[Member]:
    """Where one keeps what it has for good, all count at least with what they fall back to."""
    keeps = any(one.keeps for one in members)
    return [replace(one, keeps=keeps) for one in members]


def _kept_free(online: list[Member], chosen: list[Member]) -> float:
    """What is to be left to those that are to have nothing now."""
    served = {one.id for one in chosen}
    return sum(one.safely for one in online if one.keeps and one.id not in served)


def _aims(chosen: list[Member], left: float, certain: float) -> dict[str, Amps]:
    """What each should come to: of those that do not do as asked, what was theirs; of the others, what is certain."""
    theirs = _fill(chosen, max(0.0, left))
    obeying = _fitting((one for one in chosen if one.sure), certain)
    return {one.id: theirs[one.id] for one in chosen if not one.sure} | _fill(obeying, certain)


def _left(room: float, others: Iterable[Member]) -> float:
    return max(0.0, room - total(others))


def _take_turns(
    members: list[Member], room: float, turns: Mapping[str, Turn], now: datetime
) -> tuple[list[Member], dict[str, Turn]]:
    """Who is to have current, and the turns as they are then."""
    standing = {one.id: turns.get(one.id, Turn(on=False, since=now, rested=now)) for one in members}
    ready = [one for one in members if standing[one.id].on or standing[one.id].rested <= now]
    chosen = _fitting(sorted(ready, key=lambda one: _rank(standing[one.id], now)), room)
    have = {one.id for one in chosen}
    return chosen, {one: _turned(turn, now, on=one in have) for one, turn in standing.items()}


def _rank(turn: Turn, now: datetime) -> tuple[int, float]:
    """Who goes first: whose turn has just begun, then who waits longest, then whose turn is over."""
    since = turn.since.timestamp()
    if not turn.on:
        return 1, since
    return (0, -since) if now - turn.since < TURN else (2, -since)


def _turned(turn: Turn, now: datetime, *, on: bool) -> Turn:
    return turn if turn.on is on else Turn(on, now, now if on else now + REST)


def _fitting(members: Iterable[Member], room: float) -> list[Member]:
    """As many as can have the least that is of use, in this order."""
    found: list[Member] = []
    for one in members:
        if one.least <= room + _DUST:
            room -= one.least
            found.append(one)
    return found


def _fill(members: list[Member], room: float) -> dict[str, Amps]:
    """Equal parts of the room for every connector; what one cannot use is the others'."""
    connectors = sum(one.connectors for one in members)
    amps: dict[str, Amps] = {}
    for one in sorted(members, key=lambda one: one.most):
        part = min(one.most, room / connectors)
        amps[one.id] = rounded(part)
        room -= part * one.connectors
        connectors -= one.connectors
    return amps


def _raises(members: Iterable[Member], aims: Mapping[str, Amps], free: float) -> dict[str, Amps]:
    """Who may have more at once, as far as there is room for it now: who has least first."""
    found: dict[str, Amps] = {}
    for one in sorted(members, key=lambda one: one.held):
        room = rounded(max(0.0, free + one.draws) / one.connectors)
        part = min(aims.get(one.id, _NOTHING), room)
        if one.sure and part > one.held and part >= LEAST_CURRENT:
            found[one.id] = part
            free -= max(0.0, part * one.connectors - one.draws)
    return found
