"""The services, wired: who they are, how they are dialled, what they ask is done by, what waits for them on disk."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.adapters.services.dial import Dialer
from ocpp_mqtt_proxy.adapters.services.trial import try_out
from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, Result, done, refused
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import BootReported
from ocpp_mqtt_proxy.household import rules_of
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.living import plate_of
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.plan import ServicePlan, plans_of
from ocpp_mqtt_proxy.services.roster import Services
from ocpp_mqtt_proxy.services.views import Overview
from ocpp_mqtt_proxy.turns import Turnstile

BURST = 2 * 1024 * 1024
"""What a service may send at once, in bytes: it has no backlog of days to bring, as a charger may have."""


class ServiceFace:
    """Everything about services. Its `services` are the hub's mirror, and are to be run."""

    def __init__(self, config: Config, arbitration: Arbitration, store: Store, budget: Budget) -> None:
        self._store = store
        self._plans = {plan.id: plan for plan in plans_of(config)}
        turns = Turnstile()
        self.dialer = Dialer(log_frames=config.log.frames, budget=replace(budget, burst=BURST))
        self.services = Services(
            arbitration=arbitration,
            plans=self._plans.values(),
            outbox=store.outbox,
            ways=Ways(self.dialer, obey, lambda out: Courier(out, turns=turns)),
        )
        self.overview = Overview(self.services)

    async def try_out(self, service: str, charger_id: str) -> Outcome:
        """How far a connection to a service comes, step by step; of one that stands already, no boot is sent again."""
        plan = self.services.plans.get(service)
        if plan is None:
            known = ", ".join(sorted(self.services.plans)) or "none"
            return refused(Reason.INVALID, f"no service {service!r}; known: {known}")
        out = next((one for one in self.services.of_service(service) if one.charger_id == charger_id), None)
        if out is None:
            return refused(Reason.UNKNOWN_CHARGER, f"{service} sees no charger {charger_id!r}")
        boot = None if out.link is not None else BootReported(plate_of(out), out.wanted or "unknown")
        offered = (plan.version,) if plan.version is not None else (out.version, *reversed(Version))
        trial = await try_out(self.dialer, plan, charger_id, tuple(dict.fromkeys(offered)), boot)
        result = {**trial.shown(), "connected": out.accepted}
        if trial.ok:
            return Outcome(Result.OK, message="; ".join(trial.lines), result=result)
        return Outcome(Result.REFUSED, Reason.INVALID, trial.lines[-1], result)

    async def change(self, config: Config) -> Outcome:
        """Services as another configuration has them, from now on, by its rules for them; the rest stays as it is.

        Links of services that stay as they were notice nothing. What waits for one that is gone waits on, for a while.
        """
        before, after = self._plans, {plan.id: plan for plan in plans_of(config)}
        both = before.keys() & after.keys()
        told: dict[str, list[str]] = {
            "added": sorted(after.keys() - before.keys()),
            "changed": sorted(one for one in both if self._is_changed(one, after[one], config)),
            "removed": sorted(before.keys() - after.keys()),
        }
        self._plans = after
        self._take_rules(config, gone=told["removed"])
        self._store.outbox.known = frozenset(after)
        await self.services.change(after.values())
        for service in (one for names in told.values() for one in names):
            self.services.arbitration.tell_of(service)
        words = "; ".join(f"{what}: {', '.join(names)}" for what, names in told.items() if names)
        return done(words or "nothing has changed", **told)

    def _is_changed(self, service: str, plan: ServicePlan, config: Config) -> bool:
        now = self.services.arbitration.rules.providers.get(service)
        return self._plans[service] != plan or now != rules_of(config).providers.get(service)

    def _take_rules(self, config: Config, gone: list[str]) -> None:
        arbitration, theirs = self.services.arbitration, rules_of(config).providers
        rest = {one: terms for one, terms in arbitration.rules.providers.items() if one not in gone}
        providers = rest | {one: theirs[one] for one in self._plans}
        arbitration.rules = replace(arbitration.rules, providers=providers)

    async def restore(self) -> None:
        """Go on where we stopped: what services know us and our transactions by. Raises LedgerFailed."""
        self._store.outbox.known = frozenset(self._plans)
        self._store.outbox.on_lost = self.services.lose
        self.services.restore(await self._store.peers(), await self._store.virtuals())
