"""What a service is told now or never: states, boots, how uploads and updates get on, problems, stray readings.

Transactions and what must arrive for certain go another way (`mirroring.py`). Heartbeats of the charger go nowhere:
each link has its own (semantics §2.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ocpp_mqtt_proxy.core.events import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    DiagnosticsChanged,
    Fact,
    FirmwareChanged,
    MeterRead,
    ReservationEnded,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.core.reports import (
    DiagnosticsReported,
    EventsReported,
    FirmwareReported,
    MeterReported,
    NoticeReported,
    Report,
    ReservationReported,
)
from ocpp_mqtt_proxy.services import shown, states
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import Mirroring
from ocpp_mqtt_proxy.services.relay import NOTICES

UPLOADING, UPDATING = "diagnostics", "firmware"
"""Kinds in `Outstation.awaits`."""

TRIGGERED = "Trigger"
"""The context of readings that somebody asked for: they are that one's alone (semantics §7, TriggerMessage)."""

_OVER = {
    UPLOADING: frozenset({"uploaded", "upload_failed", "upload_failure", "bad_message", "permission_denied"}),
    UPDATING: frozenset({"installed", "installation_failed", "download_failed", "install_verification_failed"}),
}
"""How uploads and updates end."""


def plate_of(out: Outstation) -> Nameplate:
    """The charger's nameplate as the service is shown it: what its configuration says goes before (semantics §2.5)."""
    plate = out.station.memory.nameplate
    given = {key: value for key, value in out.plan.nameplate.items() if hasattr(plate, key)}
    return replace(plate, **given) if given else plate


def follow(out: Outstation, report: Report | None, facts: Sequence[Fact]) -> None:
    """Have a service told what of this it is told at once; what it has not accepted us for, it never hears."""
    for fact in facts:
        tell = _FACTS.get(type(fact))
        if tell is not None:
            tell(out, fact)
    if not out.accepted:
        return
    if isinstance(report, MeterReported):
        _stray_readings(out, report, facts)
    elif isinstance(report, EventsReported):
        _events(out, report)
    elif isinstance(report, NoticeReported):
        _notice(out, report)


# The charger itself


def _booted(out: Outstation, fact: ChargerBooted) -> None:
    """A real reboot is one there too; a boot that was asked for is news only where it says something new.

    1.6 gives no reason, and is taken for switched on (semantics §10.1).
    """
    reason = "power_up" if fact.reason == "unknown" else fact.reason
    if reason != "triggered" or out.peer.told != plate_of(out):
        out.boot(reason)


def _connected(out: Outstation, _: ChargerConnected) -> None:
    out.away = False
    out.unsettled.set()


def _disconnected(out: Outstation, _: ChargerDisconnected) -> None:
    out.parted.set()


def _state(out: Outstation, fact: Fact) -> None:
    if states.merges(out):
        out.unsettled.set()
    else:
        states.tell(out, fact.connector)


def _session(out: Outstation, _: Fact) -> None:
    """A state may follow from a transaction alone; of a 1.6 charger it never does."""
    if out.station.version is not Version.V16 or out.away or out.virtual.inoperative:
        out.unsettled.set()


# What somebody asked for


def _upload(out: Outstation, fact: DiagnosticsChanged) -> None:
    _progress(out, UPLOADING, fact, lambda theirs: DiagnosticsReported(fact.status, theirs))


def _update(out: Outstation, fact: FirmwareChanged) -> None:
    _progress(out, UPDATING, fact, lambda theirs: FirmwareReported(fact.status, theirs))


def _progress(
    out: Outstation,
    kind: str,
    fact: DiagnosticsChanged | FirmwareChanged,
    told: Callable[[int | None], Report],
) -> None:
    """How an upload or update gets on is told to the one that asked for it, by the id it gave (semantics §7)."""
    if fact.request_id is not None and fact.request_id in out.peer.requests:
        out.report(told(out.peer.requests[fact.request_id]))
    elif kind in out.awaits:
        out.report(told(out.awaits[kind]))
    if fact.status in _OVER[kind]:
        out.awaits.pop(kind, None)


def _reservation(out: Outstation, fact: ReservationEnded) -> None:
    theirs = [their for their, ours in out.peer.reservations.items() if ours == fact.reservation_id]
    for their in theirs:
        out.report(ReservationReported(their, fact.status))
        del out.peer.reservations[their]
        out.hub.ledger.note([out.peer])


# What the charger sent


def _stray_readings(out: Outstation, report: MeterReported, facts: Iterable[Fact]) -> None:
    """Readings of no transaction."""
    read = next((fact for fact in facts if isinstance(fact, MeterRead)), None)
    if read is None or read.transaction_id is not None or read.context == TRIGGERED:
        return
    connector = out.station.connectors.get(read.connector)
    samples = shown.as_wanted(out, f"connector {read.connector}", shown.settled(report.samples, out.hub.clock.now()))
    out.report(MeterReported(out.place(connector) if connector else report.place, samples))


def _events(out: Outstation, report: EventsReported) -> None:
    """Problems of a 2.x charger's components; their states are told as states. 1.6 has its error codes for them."""
    if report.problems and out.version is not Version.V16:
        out.report(EventsReported(report.problems))


def _notice(out: Outstation, report: NoticeReported) -> None:
    """A message that means nothing to us passes as it is, to a service of the same version that is told of all.

    What answers somebody's request is for that one, by its own id; what wants an answer is put to an authority alone.
    """
    if out.version is not out.station.version or report.action in NOTICES:
        return
    ours = report.payload.get("requestId")
    if isinstance(ours, int):
        if ours in out.peer.requests:
            out.tell(report.action, {**report.payload, "requestId": out.peer.requests[ours]})
    elif out.plan.mirrors is Mirroring.ALL:
        out.tell(report.action, dict(report.payload))


_FACTS: dict[type[Fact], Callable[[Outstation, Any], None]] = {
    ChargerBooted: _booted,
    ChargerConnected: _connected,
    ChargerDisconnected: _disconnected,
    StatusChanged: _state,
    SessionStarted: _session,
    SessionUpdated: _session,
    SessionEnded: _session,
    DiagnosticsChanged: _upload,
    FirmwareChanged: _update,
    ReservationEnded: _reservation,
}
