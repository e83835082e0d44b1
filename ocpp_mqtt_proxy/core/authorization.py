"""Whether a card may charge, as far as the house itself can tell (contract §3 `id_tags`, `unknown_id_tag`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ocpp_mqtt_proxy.core.model import IdToken, TokenKind, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization


class UnknownTag(StrEnum):
    """What to do with a card the house does not know."""

    ASK_PROVIDERS = "ask_providers"
    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on a card, and who gave it."""

    authorization: Authorization
    by: str


_PADDING = "\\ "
"""What some chargers add to the end of a tag (peers §5); no card has it there."""

ACCEPTED = Authorization(Verdict.ACCEPTED)


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
        """The house's verdict. A card that only a provider could know is invalid while there is none to ask."""
        tag = token.tag.lower().rstrip(_PADDING)
        if tag == self.owner_tag.lower():
            return Decision(ACCEPTED, "owner")
        if tag in self.cards:
            return Decision(ACCEPTED, "house")
        if self.open_to_all or self.unknown is UnknownTag.ACCEPT or token.kind is TokenKind.NO_AUTHORIZATION:
            return Decision(ACCEPTED, "anyone")
        return Decision(Authorization(Verdict.INVALID), "house")
