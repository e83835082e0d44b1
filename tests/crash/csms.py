"""CSMSs that the program is a charger to: they go on while it dies, and remember all they heard of transactions.

They answer at once or a little later, so that some deaths come between a message and its answer. A message whose answer
never came may be sent again, as it was and before any other; nothing may be heard twice otherwise, and nothing be
missing but readings.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.model import Version
from tests.crash.chargers import Charger, Message, Visit, now

LATE_SECONDS = 0.005
"""How long some answers take."""

Heard = tuple[str, Message]
"""A transaction's message: action and payload."""


@dataclass
class Csms(ABC):
    """A service of one version. `heard` is what it heard of transactions, in order, by charger."""

    id: str
    version: Version
    random: Random
    port: int = 0
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    repeated: int = 0
    deviations: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be there."""
        protocols = [Subprotocol(f"ocpp{self.version}")]
        async with serve(self._converse, "127.0.0.1", 0, subprotocols=protocols, compression=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield

    def configuration(self) -> dict[str, Any]:
        """How the program is told of it."""
        url = f"ws://127.0.0.1:{self.port}/{{charger}}"
        return {"id": self.id, "url": url, "version": str(self.version), "auth_type": "none", "mirror": "all"}

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        charger = socket.request.path.rpartition("/")[2]
        with contextlib.suppress(ConnectionClosed):
            async for frame in socket:
                kind, number, *rest = json.loads(frame)
                if kind == 2:
                    answer = self._answer(charger, *rest)
                    if self.random.random() < 0.3:
                        await asyncio.sleep(self.random.random() * LATE_SECONDS)
                    await socket.send(json.dumps([3, number, answer]))

    def _answer(self, charger: str, action: str, payload: Message) -> Message:
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now(), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now()}
        return self._of_transactions(charger, action, payload)

    def hear(self, charger: str, action: str, payload: Message, *, differs: Iterable[str] = ()) -> bool:
        """Remember a message; whether it is a new one. `differs` are the keys in which a repetition may."""
        heard = self.heard.setdefault(charger, [])
        shown = {key: value for key, value in payload.items() if key not in differs}
        if heard and heard[-1] == (action, shown):
            self.repeated += 1
            return False
        heard.append((action, shown))
        return True

    @abstractmethod
    def _of_transactions(self, charger: str, action: str, payload: Message) -> Message:
        """The answer to what is no boot and no heartbeat."""

    @abstractmethod
    def sessions(self, charger: str) -> list[list[Heard]]:
        """What was heard of each transaction, in the order of their starts; deviations are noted."""

    @abstractmethod
    def is_ended(self, session: list[Heard]) -> bool:
        """Whether the last that was heard of a transaction is its end."""

    @abstractmethod
    def compare(self, visit: Visit, session: list[Heard]) -> None:
        """A visit as it was, and what was heard of it."""

    def is_up_to_date(self, chargers: Iterable[Charger]) -> bool:
        """Whether it has heard of every visit to its end."""
        return all(self._ends(one.id) >= len(one.visits) for one in chargers)

    @abstractmethod
    def _ends(self, charger: str) -> int:
        """How many ends were heard."""

    def at_the_end(self, chargers: Iterable[Charger]) -> None:
        """All there was was heard, in order, and nothing else."""
        for charger in chargers:
            sessions = self.sessions(charger.id)
            if len(sessions) != len(charger.visits):
                self.deviate(charger.id, f"{len(sessions)} transactions heard of {len(charger.visits)}")
            for visit, session in zip(charger.visits, sessions, strict=False):
                if not self.is_ended(session):
                    self.deviate(charger.id, f"{visit.tag} never ended")
                self.compare(visit, session)

    def deviate(self, charger: str, what: str) -> None:
        self.deviations.append(f"{self.id} of {charger}: {what}")


@dataclass
class Csms16(Csms):
    """OCPP 1.6. A start that it has heard gets the number that it got (semantics §4.1.6)."""

    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _last: dict[str, int] = field(default_factory=dict)

    def _of_transactions(self, charger: str, action: str, payload: Message) -> Message:
        if action == "StartTransaction":
            if self.hear(charger, action, payload):
                self._last[charger] = next(self._numbers)
            return {"transactionId": self._last[charger], "idTagInfo": {"status": "Accepted"}}
        if action == "StopTransaction" or "transactionId" in payload:
            self.hear(charger, action, payload)
        return {}

    def sessions(self, charger: str) -> list[list[Heard]]:
        found: list[list[Heard]] = []
        for action, payload in self.heard.get(charger, []):
            if action == "StartTransaction":
                found.append([])
            if not found:
                self.deviate(charger, f"{action} before any start")
                continue
            found[-1].append((action, payload))
        for session in found:
            self._look_at_numbers(charger, session)
        return found

    def _look_at_numbers(self, charger: str, session: list[Heard]) -> None:
        numbers = {payload["transactionId"] for action, payload in session if action != "StartTransaction"}
        stops = [action for action, _ in session].count("StopTransaction")
        if len(numbers) > 1 or stops > 1:
            self.deviate(charger, f"{session[0][1]['idTag']} has numbers {numbers} and {stops} ends")

    def is_ended(self, session: list[Heard]) -> bool:
        return session[-1][0] == "StopTransaction"

    def compare(self, visit: Visit, session: list[Heard]) -> None:
        start, stop = session[0][1], session[-1][1]
        told = start["idTag"], start["meterStart"], stop.get("meterStop")
        if told != (visit.tag, visit.start, visit.stop):
            self.deviate(visit.charger, f"{visit.tag}, {visit.start} to {visit.stop} Wh, was told as {told}")

    def _ends(self, charger: str) -> int:
        return sum(action == "StopTransaction" for action, _ in self.heard.get(charger, []))


class Csms2(Csms):
    """OCPP 2.x. Whether an event happened offline may change between it and its repetition."""

    def _of_transactions(self, charger: str, action: str, payload: Message) -> Message:
        if action == "TransactionEvent":
            self.hear(charger, action, payload, differs=("offline",))
        return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in payload else {}

    def sessions(self, charger: str) -> list[list[Heard]]:
        found: dict[str, list[Heard]] = {}
        for heard in self.heard.get(charger, []):
            found.setdefault(heard[1]["transactionInfo"]["transactionId"], []).append(heard)
        for name, session in found.items():
            numbers = [payload["seqNo"] for _, payload in session]
            kinds = [payload["eventType"] for _, payload in session]
            if numbers != list(range(len(numbers))):
                self.deviate(charger, f"{name} has the numbers {numbers}")
            if kinds.count("Started") != 1 or kinds[0] != "Started" or kinds.count("Ended") > 1:
                self.deviate(charger, f"{name} is told as {kinds}")
        return list(found.values())

    def is_ended(self, session: list[Heard]) -> bool:
        return bool(session[-1][1]["eventType"] == "Ended")

    def compare(self, visit: Visit, session: list[Heard]) -> None:
        told = _energy(session[0][1], 0), _energy(session[-1][1], -1)
        if told != (visit.start, visit.stop):
            self.deviate(visit.charger, f"{visit.tag}, {visit.start} to {visit.stop} Wh, was told as {told}")

    def _ends(self, charger: str) -> int:
        return sum(payload["eventType"] == "Ended" for _, payload in self.heard.get(charger, []))


def _energy(event: Message, index: int) -> float | None:
    """The first or last register in an event, in Wh."""
    found = [
        sampled["value"] * 10 ** sampled.get("unitOfMeasure", {}).get("multiplier", 0)
        for value in event.get("meterValue", [])
        for sampled in value["sampledValue"]
        if sampled.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register"
    ]
    return found[index] if found else None


def two_services(random: Random) -> list[Csms]:
    """One that counts transactions, and one that is given their names."""
    return [
        Csms16("billing", Version.V16, Random(random.random())),
        Csms2("fleet", Version.V201, Random(random.random())),
    ]
