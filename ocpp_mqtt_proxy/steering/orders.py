"""A profile that is wanted as an order in a form, and plainer where a charger refuses that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ocpp_mqtt_proxy.core import clock
from ocpp_mqtt_proxy.core.limit_orders import STARTED_AGO, Layer, ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Target
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import Want, has_base


def order_for(station: Station, want: Want, form: ProfileForm, now: datetime) -> SetLimit:
    """An order for a wanted profile in a form. Its schedule begins by the charger's clock."""
    there = now + clock.error(station)
    order = SetLimit(
        at=Target(),
        limit=want.amps,
        start=there - STARTED_AGO,
        phases=station.plan.phases,
        form=form,
        transaction_id=None if want.session is None else want.session.transaction_id,
        later=tuple(((at - now).total_seconds(), amps) for at, amps in want.steps[1:] if at > now),
        seconds=None if want.until is None else (want.until - now).total_seconds(),
        base=want.layer is Layer.BASE,
        since=now,
        instead_of=want.instead_of,
    )
    if want.session is not None:
        order = _at_its_connector(station, order, want)
    return replace(order, later=(), seconds=None) if form.relative else order


def _at_its_connector(station: Station, order: SetLimit, want: Want) -> SetLimit:
    """What outlasts its transaction takes the default's own place, where that is no one else's."""
    assert want.session is not None
    connector = station.connector(want.session.connector)
    ours = order.stands_for_a_transaction and station.sole() is connector
    if not ours:
        return replace(order, at=Target(connector.number, connector.place))
    # Where nothing lies below that place it must not run out; it is put once more as what goes down by itself.
    order = replace(order, at=Target())
    return order if has_base(station) else replace(order, later=(), seconds=None)


def plainer(order: SetLimit, now: datetime | None = None) -> SetLimit | None:
    """The same with less that a charger may not take: with one step, with none, without an end; None where it is plain.

    One step goes to the least of what follows. Without any it must not last until one of them that lowers: what is
    below it is safe. It is put `now`.
    """
    if len(order.later) > 1:
        return replace(order, later=((order.later[0][0], min(amps for _, amps in order.later)),))
    if order.later and order.seconds is not None:
        lower = (after for after, amps in order.later if amps < order.limit)
        return replace(order, later=(), seconds=min([order.seconds, *lower]), since=now or order.since)
    if order.later or order.seconds is not None:
        return replace(order, later=(), seconds=None, since=now or order.since)
    return None
