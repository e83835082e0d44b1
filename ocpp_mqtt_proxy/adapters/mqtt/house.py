"""What the house takes beside its chargers, told by MQTT (`groups[].house_topic`).

A number in A, or with its unit (`12.5 A`, `2300 W`, `2.3 kW`), plain or in a JSON object; `{"l1": 4, "l2": 9, "l3": 2}`
in A, of which the fullest phase counts; `{"power": 2300}` in W. A power may be all on one phase: it counts as that.
What cannot be read changes nothing, and in time counts as silence.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping

import orjson

from ocpp_mqtt_proxy.adapters.mqtt.feeds import LONGEST, told
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.core.limits.profile import VOLTS
from ocpp_mqtt_proxy.core.model import Amps

log = logging.getLogger(__name__)

MOST = 10_000.0
"""A that no house takes: what is beyond is no figure, or one in another unit."""

KEYS = ("current", "value", "state")
"""Where a JSON object tells a number that is no power."""

PHASES = ("l1", "l2", "l3")

_FIGURE = re.compile(r"\s*([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)\s*(a|w|kw|)\s*", re.IGNORECASE)
_IN_AMPS = {"a": 1.0, "w": 1 / VOLTS, "kw": 1000 / VOLTS}

Takes = Callable[[str, Amps], None]


def read(payload: bytes) -> Amps | None:
    """What a message says is taken on the fullest phase, in A; None where it says nothing."""
    document = _document(payload)
    if "power" in document:
        return _amps(str(document["power"]), "w")
    phases = [_amps(str(document[name])) for name in PHASES if name in document]
    if not phases:
        return _amps(told(payload, KEYS) or "")
    known = [amps for amps in phases if amps is not None]
    return max(known) if len(known) == len(phases) else None


def _document(payload: bytes) -> Mapping[str, object]:
    """The JSON object that a message is, its keys in lower case; an empty one where it is none."""
    try:
        document = orjson.loads(payload) if len(payload) <= LONGEST else None
    except orjson.JSONDecodeError:
        document = None
    return {key.lower(): value for key, value in document.items()} if isinstance(document, dict) else {}


def _amps(text: str, unit: str = "a") -> Amps | None:
    figure = _FIGURE.fullmatch(text)
    if figure is None:
        return None
    try:
        amps = float(figure[1]) * _IN_AMPS[(figure[2] or unit).lower()]
    except ValueError:
        return None
    return Amps(amps) if math.isfinite(amps) and abs(amps) <= MOST else None


class HouseFeed:
    """Listens on the topics of groups, by their ids. `takes` is told what is so now, `took` what the broker kept."""

    def __init__(self, topics: Mapping[str, str], takes: Takes, took: Takes) -> None:
        self._topics = {group: topic for group, topic in topics.items() if topic}
        self._takes = takes
        self._took = took

    def subscriptions(self) -> Iterable[str]:
        """What to listen to."""
        return sorted(set(self._topics.values()))

    def take(self, incoming: Incoming) -> None:
        """Take a message."""
        groups = [group for group, topic in self._topics.items() if topic == incoming.topic]
        if not groups:
            return
        amps = read(incoming.payload)
        if amps is None:
            log.warning("%s: tells no current: %r", incoming.topic, incoming.payload[:50])
            return
        for group in groups:
            (self._took if incoming.retained else self._takes)(group, amps)
