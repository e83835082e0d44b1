"""What was decided on cards at a charger, as a document and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ocpp_mqtt_proxy.core.authorization import Cards, Decision, Remembered
from ocpp_mqtt_proxy.core.model import Verdict
from ocpp_mqtt_proxy.core.reports import Authorization


def cards_document(cards: Cards) -> list[dict[str, object]]:
    """Verdicts, the latest last."""
    return [_document(tag, known) for tag, known in cards.known.items()]


def _document(tag: str, known: Remembered) -> dict[str, object]:
    said = known.decision.authorization
    return {
        "tag": tag,
        "verdict": said.verdict,
        "group": said.group,
        "expires": said.expires and said.expires.isoformat(),
        "by": known.decision.by,
        "of_provider": known.decision.of_provider,
        "until": known.until.isoformat(),
    }


def cards_of(documents: Iterable[Mapping[str, Any]]) -> Cards:
    """Verdicts that were written down."""
    return Cards({document["tag"]: _remembered(document) for document in documents})


def _remembered(document: Mapping[str, Any]) -> Remembered:
    expires = document["expires"]
    said = Authorization(
        Verdict(document["verdict"]), document["group"], datetime.fromisoformat(expires) if expires else None
    )
    decision = Decision(said, document["by"], of_provider=document["of_provider"])
    return Remembered(decision, datetime.fromisoformat(document["until"]))
