"""Trying a service: how far a connection to it comes, told to people (the test-connection command)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ocpp_mqtt_proxy.adapters.services.dial import Dialer
from ocpp_mqtt_proxy.adapters.services.door import quoted
from ocpp_mqtt_proxy.adapters.services.link import Link
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import BootAnswer, BootReported
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.services.plan import ServicePlan
from ocpp_mqtt_proxy.services.ports import DialFailed, LinkLost, NoAnswer, Refused, Step

SETTLE = 1.0
"""Seconds in which a service that takes the handshake and closes at once would close."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How far it came: the steps `passed`, each in words, then the one that `failed` and why. No secret in it."""

    passed: tuple[tuple[Step, str], ...]
    failed: Step | None = None
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether every step went well."""
        return self.failed is None

    @property
    def lines(self) -> list[str]:
        """A line for each step."""
        lines = [f"{step}: {words}" for step, words in self.passed]
        return lines if self.failed is None else [*lines, f"{self.failed} failed: {self.why}"]

    def shown(self) -> dict[str, object]:
        """As JSON."""
        steps = [{"step": str(step), "ok": True, "message": words} for step, words in self.passed]
        if self.failed is not None:
            steps.append({"step": str(self.failed), "ok": False, "message": self.why})
        return {"ok": self.ok, "steps": steps}


async def try_out(
    dialer: Dialer,
    plan: ServicePlan,
    charger_id: str,
    offered: tuple[Version, ...],
    boot: BootReported | None = None,
    settle: float = SETTLE,
) -> Trial:
    """Connect, with `boot` send that too, and close. Never raises for what the service does.

    Where this charger is connected to the service already, the service will close one of both connections
    (semantics §1.13), and a boot tells it that the charger started: it is sent only where it is given.
    """
    passed: dict[Step, str] = {}  # a step of a second attempt, with the other reading of a password, takes its place
    try:
        link = await dialer.dial(plan, charger_id, offered, _no, passed.__setitem__)
        try:
            passed[Step.BOOT] = await _stay(link, boot, settle)
        finally:
            link.part("a trial of the connection")
    except DialFailed as error:
        before = [step for step in passed if _order(step) < _order(error.step)]
        return Trial(tuple((step, passed[step]) for step in before), error.step, error.why)
    return Trial(tuple(passed.items()))


def _order(step: Step) -> int:
    return list(Step).index(step)


async def _no(action: str, _: Object) -> Payload:
    raise CallRefused(ErrorCode.NOT_SUPPORTED, f"no {action} now: this is a trial of the connection")


async def _stay(link: Link, boot: BootReported | None, settle: float) -> str:
    """See whether the service lets us stay, and what it answers to a boot. Raises DialFailed."""
    if boot is not None:
        return await _boot(link, boot)
    try:
        async with asyncio.timeout(settle):
            why = await link.wait_closed()
    except TimeoutError:
        return "not sent"
    raise DialFailed(Step.SUBPROTOCOL, f"the service closed the connection at once ({quoted(why)})")


async def _boot(link: Link, boot: BootReported) -> str:
    row = link.dialect.say[BootReported]
    ((action, payload),) = row.encode(boot)
    try:
        answer = row.read(await link.call(action, payload))
    except LinkLost:
        raise DialFailed(Step.BOOT, f"the service closed the connection ({quoted(await link.wait_closed())})") from None
    except NoAnswer as error:
        raise DialFailed(Step.BOOT, str(error)) from None
    except Refused as error:
        raise DialFailed(Step.BOOT, f"the service answered {quoted(str(error))}") from None
    return _verdict(answer)


_VERDICTS = {
    "accepted": "accepted",
    "pending": "pending: the service knows this charger but has yet to let it work",
}


def _verdict(answer: object) -> str:
    status = answer.status if isinstance(answer, BootAnswer) else ""
    if status in _VERDICTS:
        return _VERDICTS[status]
    if status == "rejected":
        raise DialFailed(Step.BOOT, "rejected: the service does not want this charger; is it set up there?")
    raise DialFailed(Step.BOOT, f"the service's answer holds no status that is known ({quoted(status) or 'none'})")
