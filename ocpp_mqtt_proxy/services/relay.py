"""Calls of a charger that a service answers: vendors' messages, certificates, what a car needs (semantics §7, §9.3).

The service with authority over the class of a call gives its answer, and the charger gets that answer and no other
(peers §2.3.1). It has its time for it; where it is silent, away or of another version that has no such call, the
charger gets ours, which is always ready. While it thinks, everything else of the charger goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import orjson

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    DataTransferAnswer,
    DataTransferReported,
    NoticeReported,
    Relayed,
    Report,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.services.outstation import LinkLost, NoAnswer, Outstation, Refused

log = logging.getLogger(__name__)

TRANSACTIONS, SMART_CHARGING, MANAGEMENT = ControlClass

MOST_OPEN = 4
"""Calls of one charger that services may think about at once; others get our answer. A charger that keeps to the rules
has one (J §4.1.1); one that does not must not be held up by a slow service."""

NOTICES: Mapping[str, ControlClass] = {
    "Get15118EVCertificate": MANAGEMENT,
    "GetCertificateChainStatus": MANAGEMENT,
    "GetCertificateStatus": MANAGEMENT,
    "SignCertificate": MANAGEMENT,
    "NotifyEVChargingNeeds": SMART_CHARGING,
    "NotifyEVChargingSchedule": SMART_CHARGING,
    "VatNumberValidation": TRANSACTIONS,
}
"""Notices that are answered by more than nothing, with whose answer counts."""

VENDORS = (MANAGEMENT, TRANSACTIONS)
"""Who answers a vendor's message: the first class that anybody has authority over."""

Asked = DataTransferReported | NoticeReported


def authority_on(report: Report, outstations: Iterable[Outstation]) -> Outstation | None:
    """The service whose answer to a report counts, where there is one that can be asked now."""
    if isinstance(report, DataTransferReported):
        classes: tuple[ControlClass, ...] = VENDORS
    elif isinstance(report, NoticeReported) and report.action in NOTICES:
        classes = (NOTICES[report.action],)
    else:
        return None
    able = [out for out in outstations if out.accepted and out.id not in out.arbitration.house.disabled]
    return next((out for one in classes for out in able if one in out.plan.authority), None)


class Relay:
    """Puts calls of chargers to services. `of` tells the services that see a charger."""

    def __init__(self, of: Callable[[str], Iterable[Outstation]]) -> None:
        self._of = of
        self._open: Counter[str] = Counter()
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, station: Station, report: Report, ours: Answer) -> asyncio.Future[Answer] | None:
        """As `ports.Mirror.ask`."""
        if not isinstance(report, Asked) or self._open[station.id] >= MOST_OPEN:
            return None
        out = authority_on(report, self._of(station.id))
        if out is None:
            return None
        return self._put(out, station, report, ours)

    def _put(self, out: Outstation, station: Station, report: Asked, ours: Answer) -> asyncio.Future[Answer]:
        """Ask a service; its answer, or ours when its time is up: what it says later is of no use any more."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        timer = loop.call_later(out.plan.patience, self._silent, out, answer, ours)
        self._open[station.id] += 1
        task = loop.create_task(self._ask(out, station, report, answer, ours))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

        def settled(_: object) -> None:
            timer.cancel()
            self._open[station.id] -= 1

        answer.add_done_callback(settled)
        return answer

    @staticmethod
    def _silent(out: Outstation, answer: asyncio.Future[Answer], ours: Answer) -> None:
        log.info("%s: no answer for the charger in %g s", out.name, out.plan.patience)
        if not answer.done():
            answer.set_result(ours)

    async def _ask(
        self, out: Outstation, station: Station, report: Asked, answer: asyncio.Future[Answer], ours: Answer
    ) -> None:
        said: Answer | None = None
        try:
            said = await _word(out, station.version, report)
        except (LinkLost, NoAnswer, Refused) as error:
            log.info("%s: no answer for the charger: %s", out.name, error)
        except Exception:  # a fault of ours costs one answer its sense, never the charger its answer
            log.exception("%s: could not be asked", out.name)
        if not answer.done():
            answer.set_result(said or ours)


async def _word(out: Outstation, version: Version, report: Asked) -> Answer | None:
    """A service's answer as the charger's version has it; None where one of them cannot say it."""
    if isinstance(report, DataTransferReported):
        return await _vendors(out, version, report)
    asked = _notice(out.version, report)
    if asked is None:
        return None
    said = await out.call(report.action, asked)
    answer = schema.known(version, report.action, said, response=True)
    return Relayed(answer) if _is_valid(version, report.action, answer) else None


async def _vendors(out: Outstation, version: Version, report: DataTransferReported) -> Answer | None:
    said = await out.say(report)
    if not isinstance(said, DataTransferAnswer):
        return None
    if out.version is Version.V16 and version is not Version.V16 and not isinstance(report.data, str | None):
        said = DataTransferAnswer(said.status, _unpacked(said.data))
    return said if _is_valid(version, "DataTransfer", DIALECTS[version].reply("DataTransfer", said)) else None


def _unpacked(data: object) -> object:
    """What a 1.6 service answers to data that we had to write as text is probably meant the same way."""
    try:
        return orjson.loads(data) if isinstance(data, str) else data
    except orjson.JSONDecodeError:
        return data


def _notice(version: Version, report: NoticeReported) -> Payload | None:
    """A notice as a service's version has it; None where it has no such thing, or not for this purpose."""
    action, payload = report.action, report.payload
    if action not in schema.actions(version):
        return None
    told = schema.known(version, action, payload)
    purpose = payload.get("certificateType", "ChargingStationCertificate")
    lost = "certificateType" not in told and purpose != "ChargingStationCertificate"
    return None if lost or schema.check(version, action, told) is not None else told


def _is_valid(version: Version, action: str, answer: Object) -> bool:
    return schema.check(version, action, answer, response=True) is None
