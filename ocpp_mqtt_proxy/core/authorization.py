"""Whether a card may charge: what the house itself knows, what was decided before, and what providers say.

The house comes first (contract §3 `id_tags`, `unknown_id_tag`). A card that only providers can know is put to those
who may act now, all at once: the first that accepts it wins, unless one who goes before it is only a little slower.

A charger's own cache is never cleared: it learns every verdict with an answer, a refusal of a card that it has
cached too, and asks again for cards that were not accepted (1.6 §3.5.1, C10.FR.03).
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from ocpp_mqtt_proxy.core.model import OWNER, IdToken, TokenKind, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization

HOUSE, ANYONE, NOBODY = "house", "anyone", "nobody"
"""Who decides beside the owner and providers: the house's cards and rule, the rule that all are welcome, no one."""


class UnknownTag(StrEnum):
    """What to do with a card the house does not know."""

    ASK_PROVIDERS = "ask_providers"
    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on a card, and who gave it: a provider (which may be called as it likes), or not.

    `asked` where providers were asked just now.
    """

    authorization: Authorization
    by: str
    of_provider: bool = False
    asked: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the card may charge."""
        return self.authorization.verdict is Verdict.ACCEPTED

    @property
    def provider(self) -> str | None:
        """The provider that gave it, where one did."""
        return self.by if self.of_provider else None


_PADDING = "\\ "
"""What some chargers add to the end of a tag (peers §5); no card has it there."""

ACCEPTED = Authorization(Verdict.ACCEPTED)
INVALID = Authorization(Verdict.INVALID)
UNANSWERED = Decision(INVALID, NOBODY, asked=True)


def key_of(tag: str) -> str:
    """By what cards are told apart."""
    return tag.lower().rstrip(_PADDING)


@dataclass(frozen=True, slots=True)
class House:
    """The house's own cards and its rule for others.

    `cards` maps a tag in lower case to its holder's name. `open_to_all`: no card, provider or service is
    configured, so every card is accepted.
    """

    owner_tag: str = "HOME"
    cards: Mapping[str, str] = field(default_factory=dict)
    unknown: UnknownTag = UnknownTag.ASK_PROVIDERS
    open_to_all: bool = True

    def decide(self, token: IdToken) -> Decision:
        """The house's verdict; on a card that only a provider could know it is what holds while there is none."""
        if known := self.knows(token):
            return known
        if self.open_to_all or self.unknown is UnknownTag.ACCEPT:
            return Decision(ACCEPTED, ANYONE)
        return Decision(INVALID, NOBODY if self.asks(token) else HOUSE)

    def knows(self, token: IdToken) -> Decision | None:
        """The verdict on one of the house's own cards, and on what is no card at all (C02)."""
        tag = key_of(token.tag)
        if tag == self.owner_tag.lower():
            return Decision(ACCEPTED, OWNER)
        if tag in self.cards:
            return Decision(ACCEPTED, HOUSE)
        return Decision(ACCEPTED, ANYONE) if token.kind is TokenKind.NO_AUTHORIZATION else None

    def asks(self, token: IdToken) -> bool:
        """Whether a card is one to ask providers about."""
        theirs = self.unknown is UnknownTag.ASK_PROVIDERS and not self.open_to_all
        return theirs and bool(key_of(token.tag)) and self.knows(token) is None


# What was decided before

ACCEPTANCE_KEPT = timedelta(minutes=10)
"""How long a yes is remembered: from the card to the start, with the walk to the car in between."""

REFUSAL_KEPT = timedelta(minutes=1)
"""How long a no is: for the start that follows it and its repetitions. A card that is shown again is asked again."""

MOST_CARDS = 100
"""Cards remembered per charger; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A verdict that was given, and until when it stands."""

    decision: Decision
    until: datetime


@dataclass(slots=True)
class Cards:
    """Verdicts of providers on cards at one charger, the latest last. What charges there now is not forgotten."""

    known: dict[str, Remembered] = field(default_factory=dict)

    def recall(self, tag: str, now: datetime, charging: Collection[str] = ()) -> Decision | None:
        """What was decided on a card, while that stands."""
        key = key_of(tag)
        known = self.known.get(key)
        stands = known is not None and (now < known.until or key in charging)
        return known.decision if known is not None and stands else None

    def remember(self, tag: str, decision: Decision, now: datetime, charging: Collection[str] = ()) -> None:
        """A card was decided on."""
        kept = ACCEPTANCE_KEPT if decision.accepted else REFUSAL_KEPT
        self.known = {key: one for key, one in self.known.items() if now < one.until or key in charging}
        self.known.pop(key_of(tag), None)
        self.known[key_of(tag)] = Remembered(replace(decision, asked=False), now + kept)
        for key in [key for key in self.known if key not in charging][: max(0, len(self.known) - MOST_CARDS)]:
            del self.known[key]

    def forget(self, tag: str) -> None:
        """What was decided on a card does not stand any more."""
        self.known.pop(key_of(tag), None)


# What providers say


@dataclass(slots=True)
class Question:
    """A card that providers are asked about: whom, those who go before others first, and what they said."""

    token: IdToken
    asked: tuple[str, ...]
    answers: dict[str, Authorization] = field(default_factory=dict)

    def silent(self, absent: Collection[str] = ()) -> list[str]:
        """Who may still answer."""
        return [provider for provider in self.asked if provider not in self.answers and provider not in absent]

    def acceptances(self) -> Iterator[Decision]:
        """Who accepts the card, in order."""
        return (said for said in self._said() if said.accepted)

    def settled(self, absent: Collection[str] = ()) -> bool:
        """Whether nobody is left whose answer would change anything."""
        first, silent = next(self.acceptances(), None), self.silent(absent)
        ranks = {provider: rank for rank, provider in enumerate(self.asked)}
        return not silent or (first is not None and ranks[silent[0]] > ranks[first.by])

    def refusal(self) -> Decision:
        """The verdict where nobody accepts: of one who seems to know the card, else any, else nobody's."""
        said = [said for said in self._said() if not said.accepted]
        knowing = (one for one in said if one.authorization.verdict not in _STRANGE)
        return next(knowing, said[0] if said else UNANSWERED)

    def _said(self) -> Iterator[Decision]:
        return (Decision(self.answers[by], by, of_provider=True, asked=True) for by in self.asked if by in self.answers)


_STRANGE = frozenset({Verdict.INVALID, Verdict.UNKNOWN})
"""What is said of cards that one does not know."""


def of(provider: str, said: Authorization) -> Authorization:
    """What a provider said, with its group's name made its own: two providers' groups never meet (semantics §5.6)."""
    return replace(said, group=_group(provider, said.group) if said.group else None)


def _group(provider: str, group: str) -> str:
    """A digest, because 1.6 has room for 20 characters and does not tell small ones from large (CiString20)."""
    return b32encode(sha256(f"{provider}\n{group.lower()}".encode()).digest())[:20].decode()


def for_a_card_alone(said: Authorization) -> Authorization:
    """A verdict as an answer to a card that starts nothing: ConcurrentTx belongs to starts (1.6 §5.1)."""
    return replace(said, verdict=Verdict.INVALID) if said.verdict is Verdict.CONCURRENT_TX else said
