"""A charger, providers that are asked about cards, and what they answer: for tests of that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.authority import Authority
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.authorization import House
from ocpp_mqtt_proxy.core.events import AuthorizationAsked
from ocpp_mqtt_proxy.core.model import IdToken, Verdict
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    Report,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed
from tests.fakes import FakeClock, FakeLedger, FakeLink, a_charger, a_hub, an_arbitration
from tests.running import PATIENCE

TRANSACTIONS = ControlClass.TRANSACTIONS
BLOCKED = Authorization(Verdict.BLOCKED)
CARD = AuthorizationRequested(IdToken("04A1B2C3"))
TAG = CARD.token.tag
NEVER, AT_ONCE = 3600.0, 0.0
"""How long somebody is waited for, in seconds."""


def of_equals(*ids: str, **terms: Any) -> dict[str, Terms]:
    return {one: Terms(one, presence=PresenceRule.ANY, **terms) for one in ids}


@dataclass
class Scene:
    """A charger, providers that are connected, and what is told. Nobody's patience ends but where a test says so."""

    rules: Rules = field(
        default_factory=lambda: Rules(providers=of_equals("first", "second", "third"), preferred="first")
    )
    present: tuple[str, ...] = ("first", "second", "third")
    patience: float = NEVER
    grace: float = NEVER
    link: FakeLink = field(default_factory=FakeLink)

    def __post_init__(self) -> None:
        self.hub = a_hub()
        self.hub.house = House(cards={"anna": "Anna"}, open_to_all=False)
        self.station: Station = a_charger(self.hub, self.link)
        self.arbitration: Arbitration = an_arbitration(self.hub, self.rules)
        for provider in self.present:
            self.arbitration.arrived(provider)
        self.authority = self.hub.authority = Authority(self.arbitration, self.patience, self.grace)
        self.told: Mailbox = self.hub.bus.mailbox("test")
        self.facts: list[Any] = []

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.hub.clock, FakeClock)
        return self.hub.clock

    @property
    def ledger(self) -> FakeLedger:
        assert isinstance(self.hub.ledger, FakeLedger)
        return self.hub.ledger

    def events(self, kind: type[Any]) -> list[Any]:
        self.facts += self.told.take_now()
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def asked(self) -> list[str]:
        """Who was asked, in order."""
        return [fact.provider for fact in self.events(AuthorizationAsked)]

    def says(self, provider: str, said: Authorization, request_id: str | None = None) -> bool:
        """A provider answers the last question."""
        last = request_id or self.events(AuthorizationAsked)[-1].request_id
        return self.authority.answer(provider, last, said)

    def put(self, report: Report = CARD) -> asyncio.Future[Answer]:
        """What a charger says that has to wait for its answer."""
        answer = self.hub.hear("CP1", report)
        assert isinstance(answer, Delayed)
        return answer.answer

    async def verdict(self, report: Report = CARD) -> Verdict:
        """The verdict on a card that is answered at once, disk aside."""
        answer = self.hub.hear("CP1", report)
        return verdict(await answer.answer if isinstance(answer, Delayed) else answer)

    def holder(self) -> str | None:
        return self.station.control.holder(TRANSACTIONS)

    def decided(self) -> list[tuple[str, bool, str]]:
        """The audit log: who, yes or no, and why not."""
        written = [*self.ledger.noted, *self.ledger.recorded]
        return [(d.provider, d.granted, d.reason) for d in written if isinstance(d, Decided)]

    def session(self) -> Session:
        session = next(self.station.sessions(), None)
        assert session is not None
        return session


def verdict(answer: Answer) -> Verdict:
    assert isinstance(answer, AuthorizationAnswer | TransactionAnswer)
    assert answer.authorization is not None
    return answer.authorization.verdict


async def within_patience(answer: asyncio.Future[Answer]) -> Verdict:
    async with asyncio.timeout(PATIENCE):
        return verdict(await answer)


async def settle() -> None:
    """Let what was begun come as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)
