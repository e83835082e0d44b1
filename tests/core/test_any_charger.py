"""Whatever a charger says, in whatever order: what must hold all the same (contract §9, semantics §12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.events import FaultChanged, SessionEnded, SessionStarted
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    STATION,
    ChargingState,
    IdToken,
    Nameplate,
    Place,
    Status,
    StopReason,
    Variable,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.reports import (
    BootReported,
    EventsReported,
    HeartbeatReported,
    InventoryReported,
    MeterReported,
    Phase,
    ProblemReported,
    Report,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.session import Session
from tests.core.yard import ONE, TWO, Yard, energy, power, sample

AGES = st.one_of(
    st.just(timedelta(0)),
    st.timedeltas(timedelta(0), timedelta(hours=3)),
    st.just(timedelta(hours=-2)),
)
PLACES = st.sampled_from([ONE, ONE, ONE, TWO, Place(1), Place(1, 2), STATION, Place(-1, 1)])
ODD_TIMES = st.sampled_from([None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 3, 14, 11, 0)])  # noqa: DTZ001
REGISTERS = st.one_of(st.integers(0, 2000), st.integers(0, 60_000), st.sampled_from([-1, 0, 5_000_000, 4_294_967_295]))
TAGS = st.sampled_from(["CARD", "card", "OTHER", ""])
CONTEXTS = st.sampled_from(["Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger"])
STRANGE_IDS = st.sampled_from(["-1", "0", "4711", "9223372036854775807", "nonsense", ""])
SAID = st.sampled_from([*Status, OCCUPIED])


class AnyCharger(RuleBasedStateMachine):
    """A charger that says anything. It remembers what it was told of ids, and repeats itself."""

    @initialize(version=st.sampled_from(Version))
    def switch_on(self, version: Version) -> None:
        self.yard = Yard(version=version)
        self.told_before = 0
        self.meter = 1000
        self.said: list[Report] = []
        self.ids: list[str] = []
        self.highest: dict[str, tuple[float, object]] = {}
        self.lifetimes: dict[int, float] = {}

    def say(self, report: Report) -> None:
        heard = self.yard.hear(report)
        assert heard.answer is not None
        if isinstance(report, TransactionReported):
            assert isinstance(heard.answer, TransactionAnswer)
            assert (heard.answer.authorization is None) == (report.token is None)
            self.ids.append(heard.answer.transaction_id)
        self.said.append(report)

    def a_time(self, data: st.DataObject) -> datetime | None:
        if data.draw(st.integers(0, 9)) == 0:
            return data.draw(ODD_TIMES)
        return self.yard.now - data.draw(AGES)

    def a_register(self, data: st.DataObject) -> int:
        """Mostly what a meter would show next, now and then anything."""
        if data.draw(st.integers(0, 3)) == 0:
            return data.draw(REGISTERS)
        self.meter += data.draw(st.integers(0, 3000))
        return self.meter

    def an_id(self, data: st.DataObject) -> str:
        return data.draw(st.one_of(st.sampled_from(self.ids[-4:]), STRANGE_IDS) if self.ids else STRANGE_IDS)

    @rule(seconds=st.sampled_from([1, 30, 600, 1200, 86_400]))
    def time_goes_by(self, seconds: int) -> None:
        self.yard.pass_(seconds=seconds)

    @rule(data=st.data())
    def says_a_status(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(["NoError", "GroundFailure"]))
        self.say(StatusReported(data.draw(PLACES), data.draw(SAID), self.a_time(data), code))

    @rule(data=st.data())
    def sends_readings(self, data: st.DataObject) -> None:
        reading = energy(self.a_register(data), data.draw(CONTEXTS))
        samples = (sample(reading, power(7000), at=self.a_time(data)),) * data.draw(st.integers(0, 2))
        of = self.an_id(data) if self.yard.version is Version.V16 and data.draw(st.booleans()) else None
        self.say(MeterReported(data.draw(PLACES), samples, of))

    @precondition(lambda self: self.yard.version is Version.V16)
    @rule(data=st.data())
    def starts_as_1_6_does(self, data: st.DataObject) -> None:
        self.say(
            TransactionReported(
                Phase.STARTED,
                None,
                self.a_time(data),
                data.draw(PLACES),
                IdToken(data.draw(TAGS)),
                meter_start=WattHours(self.a_register(data)),
            )
        )

    @precondition(lambda self: self.yard.version is Version.V16)
    @rule(data=st.data())
    def stops_as_1_6_does(self, data: st.DataObject) -> None:
        self.say(
            TransactionReported(
                Phase.ENDED,
                self.an_id(data),
                self.a_time(data),
                token=data.draw(st.none() | st.builds(IdToken, TAGS)),
                meter_stop=data.draw(st.none() | st.just(WattHours(self.a_register(data)))),
                samples=(sample(energy(self.a_register(data)), at=self.a_time(data)),),
                stop_reason=data.draw(st.sampled_from(StopReason)),
            )
        )

    @precondition(lambda self: self.yard.version is not Version.V16)
    @rule(data=st.data(), phase=st.sampled_from(Phase))
    def sends_an_event_as_2_x_does(self, data: st.DataObject, phase: Phase) -> None:
        fresh = f"tx-{len(self.said)}"
        reading = energy(self.a_register(data), data.draw(CONTEXTS))
        self.say(
            TransactionReported(
                phase,
                data.draw(st.sampled_from([fresh, *self.ids[-3:]])),
                self.a_time(data),
                data.draw(st.none() | PLACES),
                data.draw(st.none() | st.builds(IdToken, TAGS)),
                charging_state=data.draw(st.none() | st.sampled_from(ChargingState)),
                seq_no=data.draw(st.none() | st.integers(0, 20)),
                offline=data.draw(st.booleans()),
                samples=(sample(reading, at=self.a_time(data)),) * data.draw(st.integers(0, 2)),
            )
        )

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def repeats_itself(self, data: st.DataObject) -> None:
        self.say(data.draw(st.sampled_from(self.said[-6:])))

    @rule(cleared=st.booleans(), place=PLACES)
    def has_a_problem(self, cleared: bool, place: Place) -> None:
        self.say(EventsReported((ProblemReported(place, "Lock", "Problem", "true", cleared, "E17"),)))

    @rule()
    def boots(self) -> None:
        self.say(BootReported(Nameplate("Acme", "Box")))
        self.say(HeartbeatReported())

    @rule(place=PLACES)
    def tells_of_its_parts(self, place: Place) -> None:
        self.say(InventoryReported(1, 0, False, (Variable("Connector.X", "1", component="Connector", place=place),)))

    @precondition(lambda self: any(True for _ in self.yard.station.sessions()))
    @rule()
    def is_closed_by_the_owner(self) -> None:
        connector = next(c for c in self.yard.station.ordered() if c.session)
        yard = self.yard
        yard.note(rules.close_session(yard.station, connector, yard.now, yard.numbers))

    @rule()
    def outlives_the_program(self) -> None:
        self.yard.restart()
        self.told_before = len(self.yard.facts)

    # What must hold

    @property
    def sessions(self) -> list[Session]:
        return self.yard.sessions

    @invariant()
    def no_session_is_known_by_another_s_number(self) -> None:
        assert len({s.session_id for s in self.sessions}) == len(self.sessions)
        ours = [s.transaction_id for s in self.sessions if s.start_key is not None]
        assert len(ours) == len(set(ours))
        assert all(0 < int(number) < 2**31 for number in ours)

    @invariant()
    def one_session_at_most_runs_on_a_connector(self) -> None:
        running = [s for s in self.sessions if s.running]
        assert {s.session_id for s in running} == {s.session_id for s in self.yard.station.sessions()}
        assert len({s.connector for s in running}) == len(running)

    @invariant()
    def energy_and_cost_never_fall_and_are_never_negative(self) -> None:
        for session in self.sessions:
            before = self.highest.get(session.session_id, (0.0, 0))
            now = (session.energy, session.cost)
            assert now >= before
            self.highest[session.session_id] = now

    @invariant()
    def the_lifetime_register_never_falls(self) -> None:
        for number, connector in self.yard.station.connectors.items():
            total = connector.energy
            assert total is None or total >= self.lifetimes.get(number, 0.0)
            assert total is not None or number not in self.lifetimes
            if total is not None:
                self.lifetimes[number] = total

    @invariant()
    def what_is_over_has_an_end_and_a_reason(self) -> None:
        for session in self.sessions:
            assert session.running == (session.ended_at is None) == (session.reason is None)
            assert session.ended_at is None or session.started_at <= session.ended_at <= self.yard.now

    @invariant()
    def what_is_told_began_before_it_ended(self) -> None:
        started = [fact.session.session_id for fact in self.yard.told(SessionStarted)]
        assert len(started) == len(set(started)) == len(self.sessions)
        assert {fact.session.session_id for fact in self.yard.told(SessionEnded)} <= set(started)

    @invariant()
    def faults_come_and_go_in_turn(self) -> None:
        """Since the program started: what was faulted before is told again, nobody knows any more that it was."""
        cleared: dict[int, bool] = {}
        for fact in self.yard.facts[self.told_before :]:
            if isinstance(fact, FaultChanged):
                assert fact.cleared != cleared.get(fact.connector, True)
                cleared[fact.connector] = fact.cleared

    @invariant()
    def what_is_over_is_on_no_connector(self) -> None:
        for connector in self.yard.station.connectors.values():
            assert connector.session is None or connector.session.running
            assert connector.last_session is None or not connector.last_session.running


AnyCharger.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyCharger = AnyCharger.TestCase
