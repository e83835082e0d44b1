"""Services that answer late, wrongly, twice, never, or vanish, and ask what they please, at the end of a wire in memory.

What each has of ids is its own: of nine digits from `first` on, so that one that shows anywhere else is seen (I4).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ocpp_mqtt_proxy.core.model import Version
from tests.services.books import Books
from tests.services.csms import words_in
from tests.services.wires import CALL, ERROR, RESULT, Notary, Wire

WELL = "well"
MOODS = (
    WELL, "late", "too late", "error", "unknown", "twice", "other id", "hollow", "wrong", "no object", "no content",
    "mute", "hang up", "noise first", "not now", "go away",
)  # fmt: skip
"""How a call of ours may be answered. "not now" and "go away" are for boots, and mean well otherwise."""

LATELY = {"late": 5.0, "too late": 40.0}
"""Seconds: within our patience, and beyond."""

CODES = {"error": "InternalError", "unknown": "NotImplemented"}

NOISE = (
    b"", b"nonsense", b"{}", b"[]", b"[2]", b"[9]", b'[2,"x"]', b'[3,"nobody",{}]', b'[4,"nobody","Oops","",{}]',
    b'[2,"bad",5,{}]', b'[2,"bad","Reset",[]]', b'[2,[1],"Reset",{}]', b'[9,"x","Reset",{}]', b"[3]", b'[4,"nobody"]',
    b'["2","x","Reset",{}]', b'[5,"nobody","Oops","",{}]', b'[6,"told","Reset",{}]', b'[true,"x","Reset",{}]',
    b'[2,"deep","DataTransfer",' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"]", b"\xff\xfe",
)  # fmt: skip
"""Frames that are none, and answers to nothing."""

NOW = "2026-03-14T12:00:00Z"
FIRST_OF_OURS = 424_000_000
"""Ids that we give a 1.6 charger count from here."""

FIRST_ID, SHARE = 600_000_000, 10_000
"""Ids of services count from here, and how many each has: like nothing else that stands in a message."""

MOST_SERVICES = 9


Wish = tuple[str, dict[str, Any]]
"""What a service asks: action and payload."""


@dataclass
class BadService:
    """A service of one version. It answers by its `moods`, in turn and over again; all is well where there are none.

    `ours` is from where on numbers count that are between us and the charger. `replies` are our last answers, by ids.
    """

    id: str
    version: Version
    notary: Notary
    first: int
    moods: list[str] = field(default_factory=list)
    ours: list[int] = field(default_factory=lambda: [FIRST_OF_OURS + 1])
    replies: dict[str, list[Any]] = field(default_factory=dict)
    up: bool = True
    wire: Wire | None = None
    verdict: str = "Accepted"
    rejects: bool = False
    books: Books = field(init=False)
    _turns: Iterator[str] = field(init=False)
    _numbers: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.books = Books(self.id, self.notary)
        self._numbers = itertools.count(self.first)
        self.behave(self.moods)

    def behave(self, moods: list[str]) -> None:
        """Be in these moods from now on."""
        self._turns = itertools.cycle(moods or [WELL])

    # Its door

    def take(self, wire: Wire) -> None:
        """We come in."""
        self.wire, wire.silent = wire, self.rejects
        wire.hear = lambda frame: self._hear(wire, orjson.loads(frame))

    def vanish(self) -> None:
        """It cuts the connection."""
        if self.wire is not None:
            self.wire.close("the service is gone")

    # What it is told

    def _hear(self, wire: Wire, frame: list[Any]) -> None:
        self._look_for_others(frame)
        if frame[0] == CALL:
            _, message_id, action, payload = frame
            self.books.hear(wire, action, payload)
            self._answer(wire, message_id, action, next(self._turns))
        else:
            self.replies[frame[1]] = frame

    def _look_for_others(self, frame: list[Any]) -> None:
        for word in words_in(frame):
            ours = str(word).isdecimal() and any(0 <= int(str(word)) - first < SHARE for first in self.ours)
            if ours or (self.version is Version.V16 and str(word).startswith("the charger's own")):
                self.notary.deny("I4", f"{self.id} was shown {word}: {frame}")
        for number in ids_in(frame):
            if number // SHARE != self.first // SHARE:
                self.notary.deny("I4", f"{self.id} was shown {number}: {frame}")

    def _answer(self, wire: Wire, message_id: str, action: str, mood: str) -> None:
        if mood in LATELY:
            later = asyncio.get_running_loop().call_later
            later(LATELY[mood], self._say_well, wire, message_id, action, mood)
        elif mood in CODES:
            self._say(wire, [ERROR, message_id, CODES[mood], "not today", {}])
        elif mood in ("hollow", "wrong", "no object"):
            self._say_badly(wire, message_id, action, mood)
        elif mood in ("hang up", "mute", "other id", "no content"):
            self._say_nothing(wire, message_id, action, mood)
        else:
            self._say_in_a_way(wire, message_id, action, mood)

    def _say_in_a_way(self, wire: Wire, message_id: str, action: str, mood: str) -> None:
        if mood == "noise first":
            wire.say(b"nonsense")
        self._say_well(wire, message_id, action, mood)
        if mood == "twice":
            self._say_well(wire, message_id, action, "repeated")

    def _say_nothing(self, wire: Wire, message_id: str, action: str, mood: str) -> None:
        """Nothing that is an answer."""
        if mood == "hang up":
            wire.close("the service hangs up")
        elif mood == "other id":
            self._say(wire, [RESULT, "nobody's", self._payload(action, mood)])
        elif mood == "no content":
            self._say(wire, [RESULT, message_id])

    def _say_well(self, wire: Wire, message_id: str, action: str, mood: str) -> None:
        payload = self._payload(action, mood)
        told = self.books.last
        of_it = told is not None and told.wire is wire and told.action == action
        if wire.stands and of_it and mood not in ("too late", "repeated"):
            self.books.answer(payload.get("transactionId"))
        if action == "BootNotification" and mood != "too late":
            self.rejects = wire.silent = self.version is Version.V16 and payload["status"] == "Rejected"
        self._say(wire, [RESULT, message_id, payload])

    def _say_badly(self, wire: Wire, message_id: str, action: str, mood: str) -> None:
        """An answer that breaks its schema is one all the same, but where it must give an id (1.6 §4.8)."""
        payload = {"hollow": {}, "wrong": {"transactionId": "x", "status": 7, "idTagInfo": [], "interval": None}}
        told = self.books.last
        if told is not None and told.wire is wire and told.action == action != "StartTransaction":
            self.books.answer()
        self._say(wire, [RESULT, message_id, payload.get(mood, 5)])

    def _payload(self, action: str, mood: str) -> dict[str, Any]:
        card: dict[str, Any] = {"status": self.verdict}
        match action:
            case "BootNotification":
                status = {"not now": "Pending", "go away": "Rejected"}.get(mood, "Accepted")
                return {"status": status, "currentTime": NOW, "interval": 60}
            case "Heartbeat":
                return {"currentTime": NOW}
            case "Authorize":
                return {"idTagInfo": card} if self.version is Version.V16 else {"idTokenInfo": card}
            case "StartTransaction":
                return {"transactionId": next(self._numbers), "idTagInfo": card}
            case "DataTransfer":
                return {"status": "Accepted"}
            case _:
                return {}

    @staticmethod
    def _say(wire: Wire, frame: list[Any]) -> None:
        wire.say(orjson.dumps(frame))

    # What it asks

    def ask(self, number: int) -> None:
        """Ask for something, by ids that others use too, the charger most of all."""
        wishes = WISHES[self.version is Version.V16]
        self.want(wishes[number % len(wishes)], str(number % 5))

    def want(self, wish: Wish, message_id: str) -> None:
        """Ask for something, while we are there."""
        if self.wire is not None and self.wire.stands:
            action, payload = wish
            self.wire.ask(message_id, action, self._filled(payload))

    def _filled(self, payload: Any) -> Any:
        """A payload with ids of its own."""
        if isinstance(payload, dict):
            return {key: self._filled(value) for key, value in payload.items()}
        if isinstance(payload, list):
            return [self._filled(value) for value in payload]
        own: dict[object, Callable[[], Any]] = {
            FRESH: self.fresh,
            FIRST: lambda: self.first,
            TRANSACTION: lambda: self.transaction,
        }
        return own[payload]() if payload in own else payload

    def shout(self, number: int) -> None:
        """Send a frame that is none."""
        if self.wire is not None:
            self.wire.shout(NOISE[number % len(NOISE)])

    def fresh(self) -> int:
        """An id of its own."""
        return next(self._numbers)

    @property
    def transaction(self) -> Any:
        """The id of the last transaction that it knows, if any."""
        ids = self.books.accounts[-1].ids if self.books.accounts else set()
        return next(iter(ids), self.first if self.version is Version.V16 else "none")


def ids_in(payload: object) -> Iterator[int]:
    """Ids of services anywhere in a payload, as numbers or as text."""
    for word in words_in(payload):
        text = str(word)
        if len(text) == len(str(FIRST_ID)) and text.isdecimal() and 0 <= int(text) - FIRST_ID < SHARE * MOST_SERVICES:
            yield int(text)


# What services ask, and should not get

FRESH, FIRST, TRANSACTION = object(), object(), object()
"""Stand for ids of a service's own: a new one, its first, and that of the last transaction that it heard of."""


def limit(*amps: float, seconds: int = 600, purpose: str = "ChargingStationMaxProfile") -> tuple[Wish, Wish]:
    """A profile for the whole charger, of periods that are so long: in 2.x, and in 1.6. It replaces the former one."""
    periods = [{"startPeriod": number * seconds, "limit": limit} for number, limit in enumerate(amps)]
    schedule = {"chargingRateUnit": "A", "startSchedule": NOW, "chargingSchedulePeriod": periods}
    profile = {"stackLevel": 0, "chargingProfileKind": "Absolute"}
    of_2x = profile | {"id": FIRST, "chargingProfilePurpose": purpose, "chargingSchedule": [{"id": 1, **schedule}]}
    word = purpose.replace("ChargingStation", "ChargePoint")
    of_16 = profile | {"chargingProfileId": FIRST, "chargingProfilePurpose": word, "chargingSchedule": schedule}
    return (
        ("SetChargingProfile", {"evseId": 0, "chargingProfile": of_2x}),
        ("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": of_16}),
    )


LOCAL_CARD = {"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}
TOKEN = {"idToken": "AFAR", "type": "Central"}
SAMPLED = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
UNTIL = "2030-01-01T00:00:00Z"

LIMITS = (6.0, 10.0, 13.0, 20.0)

WISHES_16: list[Wish] = [
    ("Reset", {"type": "Hard"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
    ("SendLocalList", {"listVersion": 7, "updateType": "Full", "localAuthorizationList": [LOCAL_CARD]}),
    ("ClearCache", {}),
    ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "4711"}),
    ("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "4711"}),
    ("GetConfiguration", {}),
    ("RemoteStartTransaction", {"idTag": "AFAR", "connectorId": 1}),
    ("RemoteStopTransaction", {"transactionId": TRANSACTION}),
    ("RemoteStopTransaction", {"transactionId": 1}),
    ("ReserveNow", {"connectorId": 1, "expiryDate": UNTIL, "idTag": "R", "reservationId": FRESH}),
    ("CancelReservation", {"reservationId": FIRST}),
    ("ClearChargingProfile", {}),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
    ("UnlockConnector", {"connectorId": 1}),
    ("GetDiagnostics", {"location": "ftp://far.example/"}),
    ("UpdateFirmware", {"location": "ftp://far.example/f", "retrieveDate": NOW}),
    ("GetCompositeSchedule", {"connectorId": 0, "duration": 600}),
    ("GetLocalListVersion", {}),
    ("DataTransfer", {"vendorId": "far.example"}),
    ("SelfDestruct", {"now": True}),
    ("Reset", {"type": 5}),
    *(limit(amps)[1] for amps in LIMITS),
]

WISHES_2X: list[Wish] = [
    ("Reset", {"type": "Immediate"}),
    ("ChangeAvailability", {"evse": {"id": 1}, "operationalStatus": "Inoperative"}),
    ("ChangeAvailability", {"evse": {"id": 1}, "operationalStatus": "Operative"}),
    ("SendLocalList", {"versionNumber": 7, "updateType": "Full"}),
    ("ClearCache", {}),
    ("SetVariables", {"setVariableData": [{**SAMPLED, "attributeValue": "4711"}]}),
    ("GetVariables", {"getVariableData": [SAMPLED]}),
    ("GetBaseReport", {"requestId": FRESH, "reportBase": "FullInventory"}),
    ("RequestStartTransaction", {"remoteStartId": FRESH, "idToken": TOKEN, "evseId": 1}),
    ("RequestStopTransaction", {"transactionId": TRANSACTION}),
    ("RequestStopTransaction", {"transactionId": "1"}),
    ("ReserveNow", {"id": FRESH, "expiryDateTime": UNTIL, "idToken": TOKEN, "evseId": 1}),
    ("CancelReservation", {"reservationId": FIRST}),
    ("ClearChargingProfile", {"chargingProfileCriteria": {"stackLevel": 0}}),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}),
    ("TriggerMessage", {"requestedMessage": "TransactionEvent", "evse": {"id": 1}}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}),
    ("UnlockConnector", {"evseId": 1, "connectorId": 1}),
    ("GetLog", {"logType": "SecurityLog", "requestId": FRESH, "log": {"remoteLocation": "ftp://x/"}}),
    ("GetTransactionStatus", {"transactionId": TRANSACTION}),
    ("GetCompositeSchedule", {"evseId": 0, "duration": 600}),
    ("GetChargingProfiles", {"requestId": FRESH, "chargingProfile": {"stackLevel": 0}}),
    ("DataTransfer", {"vendorId": "far.example"}),
    ("SelfDestruct", {"now": True}),
    ("Reset", {"type": 5}),
    *(limit(amps)[0] for amps in LIMITS),
]

WISHES = {True: WISHES_16, False: WISHES_2X}
