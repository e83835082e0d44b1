"""A charger that keeps profiles as the specification says, and obeys them. It knows nothing of the program.

Frames come in as text and go out as text; profiles are kept in the words of 2.1, for `composite_reference`.
"""

# ruff: noqa: N802, N815 (its answers go by OCPP's own words)

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from ocpp_mqtt_proxy.core.model import Version
from tests.core import composite_reference as book

Object = dict[str, Any]
ALL = frozenset({"TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile"})
FROM_16 = {"ChargePointMaxProfile": "ChargingStationMaxProfile"}


@dataclass(frozen=True)
class Make:
    """What a charger takes. `second_default`: two of them beside each other. `clock` is how much that is ahead in s."""

    version: Version = Version.V16
    connectors: int = 1
    purposes: frozenset[str] = ALL
    most_periods: int = 6
    tells_periods: bool = True
    most_level: int = 10
    takes_duration: bool = True
    second_default: bool = True
    relative_only: bool = False
    units: frozenset[str] = frozenset({"A", "W"})
    phases: int = 3
    clock: float = 0.0
    hardware: int = 32


@dataclass
class Transaction:
    """What runs on a connector."""

    id: str
    began: datetime


@dataclass
class Obedient:
    """The charger. `clock` is the time by it; `stubborn` says what it refuses for a while, whatever it takes else."""

    make: Make
    clock: Callable[[], datetime]
    stubborn: Callable[[Object], bool] = lambda _: False
    profiles: list[Object] = field(default_factory=list)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    stops: list[str] = field(default_factory=list)
    starts: list[Object] = field(default_factory=list)

    def now(self) -> datetime:
        """The time by its clock."""
        return self.clock() + timedelta(seconds=self.make.clock)

    def answer(self, action: str, payload: Object) -> Object:
        """What it answers to a call, having done what was asked."""
        handler: Callable[[Object], Object] = getattr(self, f"on_{action}", lambda _: {"status": "Rejected"})
        return handler(payload)

    # Profiles

    def on_SetChargingProfile(self, payload: Object) -> Object:
        profile = self.read(payload)
        if not self._takes(profile) or self.stubborn(profile):
            return {"status": "Rejected"}
        self.profiles = [one for one in self.profiles if not self._replaces(profile, one)] + [profile]
        return {"status": "Accepted"}

    def read(self, payload: Object) -> Object:
        """A SetChargingProfile as its profile in the words of 2.1."""
        if "csChargingProfiles" not in payload:
            given = payload["chargingProfile"]
            return {**given, "evseId": payload["evseId"], "receivedAt": self.now().isoformat()}
        return self._from_16(payload["csChargingProfiles"], payload["connectorId"])

    def _from_16(self, given: Object, connector: int) -> Object:
        purpose = given["chargingProfilePurpose"]
        found = given | {
            "id": given["chargingProfileId"],
            "evseId": connector,
            "chargingProfilePurpose": FROM_16.get(purpose, purpose),
            "chargingSchedule": [given["chargingSchedule"]],
            "receivedAt": self.now().isoformat(),
        }
        if "transactionId" in given:
            found["transactionId"] = str(given["transactionId"])
        return found

    def _takes(self, profile: Object) -> bool:
        (schedule,), make = profile["chargingSchedule"], self.make
        known = [one for one in self.profiles if not self._replaces(profile, one)]
        return (
            profile["chargingProfilePurpose"] in make.purposes
            and schedule["chargingRateUnit"] in make.units
            and len(schedule["chargingSchedulePeriod"]) <= make.most_periods
            and profile["stackLevel"] <= make.most_level
            and ("duration" not in schedule or make.takes_duration)
            and (profile["chargingProfileKind"] == "Relative" or not make.relative_only)
            and (make.second_default or not self._is_second(profile, known))
            and (profile["chargingProfilePurpose"] != "TxProfile" or self._is_running(profile))
            and not any(self._clashes(profile, one) for one in known)
        )

    def _is_running(self, profile: Object) -> bool:
        running = self.transactions.get(profile["evseId"])
        return running is not None and profile.get("transactionId") in (running.id, None)

    @staticmethod
    def _is_second(profile: Object, known: list[Object]) -> bool:
        purpose = "TxDefaultProfile"
        return profile["chargingProfilePurpose"] == purpose and bool(book.of(known, purpose))

    def _replaces(self, profile: Object, other: Object) -> bool:
        """K01.FR.05: by id. 1.6 §3.13.2: also by level and purpose."""
        return bool(other["id"] == profile["id"]) or (self.make.version is Version.V16 and self._same(profile, other))

    def _clashes(self, profile: Object, other: Object) -> bool:
        """K01.FR.06, .39: one of a level and purpose at a time."""
        return self.make.version is not Version.V16 and self._same(profile, other)

    @staticmethod
    def _same(profile: Object, other: Object) -> bool:
        keys = ("stackLevel", "chargingProfilePurpose", "evseId", "transactionId")
        return all(profile.get(key) == other.get(key) for key in keys)

    def on_ClearChargingProfile(self, payload: Object) -> Object:
        number = payload.get("id", payload.get("chargingProfileId"))
        left = [one for one in self.profiles if one["id"] != number]
        cleared, self.profiles = len(left) < len(self.profiles), left
        return {"status": "Accepted" if cleared else "Unknown"}

    # Transactions

    def on_RemoteStartTransaction(self, payload: Object) -> Object:
        self.starts.append(payload)
        return {"status": "Accepted"}

    on_RequestStartTransaction = on_RemoteStartTransaction

    def on_RemoteStopTransaction(self, payload: Object) -> Object:
        self.stops.append(str(payload["transactionId"]))
        return {"status": "Accepted"}

    on_RequestStopTransaction = on_RemoteStopTransaction

    def begins(self, connector: int, number: str) -> None:
        """A transaction; its own profile that came with the start from afar is there."""
        self.transactions[connector] = Transaction(number, self.now())

    def ends(self, connector: int) -> None:
        """A transaction, and with it its profiles (1.6 §3.13.1)."""
        gone = self.transactions.pop(connector)
        mine = [one for one in book.of(self.profiles, "TxProfile", connector) if one.get("transactionId") == gone.id]
        self.profiles = [one for one in self.profiles if one not in mine]

    # Settings

    def settings(self) -> dict[str, str]:
        make = self.make
        units = {"A": "Current", "W": "Power"} if make.version is Version.V16 else {"A": "A", "W": "W"}
        told = {"RateUnit": ",".join(sorted(units[unit] for unit in make.units)), "Level": str(make.most_level)}
        return told | ({"Periods": str(make.most_periods)} if make.tells_periods else {})

    def on_GetConfiguration(self, payload: Object) -> Object:
        names = {
            "ChargingScheduleAllowedChargingRateUnit": "RateUnit",
            "ChargeProfileMaxStackLevel": "Level",
            "ChargingScheduleMaxPeriods": "Periods",
        }
        has = {key: self.settings().get(names.get(key, "")) for key in payload.get("key", [])}
        known = [{"key": key, "readonly": True, "value": value} for key, value in has.items() if value is not None]
        return {"configurationKey": known, "unknownKey": [key for key, value in has.items() if value is None]}

    def on_GetVariables(self, payload: Object) -> Object:
        return {"getVariableResult": [self._variable(asked) for asked in payload["getVariableData"]]}

    def on_SetVariables(self, payload: Object) -> Object:
        given = payload["setVariableData"]
        where = [{"component": one["component"], "variable": one["variable"]} for one in given]
        return {"setVariableResult": [one | {"attributeStatus": "Rejected"} for one in where]}

    def on_GetCompositeSchedule(self, payload: Object) -> Object:
        return {"status": "Rejected"}

    def _variable(self, asked: Object) -> Object:
        names = {"RateUnit": "RateUnit", "ProfileStackLevel": "Level", "PeriodsPerSchedule": "Periods"}
        value = self.settings().get(names.get(asked["variable"]["name"], ""))
        where = {"component": asked["component"], "variable": asked["variable"]}
        if value is None:
            return where | {"attributeStatus": "UnknownVariable"}
        return where | {"attributeStatus": "Accepted", "attributeValue": value}

    # What flows

    def allows(self, connector: int, at: datetime, *, another: bool = False) -> Fraction:
        """A per phase at an instant (by our clock), where a transaction runs, or one (or `another`) would begin then."""
        running = None if another else self.transactions.get(connector)
        there = at + timedelta(seconds=self.make.clock)
        asked = book.Asked(
            evse=connector,
            transaction=running.id if running else None,
            began=running.began if running else there,
            phases=self.make.phases,
            busy=1,
            priority=False,
        )
        limit = book.allowed(self.profiles, asked, there)
        return Fraction(self.make.hardware) if limit is None else min(limit, Fraction(self.make.hardware))


def frame(data: bytes) -> tuple[str, str, Object]:
    """A call's id, action and payload."""
    kind, number, action, payload = json.loads(data)
    assert kind == 2
    return number, action, payload
