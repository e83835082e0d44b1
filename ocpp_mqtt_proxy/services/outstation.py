"""One service and one charger: the conversation in which we are that charger."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import Place, Version
from ocpp_mqtt_proxy.core.peer import Peer, Standing
from ocpp_mqtt_proxy.core.reports import Answer, Report
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialect import Dialect, Payload
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.services.plan import ServicePlan
from ocpp_mqtt_proxy.services.ports import LinkLost, Outbox, ServiceLink

MOST_LIVE = 200
"""Messages that wait to be told now; older ones go, since they tell how things are."""

MOST_ASKED = 5_000
"""Messages that wait because the service asked for them: a device model whole makes a thousand."""

MOST_ERRANDS = 50
"""Things done at once that a service asked for; one that asks for more of them asks in vain."""

MOST_BEHIND = 1_000
"""Messages on disk, above which none is added because the service asks for it: real readings would have to go."""


@dataclass
class Outstation:
    """One service and one charger.

    `link` while connected. `accepted_at` since when the service has accepted us on this link: what happened before is
    told as offline (E04.FR.03). `fault` is what the last dial failed of, why we are not accepted, or what the service
    does not take; empty while all is well. `skew` is by how much the service's clock is ahead of ours, as far as it
    told.

    `live` are messages that are told now or never, `asked` those that the service itself asked for: they go first,
    and while it has not accepted us too (B02.FR.02). `news` is set whenever either grows.
    `told` is what it was last told of connectors' states on this link, by our numbers, `errors` which error codes,
    `constrained` how much others allow in A (None: it was told, which may not have come). `bound` is what bound last
    there, and whose limit that was.
    `wanted` is why it should be sent a boot, `boot_wanted` set with it. `unsettled` is set when states have to be
    looked at again, `parted` when the charger left; `away` once it has been away for long. `retuned` is set when the
    service changed how we are to talk to it. `awaits` are the kinds of reports (`diagnostics`, `firmware`) that follow
    from something that it asked of the charger, by the id that it gave its request, if it gave one.

    Of sessions: `lately` is the last report of each, `sampled` when it was last told of readings of a context;
    `caught_up` once those were looked at that ended unheard.
    """

    plan: ServicePlan
    charger_id: str
    arbitration: Arbitration
    outbox: Outbox
    peer: Peer
    virtual: Virtual
    link: ServiceLink | None = None
    accepted_at: datetime | None = None
    fault: str = ""
    skew: timedelta | None = None
    live: deque[tuple[str, Payload]] = field(default_factory=lambda: deque(maxlen=MOST_LIVE))
    asked: deque[tuple[str, Payload]] = field(default_factory=lambda: deque(maxlen=MOST_ASKED))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    told: dict[int, Payload] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    constrained: dict[int, float | None] = field(default_factory=dict)
    bound: dict[int, tuple[float, str]] = field(default_factory=dict)
    wanted: str = ""
    boot_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    unsettled: asyncio.Event = field(default_factory=asyncio.Event)
    parted: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False
    retuned: asyncio.Event = field(default_factory=asyncio.Event)
    awaits: dict[str, int | None] = field(default_factory=dict)
    lately: dict[str, Report] = field(default_factory=dict)
    sampled: dict[str, datetime] = field(default_factory=dict)
    caught_up: bool = False
    _errands: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The service, as a provider."""
        return self.plan.id

    @property
    def name(self) -> str:
        """For logs."""
        return f"{self.charger_id} at {self.plan.id}"

    @property
    def hub(self) -> Hub:
        """Every charger."""
        return self.arbitration.hub

    @property
    def station(self) -> Station:
        """The charger. Raises UnknownCharger."""
        return self.hub.station(self.charger_id)

    @property
    def version(self) -> Version:
        """The version spoken with the service, or last, or most likely."""
        if self.link is not None:
            return self.link.version
        return self.plan.version or self.peer.version or self.station.version

    @property
    def dialect(self) -> Dialect:
        """How the service is spoken to."""
        return DIALECTS[self.version]

    @property
    def accepted(self) -> bool:
        """Whether the service has accepted us, on a link that stands."""
        return self.link is not None and self.accepted_at is not None and self.peer.standing is Standing.ACCEPTED

    @property
    def switched_off(self) -> bool:
        """Whether the owner has switched the service off."""
        return self.id in self.arbitration.house.disabled

    def keep(self) -> None:
        """Have what we have in common, and what it set, written down within a second."""
        self.hub.ledger.note([self.peer, self.virtual])

    async def call(self, action: str, payload: Payload, seconds: float | None = None) -> Payload:
        """Call the service. Raises LinkLost, NoAnswer, Refused."""
        if self.link is None:
            raise LinkLost(f"{self.id} is not connected")
        return dict(await self.link.call(action, payload, seconds))

    async def say(self, report: Report, seconds: float | None = None) -> Answer | None:
        """Tell a report in the service's dialect and read the last answer; None where there is nothing to say.

        Ids, places and tags in it must be the service's own by now. Raises LinkLost, NoAnswer, Refused.
        """
        row = self.dialect.say.get(type(report))
        if row is None:
            return None
        answer: Answer | None = None
        for action, payload in row.encode(report):
            answer = row.read(await self.call(action, payload, seconds))
        return answer

    def tell(self, action: str, payload: Payload, *, asked: bool = False) -> None:
        """Have the service told now, where it has accepted us, or has asked for it; else never."""
        if asked and self.link is not None:
            self.asked.append((action, payload))
        elif self.accepted:
            self.live.append((action, payload))
        self.news.set()

    def report(self, report: Report, *, asked: bool = False) -> None:
        """Have the service told a report now, as `tell`; ids, places and tags in it must be its own by now."""
        row = self.dialect.say.get(type(report))
        for action, payload in row.encode(report) if row else ():
            self.tell(action, payload, asked=asked)

    def boot(self, reason: str) -> None:
        """Have the service sent a boot: now, or with its next link. A real reboot outweighs a request for one."""
        if reason != "triggered" or not self.wanted:
            self.wanted = reason
        self.boot_wanted.set()

    def place(self, connector: Connector) -> Place:
        """Where a connector is, as the service counts: our numbers for 1.6, EVSEs for 2.x (semantics §10.3)."""
        return Place(connector.number, 1) if self.version is Version.V16 else connector.place

    @property
    def overrun(self) -> bool:
        """Whether so much waits that more on request would only come at the cost of what matters."""
        behind = self.outbox.depth(self.id, self.charger_id).messages >= MOST_BEHIND
        return behind or len(self._errands) >= MOST_ERRANDS

    def errand(self, work: Coroutine[None, None, object]) -> None:
        """Have something done that nobody waits for."""
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
