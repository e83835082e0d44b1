"""Reports, orders and outcomes to try, each as rich as a version can tell it.

Ids are already those that the peer knows: a 1.6 transaction has a number, a tag has room (the tables between
peers see to that). `told` strategies come back as they went; `any` ones hold what only the other version has.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from ocpp_mqtt_proxy.core import commands, reports
from ocpp_mqtt_proxy.core.certificates import (
    CertificateHash,
    CertificateUse,
    DeleteCertificate,
    InstallCertificate,
    ListCertificates,
    TakeCertificate,
)
from ocpp_mqtt_proxy.core.commands import Message, Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import Period, Schedule
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    STATION,
    Amps,
    ChargingState,
    IdToken,
    Nameplate,
    Place,
    Reading,
    Sample,
    Status,
    StopReason,
    Target,
    TokenKind,
    Variable,
    Verdict,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.reports import Authorization, Phase
from ocpp_mqtt_proxy.ocppj import alike, settings
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.ocppj.v16 import words as words16
from ocpp_mqtt_proxy.ocppj.v21 import words as words21
from ocpp_mqtt_proxy.ocppj.v201 import words as words201
from tests.ocppj.test_rpc import JSON

V16 = Version.V16
WORDS = {Version.V201: words201.WORDS, Version.V21: words21.WORDS}

LETTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S"])


def words(most: int, least: int = 0) -> st.SearchStrategy[str]:
    """Text for people."""
    return st.text(LETTERS, min_size=least, max_size=most).filter(lambda t: t.lower() not in ("none", "null", "n/a"))


def ids(most: int) -> st.SearchStrategy[str]:
    """Names that machines give."""
    return st.text("abcXYZ019-_.*", min_size=1, max_size=most)


INT32 = st.integers(0, 2**31 - 1)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 (its bounds are naive)
    lambda at: at.replace(microsecond=0)
)
MAYBE_INSTANTS = st.none() | INSTANTS
EVSES = st.integers(1, 9)


def tags(version: Version) -> st.SearchStrategy[str]:
    return ids(20 if version is V16 else 36)


def transaction_ids(version: Version) -> st.SearchStrategy[str]:
    return st.integers(1, 2**31 - 1).map(str) if version is V16 else ids(36)


def tokens(version: Version) -> st.SearchStrategy[IdToken]:
    if version is V16:
        return st.builds(IdToken, tags(version))
    known = WORDS[version].kinds
    kinds = st.sampled_from(TokenKind).filter(lambda kind: known is None or kind in known)
    return st.builds(IdToken, tags(version), kinds | ids(20) if known is None else kinds)


def places(version: Version) -> st.SearchStrategy[Place]:
    connectors = st.just(1) if version is V16 else st.none() | st.integers(1, 3)
    return st.builds(Place, EVSES, connectors)


# Readings

UNITS = {
    "Energy.Active": "Wh", "Energy.Reactive": "varh", "Energy.Apparent": "VAh", "Power.Active": "W", "Power.Reactive": "var",
    "Power.Offered": "W", "Power.Export": "W", "Power.Import": "W", "Power.Factor": "", "Current": "A", "Voltage": "V", "Frequency": "Hz",
    "SoC": "%", "Temperature": "°C", "RPM": "rpm", "EnergyRequest": "Wh", "Display.BatteryEnergyCapacity": "Wh", "Display.RemainingTime": "s",
    "Display.ChargingComplete": "", "Display.InletHot": "", "Display": "%",
}  # fmt: skip
TENTHS = st.integers(-(10**8), 10**8).map(lambda n: n / 10)


def _unit(measurand: str) -> str:
    return next(unit for words, unit in UNITS.items() if measurand.startswith(words))


def readings(version: Version) -> st.SearchStrategy[Reading]:
    known, spots = words16.MEASURANDS, alike.LOCATIONS
    if version is not V16:
        known, spots = WORDS[version].measurands - WORDS[version].synonyms.keys(), WORDS[version].locations

    def of(measurand: str) -> st.SearchStrategy[Reading]:
        phases = st.none() | st.sampled_from(sorted(alike.PHASES))
        locations = st.none() | st.sampled_from(sorted(spots))
        contexts = st.sampled_from(sorted(alike.CONTEXTS))
        return st.builds(
            Reading, st.just(measurand), TENTHS, st.just(_unit(measurand)), phases, contexts, locations, st.none()
        )

    return st.sampled_from(sorted(known)).flatmap(of)


def samples(version: Version, least: int = 0) -> st.SearchStrategy[tuple[Sample, ...]]:
    sample = st.builds(Sample, INSTANTS, st.lists(readings(version), min_size=1, max_size=3).map(tuple), st.just(()))
    return st.lists(sample, min_size=least, max_size=2).map(tuple)


# Reports that come back as they went


def _boots(version: Version) -> st.SearchStrategy[Any]:
    of_16 = version is V16
    plates = st.builds(
        Nameplate,
        vendor=words(20 if of_16 else 50, 1),
        model=words(20, 1),
        serial=words(25),
        firmware=words(50),
        iccid=words(20),
        imsi=words(20),
        meter_type=words(25) if of_16 else st.just(""),
        meter_serial=words(25) if of_16 else st.just(""),
    )
    reasons = st.just("unknown") if of_16 else st.sampled_from(sorted(words201.BOOT_REASON_WORD))
    return st.builds(reports.BootReported, plates, reasons)


def _statuses(version: Version) -> st.SearchStrategy[Any]:
    if version is V16:
        return st.builds(
            reports.StatusReported,
            st.just(STATION) | places(version),
            st.sampled_from([status for status in Status if status is not Status.UNKNOWN]),
            MAYBE_INSTANTS,
            st.sampled_from(sorted(words16.ERROR_CODES)),
            words(50),
            words(50),
        )
    states = [Status.AVAILABLE, Status.RESERVED, Status.UNAVAILABLE, Status.FAULTED, OCCUPIED]
    return st.builds(reports.StatusReported, st.just(STATION) | places(version), st.sampled_from(states), INSTANTS)


def _transactions(version: Version) -> st.SearchStrategy[Any]:
    if version is V16:
        return _starts_of_16() | _stops_of_16()
    return st.builds(
        reports.TransactionReported,
        phase=st.sampled_from(Phase),
        transaction_id=transaction_ids(version),
        at=INSTANTS,
        place=st.none() | places(version),
        token=st.none() | tokens(version),
        trigger=st.sampled_from(sorted(WORDS[version].trigger_word)),
        charging_state=st.none() | st.sampled_from(ChargingState),
        seq_no=INT32,
        offline=st.booleans(),
        samples=samples(version),
        stop_reason=st.none() | st.sampled_from(list(WORDS[version].reason.values())),
        reservation_id=st.none() | INT32,
        remote_start_id=st.none() | INT32,
    )


def _starts_of_16() -> st.SearchStrategy[Any]:
    return st.builds(
        reports.TransactionReported,
        phase=st.just(Phase.STARTED),
        transaction_id=st.none(),
        at=INSTANTS,
        place=places(V16),
        token=tokens(V16),
        meter_start=INT32.map(WattHours),
        reservation_id=st.none() | INT32,
    )


def _stops_of_16() -> st.SearchStrategy[Any]:
    return st.builds(
        reports.TransactionReported,
        phase=st.just(Phase.ENDED),
        transaction_id=transaction_ids(V16),
        at=INSTANTS,
        token=st.none() | tokens(V16),
        meter_stop=INT32.map(WattHours),
        samples=samples(V16),
        stop_reason=st.sampled_from(list(words16.REASON.values())),
    )


def _meters(version: Version) -> st.SearchStrategy[Any]:
    if version is V16:
        numbers = st.none() | transaction_ids(version)
        return st.builds(reports.MeterReported, st.just(STATION) | places(version), samples(version, 1), numbers)
    return st.builds(reports.MeterReported, st.builds(Place, EVSES, st.none()), samples(version, 1))


PLAIN_FIRMWARE = [
    "downloaded",
    "download_failed",
    "downloading",
    "idle",
    "installation_failed",
    "installing",
    "installed",
]
FIRMWARE = sorted({*PLAIN_FIRMWARE, *words16.FIRMWARE_WORD})
UPLOADS = [
    "bad_message",
    "idle",
    "not_supported_operation",
    "permission_denied",
    "uploaded",
    "upload_failure",
    "uploading",
]
PLAIN_UPLOADS = [*words16.UPLOADS, "upload_failed"]


def _progress(version: Version, kind: Any, plain: list[str], full: list[str]) -> st.SearchStrategy[Any]:
    """With a request's id all words; without one, 1.6 has fewer."""
    bare = st.builds(kind, st.sampled_from(plain if version is V16 else full))
    return bare | st.builds(kind, st.sampled_from(full), INT32)


def _variables() -> st.SearchStrategy[Variable]:
    def of(component: str, place: Place | None) -> st.SearchStrategy[Variable]:
        at = "" if place is None else f"@{place.evse}:{place.connector}" if place.connector else f"@{place.evse}"
        names = st.builds(
            lambda variable, instance: f"{component}{at}.{variable}" + (f"({instance})" if instance else ""),
            _plain_names(),
            st.just("") | _plain_names(),
        )
        values = st.none() | words(100, 1)
        units = st.none() | words(16, 1)
        return st.builds(Variable, names, values, st.booleans(), units, st.just(component), st.just(place))

    return st.tuples(_plain_names(), st.none() | places(Version.V201)).flatmap(lambda pair: of(*pair))


def _plain_names() -> st.SearchStrategy[str]:
    return st.text("abcXYZ019_-", min_size=1, max_size=30)


def _problems() -> st.SearchStrategy[reports.ProblemReported]:
    return st.builds(
        reports.ProblemReported,
        place=st.just(STATION) | places(Version.V201),
        component=words(50, 1),
        variable=st.just("Problem"),
        value=st.sampled_from(["true", "1", ""]),
        cleared=st.booleans(),
        code=words(50),
        info=words(500),
        at=INSTANTS,
    )


def _only_in_2x(version: Version) -> dict[type, st.SearchStrategy[Any]]:
    return {
        reports.InventoryReported: st.builds(
            reports.InventoryReported,
            INT32,
            INT32,
            st.booleans(),
            st.lists(_variables(), max_size=3).map(tuple),
            INSTANTS,
        ),
        reports.EventsReported: st.builds(
            reports.EventsReported, st.lists(_problems(), min_size=1, max_size=3).map(tuple), st.just(())
        ),
        reports.ReservationReported: st.builds(
            reports.ReservationReported,
            INT32,
            st.sampled_from(["expired", "removed", *(["no_transaction"] if version is Version.V21 else [])]),
        ),
        reports.LimitReported: st.builds(reports.LimitReported, AT_EVSES, SOURCES, st.none() | _schedules()),
        reports.LimitCleared: st.builds(reports.LimitCleared, AT_EVSES, SOURCES),
    }


AT_EVSES = st.just(STATION) | st.builds(Place, st.integers(1, 9), st.none())
SOURCES = st.sampled_from(["EMS", "SO", "Other", "CSO"])


def _schedules() -> st.SearchStrategy[Schedule]:
    starts = st.lists(st.integers(1, 86_400), unique=True, max_size=4).map(lambda later: [0, *sorted(later)])
    limits, phases = st.integers(0, 32_000).map(lambda tenths: tenths / 10), st.none() | st.integers(1, 3)
    periods = starts.flatmap(
        lambda at: st.tuples(*(st.builds(Period, st.just(float(one)), limits, phases) for one in at))
    )
    duration = st.none() | st.integers(0, 86_400).map(float)
    return st.builds(Schedule, periods, st.booleans(), st.none() | INSTANTS, duration, st.none() | limits, INT32)


@cache
def told_reports(version: Version) -> dict[type, st.SearchStrategy[Any]]:
    """By their kind, reports that a version tells without loss."""
    data = st.none() | (words(100, 1) if version is V16 else JSON.filter(lambda value: value != ""))
    shared: dict[type, st.SearchStrategy[Any]] = {
        reports.BootReported: _boots(version),
        reports.HeartbeatReported: st.builds(reports.HeartbeatReported),
        reports.StatusReported: _statuses(version),
        reports.AuthorizationRequested: st.builds(reports.AuthorizationRequested, tokens(version)),
        reports.TransactionReported: _transactions(version),
        reports.MeterReported: _meters(version),
        reports.FirmwareReported: _progress(version, reports.FirmwareReported, PLAIN_FIRMWARE, FIRMWARE),
        reports.DiagnosticsReported: _progress(version, reports.DiagnosticsReported, PLAIN_UPLOADS, UPLOADS)
        if version is V16
        else _progress(version, reports.DiagnosticsReported, UPLOADS, [*UPLOADS, "accepted_canceled"]),
        reports.SecurityReported: st.builds(reports.SecurityReported, ids(50), INSTANTS, words(255)),
        reports.DataTransferReported: st.builds(reports.DataTransferReported, ids(255), st.just("") | ids(50), data),
    }
    return shared if version is V16 else shared | _only_in_2x(version)


# Reports that hold what only another version has, or what no version should


@cache
def any_reports(version: Version) -> dict[type, st.SearchStrategy[Any]]:
    """By their kind, reports of all versions and of sloppy chargers, with the peer's own ids."""
    either = st.sampled_from(Version)
    rough = st.text(max_size=60) | st.just("x" * 600)
    sloppy = st.builds(Reading, rough, TENTHS, rough, st.none() | rough, rough, st.none() | rough)
    some = st.lists(sloppy | either.flatmap(readings), max_size=3).map(tuple)
    many = st.lists(st.builds(Sample, MAYBE_INSTANTS, some, st.just(())), max_size=2).map(tuple)
    evses = st.builds(Place, st.integers(0, 9), st.none() | st.integers(1, 3))
    cards = st.builds(IdToken, tags(version), st.none() | st.sampled_from(TokenKind) | ids(20))
    known = told_reports(version)
    if reports.ReservationReported in known:
        ends = st.sampled_from(["expired", "removed", "no_transaction"])
        known = known | {reports.ReservationReported: st.builds(reports.ReservationReported, INT32, ends)}
    return known | {
        reports.AuthorizationRequested: st.builds(reports.AuthorizationRequested, cards),
        reports.BootReported: st.builds(
            reports.BootReported, st.builds(Nameplate, *[rough] * 8), rough | st.sampled_from(["power_up", "triggered"])
        ),
        reports.StatusReported: st.builds(
            reports.StatusReported,
            evses,
            st.sampled_from([*Status, OCCUPIED]),
            MAYBE_INSTANTS,
            rough | st.sampled_from(sorted(words16.ERROR_CODES)),
            rough,
            rough,
        ),
        reports.TransactionReported: st.builds(
            reports.TransactionReported,
            phase=st.sampled_from(Phase),
            transaction_id=transaction_ids(version),
            at=MAYBE_INSTANTS,
            place=st.none() | evses,
            token=st.none() | cards | st.just(IdToken("")),
            trigger=rough,
            charging_state=st.none() | st.sampled_from(ChargingState),
            seq_no=st.none() | INT32,
            offline=st.booleans(),
            meter_start=st.none() | TENTHS.map(WattHours),
            meter_stop=st.none() | TENTHS.map(WattHours),
            samples=many,
            stop_reason=st.none() | st.sampled_from(StopReason),
            reservation_id=st.none() | INT32,
            remote_start_id=st.none() | INT32,
        ),
        reports.MeterReported: st.builds(reports.MeterReported, evses, many, st.none() | transaction_ids(version)),
        reports.FirmwareReported: st.builds(reports.FirmwareReported, st.sampled_from(FIRMWARE), st.none() | INT32),
        reports.DiagnosticsReported: st.builds(
            reports.DiagnosticsReported, st.sampled_from([*UPLOADS, "upload_failed"]), st.none() | INT32
        ),
        reports.DataTransferReported: st.builds(reports.DataTransferReported, rough, rough, JSON),
        reports.SecurityReported: st.builds(reports.SecurityReported, ids(50), MAYBE_INSTANTS, rough),
    }


# Answers


def answers(version: Version, report: type) -> st.SearchStrategy[Any]:
    """What a report of a kind may be answered."""
    return _answers(version).get(report, st.builds(reports.Acknowledged))


def answers_to(version: Version, report: reports.Report) -> st.SearchStrategy[Any]:
    """What a report may be answered; some answers to a notice repeat a part of it."""
    if isinstance(report, reports.NoticeReported):
        return st.just(reports.Noted(report.payload))
    return answers(version, type(report))


@cache
def _answers(version: Version) -> dict[type, st.SearchStrategy[Any]]:
    verdicts = st.builds(Authorization, st.sampled_from(Verdict), st.none() | words(60, 1), MAYBE_INSTANTS)
    statuses = st.sampled_from(["accepted", "rejected", "unknown_message_id", "unknown_vendor_id"])
    return {
        reports.BootReported: st.builds(reports.BootAnswer, INSTANTS, INT32),
        reports.HeartbeatReported: st.builds(reports.TimeAnswer, INSTANTS),
        reports.AuthorizationRequested: st.builds(reports.AuthorizationAnswer, verdicts),
        reports.TransactionReported: st.builds(
            reports.TransactionAnswer, transaction_ids(version), st.none() | verdicts
        ),
        reports.DataTransferReported: st.builds(reports.DataTransferAnswer, statuses, JSON),
    }


# Orders

PEMS = ids(5500).map(lambda text: f" -----BEGIN CERTIFICATE-----\n{text}"[:5500])
HASHES = st.builds(CertificateHash, st.sampled_from(["SHA256", "SHA384", "SHA512"]), ids(128), ids(128), ids(40))


def _targets(version: Version, *, whole: bool = True, connector: bool = True) -> st.SearchStrategy[Target]:
    """Where orders go, in our number and the charger's own terms, as they come back."""

    def of(evse: int) -> Target:
        inner = 1 if version is V16 or connector else None
        return Target(evse, Place(evse, inner))

    some = EVSES.map(of)
    return some | st.just(Target()) if whole else some


@cache
def orders(version: Version) -> dict[type, st.SearchStrategy[Any]]:
    """By their kind, orders that a version tells without loss."""
    of_16 = version is V16
    evses = _targets(version, connector=False)
    numbers = st.just(0) if of_16 else INT32
    limits = st.integers(0, 1000).map(lambda tenths: Amps(tenths / 10))
    names = st.sampled_from(sorted(settings.TO_VARIABLE if of_16 else settings.TO_KEY))
    data = st.none() | (words(100, 1) if of_16 else JSON.filter(lambda value: value != ""))
    messages = [message for message in Message if message is not Message.TRANSACTION] if of_16 else list(Message)
    urls = st.just("https://example.org/") | words(200, 1).map(lambda path: f"https://example.org/{path}")
    setting = st.tuples(names, words(100, 1))
    at_once = 1 if of_16 else 3
    kinds = st.just(TokenKind.CENTRAL) if of_16 else st.sampled_from([TokenKind.CENTRAL, TokenKind.ISO14443])
    known = [use for use in CertificateUse if use is not CertificateUse.OEM_ROOT or version is Version.V21]
    uses = st.sampled_from(list(words16.CERTIFICATES) if of_16 else known)
    verdicts = [Verdict.ACCEPTED, Verdict.BLOCKED, Verdict.EXPIRED, Verdict.INVALID]
    cards = st.builds(Authorization, st.sampled_from(verdicts), st.none() | words(20, 1), MAYBE_INSTANTS)
    listed = st.tuples(tokens(min(version, Version.V201)), st.none() | cards)
    strategies: dict[type, st.SearchStrategy[Any]] = {
        commands.StartCharging: st.builds(
            commands.StartCharging, evses, tags(version), numbers, st.none() | limits, kind=kinds
        ),
        commands.StopCharging: st.builds(commands.StopCharging, transaction_ids(version)),
        SetLimit: st.builds(
            SetLimit,
            at=evses,
            limit=limits,
            start=INSTANTS,
            form=st.builds(ProfileForm, st.integers(0, 10)),
            transaction_id=st.none() | transaction_ids(version),
        ),
        ClearLimit: st.builds(ClearLimit, evses),
        commands.TellSchedule: st.builds(
            commands.TellSchedule, evses | st.just(Target()), st.integers(1, 86_400), st.none() | st.booleans()
        ),
        commands.Unlock: st.builds(commands.Unlock, _targets(version, whole=False)),
        commands.Reset: st.builds(commands.Reset, st.booleans()),
        commands.ChangeAvailability: st.builds(commands.ChangeAvailability, _targets(version), st.booleans()),
        commands.Trigger: st.builds(commands.Trigger, st.sampled_from(messages), _targets(version)),
        commands.GetConfiguration: st.builds(
            commands.GetConfiguration, st.lists(names, min_size=0 if of_16 else 1, max_size=3, unique=True).map(tuple)
        ),
        commands.SetConfiguration: st.builds(
            commands.SetConfiguration,
            st.lists(setting, min_size=1, max_size=at_once, unique_by=lambda pair: pair[0]).map(tuple),
        ),
        commands.GetInventory: st.builds(commands.GetInventory, INT32, st.booleans())
        | st.builds(commands.GetInventory, INT32, st.just(False), st.just(True)),
        commands.GetReport: st.builds(
            commands.GetReport,
            INT32,
            st.lists(names | st.just("SecurityCtrlr") | st.just("Connector@1:1"), max_size=3).map(tuple),
            st.lists(st.sampled_from(["Active", "Problem"]), max_size=2, unique=True).map(tuple),
        ),
        commands.SendLocalList: st.builds(
            commands.SendLocalList, INT32, st.lists(listed, max_size=3).map(tuple), st.booleans()
        ),
        commands.GetListVersion: st.builds(commands.GetListVersion),
        commands.DataTransfer: st.builds(commands.DataTransfer, ids(255), st.just("") | ids(50), data),
        commands.ClearCache: st.builds(commands.ClearCache),
        commands.Reserve: st.builds(commands.Reserve, evses, INT32, tags(version), INSTANTS, kinds),
        commands.CancelReservation: st.builds(commands.CancelReservation, INT32),
        commands.GetDiagnostics: st.builds(commands.GetDiagnostics, numbers, urls)
        | st.builds(commands.GetDiagnostics, INT32, urls, st.just(True)),
        commands.UpdateFirmware: st.builds(commands.UpdateFirmware, numbers, urls, INSTANTS)
        | st.builds(commands.UpdateFirmware, INT32, urls, INSTANTS, PEMS, ids(800)),
        commands.CheckTransaction: st.builds(commands.CheckTransaction, st.just("") | transaction_ids(version)),
        InstallCertificate: st.builds(
            InstallCertificate, uses.filter(lambda use: use is not CertificateUse.V2G_CHAIN), PEMS
        ),
        DeleteCertificate: st.builds(DeleteCertificate, HASHES),
        ListCertificates: st.builds(
            ListCertificates, st.lists(uses, min_size=at_once % 3, max_size=at_once, unique=True).map(tuple)
        ),
        TakeCertificate: st.builds(TakeCertificate, PEMS),
    }
    if of_16:
        for kind in (commands.GetInventory, commands.GetReport, commands.CheckTransaction):
            del strategies[kind]
    return strategies


# Outcomes


def outcomes(order: commands.Order) -> st.SearchStrategy[Outcome]:
    """What may become of an order: done with all it may bring, refused or failed for every reason."""
    no = st.sampled_from(Reason).flatmap(lambda reason: st.sampled_from([refused(reason, "no"), failed(reason, "no")]))
    yes = st.just(done()) | st.just(done(charger_status="Scheduled"))
    return no | _OUTCOMES.get(type(order), lambda _: yes)(order)


def _configurations(order: commands.GetConfiguration) -> st.SearchStrategy[Outcome]:
    names = list(order.names) or ["HeartbeatInterval", "Key" * 20]
    values = st.dictionaries(st.sampled_from(names), words(60) | st.just("x" * 3000))
    return values.map(
        lambda known: done(
            values=known, readonly=sorted(known)[:1], unknown=[name for name in order.names if name not in known]
        )
    )


def _certificates() -> st.SearchStrategy[Outcome]:
    uses = st.sampled_from([CertificateUse.CSMS_ROOT, CertificateUse.MANUFACTURER_ROOT]).map(lambda use: use.value)
    one = st.builds(lambda use, hashed: {"use": use, **hashed._asdict()}, uses, HASHES)
    return st.lists(one, max_size=3).map(lambda told: done(certificates=told))


def _settings(order: commands.SetConfiguration) -> st.SearchStrategy[Outcome]:
    became = st.sampled_from(
        ["accepted", "reboot_required", "rejected", "not_supported", "unknown_component", "unknown_attribute"]
    )
    return st.fixed_dictionaries({name: became for name, _ in order.values}).map(lambda told: done(set=told))


def _composites(order: commands.TellSchedule) -> st.SearchStrategy[Outcome]:
    limits = st.integers(0, 400).map(lambda tenths: tenths / 10)
    periods = st.dictionaries(st.integers(1, 86_400), limits, max_size=3).map(lambda told: sorted(told.items()))
    return st.tuples(limits, periods, INSTANTS).map(
        lambda told: done(
            start=zulu(told[2]),
            duration=order.duration,
            in_watts=bool(order.in_watts),
            periods=[(0, told[0]), *told[1]],
        )
    )


_OUTCOMES: dict[type, Callable[[Any], st.SearchStrategy[Outcome]]] = {
    commands.GetConfiguration: _configurations,
    commands.SetConfiguration: _settings,
    commands.GetListVersion: lambda _: INT32.map(lambda version: done(version=version)),
    commands.SendLocalList: lambda _: st.sampled_from(
        [done(), refused(Reason.INVALID, "no", charger_status="VersionMismatch")]
    ),
    commands.GetInventory: lambda _: st.sampled_from([done(), done(charger_status="EmptyResultSet")]),
    commands.GetReport: lambda _: st.sampled_from([done(), done(charger_status="EmptyResultSet")]),
    commands.DataTransfer: lambda _: JSON.map(lambda data: done(data=data)),
    commands.GetDiagnostics: lambda _: (
        st.just(done()) | st.sampled_from(["log.zip", "x" * 300]).map(lambda name: done(file_name=name))
    ),
    ListCertificates: lambda _: _certificates(),
    commands.TellSchedule: _composites,
    commands.RawCall: lambda _: st.just(Outcome(commands.Result.OK, result={"status": "Accepted"})),
    commands.StartCharging: lambda _: st.just(done()) | INT32.map(str).map(lambda number: done(transaction_id=number)),
}
"""Where done brings more than a yes."""
