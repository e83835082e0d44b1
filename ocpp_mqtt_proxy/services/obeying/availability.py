"""Whether a charger is in service, as each service wants it (G03, 1.6 §5.2).

What a service takes out of service is out of service for it alone: it is told so, and its starts are refused. For one
with `management` it is the charger that goes out of service, by the rules.
"""

from __future__ import annotations

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Wish
from ocpp_mqtt_proxy.core.commands import ChangeAvailability, Outcome, done
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services.obeying import permission, places
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation


async def change(out: Outstation, order: ChangeAvailability) -> Outcome:
    """Put connectors, or the charger, into or out of service. Raises UnknownConnector.

    `Scheduled` where a transaction runs there: it is out of service once that has ended (G03.FR.05).
    """
    meant = places.connectors(out, order.at)
    whole = order.at.place.evse == 0
    if permission.has(out, ControlClass.MANAGEMENT):
        outcome = await _of_the_charger(out, order, [] if whole else meant)
        if not outcome.ok:
            return outcome
    else:
        busy = any(connector.session is not None for connector in meant)
        outcome = done(charger_status="Scheduled" if busy and not order.operative else "Accepted")
    _remember(out, [0] if whole else [connector.number for connector in meant], operative=order.operative)
    return outcome


async def _of_the_charger(out: Outstation, order: ChangeAvailability, meant: list[Connector]) -> Outcome:
    wish = Wish(out.id, ControlClass.MANAGEMENT, "ChangeAvailability", connector=meant[0] if meant else None)
    if refusal := out.arbitration.judge(out.station, [wish]):
        return refusal
    outcomes: list[Outcome] = []
    numbers: list[int | None] = [connector.number for connector in meant]
    for number in numbers or [None]:
        request = requests.Availability(operative=order.operative, connector=number)
        outcomes.append(await out.arbitration.dispatcher.submit(out.charger_id, request))
        if not outcomes[-1].ok:
            return outcomes[-1]
    return next((one for one in outcomes if one.result.get("charger_status") == "Scheduled"), outcomes[0])


def _remember(out: Outstation, numbers: list[int], *, operative: bool) -> None:
    """The whole charger back in service has its connectors back too; those have not where it is out (1.6 §5.2)."""
    wanted = out.virtual.inoperative
    if operative:
        wanted.difference_update([*wanted] if 0 in numbers else numbers)
    else:
        wanted.update(numbers)
    out.keep()
    out.unsettled.set()


HANDLERS: Handlers = {ChangeAvailability: change}
