"""A ChargingProfile of OCPP 2.0.1 (part 2, 2.13) as JSON, read into the domain's own.

Held to what counts here: fields for other vehicles or tariffs are taken and left aside.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ocpp_mqtt_proxy.core.limits.profile import (
    DAILY,
    WEEKLY,
    ChargingProfile as Profile,
    Kind,
    Period,
    Schedule,
)
from ocpp_mqtt_proxy.requests import Instant, NoBoolean, Number

MAX_STEPS = 1024
"""Periods in one schedule (SetChargingProfileRequest.json)."""

EVERY = {"Daily": DAILY, "Weekly": WEEKLY}

LONGEST = 366 * 86400
"""Seconds that a schedule may last, or a period begin after its start."""

Seconds = Annotated[int, Field(ge=0, le=LONGEST), NoBoolean]


class Part(BaseModel):
    """A part of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    custom_data: Any = Field(default=None, alias="customData")


class SchedulePeriod(Part):
    """ChargingSchedulePeriod: seconds from the start, and the limit in the schedule's unit."""

    start: Seconds = Field(alias="startPeriod")
    limit: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False), NoBoolean]
    phases: Literal[1, 2, 3] | None = Field(default=None, alias="numberPhases")
    phase_to_use: Literal[1, 2, 3] | None = Field(default=None, alias="phaseToUse")

    @property
    def period(self) -> Period:
        """It, as the domain has it."""
        return Period(self.start, self.limit, self.phases, self.phase_to_use)


class ChargingSchedule(Part):
    """ChargingSchedule: its periods begin at 0 and go on in order (K01.FR.31, K01.FR.35)."""

    id: Number = 0
    start: Instant | None = Field(default=None, alias="startSchedule")
    duration: Annotated[int, Field(ge=1, le=LONGEST), NoBoolean] | None = None
    unit: Literal["A", "W"] = Field(alias="chargingRateUnit")
    least: float | None = Field(default=None, ge=0, alias="minChargingRate")
    periods: list[SchedulePeriod] = Field(min_length=1, max_length=MAX_STEPS, alias="chargingSchedulePeriod")
    sales_tariff: Any = Field(default=None, alias="salesTariff")

    @model_validator(mode="after")
    def _in_order(self) -> ChargingSchedule:
        starts = [period.start for period in self.periods]
        if starts[0] != 0:
            raise ValueError("chargingSchedulePeriod: the first startPeriod must be 0")
        if sorted(set(starts)) != starts:
            raise ValueError("chargingSchedulePeriod: each startPeriod must be later than the one before")
        return self

    @property
    def schedule(self) -> Schedule:
        """It, as the domain has it."""
        periods = tuple(period.period for period in self.periods)
        in_watts = self.unit == "W"
        return Schedule(periods, in_watts, self.start, self.duration, self.least, self.id)


class ChargingProfile(Part):
    """ChargingProfile. Whatever its purpose, it limits what its provider lets the charger have."""

    id: Number = 0
    stack_level: Annotated[int, Field(ge=0), NoBoolean] = Field(default=0, alias="stackLevel")
    purpose: Literal["ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile"] = Field(
        default="TxDefaultProfile", alias="chargingProfilePurpose"
    )
    kind: Literal[Kind.ABSOLUTE, Kind.RECURRING, Kind.RELATIVE] = Field(alias="chargingProfileKind")
    every: Literal["Daily", "Weekly"] | None = Field(default=None, alias="recurrencyKind")
    valid_from: Instant | None = Field(default=None, alias="validFrom")
    valid_to: Instant | None = Field(default=None, alias="validTo")
    transaction_id: Annotated[str, Field(max_length=36)] | None = Field(default=None, alias="transactionId")
    schedules: list[ChargingSchedule] = Field(min_length=1, max_length=3, alias="chargingSchedule")

    @model_validator(mode="before")
    @classmethod
    def _one_schedule(cls, given: Any) -> Any:  # noqa: ANN401 (JSON of any shape)
        """1.6 has one schedule where 2.x has a list of up to three; one of three is for the car to choose."""
        if isinstance(given, dict) and isinstance(given.get("chargingSchedule"), dict):
            return given | {"chargingSchedule": [given["chargingSchedule"]]}
        return given

    @model_validator(mode="after")
    def _whole(self) -> ChargingProfile:
        if self.kind is Kind.RECURRING and (self.every is None or self.schedules[0].start is None):
            raise ValueError("a Recurring profile needs recurrencyKind and startSchedule")
        return self

    def profile(self) -> Profile:
        """It, as the domain has it."""
        every = EVERY[self.every] if self.kind is Kind.RECURRING and self.every else None
        return Profile(
            self.schedules[0].schedule,
            kind=self.kind,
            id=self.id,
            level=self.stack_level,
            every=every,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )
