"""Whatever happens to sessions, every service sees its own consistent transactions: all pairs of versions.

I3: a start first, an end once and last, events numbered without a gap. I4: no id of another's. I9: the energy agrees
with our books to 1 Wh. Every message fits its schema. The judges are the strict CSMSs of `csms`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.core.model import OWNER, Version
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused
from ocpp_mqtt_proxy.services.plan import Mirroring
from tests.ocppj.rows import CALL, rows
from tests.services.csms import words_in
from tests.services.street import FIRST_OF_OURS, Pen, Service, Street

PAIRS = [pytest.param(charger, service, id=f"{charger}-to-{service}") for charger in Version for service in Version]
OTHER = {Version.V16: Version.V201, Version.V201: Version.V21, Version.V21: Version.V16}

STEPS = (
    "start", "start without a card", "start unheard", "show card", "read", "read", "read clock", "read unheard", "read late",
    "suspend", "charge", "stop", "stop unheard", "repeat", "close", "own", "rival", "wait",
    "meter anew", "all leaves", "all comes", "own leaves", "own comes", "deliver", "deliver, answers lost",
)  # fmt: skip

amounts = st.integers(0, 3000)
openings = st.tuples(st.sampled_from([step for step in STEPS if step.startswith("start")]), amounts)
scenes = st.tuples(openings, st.lists(st.tuples(st.sampled_from(STEPS), amounts), min_size=3, max_size=40)).map(
    lambda parts: [parts[0], *parts[1]]
)


@dataclass
class Scene:
    """A street on which steps are taken, and what the services should have been told of in the end."""

    street: Street
    pen: Pen
    all: Service
    own: Service
    rival: Service
    other: Service
    running: bool = False
    flowed_before: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, charger: Version, service: Version) -> Scene:
        street = Street(charger)
        return cls(
            street,
            Pen(street),
            all=street.serve(service),
            own=street.serve(service, "own", Mirroring.OWN),
            rival=street.serve(OTHER[service], "rival", Mirroring.OWN),
            other=street.serve(OTHER[service], "other"),
        )

    @property
    def session(self) -> Session | None:
        return next(self.street.station.sessions(), None)

    async def take(self, step: str, wh: int) -> None:
        """One step."""
        self.street.clock.pass_(seconds=30)
        what, *how = step.split()
        if what == "start":
            await self._start(how)
        elif what in ("own", "rival") and not how:
            await self._hand_over(what)
        elif what == "close":
            await self.street.close()
        elif what == "repeat":
            await self.pen.repeat()
        elif what == "meter":
            self.pen.wh = 0.0
        elif self.running:
            await self._go_on(what, how, wh)
        self._with_services(step)

    async def _go_on(self, what: str, how: list[str], wh: int) -> None:
        match what:
            case "show" if self.session is None or self.session.provider == OWNER:  # else it would be the owner's again
                await self.pen.show_card()
            case "read":
                await self._read(wh, how)
            case "suspend" | "charge":
                await self.pen.state("SuspendedEV" if what == "suspend" else "Charging")
            case "stop":
                await self.pen.stop(wh, lost="unheard" in how)
                self.running = False

    async def _hand_over(self, provider: str) -> None:
        if self.session is not None:
            self.flowed_before.setdefault(self.session.session_id, self.session.energy)
            await self.street.hand_over(provider)

    async def _start(self, how: list[str]) -> None:
        if not self.running:
            card = None if "without" in how and not self.pen.of_16 else "CARD"
            await self.pen.start(card, lost="unheard" in how)
            self.running = True

    async def _read(self, wh: int, how: list[str]) -> None:
        match how:
            case ["clock"]:
                await self.pen.read(wh, context="Sample.Clock")
            case ["late"] if not self.pen.of_16:
                await self.pen.read(wh, offline=True)
            case _:
                await self.pen.read(wh, lost="unheard" in how)

    def _with_services(self, step: str) -> None:
        match step:
            case "all leaves":
                self.all.leave()
            case "all comes":
                self.all.come()
            case "own leaves":
                self.own.leave()
            case "own comes":
                self.own.come()
            case "deliver" | "deliver, answers lost":
                for service in self.street.services:
                    service.deliver(3, losing_answers="lost" in step)

    async def end(self) -> None:
        """All comes to its end: the charger says so, or the owner; and everybody hears of it."""
        if self.running:
            await self.pen.stop(100)
        await self.street.close()
        for service in self.street.services:
            service.come()
            service.deliver()


async def played(charger: Version, service: Version, steps: list[tuple[str, int]]) -> Scene:
    """A scene after its steps."""
    scene = Scene.of(charger, service)
    for step, wh in steps:
        await scene.take(step, wh)
    await scene.end()
    return scene


@pytest.mark.parametrize(("charger", "service"), PAIRS)
@given(steps=scenes)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_every_service_sees_whole_transactions_of_its_own(
    charger: Version, service: Version, steps: list[tuple[str, int]]
) -> None:
    scene = asyncio.run(played(charger, service, steps))
    for one in scene.street.services:
        assert all(transaction.over for transaction in one.csms.transactions)
        assert not foreign_ids(one, scene.street)
    for one in (scene.all, scene.other):
        agrees_with_our_books(one, scene.street)
    agree_together(scene)


FILES = {
    Version.V16: ("valid_16", "quirks", "quirks_of_peers"),
    Version.V201: ("valid_201", "quirks", "quirks_of_peers"),
    Version.V21: ("valid_21",),
}


@pytest.mark.parametrize(("charger", "service"), PAIRS)
async def test_whatever_real_chargers_were_seen_to_send_is_told_in_order_and_fits_its_schema(
    charger: Version, service: Version
) -> None:
    street = Street(charger)
    one = street.serve(service, id_tag="GUEST")
    for row in rows(*FILES[charger], where=lambda row: row.from_charger and row.kind == CALL):
        if row.version is charger:
            with suppress(CallRefused):
                await street.hear(row.action, row.payload)
                one.deliver()
    assert one.csms.transactions
    assert one.waiting == []


def foreign_ids(service: Service, street: Street) -> set[object]:
    """Ids that a service was told though they are another's: our own for the charger, other services' (I4)."""
    ours = {session.transaction_id for session in street.sessions.values()}
    theirs = {str(t.id) for one in street.services if one is not service for t in one.csms.transactions}
    if street.station.version is not Version.V16 and service.csms.version is not Version.V16:
        theirs, ours = theirs - ours, set()  # a 2.x charger's own is the same for all of 2.x
    theirs -= {str(transaction.id) for transaction in service.csms.transactions}
    told = {word for _, payload in service.csms.heard for word in words_in(payload)}
    numbers = {word for word in told if isinstance(word, int) and abs(word - FIRST_OF_OURS) < 1000}
    return {word for word in told if str(word) in ours | theirs} | numbers


def agrees_with_our_books(service: Service, street: Street) -> None:
    """One transaction a session, and as much energy to 1 Wh (I9); 1.6 hears of none that never had a card."""
    of_16 = service.csms.version is Version.V16
    told = sorted(transaction.energy for transaction in service.csms.transactions)
    booked = sorted(ended.energy for ended in street.told.values() if ended.card is not None or not of_16)
    assert told == pytest.approx(booked, abs=1.0)


def agree_together(scene: Scene) -> None:
    """Services between which sessions go to and fro have all the energy from the first of them on, and no more."""
    cards = {one.csms.version is Version.V16 for one in (scene.own, scene.rival)}
    ended = scene.street.told
    if any(ended[of].card is None for of in scene.flowed_before) and True in cards:
        return  # who speaks 1.6 was told nothing of a session without a card
    parts = [transaction for one in (scene.own, scene.rival) for transaction in one.csms.transactions]
    booked = sum(ended[of].energy - before for of, before in scene.flowed_before.items())
    assert sum(part.energy for part in parts) == pytest.approx(booked, abs=1.0 + len(parts))
