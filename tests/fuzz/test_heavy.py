"""Messages that are long in every way: none takes long enough to hold others up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.fuzz.house import House

MANY = 200_000
PATIENCE = 30.0
"""Processor seconds: what takes longer grows faster than the message does."""

METER = '[2,"a","MeterValues",{"connectorId":1,"evseId":1,"transactionId":1,"meterValue":[%s]}]'
READING = '{"timestamp":"2026-03-14T12:00:00Z","sampledValue":[%s]}'
HEAVY = {
    "commas": "1" + "," * MANY + "1",
    "commas in a frame": '[2,"a","Heartbeat",{' + "," * MANY + "]",
    "commas and blanks": '[2,"a","Heartbeat",[' + ", " * MANY + "1}",
    "quotes": '"' * MANY,
    "escaped quotes": '["' + '\\"' * MANY,
    "backslashes": '["' + "\\" * MANY,
    "brackets": "[" * MANY,
    "brackets closed": "[" * MANY + "]" * MANY,
    "braces": '{"a":' * (MANY // 5),
    "closing brackets": "]" * MANY,
    "blanks": " " * MANY,
    "colons": '[2,"a","Heartbeat",{"a":' + ": " * MANY + "}]",
    "minus signs": "-" * MANY,
    "a number": f'[2,"a","Heartbeat",{{"a":{"9" * MANY}}}]',
    "an exponent": f'[2,"a","Heartbeat",{{"a":1e{"9" * MANY}}}]',
    "numbers that are none": '[2,"a","Heartbeat",{"a":[' + "NaN," * (MANY // 4) + "1]}]",
    "half characters": '[2,"a","DataTransfer",{"vendorId":"' + "\\ud800" * (MANY // 6) + '"}]',
    "control characters": '[2,"a","DataTransfer",{"vendorId":"' + "\t" * MANY + '"}]',
    "an id": f'[2,"{"a" * MANY}","Heartbeat",{{}}]',
    "an action": f'[2,"a","{"a" * MANY}",{{}}]',
    "a tag": f'[2,"a","Authorize",{{"idTag":"{"a" * MANY}","idToken":{{"idToken":"{"a" * MANY}","type":"Local"}}}}]',
    "a time": f'[2,"a","StatusNotification",{{"connectorId":1,"timestamp":"{"1" * MANY}"}}]',
    "fields": '[2,"a","Heartbeat",{' + ",".join(f'"{n}":1' for n in range(MANY // 10)) + "}]",
    "items": '[2,"a","MeterValues",{"connectorId":1,"evseId":1,"meterValue":[' + "1," * (MANY // 2) + "1]}]",
    "readings": METER % (READING % ",".join(['{"value":"1"}'] * (MANY // 15))),
    "wrong readings": METER % (READING % ",".join(['{"value":1,"unit":"x"}'] * (MANY // 25))),
    "readings in many units": METER % (READING % ",".join(f'{{"value":"1","unit":"u{n}"}}' for n in range(MANY // 30))),
    "samples": METER % ",".join([READING % '{"value":"1"}'] * (MANY // 60)),
    "an answer": f'[3,"$OPEN",{{"configurationKey":[{",".join(["{}"] * (MANY // 3))}]}}]',
    "settings": '[3,"$OPEN",{"configurationKey":['
    + ",".join(f'{{"key":"k{n}","readonly":false,"value":"{n}"}}' for n in range(MANY // 50))
    + "]}]",
    "a description": f'[4,"$OPEN","GenericError","{"a" * MANY}",{{}}]',
}


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """Interrupt what would never end."""

    def over(_: int, __: FrameType | None) -> None:
        raise AssertionError("it takes too long")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("what", HEAVY)
def test_a_message_with_very_many_does_not_hold_others_up(what: str, version: Version) -> None:
    async def happen() -> None:
        async with House(version) as house:
            await house.say(HEAVY[what])
            await house.say('[2,"b","Heartbeat",{}]')

    asyncio.run(happen())
