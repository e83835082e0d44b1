"""Repairs of frames that are not JSON. What stands in strings is left alone, but for what must not stand there."""

from __future__ import annotations

import re
from collections.abc import Callable

from ocpp_mqtt_proxy.ocppj.quirks.rows import TextRepair

_STRING = r'"(?:[^"\\]|\\.)*(?P<end>"?)'
"""A string; what is begun and not ended is one too."""

_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f]")


def _outside(pattern: str, instead: Callable[[re.Match[str]], str]) -> TextRepair:
    """A repair of what fits a pattern outside of strings."""
    either = re.compile(f"{_STRING}|(?P<wrong>{pattern})", re.DOTALL)

    def one(match: re.Match[str]) -> str:
        return match[0] if match["wrong"] is None else instead(match)

    return lambda frame: either.sub(one, frame)


def _inside(instead: Callable[[str], str]) -> TextRepair:
    """A repair of what stands in strings."""
    strings = re.compile(_STRING, re.DOTALL)
    return lambda frame: strings.sub(lambda match: instead(match[0]), frame)


def without_mark(frame: str) -> str:
    """Without the byte order mark in front."""
    return frame.removeprefix("\ufeff")


def _no_half_character(match: re.Match[str]) -> str:
    return match[0] if match["half"] is None else r"\ufffd"


_whole_characters = _inside(lambda text: _ESCAPES.sub(_no_half_character, text))


def whole_characters(frame: str) -> str:
    r"""Half a character, escaped (`\ud800`), becomes the sign for one that cannot be read."""
    return _whole_characters(frame) if re.search(r"\\u[dD][89a-fA-F]", frame) else frame


no_controls = _inside(lambda text: _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))
"""Tabs, line ends and the like in the middle of a string become escapes."""

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"


def _finite(match: re.Match[str]) -> str:
    return "null" if float(match[0]) in (float("inf"), float("-inf")) else match[0]


_finite_numbers = _outside(_NUMBER, _finite)


def finite_numbers(frame: str) -> str:
    """Numbers beyond all measure (`1e400`) become nothing."""
    return _finite_numbers(frame) if re.search(r"[eE]\+?\d{3}|\d{300}", frame) else frame


numbers_only = _outside(r"-?\b(?:NaN|Infinity|inf|nan)\b", lambda _: "null")
"""What is no number (`NaN`) becomes nothing."""

values_for_keys = _outside(r":(?=\s*[,}])", lambda _: ":null")
"""A key without a value gets nothing for one."""

lists_begun = _outside(r":(?=\s*\])", lambda _: ":[")
"""A list whose beginning is missing gets one."""

no_stray_commas = _outside(r"(?<=\[),+|(?<!,),++(?=\s*[\]}])", lambda _: "")  # a row of commas is looked at once
"""Commas before the first and after the last of a list go."""


def closed(frame: str) -> str:
    """What was begun is ended, where the frame breaks off between two values."""
    bare = re.sub(_STRING, lambda match: "" if match["end"] else '"', frame, flags=re.DOTALL)
    begun: list[str] = []
    for character in bare:
        if character in _ENDS:
            begun.append(_ENDS[character])
        elif character in "]}" and (not begun or begun.pop() != character):
            return frame
    return frame if '"' in bare else frame + "".join(reversed(begun))


_ENDS = {"[": "]", "{": "}"}
