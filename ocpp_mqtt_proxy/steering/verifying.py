"""Where nothing that a charger tells shows whether it keeps to a lower limit, it is asked for its composite schedule.

Once for each limit that lowers, after some calm, and never again of one that does not answer: what limits comes first.
A charger that ignores its limits is said to.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core import obedience
from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Outcome, Reason, TellSchedule
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import Fact, LimitsIgnored, LimitsObeyed
from ocpp_mqtt_proxy.core.limits.profile import VOLTS
from ocpp_mqtt_proxy.core.model import Amps, Target
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.verifying import Check
from ocpp_mqtt_proxy.hub import Hub

log = logging.getLogger(__name__)

WATCHED = (LimitsIgnored, LimitsObeyed)
"""What is said in the log."""

LOOK_SECONDS = 5.0
"""How often it is looked whom to ask."""

PATIENCE = timedelta(seconds=30)
"""How long readings have to show by themselves that a limit is kept to."""

AHEAD = 60
"""For how many seconds a schedule is asked for; the first of them counts."""

OFFERED = "current_offered"

NEVER = (Reason.NOT_SUPPORTED, Reason.CHARGER_REJECTED, Reason.TIMEOUT, Reason.INVALID)
"""Answers after which there is no use in asking again."""


class Verifying:
    """Asks chargers for their schedules, one question to each at a time."""

    def __init__(self, hub: Hub, mailbox: Mailbox) -> None:
        self._hub = hub
        self._mailbox = mailbox
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look whom to ask, and say who ignores limits, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(loop.time() + LOOK_SECONDS):
                    while True:
                        for fact in await self._mailbox.take():
                            _say(fact)
            self.look()

    def look(self) -> None:
        """Ask whom there is to ask."""
        for station in self._hub.stations.values():
            if station.tells_schedule and station.id in self._hub.links and station.id not in self._asking:
                self._look_at(station)

    def _look_at(self, station: Station) -> None:
        for connector in station.ordered():
            check = connector.check
            if check is not None and self._is_due(station, check):
                check.asked = True
                task = asyncio.create_task(self.ask(station, connector, check), name=f"schedule of {station.id}")
                self._asking[station.id] = task
                task.add_done_callback(lambda done_: self._asked(station, done_))
                return

    def _is_due(self, station: Station, check: Check) -> bool:
        """Whether a lower limit is neither known to be kept to nor likely to be seen, for want of an offer."""
        waited = self._hub.clock.now() - check.since >= PATIENCE
        silent = OFFERED not in station.memory.measurands
        return check.lowers and check.verified is None and not check.asked and waited and silent

    async def ask(self, station: Station, connector: Connector, check: Check) -> None:
        """Ask a charger what limits a connector; not where another limit came before the question could go."""
        link = self._hub.links.get(station.id)
        if link is None:
            return
        outcome = await link.send(
            _question(station, connector), lambda: connector.check is check and check.verified is None
        )
        amps = _told(station, outcome)
        if amps is not None:
            self._hub.apply(station, lambda hearing: obedience.scheduled(hearing, connector, check, amps))
        elif _never_tells(outcome):
            station.tells_schedule = False

    def _asked(self, station: Station, task: asyncio.Task[None]) -> None:
        del self._asking[station.id]
        if not task.cancelled() and (fault := task.exception()):
            log.error("%s: it could not be asked what limits it", station.id, exc_info=fault)


def _question(station: Station, connector: Connector) -> TellSchedule:
    form = station.memory.session_form or station.memory.form
    in_watts = form.in_watts if form is not None else not station.takes_amps
    return TellSchedule(Target(connector.number, connector.place), AHEAD, in_watts)


def _told(station: Station, outcome: Outcome) -> Amps | None:
    """What the charger says that limits it at once, in A per phase."""
    periods, phases = outcome.result.get("periods"), outcome.result.get("phases", station.plan.phases)
    if not isinstance(periods, list) or not isinstance(phases, int) or periods[0][0] != 0:
        return None
    limit = float(periods[0][1])
    return Amps(limit / (VOLTS * phases) if outcome.result["in_watts"] else limit)


def _never_tells(outcome: Outcome) -> bool:
    """Whether there is no use in asking again."""
    return outcome is not WITHDRAWN and outcome.reason in NEVER


def _say(fact: Fact) -> None:
    if isinstance(fact, LimitsIgnored):
        what = "%s: ignores limits: it confirmed %g A for connector %d and gives %.1f A"
        log.warning(what, fact.charger, fact.effective, fact.connector, fact.gives)
    else:
        log.info("%s: keeps to its limits again", fact.charger)
