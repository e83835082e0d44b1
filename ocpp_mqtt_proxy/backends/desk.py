"""Where backends' messages are carried out, however they came: each becomes one outcome (contract §7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Arbitration, wishes
from ocpp_mqtt_proxy.backends import messages, views
from ocpp_mqtt_proxy.backends.messages import Message, OfCharger, Order
from ocpp_mqtt_proxy.backends.subscription import Subscription, TooMany, expanded
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.limits.profile import amps_of, rounded
from ocpp_mqtt_proxy.core.model import Amps, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.dispatch import Ambiguous
from ocpp_mqtt_proxy.exports import when
from ocpp_mqtt_proxy.requests import BadRequest
from ocpp_mqtt_proxy.shapes import Json


class Asked(Protocol):
    """Takes what providers say of cards that they were asked about."""

    def answer(self, provider: str, request_id: str, authorization: Authorization) -> bool:
        """Take an answer; whether this provider was asked, and still is."""


class NobodyAsked(Asked):
    """No provider is asked about cards."""

    def answer(self, provider: str, request_id: str, authorization: Authorization) -> bool:  # noqa: ARG002
        """Nobody was."""
        return False


class Page(Protocol):
    """Some sessions, and where the next page begins."""

    @property
    def sessions(self) -> Sequence[Session]:
        """The sessions, newest first."""

    @property
    def cursor(self) -> str | None:
        """What to ask the next page by; None at the end."""


class Records(Protocol):
    """The sessions on disk."""

    async def page(self, **wanted: Any) -> Page:  # noqa: ANN401 (a filter's fields)
        """A page of them. Raises ProxyError for a filter that is none."""


@dataclass(slots=True)
class Backend:
    """A backend at one of its links: who it is, and what it hears there."""

    provider: str
    subscription: Subscription = field(default_factory=Subscription)


@dataclass
class Desk:
    """Carries out what backends ask."""

    arbitration: Arbitration
    records: Records
    asked: Asked

    def refusal(self, provider: str) -> Outcome | None:
        """Why somebody may not even speak to us; None for who may."""
        rules = self.arbitration.rules
        if provider in rules.blocked:
            return refused(Reason.BLOCKED, f"{provider} is blocked")
        if not rules.may_come(provider):
            return refused(Reason.NOT_ALLOWED, f"{provider} is not among the providers that may share")
        return None

    async def carry_out(self, backend: Backend, action: object, arguments: Mapping[str, object]) -> Outcome:
        """Carry out a message. Never raises for what is said: each has an outcome."""
        if refusal := self.refusal(backend.provider):
            return refusal
        try:
            message = messages.parse(action, arguments)
        except BadRequest as error:
            return failed(Reason.INVALID, str(error))
        return await self.arbitration.dispatcher.carry_out(lambda: _HANDLERS[type(message)](self, backend, message))

    def charger(self, message: OfCharger) -> Station:
        """The charger that is meant. Raises UnknownCharger, Ambiguous."""
        stations = self.arbitration.hub.stations
        if message.charger is not None or not stations:
            return self.arbitration.hub.station(message.charger or "")
        if len(stations) > 1:
            raise Ambiguous(f"there are several chargers; give charger: one of {', '.join(sorted(stations)[:20])}")
        return next(iter(stations.values()))


# Looking


async def _subscribe(_: Desk, backend: Backend, message: messages.Subscribe) -> Outcome:
    return _subscribed(backend, message, backend.subscription.add)


async def _unsubscribe(_: Desk, backend: Backend, message: messages.Unsubscribe) -> Outcome:
    return _subscribed(backend, message, backend.subscription.drop)


def _subscribed(backend: Backend, message: messages.Subscribe, change: Callable[..., None]) -> Outcome:
    try:
        change(expanded(message.events), message.chargers)
    except TooMany as error:
        return failed(Reason.INVALID, f"chargers: {error}")
    subscription = backend.subscription
    return done(
        events=sorted(subscription.of_all),
        chargers={charger: sorted(kinds) for charger, kinds in sorted(subscription.of.items())},
    )


async def _status(desk: Desk, backend: Backend, message: messages.Status) -> Outcome:
    hub, provider = desk.arbitration.hub, backend.provider
    stations = [hub.station(message.charger)] if message.charger else hub.stations.values()
    now = hub.clock.now()
    return done(
        chargers={station.id: views.charger(station, provider, now) for station in stations},
        enabled=provider not in desk.arbitration.house.disabled,
        holds={charger: list(classes) for charger, classes in desk.arbitration.held(provider).items()},
    )


async def _sessions(desk: Desk, backend: Backend, message: messages.Sessions) -> Outcome:
    zone, now = desk.arbitration.rules.zone, desk.arbitration.hub.clock.now()
    try:
        page = await desk.records.page(
            since=when(message.since, zone),
            until=when(message.until, zone, end=True),
            charger=message.charger,
            provider=backend.provider,
            limit=message.limit,
            cursor=message.cursor,
        )
    except ProxyError as error:
        return failed(Reason.INVALID, str(error))
    shown: list[Json] = [views.session(session, backend.provider, now) for session in page.sessions]
    return done(sessions=shown, next=page.cursor)


# Control


async def _request_control(desk: Desk, backend: Backend, message: messages.RequestControl) -> Outcome:
    at = desk.charger(message)
    return await wishes.request_control(desk.arbitration, backend.provider, at.id, message.classes)


async def _release_control(desk: Desk, backend: Backend, message: messages.ReleaseControl) -> Outcome:
    at = desk.charger(message)
    return await wishes.release_control(desk.arbitration, backend.provider, at.id, message.classes)


def _ordered(wish: Callable[[Arbitration, str, str, Any], Awaitable[Outcome]]) -> Handler:
    """What is asked of a charger as the owner asks it, by a provider."""

    async def handle(desk: Desk, backend: Backend, message: Order) -> Outcome:
        return await wish(desk.arbitration, backend.provider, desk.charger(message).id, message.request())

    return handle


async def _stop(desk: Desk, backend: Backend, message: messages.Stop) -> Outcome:
    """A transaction id says of which charger it is, where none is named."""
    if message.charger is None and message.transaction_id is not None:
        for station in desk.arbitration.hub.stations.values():
            if any(session.transaction_id == message.transaction_id for session in station.sessions()):
                return await wishes.stop(desk.arbitration, backend.provider, station.id, _request(message))
    return await wishes.stop(desk.arbitration, backend.provider, desk.charger(message).id, _request(message))


def _request(message: messages.Stop) -> requests.Stop:
    return requests.Stop(connector=message.connector, transaction_id=message.transaction_id)


async def _authorize(desk: Desk, backend: Backend, message: messages.Authorize) -> Outcome:
    authorization = Authorization(Verdict(message.status), message.group)
    if desk.asked.answer(backend.provider, message.request_id, authorization):
        return done()
    return refused(Reason.NOT_YOURS, "you are not asked under this request_id, or it is too late")


async def _set_limit(desk: Desk, backend: Backend, message: messages.SetLimit) -> Outcome:
    at = desk.charger(message)
    return await wishes.set_limit(
        desk.arbitration, backend.provider, at.id, _amps(message, at), message.connector, message.duration
    )


def _amps(message: messages.SetLimit, station: Station) -> Amps:
    """The limit per phase: power on all the phases that the charger may have, or the current of one."""
    if message.watts is not None:
        return amps_of(message.watts, station.plan.phases)
    return rounded(message.amps or 0.0)


async def _clear_limit(desk: Desk, backend: Backend, message: messages.ClearLimit) -> Outcome:
    return await wishes.clear_limit(desk.arbitration, backend.provider, desk.charger(message).id)


async def _set_profile(desk: Desk, backend: Backend, message: messages.SetProfile) -> Outcome:
    at, profile = desk.charger(message), message.profile.profile()
    return await wishes.set_profile(desk.arbitration, backend.provider, at.id, profile, message.connector)


async def _clear_profile(desk: Desk, backend: Backend, message: messages.ClearProfile) -> Outcome:
    return await wishes.clear_profile(desk.arbitration, backend.provider, desk.charger(message).id)


Handler = Callable[[Desk, Backend, Any], Awaitable[Outcome]]

_HANDLERS: Mapping[type[Message], Handler] = {
    messages.Subscribe: _subscribe,
    messages.Unsubscribe: _unsubscribe,
    messages.Status: _status,
    messages.Sessions: _sessions,
    messages.RequestControl: _request_control,
    messages.ReleaseControl: _release_control,
    messages.Start: _ordered(wishes.start),
    messages.Stop: _stop,
    messages.Authorize: _authorize,
    messages.SetLimit: _set_limit,
    messages.ClearLimit: _clear_limit,
    messages.SetProfile: _set_profile,
    messages.ClearProfile: _clear_profile,
    messages.Reserve: _ordered(wishes.reserve),
    messages.CancelReservation: _ordered(wishes.cancel_reservation),
    messages.Unlock: _ordered(wishes.unlock),
    messages.Call: _ordered(wishes.call),
}
