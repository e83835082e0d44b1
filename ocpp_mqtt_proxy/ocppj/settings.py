"""Configuration keys of 1.6 and the variables of 2.x that mean the same (semantics §10.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

TO_VARIABLE: Mapping[str, str] = MappingProxyType(
    {
        "AllowOfflineTxForUnknownId": "AuthCtrlr.OfflineTxForUnknownIdEnabled",
        "AuthorizationCacheEnabled": "AuthCacheCtrlr.Enabled",
        "AuthorizationKey": "SecurityCtrlr.BasicAuthPassword",
        "AuthorizeRemoteTxRequests": "AuthCtrlr.AuthorizeRemoteStart",
        "ChargeProfileMaxStackLevel": "SmartChargingCtrlr.ProfileStackLevel",
        "ChargingScheduleAllowedChargingRateUnit": "SmartChargingCtrlr.RateUnit",
        "ChargingScheduleMaxPeriods": "SmartChargingCtrlr.PeriodsPerSchedule",
        "ClockAlignedDataInterval": "AlignedDataCtrlr.Interval",
        "ConnectionTimeOut": "TxCtrlr.EVConnectionTimeOut",
        "CpoName": "SecurityCtrlr.OrganizationName",
        "HeartbeatInterval": "OCPPCommCtrlr.HeartbeatInterval",
        "LocalAuthListEnabled": "LocalAuthListCtrlr.Enabled",
        "LocalAuthListMaxLength": "LocalAuthListCtrlr.Entries",
        "LocalAuthorizeOffline": "AuthCtrlr.LocalAuthorizeOffline",
        "LocalPreAuthorize": "AuthCtrlr.LocalPreAuthorize",
        "MaxChargingProfilesInstalled": "SmartChargingCtrlr.Entries(ChargingProfiles)",
        "MaxEnergyOnInvalidId": "TxCtrlr.MaxEnergyOnInvalidId",
        "MeterValueSampleInterval": "SampledDataCtrlr.TxUpdatedInterval",
        "MeterValuesAlignedData": "AlignedDataCtrlr.Measurands",
        "MeterValuesSampledData": "SampledDataCtrlr.TxUpdatedMeasurands",
        "ResetRetries": "OCPPCommCtrlr.ResetRetries",
        "SecurityProfile": "SecurityCtrlr.SecurityProfile",
        "StopTransactionOnEVSideDisconnect": "TxCtrlr.StopTxOnEVSideDisconnect",
        "StopTransactionOnInvalidId": "TxCtrlr.StopTxOnInvalidId",
        "StopTxnAlignedData": "AlignedDataCtrlr.TxEndedMeasurands",
        "StopTxnSampledData": "SampledDataCtrlr.TxEndedMeasurands",
        "TransactionMessageAttempts": "OCPPCommCtrlr.MessageAttempts(TransactionEvent)",
        "TransactionMessageRetryInterval": "OCPPCommCtrlr.MessageAttemptInterval(TransactionEvent)",
        "UnlockConnectorOnEVSideDisconnect": "OCPPCommCtrlr.UnlockOnEVSideDisconnect",
        "WebSocketPingInterval": "OCPPCommCtrlr.WebSocketPingInterval",
    }
)
TO_KEY: Mapping[str, str] = MappingProxyType({variable: key for key, variable in TO_VARIABLE.items()})


def key(name: str) -> str:
    """The 1.6 key of a name in either spelling; one without a pair stays as it is."""
    return TO_KEY.get(name, name)


def variable(name: str) -> str:
    """The 2.x variable of a name in either spelling; one without a pair stays as it is."""
    return TO_VARIABLE.get(name, name)


def asked_as(names: Iterable[str], spell: Callable[[str], str]) -> Mapping[str, list[str]]:
    """By a version's spelling in lower case, the names that a setting was asked by: maybe several."""
    asked: dict[str, list[str]] = defaultdict(list)
    for name in names:
        asked[spell(name).lower()].append(name)
    return asked
