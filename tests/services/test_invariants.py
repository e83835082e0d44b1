"""The invariants of OCPP for one charger and many services hold whatever services do: in all nine pairs of versions.

Everything between the sockets is real, and so is every frame; only time is not. Services answer late, wrongly, twice,
never, or vanish; they ask what they please, by any id, and shout; the charger goes on charging.

I1 one answer a call, I2 one call at a time, I3 transactions in order, I4 ids stay where they belong, I5 the smallest
limit binds, I6 the charger is answered, I7 nothing lost and nothing without bound, I8 no right, no change, I9 energies
agree, I10 no link suffers for another.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.services.link import MAX_AT_ONCE
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services.outstation import MOST_LIVE
from tests.obedient import Make, Obedient
from tests.services.bad_company import MOODS, NOISE, WISHES, BadService, Wish, limit
from tests.services.home import Home, at_home
from tests.services.plain_charger import Charger
from tests.services.wires import CALL, RESULT
from tests.virtual_time import in_no_time

PAIRS = [pytest.param(charger, service, id=f"{charger}-to-{service}") for charger in Version for service in Version]
OTHERS = {
    Version.V16: (Version.V201, Version.V16),
    Version.V201: (Version.V21, Version.V16),
    Version.V21: (Version.V16, Version.V201),
}

AUTHORITY = frozenset({ControlClass.TRANSACTIONS})
PACES = (0.0, 5.0, 70.0)
"""Seconds that the charger may take to answer; in the last it is too late."""

AT_REST = 40
"""Tasks there are at most in a house where nobody asks anything."""

WAITS = (1, 31, 61, 400, 2000)
OF_CHARGER = (
    "start",
    "start",
    "read",
    "read",
    "read",
    "stop",
    "state",
    "beat",
    "show",
    "boot",
    "alarm",
    "replug",
    "pace",
)
OF_SERVICES = ("ask", "ask", "ask", "ask at once", "shout", "vanish", "down", "up")
STEPS = (*OF_CHARGER, *OF_SERVICES, "wait", "wait")

steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 300)), min_size=5, max_size=40)
moods = st.lists(st.lists(st.sampled_from(MOODS), max_size=6), min_size=3, max_size=3)


@dataclass
class Play:
    """Steps taken in a house."""

    home: Home

    async def take(self, step: str, number: int) -> None:
        """One step, and a second for what follows."""
        if step in OF_SERVICES:
            self._with_services(step, number)
        elif step == "wait":
            await asyncio.sleep(WAITS[number % len(WAITS)])
            await self.home.charger.beat()
        elif step == "replug":
            await self.home.unplug()
            await asyncio.sleep(number % 90)
            self.home.plug()
        else:
            await self._charge(step, number)
        await asyncio.sleep(1)

    async def _charge(self, step: str, number: int) -> None:
        charger = self.home.charger
        match step:
            case "pace":
                charger.delay = PACES[number % len(PACES)]
            case "read" | "stop":
                await getattr(charger, step)(number)
            case "state":
                await charger.state(number)
            case _:
                await getattr(charger, step)()

    def _with_services(self, step: str, number: int) -> None:
        service = self.home.services[number % len(self.home.services)]
        match step:
            case "ask":
                service.ask(number)
            case "ask at once":
                for more in range(3):
                    service.ask(number + more)
            case "shout":
                service.shout(number)
            case "vanish":
                service.vanish()
            case _:
                service.up = step == "up"


async def played(
    charger: Version, service: Version, script: list[tuple[str, int]], bad: list[list[str]], **plans: Any
) -> Home:
    """A house after a script, when all has come to rest. `plans` are for the first service."""
    open_to_all = "authority" not in plans
    others = OTHERS[service]
    async with at_home(charger, service, *others, moods=bad, plans={0: plans}, open_to_all=open_to_all) as home:
        play = Play(home)
        for step, number in script:
            await play.take(step, number)
        await home.charger.stop(100)
        await home.come_to_rest()
        home.judge()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        home.notary.deny("I7", f"somebody still works: {left}")
    return home


@pytest.mark.parametrize(("charger", "service"), PAIRS)
@given(script=steps, bad=moods, judges=st.booleans())
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_i1_to_i10_hold_whatever_services_do(
    charger: Version, service: Version, script: list[tuple[str, int]], bad: list[list[str]], judges: bool
) -> None:
    plans = {"authority": AUTHORITY} if judges else {}
    home = in_no_time(played(charger, service, script, bad, **plans))
    assert home.notary.faults == []


# One by one


def wish_for(version: Version, action: str) -> Wish:
    """What a service of a version asks by this action, at first."""
    return next(wish for wish in WISHES[version is Version.V16] if wish[0] == action)


async def answered(home: Home, service: BadService, wish: Wish) -> dict[str, Any]:
    """A service's call, and the answer that it gets."""
    message_id = str(service.fresh())
    service.want(wish, message_id)
    await asyncio.sleep(10)
    frame = service.replies.get(message_id, [0, "", {}])
    return dict(frame[2]) if frame[0] == RESULT else {}


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i1_each_of_many_calls_by_one_id_has_one_answer_though_the_charger_is_slow(
    charger: Version, service: Version
) -> None:
    async def flooded() -> Home:
        async with at_home(charger, service) as home:
            home.charger.delay = 20.0
            await asyncio.sleep(5)
            for number in range(100):
                home.services[0].want(WISHES[service is Version.V16][number % 20], "1")
            await asyncio.sleep(3600)
            home.judge()
            return home

    assert in_no_time(flooded()).notary.faults == []


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i2_a_service_that_is_silent_is_asked_one_thing_at_a_time(charger: Version, service: Version) -> None:
    async def told() -> Home:
        async with at_home(charger, service) as home:
            await asyncio.sleep(5)
            home.services[0].behave(["mute"])
            await home.charger.start()
            for number in range(20):
                await home.charger.read(10)
                await home.charger.state(number)
            home.services[0].want(wish_for(service, "TriggerMessage"), "1")
            await asyncio.sleep(600)
            return home

    assert in_no_time(told()).notary.faults == []


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i3_i7_i9_who_is_down_for_an_hour_of_traffic_catches_up_in_order_with_all_the_energy(
    charger: Version, service: Version
) -> None:
    async def missed() -> Home:
        async with at_home(charger, service, *OTHERS[service]) as home:
            away = home.services[0]
            await home.charger.start()
            await home.charger.read(100)
            await asyncio.sleep(5)
            away.up = False
            away.vanish()
            for _ in range(6):
                await home.charger.read(50)
                await home.charger.stop(50)
                await asyncio.sleep(600)
                await home.charger.start()
            await home.charger.stop(77)
            await home.come_to_rest()
            home.judge()
            assert [one.books.accounts[-1].energy for one in home.services] == [77, 77, 77]
            return home

    home = in_no_time(missed())
    assert home.notary.faults == []
    assert len(home.sessions) == 7


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i4_two_services_reserve_start_and_stop_by_the_same_words_and_neither_is_heard_of_by_the_other(
    charger: Version, service: Version
) -> None:
    async def shared() -> Home:
        async with at_home(charger, service, service, *OTHERS[service]) as home:
            await asyncio.sleep(5)
            for number in range(len(WISHES[service is Version.V16])):
                for one in home.services:
                    one.ask(number)
                await asyncio.sleep(20)
                await (home.charger.stop(30) if home.charger.running else home.charger.start())
            await home.charger.stop(10)
            await home.come_to_rest()
            home.judge()
            return home

    assert in_no_time(shared()).notary.faults == []


PURPOSES = ("ChargingStationMaxProfile", "TxDefaultProfile")

amounts = st.lists(st.sampled_from([6, 8, 10, 13.3, 16, 20]), min_size=1, max_size=4)
"""A: no less than what the charger falls back to where we are not there to tell it."""

profiles = st.tuples(amounts, st.sampled_from([30, 600, 1000]), st.sampled_from(PURPOSES))
happenings = st.sampled_from(
    ["clear", "vanish", "start", "start", "stop", "unplug", "plug", "wait", "wait", "wait long"]
)
limits = st.lists(st.tuples(st.integers(0, 2), st.one_of(profiles, happenings)), min_size=3, max_size=15)


@pytest.mark.parametrize(("charger", "service"), PAIRS)
@given(script=limits)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_i5_the_charger_never_may_give_more_than_the_profiles_that_it_was_promised_to_keep_to(
    charger: Version, service: Version, script: list[tuple[int, Any]]
) -> None:
    async def limited() -> None:
        async with at_home(charger, service, *OTHERS[service]) as home:
            await asyncio.sleep(5.5)
            promised = Promises(home)
            for number, what in script:
                await promised.take(home.services[number], what)
                await promised.watch(WATCHED_FOR.get(what, 12) if isinstance(what, str) else 12)
            assert home.notary.faults == []

    in_no_time(limited())


WATCHED_FOR = {"wait": 120, "wait long": 1500}
"""Seconds."""


@dataclass
class Promises:
    """What services were promised, as they have it: each its own profiles, read as the specification says."""

    home: Home
    made: dict[str, Obedient] = field(default_factory=dict)

    async def take(self, one: BadService, what: Any) -> None:
        """A service sets a profile or clears its own, or is gone; or the charger goes on."""
        match what:
            case "vanish":
                one.vanish()
            case "unplug" | "plug":
                await self._replug()
            case "start" | "stop":
                await self._charge(what)
            case "clear":
                if await self._accepted(one, wish_for(one.version, "ClearChargingProfile")):
                    self.made.pop(one.id, None)
            case amps, seconds, purpose:
                await self._set(one, limit(*amps, seconds=seconds, purpose=purpose)[one.version is Version.V16])

    async def _set(self, one: BadService, wish: Wish) -> None:
        if await self._accepted(one, wish):
            make = Make(one.version, most_periods=24, most_level=100)
            self.made.setdefault(one.id, Obedient(make, self.home.hub.clock.now)).answer(*wish)

    async def _accepted(self, one: BadService, wish: Wish) -> bool:
        return (await answered(self.home, one, wish)).get("status") == "Accepted"

    async def _replug(self) -> None:
        """It connects, or its connection breaks."""
        charger = self.home.charger
        if charger.wire.stands:
            await self.home.unplug()
            return
        if charger.profiles.transactions and not charger.running:
            charger.profiles.ends(1)
        self.home.plug()

    async def _charge(self, step: str) -> None:
        """A car that comes while we are not there charges all the same; what the charger tells of it later is left out."""
        charger = self.home.charger
        if charger.wire.stands:
            await (charger.start() if step == "start" else charger.stop(10))
        elif step == "start" and not charger.profiles.transactions:
            charger.profiles.begins(1, "unheard of")

    async def watch(self, seconds: int) -> None:
        """So long the charger may give no more than anybody was promised."""
        every = max(1, seconds // 30)
        for _ in range(0, seconds, every):
            await asyncio.sleep(every)
            now = self.home.hub.clock.now()
            gives = self.home.charger.profiles.allows(1, now)
            for service, one in self.made.items():
                assert gives <= one.allows(1, now), f"{gives} A at {now}: {service} has {one.profiles}"


@pytest.mark.parametrize("stand", ["down", "mute", "gone"])
@pytest.mark.parametrize("authority", [frozenset(), AUTHORITY], ids=["no authority", "authority"])
@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i6_the_charger_is_answered_with_all_services_down(
    charger: Version, service: Version, authority: frozenset[ControlClass], stand: str
) -> None:
    async def alone() -> dict[str, float]:
        plans = {0: {"authority": authority}}
        async with at_home(charger, service, *OTHERS[service], plans=plans, open_to_all=not authority) as home:
            await asyncio.sleep(5)
            for one in home.services:
                one.up = False
                one.behave(["mute" if stand == "mute" else "hang up"])
                if stand == "down":
                    one.vanish()
            await charge(home.charger)
            assert home.charger.refused == []
            return home.charger.waited

    waited = in_no_time(alone())
    thinks = {"Authorize": 5.0} if authority and stand == "mute" else {}
    assert {action: seconds for action, seconds in waited.items() if seconds > 0} == thinks


async def charge(charger: Charger) -> None:
    """A whole visit."""
    await charger.boot()
    await charger.beat()
    await charger.show()
    await charger.start()
    await charger.read(100)
    await charger.stop(100)


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i7_services_that_never_answer_and_never_rest_make_no_queue_grow(charger: Version, service: Version) -> None:
    async def flooded() -> tuple[Home, int]:
        hasty = {"terms": {"roles": frozenset(ControlClass)}, "rules": {"rate_limit": timedelta(0)}}
        async with at_home(charger, service, *OTHERS[service], **hasty) as home:
            await asyncio.sleep(5)
            home.charger.delay, home.charger.managed = 70.0, True
            for one in home.services:
                one.behave(["mute"])
            most = 0
            for number in range(3 * MOST_LIVE):
                for one in home.services:
                    one.want(wish_for(one.version, "DataTransfer"), str(number))
                await home.charger.state(number)
                most = max(most, len(asyncio.all_tasks()))
            assert all(len(out.live) <= MOST_LIVE for out in home.roster.all())
            return home, most

    home, most = in_no_time(flooded())
    assert home.notary.faults == []
    assert most <= AT_REST + 2 * MAX_AT_ONCE, "one of them has the right, and the charger does not answer"


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i8_whatever_a_service_without_the_right_asks_the_charger_stays_as_it_is(
    charger: Version, service: Version
) -> None:
    async def asked() -> Home:
        async with at_home(charger, service, terms={"roles": frozenset()}) as home:
            await asyncio.sleep(5)
            before = len(home.charger.asked)
            for wish in WISHES[service is Version.V16]:
                await answered(home, home.services[0], wish)
            looks = {"GetConfiguration", "GetVariables", "GetBaseReport", "TriggerMessage"}
            assert {action for action, _ in home.charger.asked[before:]} <= looks
            home.judge()
            return home

    assert in_no_time(asked()).notary.faults == []


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_i10_a_service_that_sends_nonsense_closes_no_link_not_even_its_own(charger: Version, service: Version) -> None:
    async def shouted() -> Home:
        async with at_home(charger, service, *OTHERS[service]) as home:
            await asyncio.sleep(5)
            for number in range(len(NOISE)):
                home.services[0].shout(number)
                await home.charger.beat()
            await charge(home.charger)
            await asyncio.sleep(60)
            home.judge()
            assert len(home.doors.wires) == len(home.services)
            assert all(wire.stands for wire in (*home.doors.wires, *home.charger_wires))
            return home

    assert in_no_time(shouted()).notary.faults == []


# What was found by them


@pytest.mark.parametrize(("charger", "service"), PAIRS)
def test_a_start_that_waits_behind_a_boot_that_is_put_off_is_told_once_and_after_the_next_boot(
    charger: Version, service: Version
) -> None:
    async def put_off() -> Home:
        async with at_home(charger, service) as home:
            await asyncio.sleep(5)
            one = home.services[0]
            one.behave(["late", "not now", "well"])
            await home.charger.state(1)
            await asyncio.sleep(1)
            await home.charger.boot()
            await home.charger.start()
            await asyncio.sleep(600)
            told = [frame[2] for frame in home.doors.wires[0].sent if frame[0] == CALL]
            start = "StartTransaction" if service is Version.V16 else "TransactionEvent"
            assert told.count(start) == 1
            assert told.index(start) > [n for n, action in enumerate(told) if action == "BootNotification"][2]
            return home

    assert in_no_time(put_off()).notary.faults == []
