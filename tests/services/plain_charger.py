"""A charger of each version at the end of a wire in memory: one call at a time, and every answer is timed (I1, I6).

It holds profiles as the specification says, and knows by them what it may give (I5).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.ports import Clock
from tests.obedient import Make, Obedient
from tests.services.bad_company import ids_in
from tests.services.wires import CALL, ERROR, RESULT, Wire

PATIENCE = 60.0
"""Seconds after which it gives a call up."""

MANAGED = frozenset(
    {
        *("Reset", "ChangeAvailability", "SendLocalList", "ClearCache", "UpdateFirmware", "GetDiagnostics", "GetLog"),
        *("SetNetworkProfile", "InstallCertificate", "DeleteCertificate", "CertificateSigned", "DataTransfer"),
    }
)
"""What it is asked only by who has the right of management (I8)."""

OTHER_WORDS = {"UnlockConnector": "Unlocked", "ClearCache": "Accepted", "TriggerMessage": "Rejected"}


@dataclass
class Charger:
    """A charger with one connector. `waited` is the longest that it waited for an answer, in seconds, by its action.

    It answers after a `delay` in seconds; where it is `managed` somebody has the right to. `afar` is the card of a
    start that it agreed to, with the start's id. `profiles` is what it makes of those that it is given.
    """

    version: Version
    clock: Clock
    wire: Wire
    id: str = "CP1"
    wh: float = 5000.0
    number: int = 0
    seq: int = 0
    transaction: str = ""
    transactions: list[str] = field(default_factory=list)
    running: bool = False
    waited: dict[str, float] = field(default_factory=dict)
    profiles: Obedient = field(init=False)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    delay: float = 0.0
    managed: bool = False
    afar: tuple[str, int | None] | None = None
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _answers: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.profiles = Obedient(Make(self.version), self.clock.now)

    @property
    def of_16(self) -> bool:
        return self.version is Version.V16

    @property
    def at(self) -> str:
        return zulu(self.clock.now())

    def plug(self, wire: Wire) -> None:
        """It is at the end of a wire; ids begin anew, as they do after a boot (semantics §1.3)."""
        self.wire = wire
        self._ids = itertools.count(1)
        wire.hear = lambda frame: self._hear(wire, orjson.loads(frame))

    # What it says

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Say something and wait for the answer; nothing where there is none."""
        message_id = str(next(self._ids))
        waiting = self._answers[message_id] = asyncio.get_running_loop().create_future()
        began = asyncio.get_running_loop().time()
        self.wire.ask(message_id, action, payload)
        try:
            answer = await asyncio.wait_for(waiting, PATIENCE)
        except TimeoutError:
            self.wire.notary.deny("I6", f"the charger had no answer to {action}")
            return {}
        finally:
            waited = asyncio.get_running_loop().time() - began
            self.waited[action] = max(waited, self.waited.get(action, 0.0))
        if answer[0] == ERROR:
            self.refused.append(f"{action}: {answer[2:]}")
            return {}
        return dict(answer[2])

    async def boot(self) -> None:
        plate = {"vendorName": "Alfen", "model": "Eve Single", "serialNumber": "ACE1"}
        of_16 = {"chargePointVendor": "Alfen", "chargePointModel": "Eve Single", "chargePointSerialNumber": "ACE1"}
        payload = of_16 if self.of_16 else {"reason": "PowerUp", "chargingStation": plate}
        await self.call("BootNotification", payload)

    async def beat(self) -> None:
        await self.call("Heartbeat", {})

    async def show(self, card: str = "CARD") -> None:
        payload = {"idTag": card} if self.of_16 else {"idToken": {"idToken": card, "type": "ISO14443"}}
        await self.call("Authorize", payload)

    async def state(self, number: int = 0) -> None:
        if self.of_16:
            word = ("Charging", "SuspendedEV")[number % 2] if self.running else ("Available", "Preparing")[number % 2]
            await self.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word})
            return
        word = "Occupied" if self.running or number % 2 else "Available"
        payload = {"evseId": 1, "connectorId": 1, "connectorStatus": word, "timestamp": self.at}
        await self.call("StatusNotification", payload)

    async def alarm(self) -> None:
        await self.call("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": self.at})

    # Its transactions

    async def start(self, card: str = "CARD") -> None:
        if self.running:
            return
        (card, remote), self.afar = self.afar or (card, None), None
        self.number, self.seq, self.running = self.number + 1, 0, True
        self.profiles.begins(1, f"the charger's own {self.number}")
        if self.of_16:
            payload = {"connectorId": 1, "idTag": card, "meterStart": round(self.wh), "timestamp": self.at}
            answer = await self.call("StartTransaction", payload)
            self.transaction = self.profiles.transactions[1].id = str(answer.get("transactionId", -1))
        else:
            self.transaction = f"the charger's own {self.number}"
            trigger = "Authorized" if remote is None else "RemoteStart"
            token = {"idToken": card, "type": "ISO14443" if remote is None else "Central"}
            await self._event("Started", trigger, "Transaction.Begin", remote, idToken=token)
        self.transactions.append(self.transaction)

    async def read(self, wh: int) -> None:
        if not self.running:
            return
        self.wh += wh
        if self.of_16:
            values = self._meter("Sample.Periodic")
            payload = {"connectorId": 1, "transactionId": int(self.transaction), "meterValue": values}
            await self.call("MeterValues", payload)
        else:
            await self._event("Updated", "MeterValuePeriodic", "Sample.Periodic")

    async def stop(self, wh: int = 0) -> None:
        if not self.running:
            return
        self.wh += wh
        self.running = False
        self.profiles.ends(1)
        if self.of_16:
            payload = {"transactionId": int(self.transaction), "meterStop": round(self.wh), "timestamp": self.at}
            await self.call("StopTransaction", {**payload, "reason": "Local"})
        else:
            await self._event("Ended", "StopAuthorized", "Transaction.End")

    async def _event(self, kind: str, trigger: str, context: str, remote: int | None = None, **more: Any) -> None:
        info: dict[str, Any] = {"transactionId": self.transaction}
        if kind == "Ended":
            info["stoppedReason"] = "Local"
        if remote is not None:
            info["remoteStartId"] = remote
        payload = {
            "eventType": kind, "timestamp": self.at, "triggerReason": trigger, "seqNo": self.seq, "transactionInfo": info,
            "evse": {"id": 1, "connectorId": 1}, "meterValue": self._meter(context), **more,
        }  # fmt: skip
        self.seq += 1
        await self.call("TransactionEvent", payload)

    def _meter(self, context: str) -> list[dict[str, Any]]:
        value = str(self.wh) if self.of_16 else self.wh
        return [{"timestamp": self.at, "sampledValue": [{"value": value, "context": context}]}]

    # What it is asked

    def _hear(self, wire: Wire, frame: list[Any]) -> None:
        if frame[0] != CALL:
            waiting = self._answers.pop(frame[1], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)
            return
        _, message_id, action, payload = frame
        self.asked.append((action, payload))
        if list(ids_in(payload)):
            wire.notary.deny("I4", f"the charger was asked {action} {payload}")
        if (action in MANAGED and not self.managed) or "4711" in str(payload):
            wire.notary.deny("I8", f"the charger was asked {action} {payload}")
        answer = orjson.dumps([RESULT, message_id, self._answer(action, payload)])
        asyncio.get_running_loop().call_later(self.delay, wire.say, answer)

    def _answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        match action:
            case "GetConfiguration":
                return {}
            case "GetVariables" | "SetVariables":
                key = action[0].lower() + action[1:-1]
                items = payload[f"{key}Data"]
                unknown = {"attributeStatus": "UnknownVariable"}
                return {f"{key}Result": [unknown | {k: i[k] for k in ("component", "variable")} for i in items]}
            case "RemoteStartTransaction":
                self.afar = (payload["idTag"], None)
            case "RequestStartTransaction":
                self.afar = (payload["idToken"]["idToken"], payload["remoteStartId"])
            case "SetChargingProfile" | "ClearChargingProfile":
                return self.profiles.answer(action, payload)
        return {"status": OTHER_WORDS.get(action, "Accepted")}
