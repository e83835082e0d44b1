"""A charger that says and answers what a test has it say, frame by frame, as the specification writes them.

Every frame that goes either way is judged by the schemas of the `ocpp` package, which knows nothing of ours.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallResult, validate_payload
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.running import PATIENCE

Payload = dict[str, Any]

CARD = "04A1B2C3"
"""The card of most sessions."""

PLACE = {"id": 1, "connectorId": 1}
BEGIN, END = "Transaction.Begin", "Transaction.End"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def token(tag: str = CARD) -> Payload:
    return {"idToken": tag, "type": "ISO14443"}


@dataclass(frozen=True)
class Unable:
    """A CALLERROR."""

    code: str


@dataclass
class Charger:
    """One charger on its socket. `answers` say what it answers to a call: a payload, an error, or what makes one."""

    id: str
    version: str
    socket: ClientConnection
    calls: list[tuple[str, Payload]] = field(default_factory=list)
    answers: dict[str, Payload | Unable | Callable[[Payload], Payload]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    transaction: str = ""
    faults: list[str] = field(default_factory=list)
    sequence: int = 0
    _waiting: dict[str, tuple[str, asyncio.Future[Payload | Unable]]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    @contextlib.asynccontextmanager
    async def at(
        cls, url: str, version: str, charger_id: str, *, user: str = "", password: str = ""
    ) -> AsyncIterator[Self]:
        """A charger that is connected. Raises InvalidStatus where it may not come in."""
        secret = base64.b64encode(f"{user or charger_id}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}"} if password else {}
        subprotocol = Subprotocol(f"ocpp{version}")
        async with connect(f"{url}/{charger_id}", subprotocols=[subprotocol], additional_headers=headers) as socket:
            charger = cls(charger_id, version, socket)
            reader = asyncio.create_task(charger._read())
            try:
                yield charger
            finally:
                await socket.close()
                await reader
        assert charger.faults == []

    def resume(self, before: Charger) -> None:
        """Go on with the transaction of an earlier connection."""
        self.transaction, self.sequence = before.transaction, before.sequence

    # What it says

    async def say(self, action: str, **payload: Any) -> Payload:
        """Say something; the answer, which must be one."""
        answer = await self.hear_of(action, payload)
        assert isinstance(answer, dict), f"{action} was answered {answer}"
        return answer

    async def hear_of(self, action: str, payload: Payload, *, number: str = "") -> Payload | Unable:
        """Say something; the answer, or the error."""
        number = number or f"c{next(self._numbers)}"
        await self._judge(Call(number, action, payload))
        answer: asyncio.Future[Payload | Unable] = asyncio.get_running_loop().create_future()
        self._waiting[number] = action, answer
        await self.socket.send(json.dumps([2, number, action, payload]))
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def boot(self, reason: str = "PowerUp") -> Payload:
        if self.version == "1.6":
            return await self.say("BootNotification", chargePointVendor="Acme", chargePointModel="Box")
        return await self.say("BootNotification", reason=reason, chargingStation={"vendorName": "Acme", "model": "Box"})

    async def tell_status(self, status: str) -> None:
        """As both generations of 2.x do, and the package wants it."""
        if self.version == "1.6":
            told: Payload = {"connectorId": 1, "errorCode": "NoError", "status": status}
        else:
            told = {"evseId": 1, "connectorId": 1, "connectorStatus": status}
        assert await self.say("StatusNotification", timestamp=now(), **told) == {}

    async def event(self, kind: str, trigger: str, *, info: Payload | None = None, **more: Any) -> Payload:
        """A TransactionEvent of the transaction that runs; `Started` begins another one."""
        if kind == "Started":
            self.transaction, self.sequence = str(uuid4()), 0
            more.setdefault("evse", PLACE)
        number = more.pop("seqNo", self.sequence)
        self.sequence = number + 1
        return await self.say(
            "TransactionEvent",
            eventType=kind,
            triggerReason=trigger,
            timestamp=more.pop("timestamp", now()),
            seqNo=number,
            transactionInfo={"transactionId": self.transaction, **(info or {})},
            **more,
        )

    async def charge(self, tag: str = CARD, register: float = 1000) -> None:
        """A session: plugged in, card shown, energy flows."""
        await self.tell_status("Occupied")
        await self.event(
            "Started", "CablePluggedIn", info={"chargingState": "EVConnected"}, meterValue=wh(register, BEGIN)
        )
        answer = await self.event("Updated", "Authorized", idToken=token(tag), info={"chargingState": "EVConnected"})
        assert answer["idTokenInfo"]["status"] == "Accepted"
        await self.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})

    async def unplug(self, register: float = 3000) -> None:
        """The end of a session at the car."""
        info = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
        await self.event("Ended", "EVCommunicationLost", info=info, meterValue=wh(register, END))
        await self.tell_status("Available")

    # Transactions of 1.6

    async def start(self, tag: str = CARD, register: int = 1000, **more: Any) -> str:
        """A transaction begins; the number that it is given."""
        told = {"connectorId": 1, "idTag": tag, "meterStart": register, "timestamp": now(), **more}
        answer = await self.say("StartTransaction", **told)
        self.transaction = str(answer["transactionId"])
        await self.tell_status("Charging")
        return self.transaction

    async def read(self, register: float) -> None:
        """A reading in a transaction."""
        sample = {"value": str(register), "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register"}
        value = [{"timestamp": now(), "sampledValue": [sample]}]
        await self.say("MeterValues", connectorId=1, transactionId=int(self.transaction), meterValue=value)

    async def stop(self, register: int = 3000, reason: str = "Local") -> None:
        """The transaction ends, and its car leaves."""
        told = {"transactionId": int(self.transaction), "meterStop": register, "timestamp": now(), "reason": reason}
        await self.say("StopTransaction", **told)
        await self.tell_status("Finishing")
        await self.tell_status("Available")

    # What it is asked

    def asked(self, action: str) -> list[Payload]:
        """All calls of an action that came, in order."""
        return [payload for name, payload in self.calls if name == action]

    async def until(self, action: str, fits: Callable[[Payload], bool] = lambda _: True) -> Payload:
        """Wait for a call."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [payload for payload in self.asked(action) if fits(payload)]
                if found:
                    return found[-1]
                self._news.clear()
                await self._news.wait()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                await self._take(json.loads(text))

    async def _take(self, frame: list[Any]) -> None:
        kind, number = frame[0], str(frame[1])
        if kind == 2:
            await self._obey(number, frame[2], frame[3])
            return
        action, answer = self._waiting.pop(number)
        if kind == 3:
            await self._judge(CallResult(number, frame[2], action))
        answer.set_result(frame[2] if kind == 3 else Unable(frame[2]))

    async def _obey(self, number: str, action: str, payload: Payload) -> None:
        await self._judge(Call(number, action, payload))
        self.calls.append((action, payload))
        answer = self.answers.get(action) or _USUAL.get(action, _accept)(self, payload)
        if callable(answer):
            answer = answer(payload)
        if isinstance(answer, Unable):
            await self.socket.send(json.dumps([4, number, answer.code, "", {}]))
        else:
            await self._judge(CallResult(number, answer, action))
            await self.socket.send(json.dumps([3, number, answer]))
        self._news.set()

    async def _judge(self, message: Call | CallResult) -> None:
        try:
            await validate_payload(message, self.version)
        except OCPPError as error:
            self.faults.append(f"{message.action}: {error} {message.payload}")


def wh(register: float, context: str = "Sample.Periodic", at: str = "") -> list[Payload]:
    """A reading of the register."""
    sample = {"value": register, "context": context, "measurand": "Energy.Active.Import.Register"}
    return [{"timestamp": at or now(), "sampledValue": [sample]}]


def _accept(_: Charger, __: Payload) -> Payload:
    return {"status": "Accepted"}


def _name(item: Payload) -> str:
    return f"{item['component']['name']}.{item['variable']['name']}"


def _read_variables(charger: Charger, payload: Payload) -> Payload:
    results = []
    for item in payload["getVariableData"]:
        value = charger.settings.get(_name(item))
        told = {"attributeStatus": "UnknownVariable"}
        if value is not None:
            told = {"attributeStatus": "Accepted", "attributeValue": value}
        results.append({"component": item["component"], "variable": item["variable"], **told})
    return {"getVariableResult": results}


def _write_variables(charger: Charger, payload: Payload) -> Payload:
    results = []
    for item in payload["setVariableData"]:
        charger.settings[_name(item)] = item["attributeValue"]
        results.append({"component": item["component"], "variable": item["variable"], "attributeStatus": "Accepted"})
    return {"setVariableResult": results}


def _read_keys(charger: Charger, payload: Payload) -> Payload:
    wanted = payload.get("key") or list(charger.settings)
    known = [{"key": k, "readonly": False, "value": charger.settings[k]} for k in wanted if k in charger.settings]
    return {"configurationKey": known, "unknownKey": [k for k in wanted if k not in charger.settings]}


def _write_key(charger: Charger, payload: Payload) -> Payload:
    charger.settings[payload["key"]] = payload["value"]
    return {"status": "Accepted"}


_USUAL: dict[str, Callable[[Charger, Payload], Payload]] = {
    "GetVariables": _read_variables,
    "SetVariables": _write_variables,
    "GetConfiguration": _read_keys,
    "ChangeConfiguration": _write_key,
    "UnlockConnector": lambda *_: {"status": "Unlocked"},
}
"""What it answers where a test says nothing; else it accepts."""
