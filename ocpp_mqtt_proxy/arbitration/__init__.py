"""Third parties' requests: judged by the rules, remembered, told, and carried out (contract §8).

Everything that anybody but the owner wants of a charger goes through here, however it came. The owner's own word
(`owner.py`) and time (`watch.py`) change who controls; `wishes.py` is what a provider may ask.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from ocpp_mqtt_proxy.core import controlling
from ocpp_mqtt_proxy.core.arbiter import Grant, Intent, Refusal, Request, World, decide, note
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.commands import Outcome, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.events import ControlRefused, ProviderChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import is_provider_id
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, Circumstances, ControlClass, Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.world import world_of
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.hub import Hub

MOST_STRANGERS = 100
"""Providers beside those of the configuration that are shown, at most."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a provider wants, before the rules. `subject` is its name for the audit log; `lent` as with a request."""

    provider: str
    control_class: ControlClass
    subject: str
    intent: Intent = Intent.ACT
    connector: Connector | None = None
    whose: str | None = None
    lent: bool = False

    @property
    def request(self) -> Request:
        """As the arbiter sees it."""
        return Request(self.provider, self.control_class, self.intent, self.whose, self.lent)


class Memory(Protocol):
    """What is remembered about the house as a whole."""

    async def keep_disabled(self, providers: Iterable[str]) -> None:
        """Remember whom the owner switched off. Raises LedgerFailed."""


@dataclass
class Arbitration:
    """The arbiter at work.

    `house` is what holds for all chargers now. `refusals` holds each provider's last one, `absent_since` when its
    last link closed. `strangers` are providers that nobody configured, as far as they were met; `presence_by` is which
    feed spoke last, `decided` counts decisions by reason (empty for a yes). `lent` are classes beyond their roles that
    providers have for one thing that the owner allows them.
    """

    hub: Hub
    dispatcher: Dispatcher
    rules: Rules
    memory: Memory
    house: Circumstances = field(default_factory=Circumstances)
    refusals: dict[str, Decided] = field(default_factory=dict)
    absent_since: dict[str, datetime] = field(default_factory=dict)
    strangers: dict[str, None] = field(default_factory=dict)
    presence_by: str = ""
    decided: Counter[str] = field(default_factory=Counter)
    lent: frozenset[tuple[str, ControlClass]] = frozenset()

    def __post_init__(self) -> None:
        for provider in self.house.disabled:
            self.meet(provider)
        for station in self.hub.stations.values():
            control = station.control
            for provider in (control.mode, *(holding.provider for holding in control.holders.values())):
                self.meet(provider)
            # Whoever left a limit before the restart is away until it comes again.
            self.absent_since |= dict.fromkeys(control.limiting - self.house.present.keys(), self.hub.clock.now())

    def lending(self, provider: str) -> Arbitration:
        """The same arbiter, for one thing that the owner allows a provider whatever its roles (contract §3 `allow`).

        It passes the other rules, or does not, as if it had the class; it does not come to hold it.
        """
        view, terms = copy.copy(self), self.rules.terms(provider)
        roles = terms.roles if terms is not None else frozenset()
        view.lent = frozenset((provider, one) for one in ControlClass if one not in roles)
        return view

    def judge(self, station: Station, wishes: Iterable[Wish]) -> Outcome | None:
        """Why a provider may not do what it wants; None where it may: then it holds what it needs for that.

        All or nothing: of several wishes the first that is refused is the answer.
        """
        every = [replace(wish, lent=(wish.provider, wish.control_class) in self.lent) for wish in wishes]
        for wish in every:
            world = world_of(station, self.house, wish.connector)
            verdict = decide(station.control, wish.request, world, self.rules, self.hub.clock.now())
            if isinstance(verdict, Refusal):
                self._refuse(station, wish, verdict, world)
                return refused(verdict.reason, verdict.message)
        for wish in every:
            self._grant(station, wish)
        return None

    def consider(self, station: Station, wish: Wish) -> Grant | Refusal:
        """Whether a provider would be let do what we offer it. A no is in the audit log; nothing else follows."""
        world = world_of(station, self.house, wish.connector)
        verdict = decide(station.control, wish.request, world, self.rules, self.hub.clock.now())
        if isinstance(verdict, Refusal):
            self.hub.apply(station, lambda hearing: hearing.keep(self._decided(hearing, wish, verdict, world)))
        return verdict

    def _grant(self, station: Station, wish: Wish) -> None:
        world = world_of(station, self.house, wish.connector)

        def granted(hearing: Hearing) -> None:
            self._note(hearing, wish, Grant(), world)
            if wish.control_class in EXCLUSIVE and wish.intent is not Intent.EASE and not wish.lent:
                controlling.grant(hearing, wish.provider, wish.control_class)

        self.hub.apply(station, granted)

    def _refuse(self, station: Station, wish: Wish, refusal: Refusal, world: World) -> None:
        def refused_(hearing: Hearing) -> None:
            self.refusals[wish.provider] = self._note(hearing, wish, refusal, world)
            hearing.tell(
                ControlRefused,
                wish.connector,
                provider=wish.provider,
                control_class=wish.control_class,
                reason=refusal.reason,
                holder=station.control.holder(wish.control_class),
            )

        self.hub.apply(station, refused_)
        self.tell_of(wish.provider)

    def _note(self, hearing: Hearing, wish: Wish, answer: Grant | Refusal, world: World) -> Decided:
        """Remember a decision and what it was made by."""
        control = hearing.station.control
        note(control, wish.request, answer, self.rules, hearing.now)
        decided = self._decided(hearing, wish, answer, world)
        self.decided[decided.reason] += 1
        hearing.keep(control, decided)
        return decided

    def _decided(self, hearing: Hearing, wish: Wish, answer: Grant | Refusal, world: World) -> Decided:
        no = answer if isinstance(answer, Refusal) else None
        return Decided(
            at=hearing.now,
            charger=hearing.station.id,
            provider=wish.provider,
            control_class=wish.control_class,
            subject=wish.subject,
            granted=no is None,
            reason=no.reason if no else "",
            message=no.message if no else "",
            inputs=self._inputs(hearing, wish, world),
        )

    def _inputs(self, hearing: Hearing, wish: Wish, world: World) -> Mapping[str, object]:
        control = hearing.station.control
        lent = {"lent": True} if wish.lent else {}
        return lent | {
            "mode": control.mode,
            "intent": wish.intent,
            "connector": wish.connector.number if wish.connector else 0,
            "holder": control.holder(wish.control_class),
            "whose": wish.whose,
            "online": world.online,
            "faulted": world.faulted,
            "unavailable": world.unavailable,
            "presence": world.presence,
            "busy": sorted(world.busy),
        }

    def providers(self) -> dict[str, str]:
        """Every provider there is to show, by id, with its name.

        Those of the configuration, and strangers that were here or are in charge. (A provider that was taken out of
        the configuration is a stranger.)
        """
        named = {provider: terms.name or provider for provider, terms in self.rules.providers.items()}
        return named | {provider: provider for provider in self.strangers if provider not in named}

    def meet(self, provider: str) -> None:
        """A provider has something to do with us: from now on it is shown."""
        known = provider in self.rules.providers or provider in self.strangers
        if not known and is_provider_id(provider) and len(self.strangers) < MOST_STRANGERS:
            self.strangers[provider] = None
            self.tell_of(provider)

    def held(self, provider: str) -> dict[str, list[ControlClass]]:
        """What a provider holds, by charger; a limit of its own is a share of smart charging."""
        found = {station.id: _held(station.control, provider) for station in self.hub.stations.values()}
        return {charger: classes for charger, classes in found.items() if classes}

    def arrived(self, provider: str) -> None:
        """A provider opened a link."""
        self.meet(provider)
        present = self.house.present
        present[provider] = present.get(provider, 0) + 1
        self.absent_since.pop(provider, None)
        self.tell_of(provider)

    def left(self, provider: str) -> None:
        """A provider closed a link; its limits stay in force for a while, in case it comes again."""
        present = self.house.present
        present[provider] = present.get(provider, 1) - 1
        if present[provider] <= 0:
            del present[provider]
            self.absent_since[provider] = self.hub.clock.now()
        self.tell_of(provider)

    def tell_of(self, provider: str) -> None:
        """Something about a provider changed."""
        self.hub.bus.publish(ProviderChanged(charger="", at=self.hub.clock.now(), provider=provider))


def _held(control: Control, provider: str) -> list[ControlClass]:
    holds = {one: control.holder(one) == provider for one in EXCLUSIVE}
    holds[ControlClass.SMART_CHARGING] = provider in control.limiting
    return [one for one in ControlClass if holds[one]]
