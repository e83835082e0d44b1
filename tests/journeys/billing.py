"""What independent CSMSs would bill, read out of the frames that they heard, and how they are set up as services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from ocpp.v16 import call as call16
from ocpp.v21 import call as call21
from ocpp.v201 import call as call201

from tests.independent_csms import CALL, POINTS, Csms, csms_of

RESULT = 3
ENERGY = "Energy.Active.Import.Register"
VERSIONS = list(POINTS)
ASKS: dict[str, Any] = {"1.6": call16, "2.0.1": call201, "2.1": call21}
"""What a CSMS asks with, by its version: the package's own words."""


@dataclass
class Bill:
    """One transaction as a CSMS knows it: registers in Wh, times and numbers as it was told them, in order."""

    id: object
    registers: list[float] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    offline: list[bool] = field(default_factory=list)
    remote_start_id: int | None = None
    tag: str = ""
    over: bool = False

    @property
    def energy(self) -> float:
        """What is billed, in Wh."""
        return self.registers[-1] - self.registers[0]

    @property
    def whole(self) -> bool:
        """Whether nothing of it is missing, and its register never fell."""
        return self.over and self.seqs == list(range(len(self.seqs))) and self.registers == sorted(self.registers)


def service(csms: Csms, name: str = "", **given: Any) -> dict[str, Any]:
    """A service as the configuration has it."""
    named = {"id": name or name_of(csms), "url": csms.url, "version": csms.version}
    return {**named, "mirror": "all", **given}


def name_of(csms: Csms) -> str:
    """How a CSMS is called as a service where there is one of its version."""
    return "s" + csms.version.replace(".", "")


@asynccontextmanager
async def three_csmss() -> AsyncIterator[list[Csms]]:
    """An independent CSMS of each version."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(csms_of(version)) for version in VERSIONS]


def calls(csms: Csms) -> list[tuple[str, str, dict[str, Any]]]:
    """Message id, action and payload of all calls that it heard."""
    return [(frame[1], frame[2], frame[3]) for frame in csms.heard if frame[0] == CALL]


def bills(csms: Csms) -> list[Bill]:
    """Its transactions, by their starts."""
    found: list[Bill] = []
    answers = {frame[1]: frame[2] for frame in csms.said if frame[0] == RESULT}
    for message_id, action, told in calls(csms):
        if action == "StartTransaction" and message_id in answers:
            found.append(Bill(answers[message_id]["transactionId"], [told["meterStart"]], [told["timestamp"]]))
            found[-1].tag = told["idTag"]
        elif action in ("MeterValues", "StopTransaction") and "transactionId" in told:
            _read_16(_last(found, told["transactionId"]), told)
        elif action == "TransactionEvent":
            if told["eventType"] == "Started":
                found.append(Bill(told["transactionInfo"]["transactionId"]))
            _read_2x(_last(found, told["transactionInfo"]["transactionId"]), told)
    return found


def _last(found: list[Bill], number: object) -> Bill:
    return next(bill for bill in reversed(found) if bill.id == number)


def _read_16(bill: Bill, told: dict[str, Any]) -> None:
    assert not bill.over, f"{bill.id} is over: {told}"
    bill.registers += registers([*told.get("meterValue", []), *told.get("transactionData", [])])
    if "meterStop" in told:
        bill.registers.append(told["meterStop"])
        bill.over = True
    bill.times.append(told.get("timestamp") or told["meterValue"][-1]["timestamp"])


def _read_2x(bill: Bill, told: dict[str, Any]) -> None:
    if told["seqNo"] in bill.seqs:  # its answer was lost with the link: the same again
        assert told["timestamp"] == bill.times[bill.seqs.index(told["seqNo"])]
        return
    assert not bill.over, f"{bill.id} is over: {told}"
    bill.registers += registers(told.get("meterValue", []))
    bill.times.append(told["timestamp"])
    bill.seqs.append(told["seqNo"])
    bill.offline.append(told.get("offline", False))
    bill.remote_start_id = told["transactionInfo"].get("remoteStartId", bill.remote_start_id)
    bill.tag = told.get("idToken", {}).get("idToken", bill.tag)
    bill.over = told["eventType"] == "Ended"


def registers(meter_values: list[dict[str, Any]]) -> Iterator[float]:
    """The energy registers of MeterValues, in Wh."""
    for sampled in (one for value in meter_values for one in value["sampledValue"]):
        if sampled.get("measurand", ENERGY) == ENERGY and "phase" not in sampled:
            yield float(sampled["value"])


async def over(csms: Csms, number: int = 1) -> list[Bill]:
    """Wait until so many transactions are over there."""
    await csms.until(lambda: len([bill for bill in bills(csms) if bill.over]) >= number)
    return bills(csms)


async def begun(csms: Csms, number: int = 1) -> Bill:
    """Wait for the start of the so manieth transaction; what is known of it."""
    await csms.until(lambda: len(bills(csms)) >= number)
    return bills(csms)[number - 1]


async def all_of(csmss: list[Csms], number: int = 1) -> list[list[Bill]]:
    """Wait until so many transactions are over at each of them."""
    return list(await asyncio.gather(*(over(csms, number) for csms in csmss)))


async def greeted(*csmss: Csms) -> None:
    """Wait until each has heard how the charger's connector is."""
    for csms in csmss:
        await csms.until(lambda csms=csms: [one for one in csms.calls("StatusNotification") if one["connectorId"]])  # type: ignore[misc]


async def sessions(http: str) -> list[dict[str, Any]]:
    """Our own book, the oldest first."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{http}/sessions")
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found[::-1]


async def give_control(http: str, provider: str) -> None:
    """Hand control to a service, as the owner."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{http}/override", json={"backend_id": provider})
    assert answer.json()["success"], answer.text


def named(frames: list[list[Any]], *fields: str) -> set[object]:
    """What stands under such names anywhere in frames."""
    return {value for name, value in _fields(frames) if name in fields}


def _fields(given: object) -> Iterator[tuple[str, object]]:
    if isinstance(given, dict):
        for name, value in given.items():
            if not isinstance(value, dict | list):
                yield name, value
            yield from _fields(value)
    elif isinstance(given, list):
        for value in given:
            yield from _fields(value)


@dataclass
class Listener:
    """Sits on a charger's socket and keeps what comes in."""

    socket: Any
    frames: list[list[Any]] = field(default_factory=list)

    @classmethod
    def on(cls, charger: Any) -> Listener:
        listener = cls(charger._connection)  # noqa: SLF001 (the package has no other way)
        charger._connection = listener  # noqa: SLF001
        return listener

    async def recv(self) -> str:
        frame = str(await self.socket.recv())
        self.frames.append(json.loads(frame))
        return frame

    async def send(self, frame: str) -> None:
        await self.socket.send(frame)


# What a CSMS asks, in its version's words


async def start(csms: Csms, tag: str = "REMOTE", number: int = 7) -> str:
    """Start from afar; the answer."""
    if csms.version == "1.6":
        request = call16.RemoteStartTransaction(id_tag=tag, connector_id=1)
    else:
        token = {"idToken": tag, "type": "Central"}
        request = ASKS[csms.version].RequestStartTransaction(id_token=token, remote_start_id=number, evse_id=1)
    return str((await csms.ask(request)).status)


async def stop(csms: Csms, transaction: Any) -> str:
    """Stop from afar; the answer."""
    if csms.version == "1.6":
        request = call16.RemoteStopTransaction(transaction_id=transaction)
    else:
        request = ASKS[csms.version].RequestStopTransaction(transaction_id=transaction)
    return str((await csms.ask(request)).status)


async def limit(csms: Csms, amps: float, number: int = 5) -> str:
    """Limit every transaction at the connector by a profile; the answer."""
    periods = [{"startPeriod": 0, "limit": amps}]
    schedule: dict[str, Any] = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    schedule["startSchedule"] = "2026-01-01T00:00:00Z"
    profile = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"}
    if csms.version == "1.6":
        whole = {**profile, "chargingProfileId": number, "chargingSchedule": schedule}
        request: Any = call16.SetChargingProfile(connector_id=1, cs_charging_profiles=whole)
    else:
        whole = {**profile, "id": number, "chargingSchedule": [{"id": 1, **schedule}]}
        request = ASKS[csms.version].SetChargingProfile(evse_id=1, charging_profile=whole)
    return str((await csms.ask(request)).status)


async def unlimit(csms: Csms, number: int = 5) -> str:
    """Take a profile away; the answer."""
    if csms.version == "1.6":
        request: Any = call16.ClearChargingProfile(id=number)
    else:
        request = ASKS[csms.version].ClearChargingProfile(charging_profile_id=number)
    return str((await csms.ask(request)).status)


async def composite(csms: Csms) -> float:
    """What may flow at the connector now, in A."""
    if csms.version == "1.6":
        answer = await csms.ask(call16.GetCompositeSchedule(connector_id=1, duration=600))
        schedule = answer.charging_schedule
    else:
        answer = await csms.ask(ASKS[csms.version].GetCompositeSchedule(evse_id=1, duration=600))
        schedule = answer.schedule
    assert (answer.status, schedule["charging_rate_unit"]) == ("Accepted", "A")
    return float(schedule["charging_schedule_period"][0]["limit"])


async def reserve(csms: Csms, number: int) -> str:
    """Reserve the connector; the answer."""
    until = "2036-01-01T00:00:00Z"
    if csms.version == "1.6":
        request: Any = call16.ReserveNow(connector_id=1, expiry_date=until, id_tag="RESERVED", reservation_id=number)
    else:
        token = {"idToken": "RESERVED", "type": "Central"}
        request = ASKS[csms.version].ReserveNow(id=number, expiry_date_time=until, id_token=token, evse_id=1)
    return str((await csms.ask(request)).status)


async def cancel(csms: Csms, number: int) -> str:
    """Cancel a reservation; the answer."""
    return str((await csms.ask(ASKS[csms.version].CancelReservation(reservation_id=number))).status)
