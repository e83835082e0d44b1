"""Who controls, and what was decided, as rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Row
from typing import Any

import orjson

from ocpp_mqtt_proxy.adapters.store.cards import cards_document, cards_of
from ocpp_mqtt_proxy.adapters.store.plans import plan_document, plan_of
from ocpp_mqtt_proxy.core.audit import REVOKE, Decided
from ocpp_mqtt_proxy.core.control import Control, Holding, Limit, Reservation, Verdict
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.sharing import ControlClass

CONTROL_COLUMNS = ("charger", "document")
DISABLED = "disabled_providers"
"""The key of whom the owner switched off."""

MOST = 100_000
"""Decisions kept at most: some 30 MB."""

DECISION_COLUMNS = ("at", "charger", "provider", "class", "subject", "granted", "reason", "message", "inputs")


def control_row(control: Control) -> tuple[object, ...]:
    """Who controls a charger. Rate limits begin anew after a restart."""
    document = {
        "mode": control.mode,
        "holders": {
            str(c): {"provider": h.provider, "since": h.since.isoformat(), "used_at": h.used_at.isoformat()}
            for c, h in control.holders.items()
        },
        "limits": {
            provider: {
                "amps": one.amps,
                "connector": one.connector,
                "until": one.until and one.until.isoformat(),
                "eased": one.eased,
            }
            for provider, one in control.limits.items()
        },
        "plans": {provider: plan_document(plan) for provider, plan in control.plans.items()},
        "reservations": {
            str(number): {"provider": one.provider, "until": one.until.isoformat()}
            for number, one in control.reservations.items()
        },
        "cards": cards_document(control.cards),
        "last": control.last and _verdict_document(control.last),
        "refusal": control.refusal and _verdict_document(control.refusal),
    }
    return control.charger, orjson.dumps(document).decode()


def _verdict_document(verdict: Verdict) -> dict[str, object]:
    return {
        "at": verdict.at.isoformat(),
        "provider": verdict.provider,
        "class": verdict.control_class,
        "granted": verdict.granted,
        "reason": verdict.reason,
        "message": verdict.message,
    }


def control(row: Row) -> Control:
    """Who controlled a charger when that was last written."""
    document = orjson.loads(row["document"])
    return Control(
        charger=row["charger"],
        mode=str(document["mode"]),
        holders={ControlClass(name): _holding(held) for name, held in document["holders"].items()},
        limits={provider: _limit(limit) for provider, limit in document["limits"].items()},
        plans={provider: plan_of(given) for provider, given in document.get("plans", {}).items()},
        reservations={
            int(number): Reservation(one["provider"], _time(one["until"]))
            for number, one in document["reservations"].items()
        },
        cards=cards_of(document.get("cards", [])),
        last=_verdict(document["last"]) if document["last"] else None,
        refusal=_verdict(document["refusal"]) if document.get("refusal") else None,
    )


def _holding(held: Mapping[str, Any]) -> Holding:
    return Holding(held["provider"], _time(held["since"]), _time(held["used_at"]))


def _limit(limit: Mapping[str, Any]) -> Limit:
    until = limit["until"]
    return Limit(
        Amps(float(limit["amps"])), int(limit["connector"]), _time(until) if until else None, bool(limit["eased"])
    )


def _verdict(last: Mapping[str, Any]) -> Verdict:
    return Verdict(
        at=_time(last["at"]),
        provider=last["provider"],
        control_class=ControlClass(last["class"]),
        granted=bool(last["granted"]),
        reason=last["reason"],
        message=last["message"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def decision_row(decided: Decided, at: str) -> tuple[object, ...]:
    """A decision; `at` as the store writes times."""
    return (
        at,
        decided.charger,
        decided.provider,
        str(decided.control_class),
        decided.subject,
        int(decided.granted),
        decided.reason,
        decided.message,
        orjson.dumps(decided.inputs, default=str).decode(),
    )


def numbered_decision(row: Row) -> tuple[int, Decided]:
    """A decision that was remembered, with its number."""
    return int(row["number"]), decision(row)


def decision(row: Row) -> Decided:
    """A decision that was remembered."""
    return Decided(
        at=_time(row["at"]),
        charger=row["charger"],
        provider=row["provider"],
        control_class=ControlClass(row["class"]),
        subject=row["subject"],
        granted=bool(row["granted"]),
        reason=row["reason"],
        message=row["message"],
        inputs=orjson.loads(row["inputs"]),
    )


def select_decisions(charger: str, provider: str, before: int, limit: int, asked: str = "") -> tuple[str, list[object]]:
    """A query for decisions, newest first, with its values."""
    wanted = {"charger = ?": charger, "provider = ?": provider, "subject = ?": asked, "number < ?": before}
    conditions = [condition for condition, value in wanted.items() if value]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    values: list[object] = [value for value in wanted.values() if value]
    return f"SELECT * FROM decision{where} ORDER BY number DESC LIMIT ?", [*values, limit]  # noqa: S608 (our own words)


LAST_REFUSALS = f"""
    SELECT * FROM decision WHERE number IN (
        SELECT max(number) FROM decision WHERE NOT granted AND subject <> '{REVOKE}' GROUP BY provider
    )
"""  # noqa: S608 (our own word)


def pruning(before: str) -> list[tuple[str, tuple[object, ...]]]:
    """Statements that drop decisions of before a time, and all but the last."""
    return [
        ("DELETE FROM decision WHERE at < ?", (before,)),
        ("DELETE FROM decision WHERE number <= (SELECT max(number) FROM decision) - ?", (MOST,)),
    ]
