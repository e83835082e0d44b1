"""Verdicts on cards, written down and read again."""

from __future__ import annotations

from datetime import UTC

import orjson
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.store.cards import cards_document, cards_of
from ocpp_mqtt_proxy.core.authorization import Cards, Decision, Remembered
from ocpp_mqtt_proxy.core.model import Verdict
from ocpp_mqtt_proxy.core.reports import Authorization

times = st.datetimes(timezones=st.just(UTC))
said = st.builds(
    Authorization, st.sampled_from(Verdict), group=st.none() | st.text(min_size=1), expires=st.none() | times
)
decisions = st.builds(Decision, said, st.text(min_size=1), of_provider=st.booleans())
cards = st.builds(Cards, st.dictionaries(st.text(), st.builds(Remembered, decisions, times)))


@given(cards)
def test_what_was_decided_on_cards_is_read_as_it_was_written(decided: Cards) -> None:
    again = cards_of(orjson.loads(orjson.dumps(cards_document(decided))))
    assert again == decided
    assert list(again.known) == list(decided.known)
