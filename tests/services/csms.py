"""A strict CSMS of each version, in memory: what it is told must fit its schema, be in order, and be its own.

It keeps the books that a real one bills by, and refuses by an assertion what a real one would choke on (I3, I4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.fields import Object

ENERGY = "Energy.Active.Import.Register"
NEVER_STARTED = -1


@dataclass
class Transaction:
    """One transaction as the CSMS knows it: registers in Wh as it was shown them, in order."""

    id: object
    start: dict[str, Any]
    registers: list[float] = field(default_factory=list)
    seq: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    @property
    def energy(self) -> float:
        """What it would bill, in Wh."""
        return self.registers[-1] - self.registers[0] if self.registers else 0.0

    def show(self, value: float) -> None:
        """A register reading was shown; it never falls, but for what a 1.6 field rounds off."""
        assert not self.registers or value >= self.registers[-1] - 1, f"the register fell: {self.registers} {value}"
        self.registers.append(value)


@dataclass
class StrictCsms:
    """A CSMS of one version. Its transactions, where it numbers them (1.6), count from `first`."""

    version: Version
    first: int = 700
    verdict: str = "Accepted"
    transactions: list[Transaction] = field(default_factory=list)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    security: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Object] = field(default_factory=list)

    def answer(self, action: str, payload: Mapping[str, Any]) -> Object:
        """Take a call; a repetition of the last one is answered as before, because that answer was lost."""
        fault = schema.check(self.version, action, payload)
        assert fault is None, f"{action} {payload}: {fault}"
        call = (action, dict(payload))
        if self.heard and self.heard[-1] == call and _is_of_a_transaction(call):
            return self.answers[-1]
        self.heard.append(call)
        self.answers.append(getattr(self, f"_{action}")(call[1]))
        return self.answers[-1]

    def _running(self, transaction_id: object) -> Transaction:
        found = [one for one in self.transactions if one.id == transaction_id]
        assert found, f"{transaction_id} was never started"
        assert not found[-1].over, f"{transaction_id} is over"
        return found[-1]

    def _card(self) -> dict[str, str]:
        return {"status": self.verdict}

    # 1.6

    def _StartTransaction(self, payload: dict[str, Any]) -> Object:  # noqa: N802 (an action)
        number = self.first + len(self.transactions)
        self.transactions.append(Transaction(number, payload))
        self.transactions[-1].show(payload["meterStart"])
        return {"transactionId": number, "idTagInfo": self._card()}

    def _MeterValues(self, payload: dict[str, Any]) -> Object:  # noqa: N802
        running = self._running(payload["transactionId"])
        assert payload["connectorId"] == running.start["connectorId"]
        running.events.append(payload)
        for value in registers(payload["meterValue"]):
            running.show(value)
        return {}

    def _StopTransaction(self, payload: dict[str, Any]) -> Object:  # noqa: N802
        running = self._running(payload["transactionId"])
        running.events.append(payload)
        running.show(payload["meterStop"])
        running.over = True
        return {"idTagInfo": self._card()} if "idTag" in payload else {}

    # 2.x

    def _TransactionEvent(self, payload: dict[str, Any]) -> Object:  # noqa: N802
        transaction_id = payload["transactionInfo"]["transactionId"]
        if payload["eventType"] == "Started":
            assert all(one.id != transaction_id for one in self.transactions), "an id is given once (E01)"
            assert payload["evse"]["id"] > 0
            self.transactions.append(Transaction(transaction_id, payload))
        running = self._running(transaction_id)
        assert payload["seqNo"] == running.seq, f"{payload['seqNo']} is not {running.seq}"
        running.seq += 1
        running.events.append(payload)
        for value in registers(payload.get("meterValue", [])):
            running.show(value)
        running.over = payload["eventType"] == "Ended"
        return {"idTokenInfo": self._card()} if "idToken" in payload else {}

    # Both

    def _SecurityEventNotification(self, payload: dict[str, Any]) -> Object:  # noqa: N802
        self.security.append(payload)
        return {}


def _is_of_a_transaction(call: tuple[str, dict[str, Any]]) -> bool:
    return call[0] != "SecurityEventNotification"


def registers(meter_values: list[dict[str, Any]]) -> Iterator[float]:
    """The energy registers in a list of MeterValue, in Wh."""
    for meter_value in meter_values:
        for sampled in meter_value["sampledValue"]:
            whole = sampled.get("measurand", ENERGY) == ENERGY and "phase" not in sampled
            if whole and sampled.get("format") != "SignedData":
                yield float(sampled["value"])


def words_in(payload: object) -> Iterator[object]:
    """Every text and number anywhere in a payload."""
    if isinstance(payload, Mapping):
        for value in payload.values():
            yield from words_in(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from words_in(value)
    else:
        yield payload
