"""What one peer may take of this machine, and what becomes of more.

The rule behind all of it: who wants more than its share waits or is cut, and nobody else does. Nothing is thrown
away in silence; what went over a budget is counted (`Excess`) and shown with the charger.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

TURN = 4
"""Messages of one peer that are taken before the others have their turn: under a millisecond's work on a PC."""

SLICE = 4096
"""Bytes of one peer that are read before the others have their turn: at most some 700 empty frames, a few ms."""

FRAME_COST = 512
"""What a frame of any kind costs of its peer's allowance beyond its bytes, so that work is what is paid for.

A heartbeat takes some 50 µs of a PC's core, a reading of 1.7 KB 120, a message of a megabyte 100 ms and more.
"""

TRICKLE = 512
"""Bytes that must come while a pong is waited for to count as life; any whole frame does too.

A message of a megabyte on a slow mobile link holds the pong up, so bytes are life. A byte now and then is not.
"""

KEPT = 512
"""Bytes kept of a message that is too long to hold: enough for its id and action, to answer it by."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The budgets of a peer and of the door. Times in seconds.

    Of one connection:

    `message`: bytes of a message. A StopTransaction with a night's readings reaches 800 KB. One that is longer is
    dropped while it comes and answered with an error by its id, and the socket stays open: closed, the charger
    would come back and send the same again for ever.
    `allowance` a second after `burst` at once, in bytes, with `FRAME_COST` for each frame: some 1,900 heartbeats
    or 470 readings a second after 30,000 or 7,500 of them, which is a backlog of days, or a message of a megabyte
    each second after 16. Whoever sends more is read more slowly; the rest waits in its own network, nothing is lost.
    `write_seconds`: how long a peer may leave what we wrote unread, beyond what the system buffers and 32 KiB of
    ours, before it is cut. Meanwhile nothing is read of it, so no more is written.
    `close_seconds`: how long a peer may take to close once it was told to go.

    Of one charger:

    `visits` at once and `visits_per_second` after: how often it may connect anew; then it is refused (429) for a
    moment. A charger that crashes while it boots comes back several times a second.
    `attempts` at wrong passwords at once, `attempts_per_second` after, of one charger from one address; then they
    are refused unlooked at (429): looking costs 50 ms of a core.

    Of the door:

    `sockets`: chargers and backends connected at once, as far as the system's limit on open files allows.
    `chargers`: ids remembered that nobody configured or accepted, where strangers come in by themselves.
    `strangers`: those remembered for a click.
    `knocking`: connections without a whole request head; the longest wait is cut for the next.
    `head_seconds`, `head`: how long a request head may take, and its bytes.
    `handshakes` at once and `handshakes_per_second` after from one address; more wait at the door. A thousand
    chargers behind one proxy come back at once when we restart.
    `hashes`: passwords that wait to be checked; for one more we are busy (503).
    """

    message: int = 1024 * 1024
    allowance: int = 1024 * 1024
    burst: int = 16 * 1024 * 1024
    write_seconds: float = 30.0
    close_seconds: float = 5.0
    visits: int = 30
    visits_per_second: float = 1.0
    attempts: int = 10
    attempts_per_second: float = 1 / 6
    sockets: int = 5000
    chargers: int = 5000
    strangers: int = 20
    knocking: int = 1000
    head_seconds: float = 10.0
    head: int = 16 * 1024
    handshakes: int = 2000
    handshakes_per_second: float = 100.0
    hashes: int = 20


@dataclass(slots=True)
class Excess:
    """How often a peer went over its budget: messages `too_long` to hold, times it was `slowed` and `unread`."""

    too_long: int = 0
    slowed: int = 0
    unread: int = 0

    def __add__(self, other: Excess) -> Excess:
        return Excess(self.too_long + other.too_long, self.slowed + other.slowed, self.unread + other.unread)


@dataclass(slots=True)
class Bucket:
    """Lets `burst` through at once and `rate` a second after. The time is an argument, in seconds of any clock."""

    rate: float
    burst: float
    at: float
    level: float = 0.0

    def take(self, amount: float, now: float) -> float:
        """Take something, allowed or not; the seconds until it is."""
        self._leak(now)
        self.level += amount
        return max(0.0, (self.level - self.burst) / self.rate)

    def allows(self, now: float) -> bool:
        """Take one where there is one to take."""
        self._leak(now)
        if self.level + 1 > self.burst:
            return False
        self.level += 1
        return True

    def _leak(self, now: float) -> None:
        self.level = max(0.0, self.level - max(0.0, now - self.at) * self.rate)
        self.at = now


class Buckets:
    """A bucket for everybody who comes. Of `most` keys the one that came longest ago is forgotten."""

    def __init__(self, rate: float, burst: float, most: int = 1000) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def of(self, name: Hashable, now: float) -> Bucket:
        """Somebody's bucket."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket


def network_of(address: str) -> str:
    """Whom an IP address stands for: itself; of IPv6 the network, in which one machine has any it likes."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
