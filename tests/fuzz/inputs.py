"""A fuzzer's bytes as what happens in a house: messages as they stand, or a program for the mutations."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.fuzz.mutations import Step, a_batch, frames, readable

MOST_BATCHES = 12
VERSIONS = tuple(DIALECTS)

Batches = list[list[Step]]


class Bytes(Random):
    """Chance, as some bytes have it; where they end it always says 0."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._bytes = iter(data)
        self.ended = False

    def getrandbits(self, k: int, /) -> int:
        value = 0
        for _ in range((k + 7) // 8):
            byte = next(self._bytes, None)
            self.ended = self.ended or byte is None
            value = value << 8 | (byte or 0)
        return value & ((1 << k) - 1)


def read(data: bytes) -> tuple[Version, Batches]:
    """An input: its first byte tells the version, and whether messages follow, by lines, or a program."""
    head = data[0] if data else 0
    version = VERSIONS[(head >> 1) % len(VERSIONS)]
    return version, _literal(data[1:]) if head % 2 == 0 else _programmed(data[1:], version)


def _literal(data: bytes) -> Batches:
    return [[readable(line)] for line in data.split(b"\n")[:MOST_BATCHES] if not line.startswith(b"!")]


def _programmed(data: bytes, version: Version) -> Batches:
    random = Bytes(data)
    batches: Batches = []
    while not random.ended and len(batches) < MOST_BATCHES:
        batches.append(a_batch(random, version))
    return batches


def seeds() -> Iterator[bytes]:
    """Where to begin: every frame of the corpus as it stands, and some programs."""
    for index, version in enumerate(VERSIONS):
        for frame in frames(version):
            yield bytes([index << 1]) + frame
        for number in range(100):
            yield bytes([index << 1 | 1]) + Random(number).randbytes(120)
