"""What a charger is put is remembered until it has answered: it may have taken it, whatever becomes of us.

On a fuse that it shares with others a raise is on disk before it is put: after a crash the others must know of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Outcome, Reason
from ocpp_mqtt_proxy.core.held import Held, either
from ocpp_mqtt_proxy.core.limit_orders import Layer, SetLimit
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import Want
from ocpp_mqtt_proxy.hub import Hub

REFUSALS = (Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED)
"""What a charger that did not take a profile says; after anything else nobody knows."""


@dataclass(frozen=True, slots=True)
class Question:
    """A profile that a charger is put. `before` are those of its key that it never answered."""

    station: Station
    key: str
    before: Held | None

    def answered(self, outcome: Outcome) -> None:
        """It is known what the charger has, or is as unknown as before, or more so."""
        asked = self.station.memory.asked
        if outcome.ok:
            asked.pop(self.key, None)
            self.station.is_sure_of(self.key)
        elif outcome is WITHDRAWN or outcome.reason in REFUSALS:
            self.take_back()
        else:
            self.station.doubted.add(self.key)

    def take_back(self) -> None:
        """It was not put, or not taken."""
        asked = self.station.memory.asked
        asked.pop(self.key, None)
        if self.before is not None:
            asked[self.key] = self.before


async def ask(hub: Hub, station: Station, want: Want, order: SetLimit) -> Question:
    """Remember a profile that is about to be put. What lowers waits for no disk. Raises LedgerFailed."""
    asked = station.memory.asked
    key = Layer.DEFAULT if order.stands_for_a_transaction and order.at.connector == 0 else want.key
    question = Question(station, key, asked.get(key))
    held = order.held(hub.clock.now())
    asked[key] = held if question.before is None else either(question.before, held)
    if station.share is not None:
        await _write_down(hub, question, urgent=want.lowers or not want.needed)
    return question


async def _write_down(hub: Hub, question: Question, *, urgent: bool) -> None:
    memory = question.station.memory
    if urgent:
        hub.ledger.keep([memory], lambda: None)
        return
    try:
        await hub.record([memory])
    except BaseException:  # cancelled too: it was not put
        question.take_back()
        raise
