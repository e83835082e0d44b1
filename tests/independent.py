"""Chargers that are not ours: the `ocpp` package's charge points, one per version.

They know nothing of our dialects, so a message that we write or read wrongly shows here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

from ocpp.exceptions import NotImplementedError as UnknownAction
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint as ChargePoint16, call as call16, call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21, call as call21, call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201, call as call201, call_result as result201
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.independent_meter import Meter
from tests.independent_profiles import Profile, Profiles


class Charger16(ChargePoint16):
    """A 1.6 charge point with one connector."""

    version = "1.6"

    def __init__(self, charger_id: str, connection: Any) -> None:
        super().__init__(charger_id, connection, response_timeout=10)
        self.meter = Meter()
        self.transaction: int | None = None
        self.status = "Available"
        self.seen: list[str] = []
        self.verdict = ""
        self.group: str | None = None
        self.reservations: set[int] = set()

    async def boot(self) -> Any:
        request = call16.BootNotification(
            charge_point_vendor="ABB",
            charge_point_model="Terra AC",
            firmware_version="1.8.21",
            charge_point_serial_number="A16",
        )
        return await self.call(request)

    async def tell_status(self, status: str, error_code: str = "NoError", connector_id: int = 1) -> None:
        self.status = status
        await self.call(
            call16.StatusNotification(
                connector_id=connector_id, error_code=error_code, status=status, timestamp=self.meter.stamp
            )
        )

    async def show(self, tag: str) -> str:
        """Show a card; the verdict."""
        answer = await self.call(call16.Authorize(id_tag=tag))
        return self._hear(answer.id_tag_info)

    def _hear(self, said: dict[str, Any]) -> str:
        self.verdict, self.group = str(said["status"]), said.get("parent_id_tag")
        return self.verdict

    async def begin(self, tag: str = "04A1B2C3") -> int:
        answer = await self.call(
            call16.StartTransaction(
                connector_id=1, id_tag=tag, meter_start=round(self.meter.register), timestamp=self.meter.stamp
            )
        )
        self._hear(answer.id_tag_info)
        self.transaction = answer.transaction_id
        self.meter.begin()
        await self.tell_status("Charging")
        return int(answer.transaction_id)

    async def end(self, reason: str = "Local") -> None:
        """End its transaction, where that is not over: somebody else may have been quicker."""
        if self.transaction is None:
            return
        self.meter.end()
        request = call16.StopTransaction(
            meter_stop=round(self.meter.register),
            timestamp=self.meter.stamp,
            transaction_id=self.transaction,
            reason=reason,
        )
        self.transaction = None
        await self.call(request)
        await self.tell_status("Finishing")

    async def tell_meter(self) -> None:
        samples = [
            {
                "value": f"{value:.1f}",
                "measurand": measurand,
                "unit": unit,
                "context": "Sample.Periodic",
                **({"phase": phase} if phase else {}),
            }
            for measurand, phase, unit, value in self.meter.readings(self.meter.configuration["MeterValuesSampledData"])
        ]
        await self.call(
            call16.MeterValues(
                connector_id=1,
                meter_value=[{"timestamp": self.meter.stamp, "sampledValue": samples}],
                transaction_id=self.transaction,
            )
        )

    @on("RemoteStartTransaction")
    async def _on_start(self, **_: Any) -> Any:
        self.seen.append("start")
        return result16.RemoteStartTransaction("Accepted" if self.transaction is None else "Rejected")

    @after("RemoteStartTransaction")
    async def _after_start(self, id_tag: str, charging_profile: dict[str, Any] | None = None, **_: Any) -> None:
        if self.transaction is None:
            if charging_profile is not None:
                self.meter.profiles.begin_with(charging_profile)
            await self.begin(id_tag)

    @on("RemoteStopTransaction")
    async def _on_stop(self, transaction_id: int) -> Any:
        self.seen.append("stop")
        return result16.RemoteStopTransaction("Accepted" if transaction_id == self.transaction else "Rejected")

    @after("RemoteStopTransaction")
    async def _after_stop(self, transaction_id: int) -> None:
        if transaction_id == self.transaction:
            await self.end("Remote")

    @on("SetChargingProfile")
    async def _on_profile(self, connector_id: int, cs_charging_profiles: Profile) -> Any:
        self.seen.append("profile")
        taken = self.meter.take(connector_id, cs_charging_profiles, self.transaction)
        return result16.SetChargingProfile("Accepted" if taken else "Rejected")

    @on("ClearChargingProfile")
    async def _on_clear_profile(self, id: int | None = None, **criteria: Any) -> Any:  # noqa: A002
        if "connector_id" in criteria:
            criteria["connector"] = criteria.pop("connector_id")
        found = self.meter.profiles.clear(id, **criteria)
        self.meter.note()
        return result16.ClearChargingProfile("Accepted" if found else "Unknown")

    @on("GetCompositeSchedule")
    async def _on_schedule(self, connector_id: int, duration: int, charging_rate_unit: str = "A") -> Any:
        start, schedule = self.meter.stamp, self.meter.schedule(duration, charging_rate_unit)
        return result16.GetCompositeSchedule("Accepted", connector_id, start, {"startSchedule": start} | schedule)

    @on("GetConfiguration")
    async def _on_get(self, key: list[str] | None = None) -> Any:
        values = self.meter.configuration
        known = [{"key": k, "readonly": False, "value": values[k]} for k in key or values if k in values]
        return result16.GetConfiguration(known, [k for k in key or [] if k not in values])

    @on("ChangeConfiguration")
    async def _on_change(self, key: str, value: str) -> Any:
        self.seen.append(f"{key}={value}")
        self.meter.configuration[key] = value
        return result16.ChangeConfiguration("Accepted")

    @on("TriggerMessage")
    async def _on_trigger(self, requested_message: str, **_: Any) -> Any:
        self.seen.append(f"trigger {requested_message}")
        return result16.TriggerMessage("Accepted")

    @after("TriggerMessage")
    async def _after_trigger(self, requested_message: str, **_: Any) -> None:
        tell: dict[str, Callable[[], Awaitable[Any]]] = {
            "BootNotification": self.boot,
            "StatusNotification": lambda: self.tell_status(self.status),
            "MeterValues": self.tell_meter,
        }
        if requested_message in tell:
            await tell[requested_message]()

    @on("ChangeAvailability")
    async def _on_availability(self, type: str, **_: Any) -> Any:  # noqa: A002 (OCPP's word)
        self.status = "Unavailable" if type == "Inoperative" else "Available"
        return result16.ChangeAvailability("Accepted")

    @after("ChangeAvailability")
    async def _after_availability(self, **_: Any) -> None:
        await self.tell_status(self.status)

    @on("Reset")
    async def _on_reset(self, type: str) -> Any:  # noqa: A002
        self.seen.append(f"reset {type}")
        return result16.Reset("Accepted")

    @on("UnlockConnector")
    async def _on_unlock(self, **_: Any) -> Any:
        return result16.UnlockConnector("Unlocked")

    @on("ClearCache")
    async def _on_clear(self) -> Any:
        return result16.ClearCache("Accepted")

    @on("DataTransfer")
    async def _on_data(self, vendor_id: str, data: str | None = None, **_: Any) -> Any:
        return (
            result16.DataTransfer("Accepted", data=data)
            if vendor_id == "ABB"
            else result16.DataTransfer("UnknownVendorId")
        )

    @on("ReserveNow")
    async def _on_reserve(self, reservation_id: int, **_: Any) -> Any:
        self.reservations.add(reservation_id)
        return result16.ReserveNow("Accepted")

    @on("CancelReservation")
    async def _on_cancel(self, reservation_id: int) -> Any:
        known = reservation_id in self.reservations
        return result16.CancelReservation("Accepted" if known else "Rejected")

    @on("GetDiagnostics")
    async def _on_log(self, **_: Any) -> Any:
        self.seen.append("log")
        return result16.GetDiagnostics("log.gz")

    @on("UpdateFirmware")
    async def _on_firmware(self, **_: Any) -> Any:
        self.seen.append("firmware")
        return result16.UpdateFirmware()


class Charger201(ChargePoint201):
    """A 2.0.1 charging station with one EVSE and connector."""

    version = "2.0.1"
    asks: ClassVar[Any] = call201
    answers: ClassVar[Any] = result201

    def __init__(self, charger_id: str, connection: Any) -> None:
        super().__init__(charger_id, connection, response_timeout=10)
        self.meter = Meter(profiles=Profiles(strict=True))
        self.transaction: str | None = None
        self.plugged = False
        self.sequence = 0
        self._in_order = asyncio.Lock()
        self.variables = {
            ("SampledDataCtrlr", "TxUpdatedInterval"): "60",
            (
                "SampledDataCtrlr",
                "TxUpdatedMeasurands",
            ): "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
            ("OCPPCommCtrlr", "WebSocketPingInterval"): "60",
            ("SmartChargingCtrlr", "RateUnit"): "A,W",
            ("SmartChargingCtrlr", "ProfileStackLevel"): "8",
            ("SmartChargingCtrlr", "PeriodsPerSchedule"): "24",
        }
        self.seen: list[str] = []
        self.verdict = ""
        self.group: str | None = None
        self.reservations: set[int] = set()

    async def boot(self, reason: str = "PowerUp") -> Any:
        station = {"vendorName": "Alfen", "model": "Eve Single", "serialNumber": "A201", "firmwareVersion": "6.5.0"}
        return await self.call(self.asks.BootNotification(charging_station=station, reason=reason))

    async def tell_status(self, status: str) -> None:
        self.plugged = status == "Occupied"
        await self.call(
            self.asks.StatusNotification(timestamp=self.meter.stamp, connector_status=status, evse_id=1, connector_id=1)
        )

    async def event(self, kind: str, trigger: str, **more: Any) -> Any:
        """Tell of its transaction; one after another, which the `ocpp` package by itself does not see to."""
        async with self._in_order:
            return await self._event(kind, trigger, **more)

    async def _event(self, kind: str, trigger: str, **more: Any) -> Any:
        info: dict[str, Any] = {"transactionId": self.transaction, **more.pop("info", {})}
        request = self.asks.TransactionEvent(
            event_type=kind,
            timestamp=self.meter.stamp,
            trigger_reason=trigger,
            seq_no=self.sequence,
            transaction_info=info,
            **more,
        )
        self.sequence += 1
        return await self.call(request)

    def samples(self, context: str = "Sample.Periodic") -> list[dict[str, Any]]:
        asked = self.variables["SampledDataCtrlr", "TxUpdatedMeasurands"]
        values = [
            {
                "value": value,
                "measurand": measurand,
                "unitOfMeasure": {"unit": unit},
                "context": context,
                **({"phase": phase} if phase else {}),
            }
            for measurand, phase, unit, value in self.meter.readings(asked)
        ]
        return [{"timestamp": self.meter.stamp, "sampledValue": values}]

    async def show(self, tag: str) -> str:
        """Show a card; the verdict."""
        answer = await self.call(self.asks.Authorize(id_token={"idToken": tag, "type": "ISO14443"}))
        return self._hear(answer.id_token_info)

    def _hear(self, said: dict[str, Any]) -> str:
        self.verdict, self.group = str(said["status"]), (said.get("group_id_token") or {}).get("id_token")
        return self.verdict

    async def begin(self, tag: str = "04A1B2C3", remote_start_id: int | None = None) -> str:
        self.transaction = str(uuid4())
        self.sequence = 0
        self.meter.begin()
        info: dict[str, Any] = {"chargingState": "Charging"}
        if remote_start_id is not None:
            info["remoteStartId"] = remote_start_id
        answer = await self.event(
            "Started",
            "RemoteStart" if remote_start_id is not None else "Authorized",
            evse={"id": 1, "connectorId": 1},
            id_token={"idToken": tag, "type": "ISO14443"},
            info=info,
            meter_value=self.samples("Transaction.Begin"),
        )
        self._hear(answer.id_token_info)
        return self.transaction

    async def end(self, reason: str = "Local") -> None:
        """End its transaction, where that is not over: somebody else may have been quicker."""
        if self.transaction is None:
            return
        self.meter.end()
        await self.event(
            "Ended",
            "RemoteStop" if reason == "Remote" else "StopAuthorized",
            info={"stoppedReason": reason},
            meter_value=self.samples("Transaction.End"),
        )
        self.transaction = None

    async def tell_meter(self) -> None:
        if self.transaction is None:
            await self.call(self.asks.MeterValues(evse_id=1, meter_value=self.samples()))
        else:
            state = "Charging" if self.meter.current else "SuspendedEVSE"
            await self.event("Updated", "MeterValuePeriodic", info={"chargingState": state}, meter_value=self.samples())

    @on("RequestStartTransaction")
    async def _on_start(self, **_: Any) -> Any:
        self.seen.append("start")
        return self.answers.RequestStartTransaction("Accepted" if self.transaction is None else "Rejected")

    @after("RequestStartTransaction")
    async def _after_start(
        self,
        id_token: dict[str, Any],
        remote_start_id: int,
        charging_profile: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if self.transaction is None:
            if charging_profile is not None:
                self.meter.profiles.begin_with(charging_profile)
            await self.begin(id_token["id_token"], remote_start_id)

    @on("RequestStopTransaction")
    async def _on_stop(self, transaction_id: str) -> Any:
        self.seen.append("stop")
        return self.answers.RequestStopTransaction("Accepted" if transaction_id == self.transaction else "Rejected")

    @after("RequestStopTransaction")
    async def _after_stop(self, transaction_id: str) -> None:
        if transaction_id == self.transaction:
            await self.end("Remote")

    @on("SetChargingProfile")
    async def _on_profile(self, evse_id: int, charging_profile: Profile) -> Any:
        self.seen.append("profile")
        taken = self.meter.take(evse_id, charging_profile, self.transaction)
        return self.answers.SetChargingProfile("Accepted" if taken else "Rejected")

    @on("ClearChargingProfile")
    async def _on_clear_profile(
        self, charging_profile_id: int | None = None, charging_profile_criteria: Profile | None = None
    ) -> Any:
        criteria = dict(charging_profile_criteria or {})
        if "evse_id" in criteria:
            criteria["connector"] = criteria.pop("evse_id")
        found = self.meter.profiles.clear(charging_profile_id, **criteria)
        self.meter.note()
        return self.answers.ClearChargingProfile("Accepted" if found else "Unknown")

    @on("GetCompositeSchedule")
    async def _on_schedule(self, duration: int, evse_id: int, charging_rate_unit: str = "A") -> Any:
        schedule = {"evseId": evse_id, "scheduleStart": self.meter.stamp} | self.meter.schedule(
            duration, charging_rate_unit
        )
        return self.answers.GetCompositeSchedule("Accepted", schedule=schedule)

    @on("GetVariables")
    async def _on_get(self, get_variable_data: list[dict[str, Any]]) -> Any:
        results = []
        for item in get_variable_data:
            component, variable = item["component"], item["variable"]
            value = self.variables.get((component["name"], variable["name"]))
            found = {"component": component, "variable": variable}
            status = {"attributeStatus": "Accepted", "attributeValue": value} if value else {}
            results.append(found | (status or {"attributeStatus": "UnknownVariable"}))
        return self.answers.GetVariables(results)

    @on("SetVariables")
    async def _on_set(self, set_variable_data: list[dict[str, Any]]) -> Any:
        results = []
        for item in set_variable_data:
            component, variable = item["component"], item["variable"]
            self.seen.append(f"{variable['name']}={item['attribute_value']}")
            self.variables[component["name"], variable["name"]] = item["attribute_value"]
            results.append({"attributeStatus": "Accepted", "component": component, "variable": variable})
        return self.answers.SetVariables(results)

    @on("GetBaseReport")
    async def _on_report(self, **_: Any) -> Any:
        self.seen.append("report")
        return self.answers.GetBaseReport("Accepted")

    @after("GetBaseReport")
    async def _after_report(self, request_id: int, **_: Any) -> None:
        rows = [
            {
                "component": {"name": component},
                "variable": {"name": variable},
                "variableAttribute": [{"value": value}],
            }
            for (component, variable), value in self.variables.items()
        ]
        connector = {
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
            "variableAttribute": [{"value": "Available", "mutability": "ReadOnly"}],
        }
        for number, part in enumerate(([connector], rows)):
            await self.call(
                self.asks.NotifyReport(
                    request_id=request_id,
                    generated_at=self.meter.stamp,
                    seq_no=number,
                    report_data=part,
                    tbc=number == 0,
                )
            )

    @on("TriggerMessage")
    async def _on_trigger(self, requested_message: str, **_: Any) -> Any:
        self.seen.append(f"trigger {requested_message}")
        return self.answers.TriggerMessage("Accepted")

    @after("TriggerMessage")
    async def _after_trigger(self, requested_message: str, **_: Any) -> None:
        tell: dict[str, Callable[[], Awaitable[Any]]] = {
            "BootNotification": lambda: self.boot("Triggered"),
            "StatusNotification": lambda: self.tell_status("Occupied" if self.plugged else "Available"),
            "MeterValues": self.tell_meter,
        }
        if requested_message in tell:
            await tell[requested_message]()

    @on("ChangeAvailability")
    async def _on_availability(self, operational_status: str, **_: Any) -> Any:
        self._next_status = "Unavailable" if operational_status == "Inoperative" else "Available"
        return self.answers.ChangeAvailability("Accepted")

    @after("ChangeAvailability")
    async def _after_availability(self, **_: Any) -> None:
        await self.tell_status(self._next_status)

    @on("Reset")
    async def _on_reset(self, type: str, **_: Any) -> Any:  # noqa: A002
        self.seen.append(f"reset {type}")
        return self.answers.Reset("Accepted")

    @on("UnlockConnector")
    async def _on_unlock(self, **_: Any) -> Any:
        return self.answers.UnlockConnector("Unlocked")

    @on("ClearCache")
    async def _on_clear(self) -> Any:
        return self.answers.ClearCache("Accepted")

    @on("DataTransfer")
    async def _on_data(self, vendor_id: str, data: Any = None, **_: Any) -> Any:
        if vendor_id == "ABB":
            return self.answers.DataTransfer("Accepted", data=data)
        return self.answers.DataTransfer("UnknownVendorId")

    @on("ReserveNow")
    async def _on_reserve(self, id: int, **_: Any) -> Any:  # noqa: A002
        self.reservations.add(id)
        return self.answers.ReserveNow("Accepted")

    @on("CancelReservation")
    async def _on_cancel(self, reservation_id: int) -> Any:
        known = reservation_id in self.reservations
        return self.answers.CancelReservation("Accepted" if known else "Rejected")

    @on("GetLog")
    async def _on_log(self, **_: Any) -> Any:
        self.seen.append("log")
        return self.answers.GetLog("Accepted", filename="log.gz")

    @on("UpdateFirmware")
    async def _on_firmware(self, **_: Any) -> Any:
        self.seen.append("firmware")
        return self.answers.UpdateFirmware("Accepted")


class Charger21(ChargePoint21, Charger201):
    """The same in 2.1: the package judges and writes its frames by that."""

    version = "2.1"
    asks = call21
    answers = result21

    @on("GetLocalListVersion")
    async def _on_what_it_does_not_know(self) -> None:
        """In 2.1 the package itself never answers what it does not know."""
        raise UnknownAction


CHARGERS: dict[str, type[Charger16 | Charger201]] = {c.version: c for c in (Charger16, Charger201, Charger21)}
PLUGGED = {version: "Preparing" if version == "1.6" else "Occupied" for version in CHARGERS}
"""What a charger's status is called once a car is plugged in."""


@contextlib.asynccontextmanager
async def independent_charger(
    url: str, version: str, charger_id: str, *, boot: bool = True, clock: Callable[[], datetime] | None = None
) -> AsyncIterator[Any]:
    """An independent charger, connected; booted and available where wanted. Without a `clock` it has the machine's."""
    async with connect(f"{url}/{charger_id}", subprotocols=[Subprotocol(f"ocpp{version}")]) as socket:
        charger = CHARGERS[version](charger_id, socket)
        charger.meter.now = clock or charger.meter.now
        reader = asyncio.create_task(charger.start())
        try:
            if boot:
                await charger.boot()
                await charger.tell_status("Available")
            yield charger
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
