"""Steering chargers: what `core/steering.py` wants is put to them, one profile after another.

A profile that raises is dropped where less is allowed by the time that it would go. What lowers and is refused is
followed by 0 A, and where that is refused too by a stop (contract §8).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from ocpp_mqtt_proxy.core import binding, explaining
from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Outcome, Reason, StopCharging, done, failed, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.doubt import lasting, may_have_lost, passing
from ocpp_mqtt_proxy.core.forms import base_forms, forms
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import value
from ocpp_mqtt_proxy.core.limit_orders import Layer, ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Failure, Station
from ocpp_mqtt_proxy.core.steering import (
    Want,
    above_others,
    every_want,
    goal,
    goal_of_all,
    shown,
    stands_for_one,
    wants,
)
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.steering.asked import REFUSALS, ask
from ocpp_mqtt_proxy.steering.orders import order_for, plainer

log = logging.getLogger(__name__)

UNANSWERED = (Reason.CHARGER_OFFLINE, Reason.TIMEOUT)
"""With these nobody knows whether the charger took a profile."""

CEILING = "ceiling"
"""What the owner's word is on, where it is not on one session."""

TRIED = "tried"
"""What a provider's is on, as long as it is only tried."""

PATIENCE = timedelta(seconds=4)
"""For how long forms are tried where a charger is forced to give less: it gives nothing within 10 s (contract §8)."""

MOST_PUTS = 3
"""How often one profile is put in one go: as it is learned, then with its time, once more where it was overtaken."""


class Word(NamedTuple):
    """What the owner wants of a charger: on what, whether it lowers, and what is so once the charger keeps to it."""

    on: str
    lowers: bool
    settle: Callable[[Hearing], None]


@dataclass
class Round:
    """One go at what a charger wants. `forces`: what it refuses to give less of is forced.

    `puts` counts how often each profile was put, `given_up` are those that will not be taken, `asks` is the key of
    what it is asked now.
    """

    eager: bool
    forces: bool
    puts: Counter[str] = field(default_factory=Counter)
    given_up: set[str] = field(default_factory=set)
    asks: str = ""


@dataclass
class Steering:
    """Has chargers keep to what is allowed. Each takes its profiles one by one, so that none overtakes a later one.

    `reckon` works out what is allowed now (`Station.provided` and `ahead`), each time before anything is put.
    """

    hub: Hub
    reckon: Callable[[Station], None] = lambda _: None
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _waiting: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _unlimited: set[str] = field(default_factory=set)

    async def follow(self, station: Station, *, eager: bool = False, anew: bool = False) -> Outcome:
        """Put what has to be put now. `eager`: raises wait for nothing; `anew`: nor does what was refused."""
        async with self._turns[station.id]:
            if anew:
                station.forget_refusals()
            return _or_later(await self._follow(station, eager=eager, forces=True))

    async def attempt(self, station: Station, mean: Callable[[], Callable[[], object]]) -> Outcome:
        """Have the charger keep to what is meant, but not by force: what it does not keep to is taken back.

        `mean` returns how. In a turn of its own: what is only tried forces nothing in others' turns.
        """
        async with self._turn(station, TRIED):
            failures, outcome = dict(station.failed), absent(station)
            station.forget_refusals()
            take_back = mean()
            try:
                outcome = _or_later(await self._follow(station, eager=False, forces=False))
            finally:
                if not outcome.ok:
                    take_back()
                    self.reckon(station)
            if outcome.reason in REFUSALS:
                station.failed = failures  # it refused that, and maybe nothing else
                await self._follow(station, eager=False, forces=True)
            return outcome

    async def limit(self, station: Station, amps: Amps) -> Outcome:
        """Set the owner's ceiling in A, at once; it is one once the charger keeps to it."""

        def meant(now: Amps | None) -> None:
            station.wish = now

        word = Word(CEILING, amps < station.ceiling, lambda hearing: binding.ceiling(hearing, amps))
        return await self._try(station, word, lambda: meant(amps), lambda: meant(None))

    async def pause(self, station: Station, session: Session, *, paused: bool) -> Outcome:
        """Pause a transaction, or have it go on; it does once the charger keeps to it."""
        number = session.session_id
        word = Word(number, paused, lambda hearing: binding.paused(hearing, session, paused=paused))
        outcome = await self._try(
            station, word, lambda: station.pausing.update({number: paused}), station.pausing.clear
        )
        return outcome if session.running else refused(Reason.INVALID, "the transaction is over")

    async def repeat(self, station: Station, session: Session) -> Outcome:
        """Put what limits a transaction once more: some chargers pass over it the first time."""
        station.doubted.add(Layer.DEFAULT if station.stands_in(session) else session.session_id)
        return await self.follow(station, eager=True)

    def allowed(self, station: Station, connector: Connector) -> Amps:
        """What may flow on a connector now, whatever its session has of its own, in A."""
        self.reckon(station)
        now = self.hub.clock.now()
        return value(goal(station, connector, now, own=False), now)

    def shut_by(self, station: Station, connector: Connector) -> str | None:
        """Who lets nothing flow on a connector now, beside its owner; None where something may."""
        shut = not self.allowed(station, connector) and station.ceiling_of(connector.number) > 0
        return station.provided.by if shut and station.provided is not None else None

    async def restate(self, station: Station, *, booted: bool) -> Outcome:
        """Put all of it again: after a boot the charger may have lost it, after a reconnect its transactions'."""
        held = passing(station)
        station.failed.clear()
        if booted:
            self._unlimited.discard(station.id)
            self.hub.apply(station, binding.learns_anew)
            may_have_lost(station, held.keys() | lasting(station, self.hub.clock.now()).keys())
        else:
            station.memory.asked = held | station.memory.asked
        return await self.follow(station)

    async def _try(
        self, station: Station, word: Word, mean: Callable[[], object], forget: Callable[[], object]
    ) -> Outcome:
        """Have the charger keep to what the owner means; what it does not is taken back.

        What raises lets go first what lowers. It is over where that was a later word on the same.
        """
        while True:
            async with self._turn(station, word.on if word.lowers else None):
                if station.id not in self.hub.links:
                    return absent(station)
                mean()
                try:
                    outcome = await self._follow(station, eager=True, forces=False)
                    if outcome.ok:
                        self.hub.apply(station, word.settle)
                finally:
                    forget()
                if outcome.reason in REFUSALS:
                    await self._follow(station, eager=True, forces=False)
                if outcome is not WITHDRAWN or word.on in self._waiting[station.id]:
                    return outcome

    @asynccontextmanager
    async def _turn(self, station: Station, lowers: str | None) -> AsyncIterator[None]:
        """A turn with a charger. While one waits that may lower something, what raises and has not gone gives way."""
        waiting, turn = self._waiting[station.id], self._turns[station.id]
        if lowers is not None:
            waiting.append(lowers)
        try:
            await turn.acquire()
        finally:
            if lowers is not None:
                waiting.remove(lowers)
        try:
            yield
        finally:
            turn.release()

    async def _follow(self, station: Station, *, eager: bool, forces: bool) -> Outcome:
        """Put what is wanted. WITHDRAWN where the rest is left until somebody else lowered something."""
        worst, go = done(), Round(eager, forces)
        while (want := self._next(station, go)) is not None:
            go.puts[want.key] += 1
            outcome = await self._see_to(station, want, go)
            if outcome is not WITHDRAWN and want.key in station.failed:
                go.given_up.add(want.key)
                worst = outcome if want.needed and worst.ok else worst
            if self._is_over(station, want, outcome, go):
                worst = outcome if worst.ok and self._is_left(station, go) else worst
                break
        self._forget_failures(station)
        self._show(station)
        return worst

    def _is_over(self, station: Station, want: Want, outcome: Outcome, go: Round) -> bool:
        """Whether to put nothing else now: it lets another go first, or would not be of use."""
        if outcome is WITHDRAWN:
            return self._gives_way(station, want)
        return outcome.reason in UNANSWERED or (outcome.reason is Reason.NOT_SUPPORTED and not go.forces)

    def _is_left(self, station: Station, go: Round) -> bool:
        """Whether anything that is needed has not been tried."""
        every = wants(station, self.hub.clock.now(), eager=go.eager)
        return any(want.needed and want.key not in go.given_up for want in every)

    async def _see_to(self, station: Station, want: Want, go: Round) -> Outcome:
        outcome = await self._put(station, want, go)
        if outcome is not WITHDRAWN:
            self._note(station, want, outcome)
        if go.forces and want.lowers and outcome.reason in REFUSALS:
            return await self._insist(station, want, outcome, go)
        return outcome

    def _forget_failures(self, station: Station) -> None:
        """What is not wanted any more has not failed."""
        if not station.failed:
            return
        wanted = {want.key for want in every_want(station, self.hub.clock.now())}
        station.failed = {key: failure for key, failure in station.failed.items() if key in wanted}

    def _next(self, station: Station, go: Round) -> Want | None:
        self.reckon(station)
        every = wants(station, self.hub.clock.now(), eager=go.eager)
        passed_over = go.given_up & station.failed.keys()
        return next((one for one in every if one.key not in passed_over and go.puts[one.key] < MOST_PUTS), None)

    def _note(self, station: Station, want: Want, outcome: Outcome) -> None:
        now = self.hub.clock.now()
        if outcome.ok:
            station.failed.pop(want.key, None)
            station.is_sure_of(want.key)
            if want.layer is Layer.DEFAULT:
                station.failed.pop(Layer.BASE, None)  # which goes in the same form
            return
        before = station.failed.get(want.key)
        station.failed[want.key] = Failure(1 if before is None else before.times + 1, now, want.lowers)
        knows_form = station.memory.installed is not None and Layer.DEFAULT not in station.doubted
        if want.layer is Layer.BASE and outcome.reason in REFUSALS and station.memory.safe is None and knows_form:
            self.hub.apply(station, binding.takes_no_base)
        if outcome.reason in REFUSALS and want.key in station.doubted and want.key not in station.memory.asked:
            self.hub.apply(station, partial(binding.lost, want=want))

    def _show(self, station: Station) -> None:
        now = self.hub.clock.now()
        if any(one.effective_limit != shown(station, one, now) for one in station.ordered()):
            self.hub.apply(station, binding.settle)

    # One profile

    async def _put(self, station: Station, want: Want, go: Round) -> Outcome:
        """In the first form that the charger takes, as plain as it needs it; never more than is allowed by then.

        Where it is forced to give less there is no time for all forms.
        """
        outcome: Outcome = refused(Reason.INVALID, "no form to try")
        over = self.hub.clock.now() + PATIENCE if self._is_forced(station, want, go) else None
        for order, plainer_than in self._orders(station, want):
            outcome = await self._send(station, want, order, go)
            if outcome.ok and plainer_than is not None:
                self.hub.apply(station, partial(binding.takes_less, refused=plainer_than, taken=order))
            if outcome is WITHDRAWN or outcome.reason is not Reason.CHARGER_REJECTED:
                break
            if over is not None and self.hub.clock.now() >= over:
                break
        return outcome

    def _is_forced(self, station: Station, want: Want, go: Round) -> bool:
        """Whether something follows where the charger refuses this."""
        if not (go.forces and want.lowers and any(station.sessions())):
            return False
        return above_others(station, want.session, self.hub.clock.now())

    def _orders(self, station: Station, want: Want) -> Iterator[tuple[SetLimit, SetLimit | None]]:
        """One order after another, each as those before are refused; and what is refused where it is just plainer.

        Forms that are not the likeliest are learned by what is plain: that is then put once more.
        """
        clock = self.hub.clock
        for rank, form in enumerate(self._forms(station, want)):
            before: SetLimit | None = None
            order: SetLimit | None = order_for(station, want, form, clock.now())
            if rank > 0 and order is not None:
                order = replace(order, later=(), seconds=None)
            while order is not None:
                yield order, before
                before, order = order, plainer(order, clock.now())

    @staticmethod
    def _forms(station: Station, want: Want) -> list[ProfileForm]:
        if want.layer is Layer.BASE:
            return base_forms(station)
        if want.layer is Layer.SESSION:
            return forms(station, of_session=True)
        session_form = station.memory.session_form
        return [*([session_form] if session_form and stands_for_one(station) else []), *forms(station)]

    async def _send(self, station: Station, want: Want, order: SetLimit, go: Round) -> Outcome:
        link = self.hub.links.get(station.id)
        if link is None:
            return absent(station)
        try:
            question = await ask(self.hub, station, want, order)
        except LedgerFailed as failure:
            return failed(Reason.INVALID, f"what the charger is asked could not be written down: {failure}")
        outcome, go.asks = WITHDRAWN, question.key
        if self._is_wanted(station, want, go):
            outcome = await link.send(order, lambda: self._is_wanted(station, want, go))
        question.answered(outcome)
        if outcome.ok:
            (station.wear.passing if want.layer is Layer.SESSION else station.wear.lasting).write(self.hub.clock.now())
            self.hub.confirm(station, order)
        return outcome

    def _is_wanted(self, station: Station, want: Want, go: Round) -> bool:
        """Whether it is to go now: so much may still flow, and nothing lowers meanwhile."""
        self.reckon(station)
        if self._gives_way(station, want) or self._lowers_elsewhere(station, want, go):
            return False
        return self._is_allowed(station, want)

    def _gives_way(self, station: Station, want: Want) -> bool:
        """Whether somebody waits who may lower something."""
        return not want.lowers and bool(self._waiting[station.id])

    def _lowers_elsewhere(self, station: Station, want: Want, go: Round) -> bool:
        """Whether something lowers that has not been given up: nobody waits for that."""
        if want.lowers:
            return False
        every = wants(station, self.hub.clock.now())
        return any(one.lowers and one.key not in {want.key, go.asks, *go.given_up} for one in every)

    def _is_allowed(self, station: Station, want: Want) -> bool:
        """Whether so much may still flow. What goes with its transaction is of no use without it."""
        now = self.hub.clock.now()
        if want.session is None:
            return want.amps <= value(goal_of_all(station, now, own=want.layer is not Layer.BASE), now)
        connector = station.connectors.get(want.session.connector)
        if connector is None or connector.session is not want.session:
            return False
        return want.amps <= value(goal(station, connector, now), now)

    # Where it refuses

    async def _insist(self, station: Station, want: Want, outcome: Outcome, go: Round) -> Outcome:
        """What others limit is enforced; what only the charger bears or its owner allows is said not to be kept to."""
        if above_others(station, want.session, self.hub.clock.now()):
            return await self._force_down(station, want, go)
        if station.id not in self._unlimited:
            self._unlimited.add(station.id)
            log.warning("%s: takes no limit: only its own settings can keep it to %g A", station.id, want.amps)
        return outcome

    async def _force_down(self, station: Station, want: Want, go: Round) -> Outcome:
        """A charger refuses to give less: it is to give nothing, else its transactions end."""
        log.warning("%s: refuses a lower limit: it is told to give nothing", station.id)
        now = self.hub.clock.now()
        outcome: Outcome = refused(Reason.CHARGER_REJECTED, "the charger refuses to give nothing")
        if want.amps > 0:
            outcome = await self._put(station, replace(want, steps=((now, Amps(0)),), instead_of=want.amps), go)
        if outcome.ok or outcome is WITHDRAWN:
            return done("the charger refused that, and gives nothing")
        for session in [want.session] if want.session is not None else list(station.sessions()):
            if session.running and above_others(station, session, self.hub.clock.now()):
                log.warning("%s: refuses that too: its transaction is stopped", station.id)
                await self._stop(station, session)
        return outcome

    async def _stop(self, station: Station, session: Session) -> Outcome:
        self.hub.apply(station, lambda hearing: explaining.stopped(hearing, session))
        link, order = self.hub.links.get(station.id), StopCharging(session.transaction_id)
        return absent(station) if link is None else await link.send(order)


def _or_later(outcome: Outcome) -> Outcome:
    """What more is allowed may come later: what let another go first follows with that."""
    return done() if outcome is WITHDRAWN else outcome


def absent(station: Station) -> Outcome:
    """The refusal where a charger is not connected."""
    return refused(Reason.CHARGER_OFFLINE, f"{station.id} is not connected")
