"""Steering chargers: what `core/steering.py` wants is put to them, one profile after another.

A profile that raises is dropped where less is allowed by the time that it would go. What lowers and is refused is
followed by 0 A, and where that is refused too by a stop (contract §8).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ocpp_mqtt_proxy.core import binding
from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Outcome, Reason, StopCharging, done, refused
from ocpp_mqtt_proxy.core.forms import base_forms, forms
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import value
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import SOON, Failure, Station
from ocpp_mqtt_proxy.core.steering import Layer, Want, goal, goal_of_all, shown, wants
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.steering.orders import order_for, plainer

log = logging.getLogger(__name__)

REFUSALS = (Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED)

MOST_PUTS = 3
"""How often one profile is put in one go: as it is learned, then with its time, once more where it was overtaken."""


@dataclass
class Steering:
    """Has chargers keep to what is allowed. Each takes its profiles one by one, so that none overtakes a later one.

    `reckon` works out what is allowed now (`Station.provided` and `ahead`), each time before anything is put.
    """

    hub: Hub
    reckon: Callable[[Station], None] = lambda _: None
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def follow(self, station: Station, *, eager: bool = False) -> Outcome:
        """Put what has to be put now. `eager`: raises wait for nothing."""
        async with self._turns[station.id]:
            return await self._follow(station, eager=eager, forces=True)

    async def limit(self, station: Station, amps: Amps) -> Outcome:
        """Set the owner's ceiling in A, at once; it is one once the charger keeps to it."""

        def meant(now: Amps | None) -> None:
            station.wish = now

        return await self._try(station, lambda: meant(amps), lambda: meant(None), lambda h: binding.ceiling(h, amps))

    async def pause(self, station: Station, session: Session, *, paused: bool) -> Outcome:
        """Pause a transaction, or have it go on; it does once the charger keeps to it."""
        number = session.session_id
        return await self._try(
            station,
            lambda: station.pausing.update({number: paused}),
            station.pausing.clear,
            lambda hearing: binding.paused(hearing, session, paused=paused),
        )

    async def restate(self, station: Station, *, booted: bool) -> Outcome:
        """Put all of it again: after a boot the charger may have lost it, after a reconnect its transactions'."""
        held = {session.session_id for session in station.sessions() if session.held is not None}
        if booted:
            station.failed.clear()
            held |= {layer for layer, has in self._lasting(station) if has is not None}
        station.doubted |= held
        return await self.follow(station)

    @staticmethod
    def _lasting(station: Station) -> Iterator[tuple[str, object]]:
        yield Layer.BASE, station.memory.safe
        yield Layer.DEFAULT, station.memory.installed

    async def _try(
        self,
        station: Station,
        mean: Callable[[], object],
        forget: Callable[[], object],
        settle: Callable[[Hearing], None],
    ) -> Outcome:
        """Have the charger keep to what is meant; what it does not is taken back."""
        async with self._turns[station.id]:
            if station.id not in self.hub.links:
                return absent(station)
            mean()
            try:
                outcome = await self._follow(station, eager=True, forces=False)
                if outcome.ok:
                    self.hub.apply(station, settle)
            finally:
                forget()
            if not outcome.ok:
                await self._follow(station, eager=True, forces=False)
            return outcome

    async def _follow(self, station: Station, *, eager: bool, forces: bool) -> Outcome:
        worst, puts, given_up = done(), Counter[str](), set[str]()
        while (want := self._next(station, puts, given_up, eager=eager)) is not None:
            puts[want.key] += 1
            outcome = await self._put(station, want)
            if outcome is WITHDRAWN:
                continue
            self._note(station, want, outcome)
            if outcome.ok:
                continue
            given_up.add(want.key)
            if forces and want.lowers and outcome.reason in REFUSALS and self._is_others(station, want):
                outcome = await self._force_down(station, want)
            worst = outcome if want.needed and worst.ok else worst
            if outcome.reason in (Reason.CHARGER_OFFLINE, Reason.TIMEOUT):
                break
        self._show(station)
        return worst

    def _next(self, station: Station, puts: Counter[str], given_up: set[str], *, eager: bool) -> Want | None:
        self.reckon(station)
        every = wants(station, self.hub.clock.now(), eager=eager)
        return next((one for one in every if one.key not in given_up and puts[one.key] < MOST_PUTS), None)

    def _note(self, station: Station, want: Want, outcome: Outcome) -> None:
        now = self.hub.clock.now()
        if outcome.ok:
            station.failed.pop(want.key, None)
            station.doubted.discard(want.key)
            return
        before = station.failed.get(want.key)
        station.failed[want.key] = Failure(1 if before is None else before.times + 1, now)
        if want.layer is Layer.BASE and outcome.reason in REFUSALS and station.memory.safe is None:
            self.hub.apply(station, binding.takes_no_base)

    def _show(self, station: Station) -> None:
        now = self.hub.clock.now()
        if any(one.effective_limit != shown(station, one, now) for one in station.ordered()):
            self.hub.apply(station, binding.settle)

    # One profile

    async def _put(self, station: Station, want: Want) -> Outcome:
        """In the first form that the charger takes, as plain as it needs it; never more than is allowed by then."""
        outcome: Outcome = refused(Reason.INVALID, "no form to try")
        for rank, form in enumerate(self._forms(station, want)):
            order: SetLimit | None = order_for(station, want, form, self.hub.clock.now())
            while order is not None:
                outcome = await self._send(station, want, order)
                if outcome is WITHDRAWN or outcome.reason is not Reason.CHARGER_REJECTED:
                    return outcome
                order = plainer(order) if rank == 0 else None
        return outcome

    @staticmethod
    def _forms(station: Station, want: Want) -> list[ProfileForm]:
        if want.layer is Layer.BASE:
            return base_forms(station)
        if want.layer is Layer.SESSION:
            return forms(station, of_session=True)
        session_form = station.memory.session_form
        stands_in = session_form is not None and any(station.stands_in(one) for one in station.sessions())
        return [*([session_form] if stands_in and session_form else []), *forms(station)]

    async def _send(self, station: Station, want: Want, order: SetLimit) -> Outcome:
        link = self.hub.links.get(station.id)
        if link is None:
            return absent(station)
        if not self._is_allowed(station, want):
            return WITHDRAWN
        outcome = await link.send(order, lambda: self._is_allowed(station, want))
        if outcome.ok:
            (station.wear.passing if want.layer is Layer.SESSION else station.wear.lasting).write(self.hub.clock.now())
            self.hub.confirm(station, order)
        return outcome

    def _is_allowed(self, station: Station, want: Want) -> bool:
        """Whether so much may still flow. What goes with its transaction is of no use without it."""
        self.reckon(station)
        now = self.hub.clock.now()
        if want.session is None:
            return want.amps <= value(goal_of_all(station, now), now)
        connector = station.connectors.get(want.session.connector)
        if connector is None or connector.session is not want.session:
            return False
        return want.amps <= value(goal(station, connector, now), now)

    # Where it refuses

    def _is_others(self, station: Station, want: Want) -> bool:
        """Whether it is others' limit that the charger is above, not its owner's ceiling alone."""
        now = self.hub.clock.now()
        others = [value(steps, now) for steps in station.ahead.values()]
        others += [station.provided.amps] if station.provided is not None else []
        has = value(station.applies(want.session, now, now + SOON), now)
        return any(amps < has for amps in others)

    async def _force_down(self, station: Station, want: Want) -> Outcome:
        """A charger refuses to give less: it is to give nothing, else its transactions end."""
        log.warning("%s: refuses a lower limit: it is told to give nothing", station.id)
        now = self.hub.clock.now()
        outcome: Outcome = refused(Reason.CHARGER_REJECTED, "the charger refuses to give nothing")
        if want.amps > 0:
            outcome = await self._put(station, replace(want, steps=((now, Amps(0)),)))
        if outcome.ok or outcome is WITHDRAWN:
            return done("the charger refused that, and gives nothing")
        log.warning("%s: refuses that too: its transactions are stopped", station.id)
        for session in [want.session] if want.session is not None else list(station.sessions()):
            await self._stop(station, session)
        return outcome

    async def _stop(self, station: Station, session: Session) -> Outcome:
        link, order = self.hub.links.get(station.id), StopCharging(session.transaction_id)
        return absent(station) if link is None else await link.send(order)


def absent(station: Station) -> Outcome:
    """The refusal where a charger is not connected."""
    return refused(Reason.CHARGER_OFFLINE, f"{station.id} is not connected")
