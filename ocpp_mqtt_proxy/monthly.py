"""A month's sessions by provider and card, with sums: enough for an employer to pay back what was charged at home.

A session belongs to the month in which it began, by local time, once it is over. One that changed hands is there for
each of its providers, with what was theirs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from html import escape

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.bill import Line, Sum, lines
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.exports import line as csv_line, safe

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class BadMonth(ProxyError):
    """A month that is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one provider had of one session."""

    session: Session
    line: Line

    @property
    def price(self) -> float | None:
        """What a kWh cost the owner, in hundredths."""
        return self.line.cost / self.line.energy * 1000 if self.line.energy else None


@dataclass(slots=True)
class Card:
    """What was charged with one card, of one provider, in order."""

    tag: str
    name: str
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Month:
    """A month by provider and card."""

    month: str
    zone: tzinfo
    providers: dict[str, dict[str, Card]] = field(default_factory=dict)

    def entries(self) -> Iterator[Entry]:
        """All entries."""
        for cards in self.providers.values():
            for card in cards.values():
                yield from card.entries


def bounds(month: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """When a month begins, and the next. Raises BadMonth."""
    if not _MONTH.fullmatch(month) or not "1970" <= month < "9999":
        raise BadMonth(f"{month!r} is no month; allowed: 2026-01")
    year, number = int(month[:4]), int(month[5:])
    following = (year + number // 12, number % 12 + 1)
    since, until = (datetime(*first, 1, tzinfo=zone).astimezone(UTC) for first in ((year, number), following))
    return since, until


async def collect(month: str, zone: tzinfo, sessions: AsyncIterable[Session], names: Mapping[str, str]) -> Month:
    """A month of its sessions, which come newest first. `names` are of cards, by their tags in small letters."""
    found = [session async for session in sessions if not session.running]
    report = Month(month, zone)
    for session in reversed(found):
        for line in lines(session, session.ended_at or session.started_at):
            tag = session.id_tag or ""
            cards = report.providers.setdefault(line.provider, {})
            card = cards.setdefault(tag.lower(), Card(tag, names.get(tag.lower(), "")))
            card.entries.append(Entry(session, line))
    report.providers = {name: dict(sorted(cards.items())) for name, cards in sorted(report.providers.items())}
    return report


def sum_of(key: str, entries: Iterable[Entry]) -> Sum:
    """Entries added up; a session counts once."""
    total, seen = Sum(key), set()
    for entry in entries:
        line = entry.line
        seen.add(entry.session.session_id)
        total.seconds += line.seconds
        total.energy += line.energy
        total.cost[line.cost_currency] += line.cost
        total.revenue[line.currency] += line.revenue
    total.sessions = len(seen)
    return total


def of_cards(cards: Mapping[str, Card]) -> list[Entry]:
    """All that was charged with some cards."""
    return [entry for card in cards.values() for entry in card.entries]


# JSON


def as_json(report: Month) -> shapes.Json:
    """The whole of it."""
    return {
        "month": report.month,
        **shapes.total(sum_of(report.month, report.entries())),
        "providers": [
            {
                "provider": provider,
                **shapes.total(sum_of(provider, of_cards(cards))),
                "cards": [_card(card) for card in cards.values()],
            }
            for provider, cards in report.providers.items()
        ],
    }


def summary(report: Month) -> shapes.Json:
    """Without the sessions and the cards: nothing of it is secret."""
    sums = {name: shapes.total(sum_of(name, of_cards(cards))) for name, cards in report.providers.items()}
    return {"month": report.month, **shapes.total(sum_of("", report.entries())), "providers": sums}


def _card(card: Card) -> shapes.Json:
    shown = {"id_tag": card.tag or None, "name": card.name, **shapes.total(sum_of(card.tag, card.entries))}
    return shown | {"charged": [_entry(entry) for entry in card.entries]}


def _entry(entry: Entry) -> shapes.Json:
    session, line = entry.session, entry.line
    return {
        "session_id": session.session_id,
        "charger": session.charger,
        "connector": session.connector,
        "from": shapes.time(line.since),
        "to": shapes.time(line.until),
        "duration_s": line.seconds,
        "meter_start": session.meter_start,
        "meter_stop": session.meter_stop,
        "energy_kwh": line.energy / 1000,
        "price_per_kwh": None if entry.price is None else round(entry.price / 100, 4),
        "cost": line.cost / 100,
        "cost_currency": line.cost_currency,
        "revenue": line.revenue / 100,
        "currency": line.currency,
    }


# CSV

COLUMNS = (
    "row", "provider", "id_tag", "name", "session_id", "charger", "from", "to", "duration_s", "meter_start",
    "meter_stop", "energy_kwh", "price_per_kwh", "cost", "cost_currency", "revenue", "currency",
)  # fmt: skip
"""`row` is `session`, or the sum of a `card`, a `provider` or the `month`: one for each currency."""


def as_csv(report: Month) -> Iterator[str]:
    """A line for each session, and for each sum."""
    yield csv_line(COLUMNS)
    for provider, cards in report.providers.items():
        for card in cards.values():
            about = {"provider": provider, "id_tag": card.tag, "name": card.name}
            for entry in card.entries:
                yield _csv_entry(report, about, entry)
            yield from _csv_sums("card", about, card.entries)
        yield from _csv_sums("provider", {"provider": provider}, of_cards(cards))
    yield from _csv_sums("month", {}, list(report.entries()))


def _csv_entry(report: Month, about: Mapping[str, str], entry: Entry) -> str:
    shown = _entry(entry) | {name: _local(at, report.zone) for name, at in _span(entry).items()}
    return _row({"row": "session", **about, **shown})


def _span(entry: Entry) -> dict[str, datetime | None]:
    return {"from": entry.line.since, "to": entry.line.until}


def _csv_sums(row: str, about: Mapping[str, str], entries: list[Entry]) -> Iterator[str]:
    for (cost_currency, currency), some in _by_currencies(entries):
        total = sum_of("", some)
        figures = {"duration_s": total.seconds, "energy_kwh": total.energy / 1000}
        money = {"cost": total.cost[cost_currency] / 100, "revenue": total.revenue[currency] / 100}
        yield _row({"row": row, **about, **figures, **money, "cost_currency": cost_currency, "currency": currency})


def _by_currencies(entries: list[Entry]) -> list[tuple[tuple[str, str], list[Entry]]]:
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.line.cost_currency, entry.line.currency), []).append(entry)
    return sorted(found.items())


def _row(values: Mapping[str, object]) -> str:
    money = ("cost", "revenue")
    return csv_line(f"{values[c]:.2f}" if c in money else safe(values.get(c)) for c in COLUMNS)


def _local(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


# For the printer


def as_html(report: Month) -> Iterator[str]:
    """A page that needs nothing beside itself."""
    yield _HEAD.format(month=escape(report.month))
    for provider, cards in report.providers.items():
        yield f"<h2>{escape(provider)}</h2>\n"
        for card in cards.values():
            yield from _html_card(report, card)
        yield _html_sum(f"All of {provider}", of_cards(cards))
    yield _html_sum(f"All of {report.month}", list(report.entries()))
    yield "</body></html>\n"


def _html_card(report: Month, card: Card) -> Iterator[str]:
    title = f"{card.name} ({card.tag})" if card.name else card.tag or "without a card"
    yield f"<h3>{escape(title)}</h3>\n<table><thead><tr>"
    yield "".join(f"<th>{name}</th>" for name in ("From", "To", "Charger", "kWh", "Price/kWh", "Cost", "Revenue"))
    yield "</tr></thead><tbody>\n"
    for entry in card.entries:
        line = entry.line
        price = "" if entry.price is None else f"{entry.price / 100:.4f}"
        cells = (
            *(_local(line.since, report.zone), _local(line.until, report.zone), entry.session.charger),
            *(f"{line.energy / 1000:.3f}", price),
            *(_money(line.cost, line.cost_currency), _money(line.revenue, line.currency)),
        )
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
    yield f"</tbody></table>\n{_html_sum('Sum', card.entries)}"


def _html_sum(title: str, entries: list[Entry]) -> str:
    total = sum_of("", entries)
    cost, revenue = (
        ", ".join(_money(amount, currency) for currency, amount in sorted(money.items())) or "none"
        for money in (total.cost, total.revenue)
    )
    sessions = f"{total.sessions} session{'' if total.sessions == 1 else 's'}"
    figures = f"{sessions}, {total.energy / 1000:.3f} kWh, cost {cost}, revenue {revenue}"
    return f'<p class="sum"><b>{escape(title)}:</b> {escape(figures)}</p>\n'


def _money(amount: int, currency: str) -> str:
    return f"{amount / 100:.2f} {currency}"


_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Charging in {month}</title><style>
body {{ font: 11pt/1.4 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .2em .6em; border-bottom: 1px solid #ccc; text-align: right; white-space: nowrap }}
th:nth-child(-n+3), td:nth-child(-n+3) {{ text-align: left }}
td:nth-child(3) {{ white-space: normal; overflow-wrap: anywhere }}
thead {{ display: table-header-group }} tr, .sum {{ break-inside: avoid }} h2, h3 {{ break-after: avoid }}
</style></head><body>
<h1>Charging in {month}</h1>
"""
