"""The charging profiles that the simulated charger holds, and what they come to (1.6 §3.13, 2.x K01)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ocpp_mqtt_proxy.core.limits import composite, rules
from ocpp_mqtt_proxy.core.limits.composite import Spot
from ocpp_mqtt_proxy.core.limits.line import Line, changed, compact
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose
from ocpp_mqtt_proxy.core.limits.rules import Because, Criteria, Fault, Profiles
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.settings import MOST_PERIODS, STACK_LEVEL

MOST_PROFILES = "SmartChargingCtrlr.Entries(ChargingProfiles)"


@dataclass(slots=True)
class Holding:
    """A charger's profiles. `loose` as those of 1.6 are, where one takes the place of another more often.

    A transaction's go with it; the others outlast it, and a reset too.
    """

    profiles: Profiles = ()
    loose: bool = False

    def fault(self, profile: ChargingProfile, settings: Mapping[str, str]) -> Fault | None:
        """Why a profile cannot be taken, by what is here already and by what the charger says that it bears."""
        return (
            rules.fault(profile, loose=self.loose)
            or _beyond(profile, settings)
            or (None if self.loose else rules.conflict(self.profiles, profile))
            or _too_many(self._with(profile), settings)
        )

    def put(self, profile: ChargingProfile, now: datetime) -> None:
        """Take a profile, in the place of the one that it replaces."""
        self.profiles = self._with(replace(profile, installed=now))

    def _with(self, profile: ChargingProfile) -> Profiles:
        return rules.installed(self.profiles, profile, loose=self.loose)

    def clear(self, criteria: Criteria) -> bool:
        """Give up what is meant; whether there was any."""
        before, self.profiles = self.profiles, rules.cleared(self.profiles, criteria)
        return self.profiles != before

    def end(self, session: str) -> None:
        """A transaction is over, and what was for it alone with it."""
        self.profiles = rules.kept(self.profiles, lambda one: one.session != session)

    def allowed(self, spot: Spot, now: datetime, most: float) -> float:
        """What may flow now, in A per phase; `most` is all there is."""
        amps = composite.now(self.profiles, spot, now).amps
        return most if amps is None else min(amps, most)

    def ahead(self, spot: Spot, now: datetime, seconds: float, most: float) -> Line:
        """What may flow from now on for so many seconds."""
        line = composite.composite(self.profiles, spot, now, seconds)
        whole = compact((at, most if amps is None else amps) for at, amps in line)
        return changed(whole, lambda amps: Amps(min(amps, most)))


def _beyond(profile: ChargingProfile, settings: Mapping[str, str]) -> Fault | None:
    """Levels and periods go as far as the charger tells (ChargeProfileMaxStackLevel, ChargingScheduleMaxPeriods)."""
    highest, periods = int(settings[STACK_LEVEL]), int(settings[MOST_PERIODS])
    if profile.level > highest:
        return Fault(Because.LEVEL, f"stackLevel: 0 to {highest}")
    if len(profile.schedule.periods) > periods:
        return Fault(Because.MANY, f"at most {periods} periods")
    return None


def _too_many(profiles: Profiles, settings: Mapping[str, str]) -> Fault | None:
    most = int(settings[MOST_PROFILES])
    return Fault(Because.MANY, f"at most {most} profiles") if len(profiles) > most else None


def of_transaction(profile: ChargingProfile, session: str) -> ChargingProfile:
    """A transaction's profile once it is known which that is; others are as they were."""
    return replace(profile, session=session) if profile.purpose is Purpose.TRANSACTION else profile
