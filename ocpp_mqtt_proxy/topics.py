"""The MQTT topics (contract §5), by name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_OURS = re.compile(r"-{2,}")
"""`--` sets apart what we append to an id, so no id keeps one."""


@lru_cache(maxsize=4096)
def slug(charger_id: str) -> str:
    """A charger's id as it stands in topics: `[A-Za-z0-9_-]`, stable, and different for different ids.

    An id that cannot stand as it is gets a few digits of its hash: `CP 1` becomes `CP_1--03fdde`, apart
    from `CP_1`.
    """
    fit = _OURS.sub("-", _UNFIT.sub("_", charger_id))
    if fit and fit == charger_id:
        return fit
    return f"{fit}--{hashlib.sha256(charger_id.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic under one base."""

    base: str = "ocpp"

    @property
    def bridge_state(self) -> str:
        """Online | offline, retained; the will."""
        return f"{self.base}/bridge/state"

    def bridge(self, *path: str) -> str:
        """A topic of the bridge."""
        return "/".join((self.base, "bridge", *path))

    def charger(self, charger_id: str, *path: str) -> str:
        """A topic of a charger."""
        return "/".join((self.base, "charger", slug(charger_id), *path))

    def connector(self, charger_id: str, number: int, *path: str) -> str:
        """A topic of a connector."""
        return self.charger(charger_id, "connector", str(number), *path)

    def backend(self, provider_id: str, *path: str) -> str:
        """A topic of a provider, backend or service."""
        return "/".join((self.base, "backend", slug(provider_id), *path))

    def service(self, service_id: str, *path: str) -> str:
        """A topic of a service, as to its links; as a provider it has those of one."""
        return "/".join((self.base, "service", slug(service_id), *path))

    @property
    def presence(self) -> str:
        """Who is at home, as the arbiter believes; below it a feed may write (`/set`)."""
        return f"{self.base}/presence"
