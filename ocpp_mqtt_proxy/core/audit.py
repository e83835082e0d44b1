"""A decision of the arbiter as it is remembered: what was asked, what it was judged by, and what came of it.

So is each change of what binds a connector (`explaining.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ocpp_mqtt_proxy.core.sharing import ControlClass

REVOKE = "revoke"
"""The subject where a class was taken from its holder; the reason says what ended its holding."""

HAND_OVER = "hand_over"
"""The subject where the owner put a class into a provider's hands."""

LIMIT = "limit"
"""The subject where another limit binds a connector, or one is seen to be kept to, or not; the reason is a `Cause`."""


class Cause(StrEnum):
    """Why another limit binds a connector, or what became of the one that does."""

    LOWERED = "lowered"
    RAISED = "raised"
    SHARED = "shared"
    CEILING = "ceiling"
    PAUSED = "paused"
    RESUMED = "resumed"
    STEP = "step"
    FELL_BACK = "fell_back"
    BEGAN = "session_began"
    ENDED = "session_ended"
    REFUSED = "refused"
    STOPPED = "stopped"
    VERIFIED = "verified"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """One decision. `subject` is what was asked (`start`, `set_limit` …), `inputs` what the rules looked at."""

    at: datetime
    charger: str
    provider: str
    control_class: ControlClass
    subject: str
    granted: bool
    reason: str = ""
    message: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """granted, refused or revoked; limited where a limit is explained."""
        if self.subject == LIMIT:
            return "limited"
        if self.subject == REVOKE:
            return "revoked"
        return "granted" if self.granted else "refused"
