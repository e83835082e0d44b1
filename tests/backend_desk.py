"""A backends' desk on fakes: a charger that agrees to everything, and rules of the test's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import steer
from ocpp_mqtt_proxy.backends.desk import Asked, Backend, Desk, Records
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.reports import Authorization
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.hub import Hub
from tests.fakes import FakeClock, FakeLink, a_charger, a_hub

ENERGY = Terms("energy", roles=frozenset(ControlClass), presence=PresenceRule.ANY)
FLEET = Terms("fleet", presence=PresenceRule.ANY)
OPEN = Rules(providers={"energy": ENERGY, "fleet": FLEET}, rate_limit=Rules().rate_limit * 0)


class FakeMemory:
    """Remembers nothing."""

    async def keep_disabled(self, providers: object) -> None:
        """Nobody asks."""


@dataclass
class FakePage:
    """A page of sessions."""

    sessions: Sequence[Session]
    cursor: str | None = None


@dataclass
class FakeRecords(Records):
    """A page of sessions; what was wanted of them."""

    sessions: list[Session] = field(default_factory=list)
    wanted: list[dict[str, Any]] = field(default_factory=list)

    async def page(self, **wanted: Any) -> FakePage:
        self.wanted.append(wanted)
        return FakePage(self.sessions, "more")


@dataclass
class FakeAsked(Asked):
    """Somebody who asked one provider one thing."""

    open: tuple[str, str] = ("energy", "q1")
    heard: list[Authorization] = field(default_factory=list)

    def answer(self, provider: str, request_id: str, authorization: Authorization) -> bool:
        if (provider, request_id) != self.open:
            return False
        self.heard.append(authorization)
        return True


@dataclass
class ADesk:
    """A desk, and all around it. The charger is CP1."""

    desk: Desk
    hub: Hub
    link: FakeLink
    station: Station
    records: FakeRecords
    asked: FakeAsked

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.hub.clock, FakeClock)
        return self.hub.clock

    async def ask(self, action: str, by: Any = "energy", **arguments: Any) -> Outcome:
        """What becomes of what a backend asks; `by` is its id, or one of its links."""
        backend = by if isinstance(by, Backend) else Backend(by)
        return await self.desk.carry_out(backend, action, arguments)


def a_desk(rules: Rules = OPEN) -> ADesk:
    hub, link = a_hub(), FakeLink()
    station = a_charger(hub, link)
    arbitration = Arbitration(hub, Dispatcher(hub, Commissioning(hub)), rules, FakeMemory())
    steer(arbitration)
    records, asked = FakeRecords(), FakeAsked()
    return ADesk(Desk(arbitration, records, asked), hub, link, station, records, asked)
