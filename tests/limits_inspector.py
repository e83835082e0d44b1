"""What must hold whatever happens to a charger's limits (invariant I5, contract §8): looked at on the wire and in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.session import Session
from tests.core import composite_reference as book
from tests.limits_oracle import VOLTS, Oracle, exact
from tests.limits_scene import GIVEN_UP, LATENCY, Asked, Scene, seconds
from tests.obedient import Object

IN_TIME = 2.05
"""Seconds in which a charger that obeys gives less (contract §8)."""
CALM, RAISED = 10.0, 12.5
"""Seconds of calm before more is given, and until it is."""
ESCALATED = 12.5
"""Seconds after which a transaction is stopped where the charger refuses to give less: 0 A comes within 10."""
DEAD, STANDING, IDLE = timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=2)
"""How long a charger whose proxy died may go on with what it holds: in a transaction, with a default for one, idle."""
BASE = 7299
"""The id of the profile below all others: while those last it allows nothing."""
FAR = timedelta(minutes=30)
EXACT = seconds(6)
"""How well a charger's clock has to be known where it follows steps by itself."""
STEP = seconds(37)

Limits = list[tuple[datetime, Fraction]]


@dataclass
class Low:
    """Since when a connector gets less than it may, and what that is."""

    since: float
    bound: Fraction
    flows: Fraction


@dataclass
class Inspector:
    """Looks at a scene. `stubborn` while the charger refuses things that it takes else, `misled` until its next boot."""

    scene: Scene
    oracle: Oracle
    stubborn: bool = False
    misled: bool = False
    low: dict[int, Low] = field(default_factory=dict)
    above: dict[int, float] = field(default_factory=dict)

    # What goes out

    def goes_out(self, asked: Asked) -> None:
        """No profile allows more than binds: at once, and at each of its steps as far as is known."""
        if asked.action == "SetChargingProfile":
            profile = self.scene.charger.read(asked.payload)
            for at, limit in self._points(profile):
                bound = self._bound(profile, at)
                assert limit <= bound, (
                    f"{float(limit)} A at {at:%H:%M:%S}, where {float(bound)} A are allowed: {profile}"
                )
            self._rises_calmly(profile)
        if "Stop" in asked.action:
            self._stops_for_a_reason(asked)

    def limits(self, profile: Object) -> Limits:
        """When its periods begin, by our clock, and what they allow in A: not rounded."""
        (schedule,) = profile["chargingSchedule"]
        per = VOLTS * self.scene.make.phases if schedule["chargingRateUnit"] == "W" else 1
        begins = book.instant(schedule["startSchedule"]) if "startSchedule" in schedule else self.scene.charger.now()
        start = begins - seconds(self.scene.make.clock)
        return [
            (start + seconds(p["startPeriod"]), exact(p["limit"]) / per) for p in schedule["chargingSchedulePeriod"]
        ]

    def _points(self, profile: Object) -> Iterator[tuple[datetime, Fraction]]:
        """Times that are looked at: now, the begin of each period, and in a transaction's steps all of it."""
        limits, now = self.limits(profile), self.scene.now
        yield now, current(limits, now)
        yield from ((at, limit) for at, limit in limits if at > now)
        (schedule,) = profile["chargingSchedule"]
        if profile["chargingProfilePurpose"] == "TxProfile" and len(limits) > 1:
            end = min(limits[0][0] + seconds(schedule["duration"]), now + FAR)
            at = now
            while at < end:
                yield at, current(limits, at)
                at += STEP

    def _bound(self, profile: Object, at: datetime) -> Fraction:
        """The most that a profile may allow; where it comes later, give or take what clocks are off."""
        near = [at] if at == self.scene.now else [at, at + EXACT, max(self.scene.now, at - EXACT)]
        return max(self._bound_then(profile, one) for one in near)

    def _bound_then(self, profile: Object, at: datetime) -> Fraction:
        connectors = self.scene.station.ordered()
        if profile["evseId"]:
            (connector,) = (one for one in connectors if one.number == profile["evseId"])
            return self.oracle.bound(connector, at)
        # As far as it is known: the charger has yet to take something for a transaction.
        known = self.scene.station.memory.session_form is not None
        alone = known and len(connectors) == 1 and "TxProfile" not in self.scene.make.purposes
        own = alone and profile["id"] != BASE  # what begins later is bound by no pause
        return min(self.oracle.bound(one, at, own=own) for one in connectors)

    def _rises_calmly(self, profile: Object) -> None:
        """What is put is no more than before, or that has lasted; but for the owner, and where nothing was there."""
        owner, now, limit = self.scene.owner, self.scene.now, current(self.limits(profile), self.scene.now)
        eager = self.scene.loop.time() - owner.last < 1 or owner.ceilings or owner.resumes
        if profile["id"] == BASE or eager or not self.scene.sound or self.stubborn:
            return
        keys = ("chargingProfilePurpose", "evseId", "id", "transactionId")
        for one in self.scene.charger.profiles:
            if all(one.get(key) == profile.get(key) for key in keys):
                before = current(self.limits(one), now)
                lasted = (self.scene.charger.now() - book.instant(one["receivedAt"])).total_seconds()
                assert limit <= before or lasted >= CALM - 2 * LATENCY, (
                    f"from {float(before)} to {float(limit)} A after {lasted:.1f} s"
                )

    def _stops_for_a_reason(self, asked: Asked) -> None:
        number = str(asked.payload["transactionId"])
        (connector,) = (one for one, t in self.scene.charger.transactions.items() if t.id == number)
        there = self.scene.station.connectors[connector]
        shown = there.effective_limit  # what may flow, as far as the program can know
        believed = exact(self.scene.plan.max_current if shown is None else shown)
        most = max(believed, self.scene.charger.allows(connector, self.scene.now))
        assert most > self.oracle.others_alone(there), f"nobody had to be stopped: {float(most)} A may flow"
        nothing = [
            one
            for one in self.scene.asked
            if one.action == "SetChargingProfile"
            and one.at >= asked.at - ESCALATED - GIVEN_UP
            and self._is_nothing(one)
        ]
        assert nothing, "it was not told to give nothing before"

    def _is_nothing(self, asked: Asked) -> bool:
        return self.limits(self.scene.charger.read(asked.payload))[-1][1] == 0

    # What flows

    def look(self) -> float:
        """What flows, now and, where it is too much, in a moment; how long that took (s)."""
        took = 0.0
        over = [one for one in self._running() if self.flows(one) > self.bound(one)]
        if (over or self._all_take_too_much()) and self.scene.sound and not self.stubborn:
            took = IN_TIME
            self._falls_in_time(over)
        if self.scene.wire is not None:
            for connector, session in self._sessions():
                self._is_stopped_at_last(connector)
                self._is_shown(connector, session)
                self._rises_in_time(connector)
        self._falls_back()
        return took

    def flows(self, connector: Connector) -> Fraction:
        return self.scene.charger.allows(connector.number, self.scene.now)

    def bound(self, connector: Connector) -> Fraction:
        return self.oracle.bound(connector, self.scene.now)

    def _running(self) -> list[Connector]:
        known = self.scene.station.connectors
        numbers = [number for number in self.scene.charger.transactions if number in known]
        return [known[number] for number in numbers if known[number].session is not None]

    def _sessions(self) -> Iterator[tuple[Connector, Session]]:
        for connector in self._running():
            if connector.session is not None:
                yield connector, connector.session

    def _falls_in_time(self, over: list[Connector]) -> None:
        """What was too much is not, 2 s later."""
        bounds, running = [(one, one.session, self.bound(one)) for one in over], len(self._running())
        self.scene.goes_on(IN_TIME)
        for connector, session, bound in bounds:
            if connector.session is session and self.scene.sound:
                flows = self.flows(connector)
                assert flows <= bound, f"{float(flows)} A flow where {float(bound)} A are allowed"
        if self.scene.sound and len(self._running()) == running:
            assert not self._all_take_too_much(), "more flows in all than the charger bears"

    def _all_take_too_much(self) -> bool:
        """Whether what runs takes more in all than the owner allows, or the configuration says that it bears."""
        ceiling, plan = self.oracle.ceiling(), self.scene.plan
        said = plan.enforced or ceiling < plan.max_current
        return said and sum(self.flows(one) for one in self._running()) > ceiling

    def _rises_in_time(self, connector: Connector) -> None:
        """What may flow does, after some calm; not where several share, whose parts are the program's to make."""
        bound = self.oracle.bound(connector, self.scene.now, firm=True)
        now, flows, station = self.scene.loop.time(), self.flows(connector), self.scene.station
        wear = station.wear.lasting if "TxProfile" not in self.scene.make.purposes else station.wear.passing
        free = self.scene.sound and not self.stubborn and not station.failed and wear.left >= 1
        before = self.low.get(connector.number)
        if not free or flows >= bound or self.scene.make.connectors > 1:
            self.low.pop(connector.number, None)
        elif before is None or (before.bound, before.flows) != (bound, flows):
            self.low[connector.number] = Low(now, bound, flows)
        else:
            late = now - before.since
            assert late <= RAISED, f"{float(flows)} A where {float(bound)} A are allowed, for {late:.1f} s"

    def _is_stopped_at_last(self, connector: Connector) -> None:
        """Where the charger refuses to give less, and others want that, its transaction is stopped."""
        others = self.oracle.others_alone(connector)
        flows = min(
            self.flows(connector), exact(self.scene.plan.max_current)
        )  # above that nobody's limit is passed over
        if not self.scene.sound or flows <= others:
            self.above.pop(connector.number, None)
            return
        since = self.above.setdefault(connector.number, self.scene.loop.time())
        assert self.scene.loop.time() - since <= ESCALATED, "it is not stopped"

    def _is_shown(self, connector: Connector, session: Session) -> None:
        """What is told to bind is no less than what may flow, though the charger refuses, keeps silent or was away."""
        shown, scene = connector.effective_limit, self.scene
        if scene.quiet and not scene.preparing and shown is not None and session.running:
            # A charger whose clock is fast is at its next step early.
            there = [scene.charger.allows(connector.number, at) for at in (scene.now - EXACT, scene.now)]
            flows = min(*there, exact(scene.plan.max_current))
            assert exact(shown) >= flows, f"{shown} A are shown, {float(flows)} A may flow"

    def _falls_back(self) -> None:
        """If the program died now."""
        if not self.scene.sound or self.stubborn:
            return
        standing = "TxProfile" not in self.scene.make.purposes
        for number in range(1, self.scene.make.connectors + 1):
            busy = number in self.scene.charger.transactions
            if not self._can_fall_back(busy=busy):
                continue
            then = self.scene.now + (IDLE if not busy else STANDING if standing else DEAD) + seconds(2)
            flows = self.scene.charger.allows(number, then)
            safe = exact(self.scene.plan.safe_current)
            assert flows <= safe, f"{float(flows)} A for ever, {float(safe)} A are safe"

    def _can_fall_back(self, *, busy: bool) -> bool:
        """Whether the charger takes what that needs: a second default, or one that goes down; and was ever limited."""
        make, memory = self.scene.make, self.scene.station.memory
        if self.misled and (memory.flat or memory.untimed or memory.most_periods):
            return False
        layers = make.second_default and make.takes_duration and make.most_level > 0
        layers = layers and "TxDefaultProfile" in make.purposes
        tails = make.most_periods > 1 and abs(make.clock) < 5
        if busy:  # a transaction's profile has an end, or goes on for as long as it runs
            tails = tails and make.takes_duration
        return memory.installed is not None and (layers or tails) and not make.relative_only


def current(limits: Limits, at: datetime) -> Fraction:
    """What holds at a time; the first before it too."""
    return [limits[0][1], *(limit for begins, limit in limits if begins <= at)][-1]
