"""Of what kind the standard variables are (Part 2 appendices, components and variables): what reports say of them."""

from __future__ import annotations

_KINDS = {
    "boolean": """
        ACPhaseSwitchingSupported Active AdditionalRootCertificateCheck AllowNewSessionsPendingFirmwareUpdate AllowReset
        AllowSecurityProfileDowngrade AuthorizeRemoteStart Available CentralContractValidationAllowed Complete Connected
        ContractValidationOffline CustomImplementationEnabled DisablePostAuthorize DisableRemoteAuthorization Enabled
        ExternalControlSignalsEnabled Fallback LocalAuthorizeOffline LocalPreAuthorize NonEvseSpecific
        NotifyChargingLimitWithSchedules OfflineTxForUnknownIdEnabled Operated Overload Phases3to1 PnCEnabled Problem
        Protecting QueueAllMessages RegisterValuesWithoutPhases SendDuringIdle SignReadings SignUpdatedReadings
        StopTxOnEVSideDisconnect StopTxOnInvalidId Tripped TxBeforeAcceptedEnabled UnlockOnEVSideDisconnect
    """,
    "decimal": """
        ACCurrent ACVoltage ChargingTime ConnectedTime CurrentImbalance DCCurrent DCVoltage DischargePower Energy
        EnergyExport EnergyExportRegister EnergyImport EnergyImportRegister FanSpeed Frequency Humidity
        LimitChangeSignificance Percent PostChargingTime Power SignalStrength StateOfCharge Temperature
        VoltageImbalance
    """,
    "integer": """
        ActiveMonitoringLevel AdditionalInfoItemsPerMessage Attempts BytesPerMessage CertSigningRepeatTimes
        CertSigningWaitMinimum CertificateEntries ConfigurationValueSize Count DisplayMessages EVConnectionTimeOut
        Entries FieldLength HeartbeatInterval Interval ItemsPerMessage LifeTime MaxCertificateChainSize
        MaxEnergyOnInvalidId MessageAttemptInterval MessageAttempts MessageTimeout NetworkProfileConnectionAttempts
        OfflineQueuingSeverity OfflineThreshold PeriodsPerSchedule ProfileStackLevel ReportingValueSize ResetRetries
        RetryBackOffRandomRange RetryBackOffRepeatTimes RetryBackOffWaitMinimum SecurityProfile Storage SupplyPhases
        TimeAdjustmentReportingThreshold Tries TxEndedInterval TxUpdatedInterval ValueSize WebSocketPingInterval
    """,
    "dateTime": "DateTime ExternalConfigChangeDate NextTimeOffsetTransitionDateTime Time",
    "OptionList": """
        ActiveMonitoringBase AvailabilityState ChargingState MonitoringBase NtpSource PhaseRotation Policy
        PublicKeyWithSignedMeterValue
    """,
    "MemberList": """
        FileTransferProtocols Formats Measurands RateUnit SampledMeasurands TxEndedMeasurands TxStartPoint
        TxStartedMeasurands TxStopPoint TxUpdatedMeasurands
    """,
    "SequenceList": "TimeSource NetworkConfigurationPriority",
}
_KIND_OF = {variable: kind for kind, variables in _KINDS.items() for variable in variables.split()}


def kind_of(variable: str) -> str:
    """A variable's dataType (DataEnumType), by its name without component and instance; text where we do not know."""
    return _KIND_OF.get(variable, "string")
