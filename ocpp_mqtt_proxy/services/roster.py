"""All services and all chargers: who is told of whom, and which conversations go on. Fulfils `ports.Mirror`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.authority import Referee
from ocpp_mqtt_proxy.core.events import ChargerBooted, ChargerConnected, ChargerForgotten, Fact, ProviderChanged
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.reports import Answer, Report
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.services import constraining, living, mirroring
from ocpp_mqtt_proxy.services.conversation import Conversation, Ways
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import ServicePlan
from ocpp_mqtt_proxy.services.ports import Outbox
from ocpp_mqtt_proxy.services.referee import enforce, referee_of
from ocpp_mqtt_proxy.services.relay import Relay

log = logging.getLogger(__name__)

Pair = tuple[str, str]
"""A service and a charger."""

CLOSING_SECONDS = 4.0
"""How long all links together may take to close at a stop."""

_REASONS = (ChargerBooted, ChargerConnected, ChargerForgotten, ProviderChanged)
"""What may begin or end a conversation."""


class Services(Mirror):
    """Every service, as every charger that it sees.

    An outstation is there for each plan and each charger that it sees, whether or not it is connected: what the
    service must hear later is queued meanwhile. A conversation goes on with a service that the owner has not switched
    off and the rules let in, about a charger that has said who it is.
    """

    def __init__(
        self,
        arbitration: Arbitration,
        plans: Iterable[ServicePlan],
        outbox: Outbox,
        ways: Ways,
    ) -> None:
        self.arbitration = arbitration
        self.plans = {plan.id: plan for plan in plans if plan.enabled}
        self._outbox = outbox
        self._ways = ways
        self._peers: dict[Pair, Peer] = {}
        self._virtuals: dict[Pair, Virtual] = {}
        self._outstations: dict[str, dict[str, Outstation]] = {}
        self._talks: dict[Pair, asyncio.Task[None]] = {}
        self._relay = Relay(self.of)
        self._disabled = frozenset(arbitration.house.disabled)
        self._running = False

    def restore(self, peers: Iterable[Peer], virtuals: Iterable[Virtual]) -> None:
        """Go on with what was written down; before anything else."""
        self._peers |= {(peer.service, peer.charger): peer for peer in peers}
        self._virtuals |= {(one.service, one.charger): one for one in virtuals}

    # Who is there

    def of(self, charger_id: str) -> list[Outstation]:
        """The outstations of a charger: one for each service that sees it."""
        known = self._outstations.get(charger_id)
        if known is None:
            if charger_id not in self.arbitration.hub.stations:
                return []
            seeing = [plan for plan in self.plans.values() if plan.sees(charger_id)]
            known = {plan.id: self._outstation(plan, charger_id) for plan in seeing}
            self._outstations[charger_id] = known
        return list(known.values())

    def of_service(self, service: str) -> list[Outstation]:
        """The outstations of a service: one for each charger that it sees."""
        return [out for charger_id in self.arbitration.hub.stations for out in self.of(charger_id) if out.id == service]

    def all(self) -> list[Outstation]:
        """Every outstation."""
        return [out for charger_id in self.arbitration.hub.stations for out in self.of(charger_id)]

    def is_service(self, provider: str) -> bool:
        """Whether a provider is one that we dial."""
        return provider in self.plans

    def referee_for(self, charger_id: str) -> Referee | None:
        """Who judges a charger's cards, where a service does."""
        return referee_of(self.of(charger_id))

    def _outstation(self, plan: ServicePlan, charger_id: str) -> Outstation:
        pair = (plan.id, charger_id)
        return Outstation(
            plan=plan,
            charger_id=charger_id,
            arbitration=self.arbitration,
            outbox=self._outbox,
            peer=self._peers.setdefault(pair, Peer(*pair)),
            virtual=self._virtuals.setdefault(pair, Virtual(*pair)),
        )

    # Mirror

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        """What services must hear of what was just heard; what they are told at once is queued."""
        changes: list[Change] = []
        is_back = any(isinstance(fact, ChargerConnected) for fact in facts)
        for out in self.of(station.id):
            try:
                changes += mirroring.follow(out, report, facts)
                living.follow(out, report, facts)
                constraining.follow(out, facts)
                if is_back:
                    enforce(out)
            except Exception:  # a fault of ours towards one service costs it a message, never the charger its answer
                log.exception("%s: what was heard of the charger could not be taken over", out.name)
        return changes

    def ask(self, station: Station, report: Report, ours: Answer) -> asyncio.Future[Answer] | None:
        """The answer of a service where that counts."""
        return self._relay.ask(station, report, ours)

    def everything(self) -> list[Change]:
        """What we share with services, and what they set."""
        return [*self._peers.values(), *self._virtuals.values()]

    def lose(self, service: str, charger_id: str, sessions: set[str]) -> None:
        """Of these sessions nothing waits any more though it was never told: what is over need not be known longer."""
        peer = self._peers.get((service, charger_id))
        if peer is None:
            return
        for key in sessions:
            if (known := peer.transactions.get(key)) and known.over:
                del peer.transactions[key]
        self.arbitration.hub.ledger.note([peer])

    # Running

    async def run(self) -> None:
        """Keep every conversation going that should go on, for ever."""
        hub = self.arbitration.hub
        self._running = True
        try:
            with hub.bus.listening("services", only=_REASONS) as mailbox:
                self._tend(list(hub.stations))
                while True:
                    self._tend(self._concerned(await mailbox.take()))
        finally:
            await self.close()

    def _concerned(self, facts: Iterable[Fact]) -> Iterable[str]:
        """The chargers to look at: those of which something was heard; all, where the owner switched a service."""
        disabled = frozenset(self.arbitration.house.disabled)
        if disabled == self._disabled:
            return {fact.charger for fact in facts if fact.charger}
        self._disabled = disabled
        return list(self.arbitration.hub.stations)

    async def close(self) -> None:
        """End all conversations: links are closed with 1001."""
        self._running = False
        await self._end(list(self._talks))

    async def change(self, plans: Iterable[ServicePlan]) -> None:
        """Other services from now on; those that stay as they are notice nothing."""
        wanted = {plan.id: plan for plan in plans if plan.enabled}
        moved = [pair for pair in self._talks if self._moves(self.plans.get(pair[0]), wanted.get(pair[0]), pair[1])]
        self.plans = wanted
        for charger_id, known in self._outstations.items():
            seeing = [plan for plan in wanted.values() if plan.sees(charger_id)]
            outs = [known.get(plan.id) or self._outstation(plan, charger_id) for plan in seeing]
            self._outstations[charger_id] = {out.id: out for out in outs}
            for out in outs:
                self._replan(out, wanted[out.id])
        self._catch_up()
        await self._end(moved)
        self._tend(list(self.arbitration.hub.stations))

    def _catch_up(self) -> None:
        """Who is new hears of what runs: the next word of the charger may be that it is over."""
        hub = self.arbitration.hub
        for station in hub.stations.values():
            hub.ledger.note(self.follow(station, None, []))

    @staticmethod
    def _moves(before: ServicePlan | None, after: ServicePlan | None, charger_id: str) -> bool:
        """Whether a change of plan needs another link, or none; without a plan before, its link is closing still."""
        if before is None or after is None or not after.sees(charger_id):
            return True
        return _door(before, charger_id) != _door(after, charger_id)

    @staticmethod
    def _replan(out: Outstation, plan: ServicePlan) -> None:
        renamed = plan.nameplate != out.plan.nameplate
        out.plan = plan
        if renamed and out.link is not None:
            out.boot("unknown")

    def _tend(self, charger_ids: Iterable[str]) -> None:
        """Begin and end conversations about chargers, so that those go on that should."""
        for charger_id in charger_ids:
            if charger_id not in self.arbitration.hub.stations:
                self._forget(charger_id)
                continue
            for out in self.of(charger_id):
                talk = self._talks.get((out.id, charger_id))
                if self._is_wanted(out) and talk is None:
                    self._begin(out)
                elif talk is not None and not self._is_wanted(out):
                    talk.cancel()

    def _forget(self, charger_id: str) -> None:
        """A charger was taken out of our books."""
        self._outstations.pop(charger_id, None)
        for table in (self._peers, self._virtuals):
            for pair in [one for one in table if one[1] == charger_id]:
                del table[pair]
        for pair, talk in self._talks.items():
            if pair[1] == charger_id:
                talk.cancel()

    def _begin(self, out: Outstation) -> None:
        if not self._running:
            return
        pair = (out.id, out.charger_id)
        talk = asyncio.create_task(Conversation(out, self._ways).run(), name=f"service {out.name}")
        self._talks[pair] = talk
        talk.add_done_callback(lambda _: self._ended(pair))

    def _ended(self, pair: Pair) -> None:
        """One that ended while it was wanted again is begun anew."""
        del self._talks[pair]
        self._tend([pair[1]])

    def _is_wanted(self, out: Outstation) -> bool:
        rules = self.arbitration.rules
        let_in = rules.may_come(out.id) and out.id not in rules.blocked
        # One that has charged has said who it is, though a crash may have taken that from us: it boots no second time.
        has_come = out.station.memory.accepted or bool(out.station.connectors)
        return let_in and not out.switched_off and has_come

    async def _end(self, pairs: Iterable[Pair]) -> None:
        talks = [self._talks[pair] for pair in pairs]
        for talk in talks:
            talk.cancel()
        if talks:
            await asyncio.wait(talks, timeout=CLOSING_SECONDS)


def _door(plan: ServicePlan, charger_id: str) -> tuple[object, ...]:
    """What a link hangs on."""
    return plan.address(charger_id), plan.identity(charger_id), plan.version, plan.credentials
