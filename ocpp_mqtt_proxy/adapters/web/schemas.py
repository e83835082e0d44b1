"""What the API's answers look like, as JSON Schema (OpenAPI 3.1): the shapes of `shapes.py`, in words."""

from __future__ import annotations

from typing import Any

from ocpp_mqtt_proxy.core.audit import HAND_OVER, LIMIT, REVOKE, Cause
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.model import Status
from ocpp_mqtt_proxy.core.peer import Standing
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass, Presence
from ocpp_mqtt_proxy.services.plan import Mirroring
from ocpp_mqtt_proxy.services.ports import Step
from ocpp_mqtt_proxy.services.views import State

Schema = dict[str, Any]

ANYTHING: Schema = {}


def _of(kind: str, about: str = "", **more: Any) -> Schema:  # noqa: ANN401
    return {"type": kind, **({"description": about} if about else {}), **more}


def text(about: str = "", **more: Any) -> Schema:  # noqa: ANN401
    """A text."""
    return _of("string", about, **more)


def whole(about: str = "", **more: Any) -> Schema:  # noqa: ANN401
    """A whole number."""
    return _of("integer", about, **more)


def number(about: str = "") -> Schema:
    """A number."""
    return _of("number", about)


def flag(about: str = "") -> Schema:
    """A yes or no."""
    return _of("boolean", about)


def instant(about: str = "") -> Schema:
    """A time."""
    return text(about or "ISO 8601, UTC", format="date-time")


def one_of(words: Any, about: str = "") -> Schema:  # noqa: ANN401
    """One of some words."""
    return text(about, enum=[str(word) for word in words])


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [schema["type"], "null"]} | choices


def many(schema: Schema, about: str = "") -> Schema:
    """A list."""
    return _of("array", about, items=schema)


def by_key(schema: Schema, about: str) -> Schema:
    """An object with keys that are ids or names."""
    return _of("object", about, additionalProperties=schema)


def thing(about: str, *optional: str, **fields: Schema) -> Schema:
    """An object; every field is always there but the optional ones."""
    required = [name for name in fields if name not in optional]
    return _of("object", about, properties=fields, required=required)


def ref(name: str) -> Schema:
    """A schema of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


_AMOUNTS = by_key(number(), "by currency")
_SUM: dict[str, Schema] = {
    "sessions": whole("how many"),
    "duration_s": whole(),
    "energy_kwh": number(),
    "cost": _AMOUNTS | {"description": "the owner's, by currency"},
    "revenue": _AMOUNTS | {"description": "what providers owe, by currency"},
}

_PART = thing(
    "What one provider had of a session.",
    "currency",
    **{
        "provider": text(),
        "from": instant(),
        "to": maybe(instant("null while it runs")),
        "energy_kwh": number(),
        "revenue": number("what the provider owes"),
        "currency": text("where it is not the session's"),
    },
)

_SESSION = thing(
    "One transaction; a running one has no end yet.",
    "cost_currency",
    session_id=text(),
    charger=text(),
    connector=whole(),
    transaction_id=text("the charger's"),
    provider=text("whose it was when it ended, or is; `owner` for the owner's own"),
    id_tag=maybe(text("the card")),
    started_at=instant(),
    ended_at=maybe(instant("null while it runs")),
    duration_s=whole(),
    meter_start=maybe(whole("Wh")),
    meter_stop=maybe(whole("Wh")),
    energy_kwh=number(),
    cost=number("what the energy cost the owner"),
    revenue=number("what providers owe for it"),
    currency=text(),
    cost_currency=text("where it is not `currency`"),
    reason=maybe(text("why it ended")),
    parts=many(ref("Part"), "who had it when, where it changed hands"),
)

_CONNECTOR: Schema = thing(
    "A connector, live. Beside these, each measurand that it tells: `power` (W), `current` (A), `voltage` (V), `soc` …",
    connector=whole(),
    evse=whole("OCPP 2.x; 0 on 1.6"),
    status=one_of(Status),
    error=text("the charger's error code, or `NoError`"),
    info=text(),
    plugged_in=maybe(flag()),
    charging=flag("a transaction runs that is not paused by us"),
    energy_kwh=maybe(number("the lifetime register")),
    effective_limit=maybe(number("A per phase")),
    limited_by=maybe(text("whose limit that is")),
    limit_verified=maybe(
        flag("the charger is seen to keep to it; false: it gives more; null: nobody knows, or no session runs")
    ),
    session=maybe(ref("Session")),
) | {"additionalProperties": {"type": "number"}}

_CHARGER = thing(
    "A charger, live.",
    id=text(),
    name=text(),
    vendor=text(),
    model=text(),
    serial=text(),
    firmware=text(),
    ocpp_version=maybe(text()),
    connected=flag(),
    connected_since=maybe(instant()),
    address=maybe(text()),
    available=flag("operative"),
    current_limit=number("the owner's ceiling, A"),
    max_current=number("what the installation bears, A"),
    ignores_limits=maybe(
        thing(
            "It gives more than limits that it confirmed; null: not that anybody has seen.",
            since=instant(),
            amps=number("the most that it gave then"),
        )
    ),
    last_heard=maybe(instant()),
    clock_ahead_s=whole("how far its clock is ahead of ours"),
    quirks=many(text(), "what it gets wrong"),
    connectors=many(ref("Connector")),
    traffic=by_key(ANYTHING, "counters of its connection since the program started"),
)

_CLASS = one_of(ControlClass)
_VERDICT = thing(
    "What was decided last.",
    at=instant(),
    provider=text(),
    **{"class": _CLASS},
    verdict=one_of(("granted", "refused")),
    reason=maybe(one_of(Reason, "why not")),
    message=text("the same for people"),
)

_CONTROL = thing(
    "Who controls a charger.",
    mode=text("`auto`: the rules decide; `owner`; or the id of the provider in charge"),
    override=flag("the owner has taken control"),
    holders=thing("who holds a class now", **{str(one): maybe(text()) for one in EXCLUSIVE}),
    limits=by_key(number(), "A, by provider; the smallest binds"),
    presence=one_of(Presence),
    last=maybe(ref("Verdict")),
    last_refusal=maybe(ref("Verdict")),
)

_REFUSAL = thing(
    "A provider's last refusal.",
    at=instant(),
    charger=text(),
    **{"class": _CLASS},
    asked=text("what it wanted: `start`, `set_limit` …"),
    reason=one_of(Reason),
    message=text(),
)

_PROVIDER = thing(
    "A third party that may share the chargers.",
    name=text(),
    connected=flag(),
    enabled=flag("the owner lets it act"),
    classes=by_key(many(_CLASS), "what it holds, by charger"),
    last_refusal=maybe(ref("Refusal")),
)

_SERVICE_LINK = thing(
    "One charger's connection to a service.",
    state=one_of(State),
    connected_since=maybe(instant("since when the service has accepted us")),
    ocpp_version=text("spoken with it, or last"),
    registration=one_of(Standing, "what it made of our last boot"),
    identity=text("what the charger is called there"),
    url=text("without what may be secret in it"),
    fault=maybe(thing("What went wrong last.", step=maybe(one_of(Step, "how far it came")), message=text())),
    queue=thing(
        "What waits for it.",
        messages=whole(),
        oldest=maybe(instant("since when the first of them waits")),
        dropped=whole("never told, since the program started"),
    ),
    clock_skew_s=maybe(whole("how far its clock is ahead of ours")),
    transactions=whole("those it has yet to hear the end of"),
)

_SERVICE = thing(
    "A CSMS that we connect out to.",
    id=text(),
    state=one_of(State, "the worst of its connections"),
    authority=many(_CLASS, "whose answer counts"),
    mirror=one_of(Mirroring, "whose transactions it is told of"),
    queue_depth=whole("messages that wait for it, of all chargers"),
    faults=by_key(text(), "what is wrong, by charger"),
    chargers=by_key(ref("ServiceLink"), "by charger"),
)

_MQTT = thing(
    "The connection to the broker.",
    *("protocol", "lost_since", "waiting", "published", "dropped", "connects"),
    connected=flag(),
    broker=maybe(text()),
    protocol=maybe(text()),
    lost_since=maybe(instant()),
    waiting=whole("messages that wait to be sent"),
    published=whole(),
    dropped=whole(),
    connects=whole(),
)

_SHARE = thing(
    "A charger on a fuse, in A per phase.",
    share=maybe(number("what it is allowed on each connector")),
    wants=flag("whether a car takes what it gets"),
    reserved=number("what it may draw, whatever happens to it"),
    online=flag(),
    confirmed=flag("whether it has what it was asked for"),
)

_GROUP = thing(
    "One fuse for several chargers, in A per phase.",
    max_current=number("what it bears"),
    house=maybe(number("what the house is taken to draw beside; null where nobody knows")),
    house_fresh=maybe(flag("whether its feed tells what is so now; null without a feed")),
    available=number("for the chargers"),
    reserved=number("what the chargers may draw together"),
    overbooked=flag("whether what they fall back to without a connection is together more than it bears"),
    chargers=by_key(ref("Share"), "by id"),
)

_STATUS = thing(
    "Everything live.",
    version=text(),
    started_at=instant(),
    chargers=by_key(ref("Charger"), "by id"),
    waiting=many(
        thing("A charger that waits for a click.", charger=text(), address=text(), at=instant()),
        "chargers that nobody knows yet",
    ),
    control=by_key(ref("Control"), "by charger"),
    providers=by_key(ref("Provider"), "by id"),
    services=by_key(ref("Service"), "by id"),
    groups=by_key(ref("Group"), "by id"),
    presence=one_of(Presence, "whether somebody is at home, as the feed tells; unknown without one"),
    mqtt=ref("Mqtt"),
)

_CHARGED = thing(
    "What one provider had of one session.",
    **{
        "session_id": text(),
        "charger": text(),
        "connector": whole(),
        "from": instant(),
        "to": maybe(instant()),
        "duration_s": whole(),
        "meter_start": maybe(number("Wh")),
        "meter_stop": maybe(number("Wh")),
        "energy_kwh": number(),
        "price_per_kwh": maybe(number("what a kWh cost the owner, on average")),
        "cost": number(),
        "cost_currency": text(),
        "revenue": number(),
        "currency": text(),
    },
)

_CARD = thing(
    "What was charged with one card.", id_tag=maybe(text()), name=text(), **_SUM, charged=many(ref("Charged"))
)

_REPORT = thing(
    "A month's sessions by provider and card, with sums.",
    month=text(),
    **_SUM,
    providers=many(
        thing("A provider's share of the month.", provider=text(), **_SUM, cards=many(ref("Card"))),
    ),
)

_TOTAL = thing(
    "Sessions added up. One of `provider`, `tag` and `month` is there: what was asked by.",
    *("provider", "tag", "month"),
    provider=maybe(text()),
    tag=maybe(text()),
    month=maybe(text()),
    **_SUM,
)

_DECISION = thing(
    "One decision of the arbiter, as it is in the audit log.",
    number=whole("rises by one"),
    at=instant(),
    charger=text(),
    provider=text(),
    **{"class": _CLASS},
    asked=text(
        f"`start`, `set_limit` …; `{HAND_OVER}` by the owner; `{REVOKE}` where a class was taken away; "
        f"`{LIMIT}` where another limit binds, of `provider`, or was seen to be kept to or not"
    ),
    verdict=one_of(("granted", "refused", "revoked", "limited")),
    reason=maybe(text(f"why it was refused, or what ended the holding; of a limit one of {', '.join(Cause)}")),
    message=text("the same for people"),
    inputs=by_key(ANYTHING, "what the rules looked at; of a limit `from` and `to` (A), and what each allowed"),
)

_PLAN = thing(
    "What will flow at most, as it stands now.",
    **{
        "from": instant(),
        "until": instant("as far as was asked, or, where there are too many steps, as far as those told reach"),
        "unit": text("always `A`: per phase"),
        "steps": many(
            thing("Until the next step.", at=instant(), amps=number(), by=text("whose limit that is")),
            "in order, the first at once",
        ),
    },
)

SCHEMAS: dict[str, Schema] = {
    "Plan": _PLAN,
    "Status": _STATUS,
    "Charger": _CHARGER,
    "Connector": _CONNECTOR,
    "Control": _CONTROL,
    "Verdict": _VERDICT,
    "Provider": _PROVIDER,
    "Refusal": _REFUSAL,
    "Service": _SERVICE,
    "Group": _GROUP,
    "Share": _SHARE,
    "ServiceLink": _SERVICE_LINK,
    "Mqtt": _MQTT,
    "Session": _SESSION,
    "Part": _PART,
    "Sessions": thing(
        "A page of sessions, newest first.",
        sessions=many(ref("Session")),
        next=maybe(text("the cursor of the next page")),
    ),
    "Total": _TOTAL,
    "Totals": thing(
        "Totals.",
        by=one_of(("provider", "tag", "month")),
        totals=many(ref("Total")),
        complete=flag("all sessions are in them; false while old ones are still being added"),
    ),
    "Report": _REPORT,
    "Card": _CARD,
    "Charged": _CHARGED,
    "Decision": _DECISION,
    "Decisions": thing(
        "A page of decisions, newest first.",
        decisions=many(ref("Decision")),
        next=maybe(whole("`before` of the next page")),
    ),
    "Overridden": thing(
        "What became of it.",
        success=flag(),
        owner=maybe(text("who holds transactions now: `none`, `owner` or a provider")),
        reason=maybe(one_of(Reason, "why not")),
        message=text("the same for people"),
    ),
    "Tried": thing(
        "How far it came.",
        success=flag(),
        reason=maybe(one_of(Reason)),
        message=text("for people"),
        connected=flag("the charger is connected there anyway"),
        steps=many(
            thing("One step.", step=one_of(Step), ok=flag(), message=text("what was found, or what is wrong")),
            "in order, up to the first that failed",
        ),
    ),
    "Accepted": thing("It may connect.", success=flag()),
    "Health": thing("How it is.", status=one_of(("ok", "unhealthy")), reasons=many(text())),
    "Error": thing("What was wrong.", detail=text("for people")),
}
