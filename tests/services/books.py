"""What one service heard for certain, judged: each transaction once, in order, and not given up too soon (I3, I7, I9).

The service may have answered wrongly or not at all, so it may hear a message again; never another in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.core.model import Version
from tests.services.csms import NEVER_STARTED, registers
from tests.services.wires import Notary, Wire

ATTEMPTS = 3
"""How often a message is sent at least before it may be given up (TransactionMessageAttempts)."""

ACCOUNTED = ("StartTransaction", "StopTransaction", "TransactionEvent")


@dataclass
class Account:
    """A transaction as it was heard: `ids` are all that the service gave it (1.6), or the one that we gave (2.x)."""

    ids: set[object]
    registers: list[float] = field(default_factory=list)
    seq: int = 0
    over: bool = False

    @property
    def energy(self) -> float:
        """In Wh."""
        return self.registers[-1] - self.registers[0]


@dataclass
class Told:
    """The last message, on which wire it came last, how often it came, and whether it had an answer that we can use."""

    action: str
    payload: dict[str, Any]
    wire: Wire
    times: int = 1
    answered: bool = False

    def is_again(self, action: str, payload: dict[str, Any], wire: Wire) -> bool:
        """Whether a message is this one. An answer that came as the wire broke may have been lost; `offline` may change."""
        same = (self.action, _but_offline(self.payload)) == (action, _but_offline(payload))
        return same and (not self.answered or wire is not self.wire)


def _but_offline(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key != "offline"}


@dataclass
class Books:
    """Keeps them for one service."""

    name: str
    notary: Notary
    accounts: list[Account] = field(default_factory=list)
    last: Told | None = None

    def hear(self, wire: Wire, action: str, payload: dict[str, Any]) -> None:
        """A call came."""
        if action not in ACCOUNTED and not (action == "MeterValues" and "transactionId" in payload):
            return
        if self.last is not None and self.last.is_again(action, payload, wire):
            self.last.times, self.last.wire = self.last.times + 1, wire
            return
        self._close_last(action)
        self.last = Told(action, payload, wire)
        if wire.version is Version.V16:
            self._in_16(action, payload)
        else:
            self._in_2x(payload)

    def _close_last(self, action: str) -> None:
        last = self.last
        if last is not None and not last.answered and last.action in ACCOUNTED and last.times < ATTEMPTS:
            self.notary.deny("I7", f"{self.name}: {last.action} was given up after {last.times}, for {action}")

    def answer(self, given: object = None) -> None:
        """The last message had an answer that can be used; that of a 1.6 start gave an id."""
        assert self.last is not None
        self.last.answered = True
        if self.last.action == "StartTransaction":
            self.accounts[-1].ids.add(given)

    def _in_16(self, action: str, payload: dict[str, Any]) -> None:
        if action == "StartTransaction":
            self.accounts.append(Account(set(), [payload["meterStart"]]))
            return
        account = self._running(payload["transactionId"])
        if account is not None:
            account.registers += registers(payload.get("meterValue", []))
            if action == "StopTransaction":
                account.registers.append(payload["meterStop"])
                account.over = True

    def _in_2x(self, payload: dict[str, Any]) -> None:
        named = payload["transactionInfo"]["transactionId"]
        if payload["eventType"] == "Started":
            if any(named in one.ids for one in self.accounts):
                self.notary.deny("I3", f"{self.name}: {named} started twice")
            self.accounts.append(Account({named}))
        account = self._running(named)
        if account is None:
            return
        if payload["seqNo"] != account.seq:
            self.notary.deny("I3", f"{self.name}: seqNo {payload['seqNo']} is not {account.seq}")
        account.seq = payload["seqNo"] + 1
        account.registers += registers(payload.get("meterValue", []))
        account.over = payload["eventType"] == "Ended"

    def _running(self, named: object) -> Account | None:
        """The account of an id; -1 is for the last one, whose start was never answered (errata 3.18)."""
        by_id = [one for one in self.accounts if named in one.ids]
        found = self.accounts[-1:] if named == NEVER_STARTED else by_id
        if not found or found[-1].over:
            self.notary.deny("I3", f"{self.name}: {named} is over, or never began")
            return None
        return found[-1]
