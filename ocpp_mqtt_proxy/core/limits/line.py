"""What binds over time: a line of pieces, each from so many seconds on until the next begins. None: nothing binds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from math import inf
from typing import TypeVar

from ocpp_mqtt_proxy.core.model import Amps

Value = float | None
Line = list[tuple[float, Value]]
"""Pieces in order, the first from 0 on; two neighbours differ."""

Key = TypeVar("Key")

FREE: Line = [(0.0, None)]
"""Nothing binds at any time."""


def constant(amps: Amps) -> Line:
    """The same at any time."""
    return [(0.0, amps)]


def least(lines: Iterable[Line]) -> Line:
    """The smallest at each time of what binds."""
    binding = [line for line in lines if line != FREE]
    if len(binding) <= 1:
        return binding[0] if binding else FREE
    return [(at, value) for at, value, _ in lowest(dict(enumerate(binding)))]


def lowest(lines: Mapping[Key, Line]) -> list[tuple[float, Value, Key | None]]:
    """The smallest at each time of what binds, and whose it is: of two that are the same, the one named first.

    One pass over all times at which anything changes.
    """
    changes = sorted((at, rank) for rank, line in enumerate(lines.values()) for at, _ in line)
    left = [iter(line) for line in lines.values()]
    names = list(lines)
    values: list[float] = [inf] * len(names)
    found: list[tuple[float, Value, Key | None]] = [(0.0, None, None)]
    for at, rank in changes:
        value = next(left[rank])[1]
        values[rank] = inf if value is None else value
        smallest = min(values)
        piece = (at, None, None) if smallest == inf else (at, smallest, names[values.index(smallest)])
        if found[-1][0] == at:
            found.pop()
        if not found or found[-1][1:] != piece[1:]:
            found.append(piece)
    return found


def over(top: Line, below: Line) -> Line:
    """The upper line, and in its gaps the lower."""
    return top if below == FREE else _joined(top, below, _over)


def plus(line: Line, more: Line) -> Line:
    """So much more, where anything binds."""
    return line if more == FREE else _joined(line, more, _plus)


def added(lines: Iterable[Line]) -> Line:
    """All together; free where one of them is."""
    first, *others = lines
    return reduce(lambda one, other: _joined(one, other, _sum), others, first)


def changed(line: Line, change: Callable[[float], float]) -> Line:
    """Each value in another way."""
    return compact((at, None if value is None else change(value)) for at, value in line)


def compact(pieces: Iterable[tuple[float, Value]]) -> Line:
    """A line without pieces that change nothing."""
    line: Line = []
    for at, value in pieces:
        if not line or line[-1][1] != value:
            line.append((at, value))
    return line


def _over(one: Value, other: Value) -> Value:
    return other if one is None else one


def _plus(one: Value, other: Value) -> Value:
    return one if one is None or other is None else one + other


def _sum(one: Value, other: Value) -> Value:
    return None if one is None or other is None else one + other


def _joined(one: Line, other: Line, join: Callable[[Value, Value], Value]) -> Line:
    """Two lines as one, piece by piece."""
    if len(one) == len(other) == 1:
        return [(0.0, join(one[0][1], other[0][1]))]
    line: Line = []
    i = j = 0
    at = 0.0
    while True:
        value = join(one[i][1], other[j][1])
        if not line or line[-1][1] != value:
            line.append((at, value))
        next_one = one[i + 1][0] if i + 1 < len(one) else None
        next_other = other[j + 1][0] if j + 1 < len(other) else None
        if next_one is None and next_other is None:
            return line
        if next_other is None or (next_one is not None and next_one <= next_other):
            i += 1
        if next_one is None or (next_other is not None and next_other <= next_one):
            j += 1
        at = max(one[i][0], other[j][0])
