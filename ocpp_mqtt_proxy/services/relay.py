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
from ocpp_mqtt_proxy.prompt import Prompt
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused, Said, ServiceLink

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
    outs = list(outstations)
    return next((out for one in classes for out in outs if one in out.plan.authority and _can_be_asked(out)), None)


def _can_be_asked(out: Outstation) -> bool:
    return out.accepted and not out.switched_off


class Relay:
    """Puts calls of chargers to services. `of` tells the services that see a charger."""

    def __init__(self, of: Callable[[str], Iterable[Outstation]]) -> None:
        self._of = of
        self._open: Counter[str] = Counter()

    def ask(self, station: Station, report: Report, ours: Answer) -> asyncio.Future[Answer] | None:
        """As `ports.Mirror.ask`."""
        if not isinstance(report, Asked) or self._open[station.id] >= MOST_OPEN:
            return None
        out = authority_on(report, self._of(station.id))
        if out is None or out.link is None:
            return None
        try:
            call = _words(out, report)
        except Exception:  # a fault of ours costs one answer its sense, never the charger its answer
            log.exception("%s: no words for what it is asked", out.name)
            return None
        return _Question(self._open, out, station.version, report, ours).put(out.link, call) if call else None


class _Question:
    """A charger's call that is put to a service: it is over with the answer, or when its time is up.

    What a service says later is of no use any more. `open` counts those of each charger.
    """

    __slots__ = ("_answer", "_open", "_ours", "_out", "_report", "_timer", "_version")

    def __init__(self, open_: Counter[str], out: Outstation, version: Version, report: Asked, ours: Answer) -> None:
        self._open = open_
        self._out = out
        self._version = version
        self._report = report
        self._ours = ours
        self._answer: Prompt[Answer] = Prompt()

    def put(self, link: ServiceLink, call: tuple[str, Payload]) -> Prompt[Answer]:
        """Ask; the answer to come, which is ours where the service gives none in time."""
        loop = self._answer.get_loop()
        self._open[self._out.charger_id] += 1
        self._timer = loop.call_later(self._out.plan.patience, self._silent)
        try:
            link.ask(*call, self._heard)
        except Exception:  # a fault of ours costs one answer its sense, never the charger its answer
            log.exception("%s: could not be asked", self._out.name)
            self._settle(self._ours)
        return self._answer

    def _silent(self) -> None:
        log.info("%s: no answer for the charger in %g s", self._out.name, self._out.plan.patience)
        self._settle(self._ours)

    def _heard(self, said: Said) -> None:
        if self._answer.done():
            return
        if isinstance(said, LinkLost | NoAnswer | Refused):
            log.info("%s: no answer for the charger: %s", self._out.name, said)
            self._settle(self._ours)
        else:
            self._settle(self._read(said) or self._ours)

    def _read(self, said: Object) -> Answer | None:
        """The answer as the charger's version has it; None where it cannot say it."""
        try:
            return _meant(self._out, self._version, self._report, said)
        except Exception:  # as above
            log.exception("%s: the answer for the charger could not be read", self._out.name)
            return None

    def _settle(self, answer: Answer) -> None:
        self._timer.cancel()
        self._open[self._out.charger_id] -= 1
        if not self._answer.done():
            self._answer.set_result(answer)


def _words(out: Outstation, report: Asked) -> tuple[str, Payload] | None:
    """A charger's call as a service's version has it; None where it has no such thing."""
    if isinstance(report, NoticeReported):
        asked = _notice(out.version, report)
        return None if asked is None else (report.action, asked)
    row = out.dialect.say.get(DataTransferReported)
    return next(iter(row.encode(report)), None) if row else None


def _meant(out: Outstation, version: Version, report: Asked, said: Object) -> Answer | None:
    """A service's answer as the charger's version has it; None where that cannot say it."""
    if isinstance(report, DataTransferReported):
        return _vendors(out, version, report, said)
    answer = schema.known(version, report.action, said, response=True)
    return Relayed(answer) if _is_valid(version, report.action, answer) else None


def _vendors(out: Outstation, version: Version, report: DataTransferReported, payload: Object) -> Answer | None:
    said = out.dialect.say[DataTransferReported].read(payload)
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
