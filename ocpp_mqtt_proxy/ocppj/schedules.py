"""Charging profiles of CSMSs, as the versions write them: read, told again, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ocpp_mqtt_proxy.core.commands import ClearProfiles, ListProfiles, Outcome, Reason, SetProfile, TellSchedule
from ocpp_mqtt_proxy.core.limits.profile import DAILY, WEEKLY, ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import Target, Version
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import (
    Object,
    child,
    children,
    identifier,
    instant,
    integer,
    number,
    text,
    without_nothing,
    zulu,
)

CSO = "CSO"
"""The source of limits that a CSMS set itself (ChargingLimitSourceEnumType)."""

EMS = "EMS"
"""The source of limits that come from elsewhere: it is the house that manages them."""

PURPOSES_16 = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.DEFAULT,
    "TxProfile": Purpose.TRANSACTION,
}
PURPOSES_2X = {
    "ChargingStationMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.DEFAULT,
    "TxProfile": Purpose.TRANSACTION,
    "ChargingStationExternalConstraints": Purpose.EXTERNAL,
    "PriorityCharging": Purpose.PRIORITY,
    "LocalGeneration": Purpose.LOCAL_GENERATION,
}
_WORDS = {purpose: word for word, purpose in PURPOSES_2X.items()}
_EVERY = {"Daily": DAILY, "Weekly": WEEKLY}
_RECURRENCES = {every: word for word, every in _EVERY.items()}

_KEPT_TO = frozenset({"startPeriod", "limit", "numberPhases", "phaseToUse", "customData"})
"""What of a period we can keep to."""
_BEYOND = ("useLocalTime", "randomizedDelay", "limitAtSoC")
"""What 2.1 may ask of a schedule, and we do not offer (K01.FR.123 to .125)."""


def read(profile: Object, at: Target, version: Version) -> ChargingProfile:
    """A ChargingProfile that fits its schema; of several schedules the first."""
    of_16 = version is Version.V16
    plans = list(children(profile, "chargingSchedule"))
    purposes = PURPOSES_16 if of_16 else PURPOSES_2X
    return ChargingProfile(
        schedule=schedule_of(plans[0] if plans else {}),
        purpose=purposes.get(text(profile, "chargingProfilePurpose"), Purpose.DEFAULT),
        kind=Kind(text(profile, "chargingProfileKind") or Kind.ABSOLUTE),
        id=integer(profile, "chargingProfileId" if of_16 else "id") or 0,
        level=integer(profile, "stackLevel") or 0,
        connector=at.connector,
        every=_EVERY.get(text(profile, "recurrencyKind")),
        valid_from=instant(profile, "validFrom"),
        valid_to=instant(profile, "validTo"),
    )


def schedule_of(plan: Object) -> Schedule:
    """A ChargingSchedule that fits its schema."""
    return Schedule(
        periods=tuple(_period(period) for period in children(plan, "chargingSchedulePeriod")),
        in_watts=plan.get("chargingRateUnit") == "W",
        start=instant(plan, "startSchedule"),
        duration=number(plan.get("duration")),
        least=number(plan.get("minChargingRate")),
        id=integer(plan, "id") or 0,
    )


def _period(period: Object) -> Period:
    return Period(
        start=number(period.get("startPeriod")) or 0.0,
        limit=number(period.get("limit")) or 0.0,
        phases=integer(period, "numberPhases"),
        phase=integer(period, "phaseToUse"),
    )


def beyond(profile: Object) -> str:
    """What a profile asks for that we cannot keep to: it is refused, never taken as a limit of 0 A."""
    plans = list(children(profile, "chargingSchedule"))
    if len(plans) > 1:
        return "several schedules are for ISO 15118 (K01.FR.34)"
    for plan in plans:
        asked = [name for name in _BEYOND if plan.get(name)]
        for period in children(plan, "chargingSchedulePeriod"):
            asked += sorted(name for name in period.keys() - _KEPT_TO if _is_asked(name, period[name]))
            if "limit" not in period:
                asked.append("a period without limit")
        if asked:
            return f"not offered: {', '.join(dict.fromkeys(asked))}"
    return ""


def _is_asked(name: str, value: object) -> bool:
    """Whether a field of a period asks for more than a limit."""
    return not (value is False or (name, value) == ("operationMode", "ChargingOnly"))


def setting(profile: Object, at: Target, version: Version) -> SetProfile:
    """SetChargingProfile."""
    return SetProfile(at, read(profile, at, version), identifier(profile, "transactionId"), beyond(profile))


def installed(_: SetProfile, outcome: Outcome) -> Payload:
    """SetChargingProfile's answer, with the reason where one is known."""
    code = text(outcome.result, "reason_code")
    info = without_nothing(reasonCode=code, additionalInfo=outcome.message[:512]) if code else None
    return without_nothing(status="Accepted" if outcome.ok else "Rejected", statusInfo=info)


def installed_16(_: SetProfile, outcome: Outcome) -> Payload:
    """The same in 1.6, which has no reasons."""
    unsupported = outcome.reason is Reason.NOT_SUPPORTED
    return {"status": "Accepted" if outcome.ok else "NotSupported" if unsupported else "Rejected"}


def clearing(
    given: Object, at: Target | None, purposes: Mapping[str, Purpose], profile_id: int | None = None
) -> ClearProfiles:
    """ClearChargingProfile: `given` holds what is to match beside the id."""
    purpose = purposes.get(text(given, "chargingProfilePurpose"))
    return ClearProfiles(Criteria(profile_id, None, purpose, integer(given, "stackLevel")), at)


def listing(payload: Object, at: Target | None) -> ListProfiles:
    """GetChargingProfiles."""
    wanted = child(payload, "chargingProfile")
    ids, sources = wanted.get("chargingProfileId"), wanted.get("chargingLimitSource")
    return ListProfiles(
        integer(payload, "requestId") or 0,
        at,
        PURPOSES_2X.get(text(wanted, "chargingProfilePurpose")),
        integer(wanted, "stackLevel"),
        tuple(int(one) for one in ids) if isinstance(ids, list) else (),
        tuple(str(one) for one in sources) if isinstance(sources, list) else (),
    )


def listed(_: ListProfiles, outcome: Outcome) -> Payload:
    """GetChargingProfiles' answer."""
    return {"status": "Accepted" if outcome.ok else "NoProfiles"}


class Reported(NamedTuple):
    """A profile, the EVSE as the CSMS calls it, the transaction by its own id, and whose limit it is."""

    profile: ChargingProfile
    evse: int
    transaction_id: str | None = None
    source: str = CSO


def reports(request_id: int, found: list[Reported], most: int = 10) -> list[Payload]:
    """ReportChargingProfiles, each of one EVSE and source with so many profiles at most; all but the last go on."""
    kinds = dict.fromkeys((one.source, one.evse) for one in found)
    parts = [part for source, evse in kinds for part in _parts(source, evse, found, most)]
    return [{"requestId": request_id} | part | {"tbc": number < len(parts)} for number, part in enumerate(parts, 1)]


def _parts(source: str, evse: int, found: list[Reported], most: int) -> list[Payload]:
    told = [_told(one) for one in found if (one.source, one.evse) == (source, evse)]
    head: Payload = {"chargingLimitSource": source, "evseId": evse}
    return [head | {"chargingProfile": told[at : at + most]} for at in range(0, len(told), most)]


def _told(one: Reported) -> Payload:
    profile = one.profile
    return without_nothing(
        id=profile.id,
        stackLevel=profile.level,
        chargingProfilePurpose=_WORDS[profile.purpose],
        chargingProfileKind=str(profile.kind),
        recurrencyKind=_RECURRENCES.get(profile.every) if profile.every else None,
        validFrom=zulu(profile.valid_from) if profile.valid_from else None,
        validTo=zulu(profile.valid_to) if profile.valid_to else None,
        transactionId=one.transaction_id,
        chargingSchedule=[plan_of(profile.schedule)],
    )


def plan_of(schedule: Schedule) -> Payload:
    """A ChargingSchedule of 2.x."""
    return without_nothing(
        id=schedule.id,
        startSchedule=zulu(schedule.start) if schedule.start else None,
        duration=None if schedule.duration is None else int(schedule.duration),
        chargingRateUnit="W" if schedule.in_watts else "A",
        minChargingRate=schedule.least,
        chargingSchedulePeriod=[
            without_nothing(
                startPeriod=int(period.start),
                limit=period.limit,
                numberPhases=period.phases,
                phaseToUse=period.phase,
            )
            for period in schedule.periods
        ],
    )


def asking(payload: Object, at: Target) -> TellSchedule:
    """GetCompositeSchedule."""
    unit = payload.get("chargingRateUnit")
    return TellSchedule(at, integer(payload, "duration") or 0, None if unit is None else unit == "W")


def schedule_told(order: TellSchedule, outcome: Outcome) -> Payload:
    """GetCompositeSchedule's answer in 2.x."""
    periods = _periods(outcome)
    if periods is None:
        return {"status": "Rejected"}
    schedule = {
        "evseId": order.at.place.evse,
        "duration": outcome.result["duration"],
        "scheduleStart": outcome.result["start"],
        "chargingRateUnit": "W" if outcome.result["in_watts"] else "A",
        "chargingSchedulePeriod": periods,
    }
    return {"status": "Accepted", "schedule": schedule}


def schedule_told_16(order: TellSchedule, outcome: Outcome) -> Payload:
    """The same in 1.6: it begins when it is told, and its periods are counted from then (errata 3.51)."""
    periods = _periods(outcome)
    if periods is None:
        return {"status": "Rejected"}
    schedule = {
        "duration": outcome.result["duration"],
        "startSchedule": outcome.result["start"],
        "chargingRateUnit": "W" if outcome.result["in_watts"] else "A",
        "chargingSchedulePeriod": periods,
    }
    return {
        "status": "Accepted",
        "connectorId": order.at.place.evse,
        "scheduleStart": outcome.result["start"],
        "chargingSchedule": schedule,
    }


def _periods(outcome: Outcome) -> list[Payload] | None:
    told = outcome.result.get("periods")
    if not outcome.ok or not isinstance(told, list) or not told:
        return None
    return [{"startPeriod": start, "limit": limit} for start, limit in told]
