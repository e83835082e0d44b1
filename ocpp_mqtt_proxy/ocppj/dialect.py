"""A dialect: one OCPP version as tables of rows.

    hear[action]   what a charger sends us    payload -> report, answer -> payload
    say[report]    what we send a CSMS        report -> calls, payload -> answer
    order[order]   what we ask of a charger   order -> call, payload -> outcome
    obey[action]   what a CSMS asks of us     payload -> order, outcome -> payload

and `overhear[action]`, what a charger sends us without wanting an answer (2.1): payload -> report.

A charger is heard in one dialect and a CSMS told in another, so translation between versions needs no
module of its own, and `hear` of what `say` wrote gives the report back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.core.commands import (
    Order,
    Outcome,
    RawCall,
    Reason,
    Result,
    SetConfiguration,
    done,
    failed,
    refused,
)
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import Answer, Relayed, Report
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.fields import Object, text
from ocpp_mqtt_proxy.ocppj.quirks import Active, usual
from ocpp_mqtt_proxy.ocppj.quirks.mending import mend
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.ocppj.schema import Violation

Payload = dict[str, object]
Calls = list[tuple[str, Payload]]


class CallRefused(ProxyError):
    """A call that is answered by a CALLERROR."""

    def __init__(self, code: ErrorCode, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


@dataclass(frozen=True, slots=True)
class Hear:
    """What a message from a charger means, and how its answer looks.

    `tolerant`: a wrong value in a field does not lose the message; its good part is used, because the charger
    would send it again for ever. A required field that is missing still does, `forgiven` ones aside.
    `plain` tells of a valid message the transaction that it goes on with, empty for none; None where it may do
    more than that. A plain message is answered by nothing at all, so where we know its transaction the answer
    need not wait until it is heard.
    """

    decode: Callable[[Object], Report]
    reply: Callable[[Any], Payload]
    tolerant: bool = False
    forgiven: frozenset[str] = frozenset()
    plain: Callable[[Object], str | None] | None = None

    def bears(self, violation: Violation) -> bool:
        """Whether a message that breaks its schema this way can be used all the same."""
        return self.tolerant and violation.missing <= self.forgiven


@dataclass(frozen=True, slots=True)
class Say:
    """How a report is told to a CSMS, in no, one or several calls, and what the last answer means."""

    encode: Callable[[Any], Calls]
    read: Callable[[Object], Answer]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """How an order is put to a charger, and what its answer means. None where the version cannot say it."""

    encode: Callable[[Any], tuple[str, Payload] | None]
    read: Callable[[Any, Object], Outcome]


@dataclass(frozen=True, slots=True)
class Obey:
    """What a call of a CSMS asks for, and how the outcome of that order is answered."""

    decode: Callable[[Object], Order]
    reply: Callable[[Any, Outcome], Payload]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One OCPP version."""

    version: Version
    subprotocol: str
    hear: Mapping[str, Hear] = field(default_factory=dict)
    say: Mapping[type, Say] = field(default_factory=dict)
    order: Mapping[type, OrderRow] = field(default_factory=dict)
    obey: Mapping[str, Obey] = field(default_factory=dict)
    overhear: Mapping[str, Callable[[Object], Report]] = field(default_factory=dict)

    def decode(
        self, action: str, payload: Object, quirks: Callable[[], Active] = usual
    ) -> tuple[Report, Violation | None]:
        """What a charger's call reports, and how it broke its schema where that can be borne. Raises as `judge`."""
        row, payload, violation = self.judge(action, payload, quirks)
        return row.decode(payload), violation

    def judge(
        self, action: str, payload: Object, quirks: Callable[[], Active] = usual
    ) -> tuple[Hear, Object, Violation | None]:
        """The row of a charger's call, what of it can be used, and how it broke its schema where that can be borne.

        What fails is repaired by what the charger is known to get wrong. Raises CallRefused where it has to be
        answered by a CALLERROR.
        """
        row = self.hear.get(action)
        if row is None:
            raise self._unknown(action)
        violation = schema.check(self.version, action, payload)
        if violation is not None:
            if row.tolerant:
                payload, violation = mend(self.version, action, payload, violation, quirks())
            if not row.bears(violation):
                raise CallRefused(violation.code, str(violation))
        return row, payload, violation

    def take(self, action: str, payload: Object) -> Report:
        """What reports a message that is never answered. Raises CallRefused where it cannot be used."""
        decode = self.overhear.get(action)
        if decode is None:
            raise self._unknown(action)
        violation = schema.check(self.version, action, payload)
        if violation is not None:
            raise CallRefused(violation.code, str(violation))
        return decode(payload)

    def _unknown(self, action: str) -> CallRefused:
        if action in schema.actions(self.version):
            return CallRefused(ErrorCode.NOT_SUPPORTED, f"{action} is not for us to answer")
        return CallRefused(ErrorCode.NOT_IMPLEMENTED, f"OCPP {self.version} has no {action}")

    def reply(self, action: str, answer: Answer) -> Payload:
        """The answer to a charger's call, as this version writes it."""
        return dict(answer.payload) if isinstance(answer, Relayed) else self.hear[action].reply(answer)

    def put(self, order: Order) -> tuple[str, Payload] | None:
        """An order as a call; None where this version has no such thing, or no room for what is in it."""
        if isinstance(order, RawCall):
            return order.action, dict(order.payload)
        row = self.order.get(type(order))
        call = row.encode(order) if row else None
        return call if call and schema.check(self.version, *call) is None else None

    def outcome(self, order: Order, payload: Object) -> Outcome:
        """What a charger's answer to an order means."""
        if isinstance(order, RawCall):
            return Outcome(Result.OK, result=payload)
        return self.order[type(order)].read(order, payload)

    def fault(self, action: str, payload: Object) -> Violation | None:
        """How a charger's answer to a call breaks its schema; None where it does not, or where it has none."""
        if action not in schema.actions(self.version) or action in self.overhear:
            return None
        return schema.check(self.version, action, payload, response=True)

    def command(self, action: str, payload: Object) -> Order:
        """What a CSMS's call asks for. Raises CallRefused where it has to be answered by a CALLERROR."""
        row = self.obey.get(action)
        if row is None:
            raise self._unknown(action)
        violation = schema.check(self.version, action, payload)
        if violation is not None:
            raise CallRefused(violation.code, str(violation))
        return row.decode(payload)

    def response(self, action: str, order: Order, outcome: Outcome) -> Payload:
        """The answer to a CSMS's call, once it is known what became of the order."""
        return self.obey[action].reply(order, outcome)


_UNSUPPORTED = frozenset({"NotSupported", "NotImplemented"})


def agreed(payload: Object, *also: str) -> Outcome:
    """The usual answer: Accepted, or another word that means yes; anything else is the charger's no."""
    status = text(payload, "status")
    if status in ("Accepted", *also):
        return done(charger_status=status)
    if not status:
        return failed(Reason.INVALID, "the charger's answer holds no status")
    reason = Reason.NOT_SUPPORTED if status in _UNSUPPORTED else Reason.CHARGER_REJECTED
    return refused(reason, f"the charger answered {status}", charger_status=status)


SET_STATUS = {
    "Accepted": "accepted",
    "RebootRequired": "reboot_required",
    "Rejected": "rejected",
}
"""What became of a setting; any other word of a charger's means that it has no such setting."""


def settled(statuses: Mapping[str, str]) -> Outcome:
    """The outcome of settings written, by what the charger said of each (in OCPP's words)."""
    became: dict[str, object] = {name: SET_STATUS.get(word, "not_supported") for name, word in statuses.items()}
    if not became:
        return failed(Reason.INVALID, "the charger's answer holds no result")
    worst = [word for word in ("rejected", "not_supported") if word in became.values()]
    if not worst:
        return Outcome(Result.OK, result={"set": became, "reboot_required": "reboot_required" in became.values()})
    reason = Reason.CHARGER_REJECTED if worst[0] == "rejected" else Reason.NOT_SUPPORTED
    told = ", ".join(f"{name}: {word}" for name, word in became.items())
    return Outcome(Result.REFUSED, reason, f"the charger answered {told}", {"set": became})


def settings_words(order: SetConfiguration, outcome: Outcome, unsupported: str = "NotSupported") -> dict[str, str]:
    """What became of each setting, in OCPP's words: the way back of `settled`.

    Of an order that never came to the charger, each is rejected.
    """
    became = outcome.result.get("set")
    known = became if isinstance(became, dict) else {}
    words = {status: word for word, status in SET_STATUS.items()}
    unheard = unsupported if outcome.reason is Reason.NOT_SUPPORTED else words["rejected"]
    return {name: words.get(known[name], unsupported) if name in known else unheard for name, _ in order.values}


def list_answer(_: object, outcome: Outcome) -> Payload:
    """The answer to a local list: taken, of the wrong version, or not taken (D01.FR)."""
    status = "Accepted" if outcome.ok else "Failed"
    return {"status": "VersionMismatch" if outcome.result.get("charger_status") == "VersionMismatch" else status}


def version_told(_: object, payload: Object) -> Outcome:
    """The version of the local list; below 0 there can be none (1.6 §5.10)."""
    number = payload.get("listVersion", payload.get("versionNumber"))
    if not isinstance(number, int):
        return failed(Reason.INVALID, "the charger's answer holds no version")
    return done(version=number) if number >= 0 else refused(Reason.NOT_SUPPORTED, "the charger has no local list")


def is_scheduled(outcome: Outcome) -> bool:
    """Whether the charger will do it later, once it is idle."""
    return outcome.result.get("charger_status") == "Scheduled"


def usual_answer(yes: str = "Accepted", no: str = "Rejected", **refusals: str) -> Callable[[object, Outcome], Payload]:
    """The usual answer to a CSMS: one word for yes, one for no, others for certain reasons (by their values)."""
    return lambda _, outcome: {"status": yes if outcome.ok else refusals.get(str(outcome.reason), no)}


def passed_on(reply: Callable[[Any, Outcome], Payload]) -> Callable[[Any, Outcome], Payload]:
    """The charger's own answer where a call was passed on to it as it came, else one of ours."""

    def answer(order: Order, outcome: Outcome) -> Payload:
        return dict(outcome.result) if isinstance(order, RawCall) and outcome.ok else reply(order, outcome)

    return answer


def unless(beyond: Callable[[Object], bool], action: str, row: Obey) -> Obey:
    """A row for calls that our orders can say; those beyond them are passed on as they came."""

    def decode(payload: Object) -> Order:
        return RawCall(action, payload) if beyond(payload) else row.decode(payload)

    return Obey(decode, passed_on(row.reply))


def usual_answer_or_scheduled(_: object, outcome: Outcome) -> Payload:
    """The usual answer, or that it is done later."""
    status = "Scheduled" if is_scheduled(outcome) else "Accepted"
    return {"status": status if outcome.ok else "Rejected"}
