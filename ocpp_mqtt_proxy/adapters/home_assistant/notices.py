"""Notifications in Home Assistant: faults and limits that are ignored, gone when that is over, sessions, logins."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.home_assistant.api import Connection, Denied
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.events import Fact, FaultChanged, LimitsIgnored, LimitsObeyed, LoggedIn, SessionEnded
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.session import Session

log = logging.getLogger(__name__)

CONCERNS = (FaultChanged, LimitsIgnored, LimitsObeyed, SessionEnded, LoggedIn)
"""Facts that people may be told."""

MOST_WAITING = 100
"""Notices kept while Home Assistant is away; the oldest go first."""

LONGEST = 200
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~!])")


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. Without a message: that of this id is over."""

    id: str
    title: str = ""
    message: str = ""


@dataclass
class Notices:
    """Makes notices of facts and delivers each once, when Home Assistant is there."""

    arbitration: Arbitration
    faults: bool = True
    sessions: bool = True
    logins: bool = True
    waiting: dict[str, Notice] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, fact: Fact) -> None:
        """Something happened that people may want to know."""
        match fact:
            case FaultChanged() if self.faults:
                self._put(self._fault(fact))
            case LimitsIgnored() if self.faults:
                self._put(self._ignored(fact))
            case LimitsObeyed() if self.faults:
                self._put(Notice(_of_limits(fact)))
            case SessionEnded() if self.sessions:
                self._put(self._session(fact))
            case LoggedIn() if self.logins:
                self._put(_login(fact))

    def _put(self, notice: Notice) -> None:
        """The newest of an id counts, and comes last."""
        self.waiting.pop(notice.id, None)
        self.waiting[notice.id] = notice
        if len(self.waiting) > MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        self._wake.set()

    async def deliver(self, connection: Connection) -> None:
        """Deliver what waits and what comes, for ever. Raises TimeoutError; what was not answered waits on."""
        while True:
            while self.waiting:
                await self._send(connection, next(iter(self.waiting.values())))
            self._wake.clear()
            await self._wake.wait()

    async def _send(self, connection: Connection, notice: Notice) -> None:
        try:
            if notice.message:
                texts = {"title": notice.title, "message": notice.message}
                await connection.call("persistent_notification.create", notification_id=notice.id, **texts)
            else:
                await connection.call("persistent_notification.dismiss", notification_id=notice.id)
        except Denied as error:
            log.warning("Home Assistant does not take a notification: %s", error)
        if self.waiting.get(notice.id) is notice:
            del self.waiting[notice.id]

    # What they say

    def _fault(self, fact: FaultChanged) -> Notice:
        number = f"ocpp_mqtt_proxy_fault_{fact.charger}_{fact.connector}"
        if fact.cleared:
            return Notice(number)
        code = "" if fact.error_code == "NoError" else fact.error_code
        told = ": ".join(plain(part) for part in (code, fact.info) if part)
        message = told or "The charger reports a fault and does not say which."
        return Notice(number, f"{self._place(fact)}: fault", message)

    def _ignored(self, fact: LimitsIgnored) -> Notice:
        message = (
            f"It confirmed a limit of {fact.effective:g} A and gives {fact.gives:.1f} A. "
            "Keep it below what your house bears by its own settings."
        )
        return Notice(_of_limits(fact), f"{self._place(fact)}: ignores its limit", message)

    def _session(self, fact: SessionEnded) -> Notice:
        session = fact.session
        amount = f"{shapes.kwh(session.energy):.2f} kWh in {lasting(session.duration(fact.at))}"
        money = self._money(session, fact)
        title = f"{self._place(fact)}: charging ended"
        return Notice(f"ocpp_mqtt_proxy_session_{session.session_id}", title, f"{amount}, {money}.")

    def _money(self, session: Session, fact: SessionEnded) -> str:
        """What it brought, and from whom; of the owner's own what it cost."""
        paying = dict.fromkeys(part.provider for part in session.parts if part.provider != OWNER)
        if not paying:
            return f"cost {shapes.money(session.cost):.2f} {session.cost_currency}"
        names = " and ".join(self._name(provider) for provider in paying)
        return f"{shapes.money(session.revenue(fact.at)):.2f} {session.currency} from {names}"

    def _name(self, provider: str) -> str:
        terms = self.arbitration.rules.terms(provider)
        return plain((terms.name if terms else "") or provider)

    def _place(self, fact: Fact) -> str:
        """Which charger; and which connector of it, where it has several."""
        station = self.arbitration.hub.stations.get(fact.charger)
        name = plain((station.plan.name if station else "") or fact.charger)
        several = station is not None and len(station.ordered()) > 1 and fact.connector
        return f"{name}, connector {fact.connector}" if several else name


def _login(fact: LoggedIn) -> Notice:
    """The newest of an address stands for all of them."""
    message = (
        f"Somebody logged in to the chargers' page from {plain(fact.address)}. Not you? Set another http.api_token."
    )
    return Notice(f"ocpp_mqtt_proxy_login_{fact.address}", "Chargers: login", message)


def _of_limits(fact: Fact) -> str:
    """One of a charger, whichever of its connectors it was."""
    return f"ocpp_mqtt_proxy_limits_{fact.charger}"


def plain(text: str) -> str:
    """A charger's text, cut, and nothing in it taken for markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())[:LONGEST])


def lasting(seconds: float) -> str:
    """A time as people say it: `2 h 05 min`."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
