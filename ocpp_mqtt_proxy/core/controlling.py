"""What follows for the control of a charger: from a session, an owner's word, a grant (contract §8).

The owner holds `transactions` while a session of the owner's runs, as anybody would; nobody pre-empts that.
"""

from __future__ import annotations

from collections.abc import Iterable

from ocpp_mqtt_proxy.core.audit import REVOKE, Decided
from ocpp_mqtt_proxy.core.authorization import ANYONE
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import AUTO, Ending, Taken
from ocpp_mqtt_proxy.core.events import ControlGranted, ControlRevoked, ModeChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, IdToken
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass

TRANSACTIONS = ControlClass.TRANSACTIONS


def grant(hearing: Hearing, provider: str, control_class: ControlClass) -> None:
    """Put a class into somebody's hands; who had it before loses it."""
    control = hearing.station.control
    if control.holder(control_class) == provider:
        control.use(provider, control_class, hearing.now)
        hearing.keep(control)
        return
    taken = control.grant(provider, control_class, hearing.now)
    revoke(hearing, [taken] if taken else [])
    hearing.keep(control)
    hearing.tell(ControlGranted, provider=provider, control_class=control_class, holder=provider)


def revoke(hearing: Hearing, taken: Iterable[Taken]) -> None:
    """Classes were taken away: that is told once for each, and is in the audit log."""
    control = hearing.station.control
    for one in taken:
        hearing.keep(control, _revoked(hearing, one))
        hearing.tell(
            ControlRevoked,
            provider=one.provider,
            control_class=one.control_class,
            reason=one.ending,
            holder=control.holder(one.control_class),
        )


def _revoked(hearing: Hearing, taken: Taken) -> Decided:
    control, station = hearing.station.control, hearing.station
    return Decided(
        at=hearing.now,
        charger=station.id,
        provider=taken.provider,
        control_class=taken.control_class,
        subject=REVOKE,
        granted=False,
        reason=taken.ending,
        inputs={"mode": control.mode, "holder": control.holder(taken.control_class), "online": station.connected},
    )


def set_mode(hearing: Hearing, mode: str, by: str) -> None:
    """The owner's word: who is in charge, or that the rules are."""
    control = hearing.station.control
    if control.mode == mode:
        return
    taken = control.set_mode(mode)
    hearing.keep(control, durable=True)
    hearing.tell(ModeChanged, mode=mode, by=by)
    revoke(hearing, taken)


# Sessions


def provider_of(hearing: Hearing, connector: Connector, token: IdToken | None) -> str:
    """Whose a session is that begins: who started it from afar, whose card it is, else who holds the class.

    One that began though its card was refused is nobody's but the owner's.
    """
    if connector.promised is not None and connector.promised.meant_for(token, hearing.now):
        return connector.promised.provider
    decision = hearing.decision
    if decision is None or (decision.accepted and decision.by == ANYONE and not decision.of_provider):
        return hearing.station.control.holder(TRANSACTIONS) or OWNER
    return (decision.provider if decision.accepted else None) or OWNER


def begun(hearing: Hearing, session: Session) -> None:
    """A session runs: who started it holds `transactions`; not the owner for a card refused, or not shown yet.

    A provider does not where the owner has put somebody else in charge since, nor where another's transaction runs.
    """
    control = hearing.station.control
    if session.provider == OWNER:
        holds = hearing.decision is not None and hearing.decision.accepted
    else:
        holder = control.holder(TRANSACTIONS)
        others = {one.provider for one in hearing.station.sessions()} - {session.provider}
        holds = control.mode in (AUTO, session.provider) and holder not in others
    if holds:
        grant(hearing, session.provider, TRANSACTIONS)


def claimed(hearing: Hearing, session: Session, connector: Connector, token: IdToken) -> None:
    """The card of a session that began without one was shown: it is its provider's, from the start.

    A provider that starts one from afar and names no card does it with the owner's tag.
    """
    decision = hearing.decision
    from_afar = decision is not None and decision.by == OWNER and session.provider != OWNER
    if from_afar or not session.running:
        return
    provider = provider_of(hearing, connector, token)
    if provider != session.provider:
        session.claim(provider, hearing.there, hearing.station.plan.prices)
    begun(hearing, session)


def ended(hearing: Hearing, session: Session) -> None:
    """A session is over. The owner gives the class back at once; a provider's runs out (`standing`)."""
    control = hearing.station.control
    if session.provider == OWNER and not any(s.provider == OWNER for s in hearing.station.sessions()):
        revoke(hearing, control.take(Ending.ENDED, (TRANSACTIONS,), OWNER))
    control.use(session.provider, TRANSACTIONS, hearing.now)
    hearing.keep(control)


def hand_over(hearing: Hearing, provider: str) -> None:
    """Move what runs to a provider: from now on its part and its price."""
    for session in list(hearing.station.sessions()):
        if session.provider != provider:
            session.hand_over(provider, hearing.there, hearing.station.plan.prices)
            hearing.keep(session, durable=True)
