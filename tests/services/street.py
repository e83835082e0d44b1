"""One charger on a hub, services that mirror it, and what a courier does between: for whole sessions in all versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core import controlling
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.events import Fact, SessionEnded
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Standing
from ocpp_mqtt_proxy.core.reports import Answer, Report, TransactionAnswer
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.services import mirroring, wording
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import Mirroring
from tests.fakes import FakeClock, an_arbitration, providers
from tests.services.csms import StrictCsms
from tests.services.fakes import FakeServiceLink, a_known_charger, a_served_hub, an_outstation, outbox_of

FIRST_OF_OURS = 424_000_000
"""Ids that we give 1.6 chargers: like nothing else that stands in a message."""


class Ended(NamedTuple):
    """How a session stood when its end was told."""

    energy: float
    card: str | None


class Street(Mirror):
    """A charger of a version, and services."""

    def __init__(self, charger: Version) -> None:
        self.services: list[Service] = []
        self.sessions: dict[str, Session] = {}
        self.told: dict[str, Ended] = {}
        self.hub = a_served_hub()
        self.hub.numbers = Numbers("test", FIRST_OF_OURS)
        self.hub.mirror = self
        rules = Rules(providers=providers("all", "own", "rival"))
        self.arbitration: Arbitration = an_arbitration(self.hub, rules)
        self.station: Station = a_known_charger(self.hub, charger)

    def serve(self, version: Version, name: str = "all", mirror: Mirroring = Mirroring.ALL, **plan: Any) -> Service:
        """A service comes: by its name, in its version."""
        out = an_outstation(version, arbitration=self.arbitration, id=name, mirror=mirror, **plan)
        first = 500_000_000 + 1_000_000 * len(self.services)
        service = Service(out, StrictCsms(version, first))
        self.services.append(service)
        return service

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        """What is told of a session's end is final, though the charger may correct a close of ours (semantics §4.1.7)."""
        self.sessions |= {session.session_id: session for session in station.book.by_transaction.values()}
        for fact in facts:
            if isinstance(fact, SessionEnded):
                self.told.setdefault(fact.session.session_id, Ended(fact.session.energy, fact.session.id_tag))
        return [change for service in self.services for change in mirroring.follow(service.out, report, facts)]

    def ask(self, station: Station, report: Report, ours: Answer) -> None:
        return None

    # The world

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.hub.clock, FakeClock)
        return self.hub.clock

    async def hear(self, action: str, payload: dict[str, Any]) -> Answer:
        """The charger sends a message and is answered."""
        report, _ = DIALECTS[self.station.version].decode(action, payload)
        answer = self.hub.hear(self.station.id, report)
        return await answer.answer if isinstance(answer, Delayed) else answer

    async def hand_over(self, provider: str) -> None:
        """The owner puts a provider in charge of what runs."""
        await self.hub.settle(self.station, lambda hearing: controlling.hand_over(hearing, provider))

    async def close(self) -> None:
        """The owner says that what runs is over."""
        for connector in self.station.ordered():
            if connector.session is not None:
                await self.hub.close_session(self.station, connector)


@dataclass
class Service:
    """A service of the street, and what stands for its courier."""

    out: Outstation
    csms: StrictCsms

    @property
    def waiting(self) -> list[Outgoing]:
        """What it has yet to be told."""
        mine = outbox_of(self.out.hub).waiting
        return [one for one in mine if one.service == self.out.id]

    def leave(self) -> None:
        """It is down."""
        self.out.link = None
        self.out.accepted_at = None

    def come(self) -> None:
        """It is back, and has accepted us."""
        if self.out.link is None:
            self.out.link = FakeServiceLink(self.csms.version)
            self.out.peer.standing, self.out.peer.version = Standing.ACCEPTED, self.csms.version
            self.out.accepted_at = self.out.hub.clock.now()

    def deliver(self, most: int = 10_000, *, losing_answers: int = 0, refusing: bool = False) -> None:
        """Tell it what waits, while it is there; answers may be lost, or every call be refused until given up."""
        for outgoing in self.waiting[:most] if self.out.accepted else []:
            calls = wording.calls(self.out, outgoing)
            for action, payload in calls:
                self._call(outgoing, action, payload, losing_answers, refusing)
            wording.told(self.out, outgoing, calls)
            self.out.hub.ledger.note([Delivered(outgoing.number), self.out.peer])

    def _call(self, outgoing: Outgoing, action: str, payload: dict[str, Any], lost: int, refusing: bool) -> None:
        if refusing:
            return
        for _ in range(lost):
            self.csms.answer(action, payload)
            assert wording.calls(self.out, outgoing) == [(action, payload)], "a retry is the same message"
        wording.learn(self.out, outgoing, action, self.csms.answer(action, payload))

    def said(self, action: str) -> list[dict[str, Any]]:
        """What it was told of one action."""
        return [payload for called, payload in self.csms.heard if called == action]


# What chargers write


@dataclass
class Pen:
    """Writes a charger's messages: of one transaction after the other, in its version."""

    street: Street
    wh: float = 5000.0
    number: int = 0
    seq: int = 0
    transaction: str = ""
    card: str | None = None
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def of_16(self) -> bool:
        return self.street.station.version is Version.V16

    @property
    def at(self) -> str:
        return zulu(self.street.clock.now())

    async def start(self, card: str | None = "CARD", *, lost: bool = False, **more: Any) -> None:
        """A transaction begins, by a card; in 2.x maybe without one."""
        self.number += 1
        self.seq, self.card = 0, card
        if self.of_16:
            self.card = card or "CARD"
            self.transaction = str(FIRST_OF_OURS - self.number)  # of another CSMS, where the start is lost
            payload = {"connectorId": 1, "idTag": self.card, "meterStart": round(self.wh), "timestamp": self.at, **more}
            await self._send("StartTransaction", payload, lost=lost)
        else:
            self.transaction = f"charger's own {self.number}"
            trigger = "Authorized" if card else "CablePluggedIn"
            await self.event("Started", trigger, lost=lost, meterValue=self._meter("Transaction.Begin"), **more)

    async def show_card(self, card: str = "LATE") -> None:
        """The card of a transaction that began without one."""
        if not self.of_16 and self.card is None:
            self.card = card
            await self.event("Updated", "Authorized", card=card)

    async def read(self, wh: float, *, lost: bool = False, context: str = "Sample.Periodic", **more: Any) -> None:
        """A reading, so many Wh further; nothing flows before a card was shown."""
        self.wh += wh if self.card else 0.0
        values = self._meter(context)
        if self.of_16:
            payload = {"connectorId": 1, "transactionId": int(self.transaction), "meterValue": values}
            await self._send("MeterValues", payload, lost=lost)
        else:
            await self.event("Updated", "MeterValuePeriodic", lost=lost, meterValue=values, **more)

    async def state(self, word: str) -> None:
        """It charges, or does not."""
        if self.of_16:
            payload = {"connectorId": 1, "errorCode": "NoError", "status": word, "timestamp": self.at}
            await self._send("StatusNotification", payload)
        else:
            info = {"transactionId": self.transaction, "chargingState": word}
            await self.event("Updated", "ChargingStateChanged", info=info)

    async def stop(self, wh: float = 0.0, *, lost: bool = False, reason: str = "EVDisconnected", **more: Any) -> None:
        """It ends, so many Wh further."""
        self.wh += wh if self.card else 0.0
        if self.of_16:
            stop = {"transactionId": int(self.transaction), "meterStop": round(self.wh), "timestamp": self.at}
            await self._send("StopTransaction", {**stop, "reason": reason, **more}, lost=lost)
        else:
            info = {"transactionId": self.transaction, "stoppedReason": reason}
            values = self._meter("Transaction.End")
            await self.event("Ended", "EVDeparted", info=info, lost=lost, meterValue=values, **more)

    async def repeat(self) -> None:
        """The charger had no answer, and sends its last message again."""
        if self.sent:
            await self._send(*self.sent[-1])

    async def event(
        self, kind: str, trigger: str, *, card: str | None = None, info: object = None, lost: bool = False, **more: Any
    ) -> None:
        """A TransactionEvent, with whatever more is said in it."""
        card = card or (self.card if kind == "Started" else None)
        payload: dict[str, Any] = {
            "eventType": kind, "timestamp": self.at, "triggerReason": trigger, "seqNo": self.seq,
            "transactionInfo": info or {"transactionId": self.transaction}, "evse": {"id": 1, "connectorId": 1}, **more,
        }  # fmt: skip
        if card:
            payload["idToken"] = {"idToken": card, "type": "ISO14443"}
        self.seq += 1
        await self._send("TransactionEvent", payload, lost=lost)

    def _meter(self, context: str) -> list[dict[str, Any]]:
        value = f"{self.wh:.1f}" if self.of_16 else round(self.wh, 1)
        return [{"timestamp": self.at, "sampledValue": [{"value": value, "context": context}]}]

    async def _send(self, action: str, payload: dict[str, Any], *, lost: bool = False) -> None:
        if lost:
            return
        self.sent.append((action, payload))
        answer = await self.street.hear(action, payload)
        if action == "StartTransaction":
            assert isinstance(answer, TransactionAnswer)
            self.transaction = answer.transaction_id
