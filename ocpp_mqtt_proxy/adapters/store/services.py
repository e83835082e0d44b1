"""What services wait for, and what is remembered of them, as rows and back.

Documents are JSON of the objects' own fields, defaults left out: one of an older program lacks some, one of a newer
has more, and both can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any

from pydantic import TypeAdapter

from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.outgoing import Outgoing, Told
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.reports import Phase, SecurityReported, TransactionReported
from ocpp_mqtt_proxy.core.virtual import Virtual

OUTGOING_COLUMNS = ("number", "service", "charger", "session_id", "kind", "heard_at", "form", "message")
SHARED_COLUMNS = ("service", "charger", "written_on", "document")
"""Of what is kept once per service and charger."""

DELIVERED = "DELETE FROM outgoing WHERE number = ?"
"""The SQL that takes a message out of its queue."""

FORM = 1
"""How messages are written today."""

READING, SECURITY = "reading", "security"
"""Kinds of messages: those that a queue which is too long may lose, and those of no transaction."""


def kind_of(told: Told) -> str:
    """What sort of message it is: its phase, but for what may be left out where there is too much (E04.FR.07).

    A card that is shown in mid-transaction is not told again with its end.
    """
    if isinstance(told, SecurityReported):
        return SECURITY
    return READING if told.phase is Phase.UPDATED and told.token is None else told.phase


def outgoing_row(outgoing: Outgoing, heard_at: str) -> tuple[object, ...]:
    """A message that waits; `heard_at` as the store writes times."""
    return (
        outgoing.number,
        outgoing.service,
        outgoing.charger,
        outgoing.session_id,
        kind_of(outgoing.told),
        heard_at,
        FORM,
        outgoing.document or _document(outgoing.told),
    )


def documented(changes: Iterable[Change]) -> Iterator[None]:
    """Find how messages are written down, one at a time: chargers wait for no more. Services often hear the same."""
    before: Outgoing | None = None
    for message in changes:
        if not isinstance(message, Outgoing):
            continue
        if before is not None and before.told == message.told:
            message.document = before.document
            continue
        with suppress(ValueError, TypeError):  # what cannot be written at all is said when it should be
            message.document = _document(message.told)
        before = message
        yield


def outgoing(row: Row) -> Outgoing:
    """A message that waits."""
    if row["form"] != FORM:
        raise ValueError(f"form {row['form']} is not known")
    told: type[Told] = SecurityReported if row["kind"] == SECURITY else TransactionReported
    return Outgoing(
        service=row["service"],
        charger=row["charger"],
        number=row["number"],
        heard_at=datetime.fromisoformat(row["heard_at"]),
        told=_form(told).validate_json(row["message"]),
        session_id=row["session_id"],
    )


def shared_row(shared: Peer | Virtual) -> tuple[object, ...]:
    """What is kept once per service and charger."""
    return shared.service, shared.charger, datetime.now(UTC).date().isoformat(), _document(shared)


def peer(row: Row) -> Peer:
    """What we had in common with a service when that was last written."""
    found: Peer = _form(Peer).validate_json(row["document"])
    return found


def virtual(row: Row) -> Virtual:
    """What a service had set when that was last written."""
    found: Virtual = _form(Virtual).validate_json(row["document"])
    return found


def _document(written: Told | Peer | Virtual) -> str:
    return _form(type(written)).dump_json(written, exclude_defaults=True, warnings=False).decode()


def _form(kind: type[Any]) -> TypeAdapter[Any]:
    """How objects of a kind are written; made when the first is."""
    if kind not in _FORMS:
        _FORMS[kind] = TypeAdapter(kind)
    return _FORMS[kind]


_FORMS: dict[type[Any], TypeAdapter[Any]] = {}
