"""Telling of frames: secrets masked, and of odd ones no more lines than somebody reads.

Who is odd is odd with every frame. The first of a kind is told at once, with the frame; what is like it
once a minute, with how many there were since.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two lines of one kind."""

MAX_KINDS = 32
"""Kinds told apart per peer; beyond, all are one."""

MAX_SHOWN = 600
"""Characters of an odd frame that are shown."""

_SEARCHED = 8 * MAX_SHOWN
"""Bytes of it that are searched for secrets: one that begins where it is shown ends there."""

_TEXT = rb'"(?:[^"\\]|\\.)*(?:"|\Z)'
_SETTING = rb'"(?:key|name)"\s*:\s*"[^"]*(?:AuthorizationKey|Password|Secret|CardPin)[^"]*"'
_VALUE = rb'"(?:value|attributeValue)"\s*:\s*'

_TAGS = re.compile(
    rb'("(?:idTag|parentIdTag|idToken|additionalIdToken)"\s*:\s*"[^"]*?)([^"]{0,2})(?:"|\Z)', re.IGNORECASE
)
_SECRETS = re.compile(
    # A setting's value after its name, or before it with no other value between.
    rb"(" + _SETTING + rb".{0,300}?" + _VALUE + rb")" + _TEXT
    + rb"|(" + _VALUE + rb")" + _TEXT + rb"(?=(?:(?!" + _VALUE + rb").){0,300}?" + _SETTING + rb")"
    # A password by its own name, and one in an address.
    + rb'|("\w*password"\s*:\s*)' + _TEXT + rb'|(://)[^/@"\s]+(?=@)',
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip


def masked(frame: bytes) -> str:
    """A frame as text, its tags and passwords masked; of a frame that breaks off in one, that too."""
    return _SECRETS.sub(_hide, _TAGS.sub(_mask_tag, frame)).decode("utf-8", "replace")


def _mask_tag(match: re.Match[bytes]) -> bytes:
    head = match[1].split(b'"')
    return b'"'.join([*head[:-1], b"***" + match[2]]) + b'"'


def _hide(match: re.Match[bytes]) -> bytes:
    return match[4] + b"***" if match[4] else (match[1] or match[2] or match[3]) + b'"***"'


def shown(frame: bytes) -> str:
    """The beginning of a frame, masked."""
    text = masked(frame[:_SEARCHED])
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


@dataclass(slots=True)
class _Kind:
    told_at: float
    untold: int = 0


@dataclass
class Trace:
    """What is told of one peer's odd frames. `name` is its name in the log."""

    name: str
    clock: Callable[[], float] = monotonic
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def tell(self, level: int, what: str, why: str, frame: Callable[[], bytes]) -> None:
        """Tell that something is the matter with a frame. `what` is its kind, `why` of this frame alone."""
        before = self._untold(what)
        if before is None:
            return
        since = f" (and {before} like it since the last line)" if before else ""
        log.log(level, "%s: %s: %s%s: %s", self.name, what, why, since, shown(frame()))

    def _untold(self, what: str) -> int | None:
        """How many of a kind were not told of since the last that was; None where it is too early to tell again."""
        key = what if what in self._kinds or len(self._kinds) < MAX_KINDS else ""
        now = self.clock()
        kind = self._kinds.get(key)
        if kind is not None and now - kind.told_at < PAUSE:
            kind.untold += 1
            return None
        self._kinds[key] = _Kind(now)
        return kind.untold if kind else 0
