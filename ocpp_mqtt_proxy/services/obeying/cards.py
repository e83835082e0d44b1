"""A service's local authorisation list: kept for it alone, and never put to the charger (semantics §5.5; D01, D02).

The charger has one list with one version; two services that filled it would undo each other. What the list says counts
where this service is asked about a card and cannot answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from ocpp_mqtt_proxy.core.authorization import key_of
from ocpp_mqtt_proxy.core.commands import GetListVersion, Outcome, Reason, SendLocalList, done, refused
from ocpp_mqtt_proxy.core.model import IdToken, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization
from ocpp_mqtt_proxy.core.virtual import LocalList
from ocpp_mqtt_proxy.services import tags
from ocpp_mqtt_proxy.services.obeying.catalogue import MOST_CARDS, OURS
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

Cards = Iterable[tuple[IdToken, Authorization | None]]


def known(out: Outstation, token: IdToken) -> Authorization | None:
    """What a service's list says of a card; None where it is not on it, or the list is switched off.

    A long tag is on it as the service was told it.
    A verdict that has run out says so (`Expired`).
    """
    if not is_enabled(out):
        return None
    card = out.virtual.local_list.cards.get(key_of(tags.told(out, token).tag))
    if card is not None and card.expires is not None and card.expires <= out.hub.clock.now():
        return Authorization(Verdict.EXPIRED, card.group, card.expires)
    return card


def is_enabled(out: Outstation) -> bool:
    """Whether a service has its list switched on (LocalAuthListEnabled)."""
    return OURS["LocalAuthListEnabled"].value(out) == "true"


async def send(out: Outstation, order: SendLocalList) -> Outcome:
    """Replace or change the list: all of it or nothing (D01.FR.04, .05, .15 to .19; errata 3.52: never version 0)."""
    listed = out.virtual.local_list
    if order.version <= 0 or order.version > MOST_VERSION:
        return refused(Reason.INVALID, "a list's version is above 0", charger_status="Failed")
    if order.differential and order.version <= listed.version:
        told = f"the list has version {listed.version} already"
        return refused(Reason.INVALID, told, charger_status="VersionMismatch")
    cards = _changed(dict(listed.cards) if order.differential else {}, order)
    if cards is None:
        return refused(Reason.INVALID, "a card twice, a card without a verdict, or too many", charger_status="Failed")
    out.virtual.local_list = LocalList(order.version, cards)
    out.keep()
    return done()


MOST_VERSION = 2**31 - 1


def _changed(cards: dict[str, Authorization], order: SendLocalList) -> dict[str, Authorization] | None:
    """The list as it is to be; None where that cannot be (D01.FR.06, and a full list takes no cards out)."""
    keys = [key_of(token.tag) for token, _ in order.cards]
    if len(set(keys)) < len(keys) or "" in keys:
        return None
    for key, (_, card) in zip(keys, order.cards, strict=True):
        if card is not None:
            cards[key] = card
        elif order.differential:
            cards.pop(key, None)
        else:
            return None
    return cards if len(cards) <= MOST_CARDS else None


async def version(out: Outstation, _: GetListVersion) -> Outcome:
    """The list's version: 0 where there is none, or it is switched off (D02.FR.02, .03)."""
    return done(version=out.virtual.local_list.version if is_enabled(out) else 0)


HANDLERS: Handlers = {SendLocalList: send, GetListVersion: version}
