"""Charging profiles as the independent chargers hold them: written from the specification, as plainly as possible.

Nothing of ours is used. Profiles are what the `ocpp` package hands to a charge point: dictionaries in snake_case.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

Profile = dict[str, Any]

TX, DEFAULT = "TxProfile", "TxDefaultProfile"
MAX = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
EVERY = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def schedule_of(profile: Profile) -> dict[str, Any]:
    """2.x has a list of them."""
    plan = profile["charging_schedule"]
    return dict(plan[0] if isinstance(plan, list) else plan)


def number_of(profile: Profile) -> int:
    return int(profile["charging_profile_id"] if "charging_profile_id" in profile else profile["id"])


class Profiles:
    """The profiles of a charger with one connector (1.6 §3.13, 2.x K01).

    `most_periods` and `highest` are what it tells it bears. `strict` as 2.x is, which refuses a second profile of a
    purpose at a stack level.
    """

    def __init__(self, *, strict: bool = False, most_periods: int = 24, highest: int = 8) -> None:
        self.strict, self.most_periods, self.highest = strict, most_periods, highest
        self.held: list[tuple[int, Profile]] = []

    def put(self, connector: int, profile: Profile, running: object) -> bool:
        """Take a profile, or not. `running` is the transaction's id, None while none runs."""
        if not self._bearable(profile) or not self._fits(connector, profile, running):
            return False
        others = [one for one in self.held if number_of(one[1]) != number_of(profile)]
        alike = [one for one in others if self._alike(one, (connector, profile))]
        if alike and self.strict:
            return False
        self.held = [one for one in others if one not in alike]
        self.held.append((connector, profile))
        return True

    def _bearable(self, profile: Profile) -> bool:
        periods = schedule_of(profile)["charging_schedule_period"]
        return profile["stack_level"] <= self.highest and 1 <= len(periods) <= self.most_periods

    def _fits(self, connector: int, profile: Profile, running: object) -> bool:
        """A TxProfile is for a transaction that runs, on its connector; others name none."""
        named = profile.get("transaction_id")
        if profile["charging_profile_purpose"] != TX:
            return named is None and connector in (0, 1)
        return connector == 1 and running is not None and str(named) == str(running)

    @staticmethod
    def _alike(one: tuple[int, Profile], other: tuple[int, Profile]) -> bool:
        keys = ("charging_profile_purpose", "stack_level")
        return one[0] == other[0] and all(one[1][key] == other[1][key] for key in keys)

    def begin_with(self, profile: Profile) -> None:
        """What came with a remote start is the new transaction's."""
        self.held.append((1, profile))

    def end(self) -> None:
        """A transaction is over, and its profiles with it."""
        self.held = [one for one in self.held if one[1]["charging_profile_purpose"] != TX]

    def clear(self, number: int | None = None, **criteria: Any) -> bool:
        """Give up the one of an id, or all that match (connector, purpose, stack level); whether there was any."""
        kept = [one for one in self.held if not self._meant(one, number, criteria)]
        found, self.held = len(kept) < len(self.held), kept
        return found

    @staticmethod
    def _meant(one: tuple[int, Profile], number: int | None, criteria: dict[str, Any]) -> bool:
        connector, profile = one
        if number is not None and number_of(profile) != number:
            return False
        has = {"connector": connector} | profile
        return all(wanted is None or has.get(key) == wanted for key, wanted in criteria.items())

    def of(self, purpose: str, at: datetime, began: datetime | None) -> float | None:
        """A per phase of the highest level of a purpose that has a period just then."""
        there = [one for _, one in self.held if one["charging_profile_purpose"] == purpose]
        for profile in sorted(there, key=lambda one: -int(one["stack_level"])):
            amps = amps_of(profile, at, began)
            if amps is not None:
                return amps
        return None

    def allow(self, at: datetime, began: datetime | None) -> float | None:
        """A per phase that may flow: a transaction's own before the default, and both below the charger's."""
        own = self.of(TX, at, began)
        limits = [self.of(DEFAULT, at, began) if own is None else own, *(self.of(word, at, began) for word in MAX)]
        return min((one for one in limits if one is not None), default=None)

    def steps(self, at: datetime, began: datetime | None, seconds: int) -> Iterator[tuple[int, float | None]]:
        """What is allowed in each second from a time on, told where it changes."""
        last: object = "nothing yet"
        for second in range(seconds):
            allowed = self.allow(at + timedelta(seconds=second), began)
            if allowed != last:
                yield second, allowed
            last = allowed


def amps_of(profile: Profile, at: datetime, began: datetime | None) -> float | None:
    """What a profile allows just then, in A per phase; None where it does not count."""
    if "valid_from" in profile and at < when(profile["valid_from"]):
        return None
    if "valid_to" in profile and at >= when(profile["valid_to"]):
        return None
    plan = schedule_of(profile)
    seconds = _since_its_start(profile, plan, at, began)
    if seconds is None or seconds < 0 or seconds >= plan.get("duration", float("inf")):
        return None
    begun = [period for period in plan["charging_schedule_period"] if period["start_period"] <= seconds]
    limit = float(begun[-1]["limit"])
    return limit if plan["charging_rate_unit"] == "A" else limit / (230 * begun[-1].get("number_phases", 3))


def _since_its_start(profile: Profile, plan: dict[str, Any], at: datetime, began: datetime | None) -> float | None:
    """Seconds since the schedule began: by its date, each day or week anew, or with the transaction."""
    kind = profile["charging_profile_kind"]
    if kind == "Relative" or "start_schedule" not in plan:
        return None if began is None else (at - began).total_seconds()
    since = at - when(plan["start_schedule"])
    if kind == "Recurring":
        since %= EVERY[profile["recurrency_kind"]]
    return since.total_seconds()
