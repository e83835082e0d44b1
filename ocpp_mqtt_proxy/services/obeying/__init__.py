"""What a service asks of us, as if we were the charger: judged, done or not, and always answered (semantics §7).

obey(out, action, payload)      the call of a service -> an order -> its handler -> the outcome -> the answer

handling.py       who does what
places.py         where it means
permission.py     what the configuration allows and denies it by name
transactions.py   start, stop, unlock, reserve
triggers.py       messages that are told because it wants them now
management.py     reset, logs, firmware, certificates …, and what is passed on as it came
settings.py       what it reads and sets; `reading`, `catalogue`, `table` and `structure` say what there is
profiles.py       its charging profiles; `constraints`: what others allow beside them
reports.py        the device model, in parts
availability.py   in service or not
cards.py          its local list
refusals.py       the valid no of every action without a row
"""

from __future__ import annotations

import logging

from pydantic import ValidationError

from ocpp_mqtt_proxy.core.commands import Order, Outcome, RawCall, Reason, refused
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Dialect, Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.services.obeying import (
    availability,
    cards,
    management,
    permission,
    profiles,
    reports,
    settings,
    transactions,
    triggers,
)
from ocpp_mqtt_proxy.services.obeying.handling import Handler, Handlers
from ocpp_mqtt_proxy.services.obeying.refusals import refusal
from ocpp_mqtt_proxy.services.outstation import Outstation

log = logging.getLogger(__name__)

HANDLERS: Handlers = {
    **transactions.HANDLERS,
    **triggers.HANDLERS,
    **management.HANDLERS,
    **settings.HANDLERS,
    **reports.HANDLERS,
    **availability.HANDLERS,
    **cards.HANDLERS,
    **profiles.HANDLERS,
}
"""Who does what, by the type of order."""


async def obey(out: Outstation, action: str, payload: Object) -> Payload:
    """Answer a call of a service. Raises CallRefused where that is a CALLERROR, and nothing else."""
    dialect = out.dialect
    order = _order_of(dialect, action, payload)
    outcome = await _carried_out(out, action, order)
    if not outcome.ok:
        log.info("%s: %s refused: %s %s", out.name, action, outcome.reason, outcome.message)
    return _answer(dialect, action, payload, order, outcome)


def _order_of(dialect: Dialect, action: str, payload: Object) -> Order:
    """What is asked for; what we have no word for is passed on as it came, or refused. Raises CallRefused."""
    strange = action in dialect.hear or action in dialect.overhear or action not in schema.actions(dialect.version)
    if action in dialect.obey or strange:
        return dialect.command(action, payload)
    violation = schema.check(dialect.version, action, payload)
    if violation is not None:
        raise CallRefused(violation.code, str(violation))
    return RawCall(action, payload)


async def _carried_out(out: Outstation, action: str, order: Order) -> Outcome:
    handler = HANDLERS.get(type(order))
    if permission.denies(out.plan, action):
        return refused(Reason.ROLE, f"the owner denies {out.id} {action}")
    if handler is None:
        return refused(Reason.NOT_SUPPORTED, f"{action} cannot be done for a service")
    seen = permission.allowed(out, action)
    return await out.arbitration.dispatcher.carry_out(lambda: _within_bounds(handler, seen, order))


async def _within_bounds(handler: Handler, out: Outstation, order: Order) -> Outcome:
    """What fits its schema may still be more than anybody may ask: a longer tag, deeper data."""
    try:
        return await handler(out, order)
    except ValidationError as error:
        return refused(Reason.INVALID, "; ".join(str(fault["msg"]) for fault in error.errors(include_url=False)))


def _answer(dialect: Dialect, action: str, payload: Object, order: Order, outcome: Outcome) -> Payload:
    """The answer by the action's row, else its refusal; one that breaks its schema is none. Raises CallRefused."""
    answers: list[Payload | None] = []
    if isinstance(order, RawCall) and outcome.ok:
        answers.append(dict(outcome.result))
        outcome = refused(Reason.CHARGER_REJECTED, "the charger's answer breaks its schema")
    if action in dialect.obey:
        answers.append(dialect.response(action, order, outcome))
    for answer in (*answers, refusal(action, payload)):
        if answer is not None and schema.check(dialect.version, action, answer, response=True) is None:
            return answer
    raise CallRefused(ErrorCode.NOT_SUPPORTED, outcome.message or f"{action} is not supported")
