"""Settings that a service has of us and not of the charger: of its own link, its readings, its list, and what we can.

Everything else is the charger's (semantics §7). By canonical name; see `reading`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ocpp_mqtt_proxy.arbitration.lines import standing
from ocpp_mqtt_proxy.core.limits.rules import MAX_LEVEL, MAX_PERIODS, MAX_PROFILES
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.fields import whole, zulu
from ocpp_mqtt_proxy.services import redial
from ocpp_mqtt_proxy.services.obeying import reading
from ocpp_mqtt_proxy.services.obeying.constraints import SIGNIFICANCE
from ocpp_mqtt_proxy.services.outstation import Outstation

MOST_CARDS = 1000
"""Cards that a service's local list holds."""

MOST_ITEMS = 100
"""Variables or cards taken in one call of a service."""

MOST_BYTES = 65_536
"""Bytes of one such call."""

MOST_SECONDS = 7 * 24 * 3600

_HIDDEN = re.compile(
    r"passw|passphrase|secret|credential|authorizationkey|private|psk|ssid|wifi|wlan|vpn|apn|url|uri|endpoint"
    r"|(api|auth|access|bearer|session)_?token|(sim|_|\b)pin(code)?$|securityprofile|networkprofile|networkconfiguration",
    re.IGNORECASE,
)
"""What concerns the charger's own way to us, or is nobody's: never told to a service, and never set for one."""


def hidden(name: str) -> bool:
    """Whether a setting of the charger's is none of a service's business."""
    return _HIDDEN.search(name) is not None


Value = Callable[[Outstation], str | None]
Takes = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Ours:
    """A setting of ours: its value, what it may be set to (None: nothing), and its unit."""

    value: Value
    takes: Takes | None = None
    unit: str | None = None


def _is(word: str) -> Value:
    return lambda _: word


def _number(least: int, most: int = MOST_SECONDS) -> Takes:
    return lambda value: (number := _whole(value)) is not None and least <= number <= most


def _whole(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value.strip()) else None


def _flag(value: str) -> bool:
    return value.strip().lower() in ("true", "false")


_MEASURAND = re.compile(r"[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)*(\.L[123](-(N|L[123]))?|\.N)?")


def _measurands(value: str) -> bool:
    """A list of measurands, maybe of one phase each (1.6 §9.1.19)."""
    return all(_MEASURAND.fullmatch(name.strip()) for name in value.split(",")) if value.strip() else True


def _charger_says(name: str, otherwise: Value) -> Value:
    """What the charger has, until the service wants something else."""

    def value(out: Outstation) -> str | None:
        known = reading.told(out).get(name.lower())
        return known.value if known is not None and known.value is not None else otherwise(out)

    return value


def _own(name: str, otherwise: str) -> Value:
    return lambda out: out.virtual.settings.get(name, otherwise)


def _readings(name: str, takes: Takes, otherwise: Value, unit: str | None = None) -> dict[str, Ours]:
    return {name: Ours(_charger_says(name, otherwise), takes, unit)}


def _security_profile(out: Outstation) -> str:
    """Of the link to this service (A00)."""
    if out.plan.credentials.kind == "certificate":
        return "3"
    if not out.plan.url.lower().startswith("wss:"):
        return "0" if out.plan.credentials.kind == "none" else "1"
    return "2"


def _entries(out: Outstation) -> str:
    """In 1.6 the most, in 2.x what there is (the most is its maxLimit)."""
    return str(MOST_CARDS if out.version is Version.V16 else len(out.virtual.local_list.cards))


def _profiles(out: Outstation) -> str:
    """As with cards."""
    if out.version is Version.V16:
        return str(MAX_PROFILES)
    return str(len(standing(out.station, out.id, out.hub.clock.now())))


_SECONDS = _number(0)

OURS: Mapping[str, Ours] = {
    # The link
    "HeartbeatInterval": Ours(
        lambda out: str(out.peer.interval or out.station.plan.heartbeat_interval), _number(1), "s"
    ),
    "TransactionMessageAttempts": Ours(_own("TransactionMessageAttempts", "3"), _number(1, 100)),
    "TransactionMessageRetryInterval": Ours(_own("TransactionMessageRetryInterval", "60"), _number(0, 3600), "s"),
    "WebSocketPingInterval": Ours(_is("30"), None, "s"),
    "AuthorizationKey": Ours(lambda _: None),
    "SecurityProfile": Ours(_security_profile),
    "OCPPCommCtrlr.ActiveNetworkProfile": Ours(_is("1")),
    "OCPPCommCtrlr.MessageTimeout(Default)": Ours(_is("30"), None, "s"),
    "OCPPCommCtrlr.NetworkConfigurationPriority": Ours(_is("1")),
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts": Ours(_is("1")),
    # All states follow on each boot (B01.FR.05), and a boot on each link: an outage is never too short for them.
    "OCPPCommCtrlr.OfflineThreshold": Ours(_own("OCPPCommCtrlr.OfflineThreshold", "0"), _SECONDS, "s"),
    "OCPPCommCtrlr.QueueAllMessages": Ours(_is("false")),
    "OCPPCommCtrlr.RetryBackOffRandomRange": Ours(_is(str(round(redial.MOST * redial.SPREAD))), None, "s"),
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": Ours(_is("7")),
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": Ours(_is(str(round(redial.FIRST))), None, "s"),
    "SecurityCtrlr.Identity": Ours(lambda out: out.plan.identity(out.charger_id)),
    "SecurityCtrlr.CertificateEntries": Ours(_is("0")),
    # Readings
    **_readings("MeterValueSampleInterval", _SECONDS, lambda out: str(out.station.plan.meter_interval), "s"),
    **_readings("MeterValuesSampledData", _measurands, _is("Energy.Active.Import.Register")),
    **_readings("ClockAlignedDataInterval", _SECONDS, _is("0"), "s"),
    **_readings("MeterValuesAlignedData", _measurands, _is("")),
    **_readings("StopTxnSampledData", _measurands, _is("")),
    **_readings("StopTxnAlignedData", _measurands, _is("")),
    **_readings("SampledDataCtrlr.TxEndedInterval", _SECONDS, _is("0"), "s"),
    **_readings("SampledDataCtrlr.TxStartedMeasurands", _measurands, _is("Energy.Active.Import.Register")),
    **_readings("AlignedDataCtrlr.TxEndedInterval", _SECONDS, _is("0"), "s"),
    "SampledDataCtrlr.Available": Ours(_is("true")),
    "SampledDataCtrlr.Enabled": Ours(_is("true")),
    "AlignedDataCtrlr.Available": Ours(_is("true")),
    "AlignedDataCtrlr.Enabled": Ours(_is("true")),
    # Cards
    "AuthorizeRemoteTxRequests": Ours(_is("false")),
    "LocalAuthListEnabled": Ours(_own("LocalAuthListEnabled", "true"), _flag),
    "LocalAuthListMaxLength": Ours(_entries),
    "LocalAuthListCtrlr.Available": Ours(_is("true")),
    "LocalAuthListCtrlr.BytesPerMessage": Ours(_is(str(MOST_BYTES)), None, "B"),
    "LocalAuthListCtrlr.ItemsPerMessage": Ours(_is(str(MOST_CARDS))),
    "SendLocalListMaxLength": Ours(_is(str(MOST_CARDS))),
    # Profiles, reservations
    "ChargeProfileMaxStackLevel": Ours(_is(str(MAX_LEVEL))),
    "ChargingScheduleAllowedChargingRateUnit": Ours(
        lambda out: "Current,Power" if out.version is Version.V16 else "A,W"
    ),
    "ChargingScheduleMaxPeriods": Ours(_is(str(MAX_PERIODS))),
    "MaxChargingProfilesInstalled": Ours(_profiles),
    "SmartChargingCtrlr.Available": Ours(_is("true")),
    "SmartChargingCtrlr.Enabled": Ours(_is("true")),
    "SmartChargingCtrlr.LimitChangeSignificance": Ours(_is(str(SIGNIFICANCE)), None, "Percent"),
    "ReservationCtrlr.Available": Ours(_is("true")),
    "ReservationCtrlr.Enabled": Ours(_is("true")),
    "ReservationCtrlr.NonEvseSpecific": Ours(_is("false")),
    "ReserveConnectorZeroSupported": Ours(_is("false")),
    # What we are
    "NumberOfConnectors": Ours(lambda out: str(max(1, len(out.station.connectors)))),
    "SupportedFeatureProfiles": Ours(
        _is("Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger")
    ),
    "ClockCtrlr.DateTime": Ours(lambda out: zulu(out.hub.clock.now())),
    "ClockCtrlr.TimeSource": Ours(_is("NTP")),
    **{
        f"DeviceDataCtrlr.{what}({action})": Ours(_is(str(most)))
        for what, most in (("ItemsPerMessage", MOST_ITEMS), ("BytesPerMessage", MOST_BYTES))
        for action in ("GetReport", "GetVariables", "SetVariables")
    },
}
"""Whatever the charger may say of these, here is what a service is told. Without a value it is told of none."""

ALONE_IN_16 = frozenset(
    {"NumberOfConnectors", "ReserveConnectorZeroSupported", "SendLocalListMaxLength", "SupportedFeatureProfiles"}
)
"""Keys without a variable of that meaning: a 2.x service never sees them."""


def number(out: Outstation, name: str) -> int:
    """A setting of ours that is a number, as it holds for a service."""
    return whole(OURS[name].value(out)) or 0
