"""Services as people see them: how each stands, and each of its links (contract §5 `ocpp/service/<id>`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import ServicePlan
from ocpp_mqtt_proxy.services.ports import Step

CALM_SECONDS = 10.0
"""How often it is looked up what waits longest."""


class State(StrEnum):
    """How a link stands, the worst last: the service has accepted us; nothing is tried; something is wrong."""

    ONLINE = "online"
    OFFLINE = "offline"
    ERROR = "error"


_SEVERITY = {state: severity for severity, state in enumerate(State)}


def state_of(out: Outstation) -> State:
    """How one link stands. One that the owner switched off is not tried, whatever was wrong before."""
    if out.accepted:
        return State.ONLINE
    return State.ERROR if out.fault and not out.switched_off else State.OFFLINE


def worst(outstations: Iterable[Outstation]) -> State:
    """The worst of a service's links; one that sees no charger yet is offline."""
    return max(map(state_of, outstations), key=_SEVERITY.__getitem__, default=State.OFFLINE)


def link(out: Outstation, oldest: datetime | None = None) -> shapes.Json:
    """One link; `oldest` is since when the first of what waits does."""
    depth = out.outbox.depth(out.id, out.charger_id)
    return {
        "state": state_of(out),
        "connected_since": shapes.time(out.accepted_at),
        "ocpp_version": str(out.version),
        "registration": out.peer.standing,
        "identity": out.plan.identity(out.charger_id),
        "url": bare(out.plan.address(out.charger_id)),
        "fault": _fault(out.fault),
        "queue": {"messages": depth.messages, "oldest": shapes.time(oldest), "dropped": depth.dropped},
        "clock_skew_s": None if out.skew is None else round(out.skew.total_seconds()),
        "transactions": sum(not one.ended for one in out.peer.transactions.values()),
    }


def bare(url: str) -> str:
    """An address without what may be secret in it: user, password, and what is asked with it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _fault(told: str) -> shapes.Json | None:
    """What went wrong, by its step where there is one."""
    step, _, why = told.partition(": ")
    known = step in set(Step)
    return {"step": step if known else None, "message": why if known else told} if told else None


class Roster(Protocol):
    """Every service, as every charger that it sees."""

    plans: dict[str, ServicePlan]

    def of_service(self, service: str) -> list[Outstation]:
        """The outstations of a service."""

    def all(self) -> list[Outstation]:
        """Every outstation."""


@dataclass
class Overview:
    """All services, as they stand. What waits longest is looked up now and then: `run` does, every `calm` seconds."""

    roster: Roster
    calm: float = CALM_SECONDS
    _oldest: dict[tuple[str, str], datetime] = field(default_factory=dict)

    async def run(self) -> None:
        """Keep what has to be looked up on disk, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(self.calm)

    async def refresh(self) -> None:
        """Look up since when the oldest messages wait, on disk."""
        found: dict[tuple[str, str], datetime] = {}
        for out in self.roster.all():
            if out.outbox.depth(out.id, out.charger_id).messages and (since := await _waits_since(out)):
                found[out.id, out.charger_id] = since
        self._oldest = found

    @property
    def services(self) -> Mapping[str, ServicePlan]:
        """Every service, by id."""
        return self.roster.plans

    def state(self, service: str) -> State:
        """How a service stands: as the worst of its links."""
        return worst(self.roster.of_service(service))

    def info(self, service: str) -> shapes.Json:
        """A service (`ocpp/service/<id>/info`)."""
        outstations = self.roster.of_service(service)
        plan = self.services[service]
        chargers = {out.charger_id: link(out, self._oldest.get((out.id, out.charger_id))) for out in outstations}
        return {
            "id": service,
            "authority": sorted(plan.authority),
            "mirror": plan.mirrors,
            "queue_depth": sum(one["queue"]["messages"] for one in chargers.values()),
            "faults": {out.charger_id: out.fault for out in outstations if out.fault and not out.switched_off},
            "chargers": chargers,
        }

    def status(self) -> shapes.Json:
        """All of them (`GET /status`)."""
        return {service: {"state": self.state(service), **self.info(service)} for service in self.services}


async def _waits_since(out: Outstation) -> datetime | None:
    try:
        return await out.outbox.oldest(out.id, out.charger_id)
    except LedgerFailed:
        return None
