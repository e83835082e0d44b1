"""Where a service means, and what it calls our places (semantics §10.3).

A 1.6 service sees connectors by our number. A 2.x service sees a 2.x charger's own places, and a 1.6 charger's
connector n as EVSE n, connector 1: that is how we keep their places too.
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownConnector
from ocpp_mqtt_proxy.core.model import WHOLE, Place, Target, Version
from ocpp_mqtt_proxy.services.outstation import Outstation


def connectors(out: Outstation, at: Target) -> list[Connector]:
    """The connectors that a service means, as its call was decoded: all of them for the charger as a whole.

    An EVSE of a 2.x service may have several. Raises UnknownConnector.
    """
    station = out.station
    station.sole()  # a charger that was just met has a connector all the same
    if at.place.evse == 0:
        return station.ordered()
    if out.version is Version.V16:
        return [station.connector(at.connector)]
    found = [one for one in station.ordered() if _is_at(one, at.place)]
    if not found:
        raise UnknownConnector(f"{station.id} has no EVSE {at.place.evse}, connector {at.place.connector or 'any'}")
    return found


def _is_at(connector: Connector, place: Place) -> bool:
    own = connector.place
    return own.evse == place.evse and place.connector in (None, 0, own.connector or 1)


def connector(out: Outstation, at: Target) -> Connector | None:
    """The connector that a service means; of an EVSE with several the one in use; None for the whole charger.

    Raises UnknownConnector.
    """
    if at.place.evse == 0:
        return None
    meant = connectors(out, at)
    return next((one for one in meant if one.session is not None), meant[0])


def called(out: Outstation, connector: Connector | None) -> Place:
    """What a service calls a connector of ours; `WHOLE` for the charger."""
    return WHOLE if connector is None else out.place(connector)
