"""Being a charger to one service: dial, boot, be accepted, catch up, stay in touch, and again when the link is gone.

A boot goes out with every link. OCPP would rather not have one where only the link was lost (J §5.3, Part 4 §5.3);
but many services take a charger for offline until they have seen one (semantics §1.15), and one that was restarted
may not know us any more. The answer is what the replay of the outbox waits for (peers §2.3.8).

While the charger is away the link stays: the service may still ask for what we know. Once it has been away for a
minute its free connectors are told as unavailable; a transaction goes on, since it does so at the charger too.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.peer import Standing
from ocpp_mqtt_proxy.core.reports import BootAnswer, BootReported, HeartbeatReported, TimeAnswer
from ocpp_mqtt_proxy.ocppj.alike import EPOCH
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.services import constraining, living, mirroring, states
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.ports import Dial, DialFailed, LinkLost, NoAnswer, Refused, ServiceLink, Step, Unanswered
from ocpp_mqtt_proxy.services.redial import Redial
from ocpp_mqtt_proxy.services.registration import Reception, Registration, pulse, reception

log = logging.getLogger(__name__)

HOLD_SECONDS = 0.2
"""How long a state that two messages make is held (semantics §10.4)."""

AWAY_SECONDS = 60.0
"""How long a charger may be away before it counts as unavailable: most are back sooner."""

SKEW_SECONDS = 10.0
"""By how much a service's clock may differ from ours before it is told (semantics §3.3)."""

FAREWELL_SECONDS = 2.0
"""How long a closing handshake may take at a stop."""


class Delivery(Protocol):
    """Brings a service what waits for it on disk."""

    async def drain(self) -> None:
        """Return when what waits now is delivered or given up, or the link is lost."""

    async def run(self) -> None:
        """Deliver what comes, until the link is lost."""


Work = Callable[[], Awaitable[None]]

Obey = Callable[[Outstation, str, Object], Awaitable[Payload]]


@dataclass(frozen=True, slots=True)
class Ways:
    """What a conversation needs of others; `sleep` in seconds, `chance` from 0 up to 1."""

    dial: Dial
    obey: Obey
    delivery: Callable[[Outstation], Delivery]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


@dataclass
class Conversation:
    """One outstation, kept going. `registration` outlives links: a service's wish to be left alone holds."""

    out: Outstation
    ways: Ways
    registration: Registration = field(init=False)
    _caught_up: bool = False

    def __post_init__(self) -> None:
        self.registration = Registration(self.out.peer)

    async def run(self) -> None:
        """Be the charger there, for ever. Nothing that a service does ends it."""
        redial = Redial(self.ways.chance)
        while True:
            try:
                redial.stood(await self._once())
            except Exception:  # a fault of ours costs this link, never another service or the charger
                log.exception("%s: the conversation failed and is begun again", self.out.name)
            await self.ways.sleep(redial.wait())

    # A link

    async def _once(self) -> float:
        """Dial and talk as long as the link stands; for how many seconds it did."""
        out = self.out
        try:
            link = await self.ways.dial(out.plan, out.charger_id, self._offered(), self._answer)
        except DialFailed as failure:
            if self._fault(failure.step, failure.why) and failure.event:
                out.hub.ledger.note([mirroring.noticed(out, failure.event, failure.why)])
            return 0.0
        began = asyncio.get_running_loop().time()
        await self._talk(link)
        return asyncio.get_running_loop().time() - began

    def _offered(self) -> tuple[Version, ...]:
        """The versions to offer, in order: what was spoken before, what the charger speaks, then the newest."""
        if self.out.plan.version is not None:
            return (self.out.plan.version,)
        liked = (self.out.peer.version, self.out.station.version, *reversed(Version))
        return tuple(dict.fromkeys(version for version in liked if version is not None))

    async def _talk(self, link: ServiceLink) -> None:
        out = self.out
        out.link, out.peer.version = link, link.version
        out.parted.set()  # whether the charger is there is looked at again
        try:
            async with self._beside(self._stay_registered, self._tell, self._merge_states, self._mind_absence):
                ended = await link.wait_closed()
            if out.accepted or not out.fault:
                self._fault(Step.CONNECT, ended)
        finally:
            self._forget_link(out)
            link.part("going away")
            await self._closed(link)

    @staticmethod
    def _forget_link(out: Outstation) -> None:
        out.link = out.accepted_at = None
        for queue in (out.live, out.asked, out.told, out.errors):
            queue.clear()
        out.arbitration.tell_of(out.id)

    @staticmethod
    async def _closed(link: ServiceLink) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await link.wait_closed()

    @asynccontextmanager
    async def _beside(self, *work: Work) -> AsyncIterator[None]:
        """Have work done meanwhile; it ends with what it is beside. What fails of it costs the link."""
        tasks = [asyncio.create_task(self._watched(one)) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watched(self, work: Work) -> None:
        try:
            await work()
        except LinkLost:
            pass  # whoever waits for the link's end knows
        except Exception:  # see _beside
            log.exception("%s: a fault of ours", self.out.name)
            if self.out.link is not None:
                self.out.link.part("a fault of ours")

    def _fault(self, step: str, why: str) -> bool:
        """Something is wrong; it is told once. Whether that is now."""
        told = f"{step}: {why}"
        if self.out.fault == told:
            return False
        self.out.fault = told
        log.warning("%s: %s", self.out.name, told)
        self.out.arbitration.tell_of(self.out.id)
        return True

    # Registration

    async def _stay_registered(self) -> None:
        while True:
            await self._until_boot_may_go()
            if await self._boot() is Standing.ACCEPTED:
                await self._serve()

    async def _until_boot_may_go(self) -> None:
        """Wait as the service wants it; a boot that it asks for goes at once (B02.FR.04), unless it rejected us."""
        out = self.out
        while (seconds := self.registration.wait(self._now())) > 0:
            out.boot_wanted.clear()
            await self._pause(seconds, out.boot_wanted)
            if out.wanted == "triggered" and out.peer.standing is not Standing.REJECTED:
                return

    async def _boot(self) -> Standing | None:
        """Say who we are; where that leaves us, None where there was no answer."""
        out, plate = self.out, living.plate_of(self.out)
        reason = out.wanted or ("power_up" if out.peer.told is None else "unknown")
        out.boot_wanted.clear()
        try:
            answer = await out.say(BootReported(plate, reason))
        except (NoAnswer, Refused) as error:
            self.registration.unanswered(self._now())
            self._fault(Step.BOOT, str(error))
            return None
        if out.wanted == reason:
            out.wanted = ""
        assert isinstance(answer, BootAnswer)
        out.peer.told = plate
        return self._answered(answer)

    def _answered(self, answer: BootAnswer) -> Standing:
        self._note_clock(answer.now)
        standing = self.registration.answered(answer, self._now())
        self.out.keep()
        if standing is Standing.ACCEPTED:
            self.out.fault = ""
            self.out.virtual.settings.pop("HeartbeatInterval", None)  # the latest word counts (B01.FR.04)
            self.out.retuned.set()
        else:
            self._fault(Step.BOOT, f"the service answers {standing.capitalize()}")
        return standing

    async def _serve(self) -> None:
        """The service has accepted us: until it takes that back, or the link is gone."""
        out = self.out
        out.accepted_at, self._caught_up = self._now(), False
        log.info("%s: accepted", out.name)
        out.arbitration.arrived(out.id)
        try:
            async with self._beside(self._deliver, self._beat):
                while out.peer.standing is Standing.ACCEPTED:
                    await out.boot_wanted.wait()
                    await self._boot_again()
        finally:
            out.accepted_at = None
            out.arbitration.left(out.id)

    async def _boot_again(self) -> None:
        """The charger booted, or a boot was asked for: until there is an answer, what held before holds."""
        if (standing := await self._boot()) is Standing.ACCEPTED:
            states.tell_all(self.out)
            constraining.tell_all(self.out)
        elif standing is None:
            await self._pause(self.registration.wait(self._now()), self.out.boot_wanted)
            self.out.boot_wanted.set()

    async def _deliver(self) -> None:
        """What it missed first, then how things are, then what comes (peers §2.3.8)."""
        delivery = self.ways.delivery(self.out)
        await delivery.drain()
        self._caught_up = True
        states.tell_all(self.out)
        constraining.tell_all(self.out)
        self.out.news.set()
        await delivery.run()

    # What runs beside

    async def _tell(self) -> None:
        """Tell what is told now or never: what was asked for first, the rest once the service has caught up."""
        out = self.out
        while True:
            out.news.clear()
            while call := self._next():
                try:
                    await out.call(*call)
                except (NoAnswer, Refused) as error:
                    log.info("%s: did not take our %s: %s", out.name, call[0], error)
            await out.news.wait()

    def _next(self) -> tuple[str, Payload] | None:
        if self.out.asked:
            return self.out.asked.popleft()
        return self.out.live.popleft() if self.out.live and self.out.accepted and self._caught_up else None

    async def _beat(self) -> None:
        """Heartbeats of our own: the charger's never go further than us (semantics §2.6)."""
        out = self.out
        while True:
            out.retuned.clear()
            if await self._pause(self._pulse(), out.retuned):
                continue
            with suppress(NoAnswer, Refused):
                answer = await out.say(HeartbeatReported())
                if isinstance(answer, TimeAnswer):
                    self._note_clock(answer.now)

    def _pulse(self) -> int:
        """Seconds between heartbeats: as the service set it, else as it answered the boot."""
        given = self.out.virtual.settings.get("HeartbeatInterval", "")
        return pulse(int(given) if given.isdecimal() else self.out.peer.interval)

    async def _merge_states(self) -> None:
        """Tell states that need looking at a moment later: what belongs together is told as one (semantics §10.4)."""
        out = self.out
        while True:
            await out.unsettled.wait()
            await self.ways.sleep(HOLD_SECONDS)
            out.unsettled.clear()
            states.settle(out)

    async def _mind_absence(self) -> None:
        """A charger that stays away for long is unavailable."""
        out = self.out
        while True:
            await out.parted.wait()
            out.parted.clear()
            if not out.station.connected:
                await self.ways.sleep(AWAY_SECONDS)
            away = not out.station.connected
            if away is not out.away:
                out.away = away
                states.settle(out)

    # The clock

    def _note_clock(self, told: datetime) -> None:
        """What a service's clock shows is noted and never taken (semantics §3.3)."""
        if told == EPOCH:
            return
        before, self.out.skew = self.out.skew, told - self._now()
        if abs(self.out.skew.total_seconds()) <= SKEW_SECONDS:
            return
        if before is None or abs(before.total_seconds()) <= SKEW_SECONDS:
            log.warning("%s: the clock there is %.0f s off ours", self.out.name, self.out.skew.total_seconds())

    def _now(self) -> datetime:
        return self.out.hub.clock.now()

    async def _pause(self, seconds: float, unless: asyncio.Event) -> bool:
        """Wait; whether it was cut short."""
        waits = [asyncio.ensure_future(self.ways.sleep(seconds)), asyncio.ensure_future(unless.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return unless.is_set()

    # What it asks

    async def _answer(self, action: str, payload: Object) -> Payload:
        """Answer a call of the service's, as far as we may. Raises CallRefused, Unanswered."""
        out = self.out
        match reception(out.peer.standing, out.version, action):
            case Reception.REJECTED:
                return {"status": "Rejected"}
            case Reception.FORBIDDEN:
                raise CallRefused(ErrorCode.SECURITY_ERROR, "you rejected our BootNotification")
            case Reception.UNHEARD:
                raise Unanswered("it rejected our BootNotification")
            case _:
                return await self.ways.obey(out, action, payload)
