"""Whatever providers ask and the owner does, in whatever order: what must hold."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ocpp_mqtt_proxy.core.arbiter import Grant, Refusal, Request, World, decide, note
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import AUTO, Control, Ending, Limit, Taken
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.sharing import EVERYBODYS, ControlClass, Presence, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.core.standing import limit_stands, settle
from tests.core.court import ALL_ROLES, ANSWER, EASE, HOLD, NIGHT, SMART_CHARGING, TRANSACTIONS
from tests.core.yard import NOON

NAMED = ("grid", "fleet", "public")
STRANGER = "stranger"
IDS = st.sampled_from([*NAMED, STRANGER])
AT_ONCE = {Ending.OVERRIDE, Ending.FAULTED, Ending.BLOCKED, Ending.DISABLED, Ending.SHARING}

MOSTLY = st.sampled_from([True, True, True, True, False])

TERMS = st.builds(
    Terms,
    st.just(""),
    roles=st.sampled_from([ALL_ROLES, ALL_ROLES, EVERYBODYS, frozenset({SMART_CHARGING})]),
    priority=st.integers(0, 2),
    presence=st.sampled_from(PresenceRule),
    schedule=st.sampled_from([(), (), (NIGHT,)]),
)
RULES = st.builds(
    Rules,
    sharing=MOSTLY,
    preferred=st.sampled_from(["", "fleet"]),
    unknown_denies=st.booleans(),
    override_stops=st.booleans(),
    providers=st.fixed_dictionaries(dict.fromkeys(NAMED, TERMS)),
    strangers=st.none() | TERMS,
)


class AnyHouse(RuleBasedStateMachine):
    """A charger with one connector, three providers and a stranger, and an owner who changes everything.

    `session` is whose transaction runs, `told` who holds what for all that anybody was told.
    """

    @initialize(rules=RULES, presence=st.none() | st.sampled_from(Presence))
    def move_in(self, rules: Rules, presence: Presence | None) -> None:
        self.now = NOON
        self.house = rules
        self.world = World(presence=presence)
        self.control = Control("CP1")
        self.session: str | None = None
        self.told: dict[ControlClass, str] = {}

    # What is told

    def tell(self, *taken: Taken) -> None:
        for one in taken:
            assert self.told.pop(one.control_class) == one.provider

    def give(self, provider: str, control_class: ControlClass) -> None:
        new = self.control.holder(control_class) != provider
        taken = self.control.grant(provider, control_class, self.now)
        self.tell(*[taken] if taken else [])
        if new and control_class is not SMART_CHARGING:
            assert control_class not in self.told, "two would hold it"
            self.told[control_class] = provider

    def look_again(self) -> None:
        busy = frozenset({self.session} if self.session else ())
        self.world = replace(self.world, busy=busy)
        taken = settle(self.control, self.world, self.house, self.now, frozenset(self.control.limits))
        self.tell(*taken)
        assert settle(self.control, self.world, self.house, self.now, frozenset(self.control.limits)) == []
        assert not [one for one in taken if one.provider == self.session and self.patient(one)]

    def patient(self, one: Taken) -> bool:
        """Whether something was taken in mid-session that should have waited for its end."""
        return one.ending not in AT_ONCE and not self.house.override_stops and one.ending is not Ending.ROLE

    # What providers do

    def ask(self, request: Request) -> Grant | Refusal:
        before = deepcopy(self.control)
        answer = decide(self.control, request, self.world, self.house, self.now)
        assert self.control == before, "deciding changed something"
        assert isinstance(answer, Grant) or answer.reason in set(Reason)
        note(self.control, request, answer, self.house, self.now)
        return answer

    @rule(provider=IDS, control_class=st.sampled_from(ControlClass))
    def asks_for_a_class(self, provider: str, control_class: ControlClass) -> None:
        if self.ask(Request(provider, control_class, HOLD)) == Grant():
            self.give(provider, control_class)
        self.look_again()

    @precondition(lambda self: self.session is None)
    @rule(provider=IDS)
    def starts(self, provider: str) -> None:
        if self.ask(Request(provider, TRANSACTIONS)) == Grant():
            assert self.may_start(provider)
            self.give(provider, TRANSACTIONS)
            self.session = provider
        self.look_again()

    @precondition(lambda self: self.session is None)
    @rule(provider=IDS)
    def accepts_a_card(self, provider: str) -> None:
        if self.world.online and self.ask(Request(provider, TRANSACTIONS, ANSWER)) == Grant():
            assert self.may_start(provider)
            self.give(provider, TRANSACTIONS)
            self.session = provider
        self.look_again()

    def may_start(self, provider: str) -> bool:
        """Whether nothing that must stop a start stands against it, in the contract's words."""
        if provider in self.house.blocked | self.world.disabled or self.control.mode not in (AUTO, provider):
            return False
        if not self.world.online or self.world.faulted or self.world.unavailable:
            return False
        terms = self.house.providers.get(provider, self.house.strangers)
        if terms is None or TRANSACTIONS not in terms.roles:
            return False
        return self.control.mode == provider or (self.house.sharing and self.house_agrees(terms))

    def house_agrees(self, terms: Terms) -> bool:
        night = self.now.hour >= 23 or self.now.hour < 7
        if terms.schedule and not night:
            return False
        if terms.presence is PresenceRule.ANY or self.world.presence is None:
            return True
        if self.world.presence is Presence.UNKNOWN:
            return not self.house.unknown_denies
        return self.world.presence.value == terms.presence.value

    @precondition(lambda self: self.session is not None)
    @rule(provider=IDS)
    def starts_where_one_charges(self, provider: str) -> None:
        answer = self.ask(Request(provider, TRANSACTIONS, whose=self.session))
        if self.session != provider:
            assert isinstance(answer, Refusal)
        elif answer == Grant():
            self.give(provider, TRANSACTIONS)
        self.look_again()

    @rule(provider=IDS, amps=st.integers(0, 32))
    def limits(self, provider: str, amps: int) -> None:
        if self.ask(Request(provider, SMART_CHARGING)) == Grant():
            self.control.limits[provider] = Limit(Amps(amps))
            assert limit_stands(self.control, provider, self.world, self.house, self.now)
        self.look_again()

    @rule(provider=IDS, control_class=st.sampled_from(ControlClass))
    def lowers_stops_or_releases_its_own(self, provider: str, control_class: ControlClass) -> None:
        whose = provider if self.session == provider else None
        answer = self.ask(Request(provider, control_class, EASE, whose))
        if provider in self.house.blocked or not self.world.online:
            assert isinstance(answer, Refusal)
            return
        assert answer == Grant()
        self.tell(*self.control.take(Ending.RELEASED, (control_class,), provider))
        if control_class is SMART_CHARGING:
            self.control.limits.pop(provider, None)
        self.look_again()

    @precondition(lambda self: self.session is not None)
    @rule(provider=IDS)
    def would_stop_another_s(self, provider: str) -> None:
        if provider != self.session:
            assert isinstance(self.ask(Request(provider, TRANSACTIONS, EASE, self.session)), Refusal)

    # What the owner and the world do

    @precondition(lambda self: self.session is None)
    @rule()
    def the_owner_starts(self) -> None:
        self.give(OWNER, TRANSACTIONS)
        self.session = OWNER
        self.look_again()

    @rule()
    def the_session_ends(self) -> None:
        if self.session == OWNER:
            self.tell(*self.control.take(Ending.ENDED, (TRANSACTIONS,), OWNER))
        self.session = None
        self.look_again()

    @rule(mode=st.sampled_from([AUTO, AUTO, OWNER, *NAMED]))
    def the_owner_says_who_is_in_charge(self, mode: str) -> None:
        self.tell(*self.control.set_mode(mode))
        assert self.control.set_mode(mode) == []
        if mode in NAMED and self.session is not None and TRANSACTIONS in self.house.providers[mode].roles:
            self.give(mode, TRANSACTIONS)
            self.session = mode
        self.look_again()

    @rule(providers=st.frozensets(IDS, max_size=1))
    def the_owner_switches_off(self, providers: frozenset[str]) -> None:
        self.world = replace(self.world, disabled=providers)
        self.look_again()

    @rule(providers=st.frozensets(IDS, max_size=1))
    def the_owner_blocks(self, providers: frozenset[str]) -> None:
        self.house = replace(self.house, blocked=providers)
        self.look_again()

    @precondition(lambda self: self.world.presence is not None)
    @rule(presence=st.sampled_from(Presence))
    def somebody_comes_or_goes(self, presence: Presence) -> None:
        self.world = replace(self.world, presence=presence)
        self.look_again()

    @rule(online=MOSTLY)
    def the_charger_comes_or_goes(self, online: bool) -> None:
        self.world = replace(self.world, online=online)
        self.look_again()

    @rule(sound=MOSTLY, in_service=MOSTLY)
    def the_charger_says_how_it_is(self, sound: bool, in_service: bool) -> None:
        self.world = replace(self.world, faulted=not sound, unavailable=not in_service)
        self.look_again()

    @rule(seconds=st.sampled_from([1, 9, 10, 60, 3600, 6 * 3600, -3600]))
    def time_goes_by(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.look_again()

    # What must hold

    @invariant()
    def everybody_was_told_who_holds_what(self) -> None:
        assert self.told == {one: holding.provider for one, holding in self.control.holders.items()}

    @invariant()
    def nobody_holds_what_is_shared(self) -> None:
        assert SMART_CHARGING not in self.control.holders

    @invariant()
    def whom_the_owner_shut_out_holds_nothing_and_limits_nothing(self) -> None:
        out = self.house.blocked | self.world.disabled
        assert not out & set(self.told.values())
        assert not [who for who in out & self.control.limits.keys() if self.stands(who)]

    def stands(self, provider: str) -> bool:
        return limit_stands(self.control, provider, self.world, self.house, self.now)

    @invariant()
    def who_is_not_in_charge_holds_nothing(self) -> None:
        if self.control.mode != AUTO:
            assert set(self.told.values()) <= {self.control.mode, OWNER}

    @invariant()
    def on_a_fault_only_the_owner_keeps_transactions(self) -> None:
        if self.world.faulted:
            assert self.control.holder(TRANSACTIONS) in (None, OWNER)

    @invariant()
    def the_owner_s_session_is_the_owner_s(self) -> None:
        if self.session == OWNER:
            assert self.control.owner == OWNER


AnyHouse.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyHouse = AnyHouse.TestCase
