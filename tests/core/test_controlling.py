"""What follows for control when a session of a provider begins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.connector import Promise
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, Place, WattHours
from ocpp_mqtt_proxy.core.reports import Phase, TransactionReported
from ocpp_mqtt_proxy.core.sharing import ControlClass
from tests.core.yard import ONE, TWO, Yard

TRANSACTIONS = ControlClass.TRANSACTIONS


def begin(yard: Yard, provider: str, place: Place = ONE) -> None:
    """A session begins that a provider started from afar."""
    connector = yard.station.at(place)
    assert connector is not None
    connector.promised = Promise("card", yard.now + timedelta(minutes=1), provider)
    yard.hear(
        TransactionReported(
            Phase.STARTED, None, yard.now, place=connector.place, token=IdToken("CARD"), meter_start=WattHours(0)
        )
    )


@pytest.mark.parametrize(("mode", "holder"), [(AUTO, "fleet"), ("fleet", "fleet"), (OWNER, None), ("night", None)])
def test_who_starts_a_session_holds_transactions_unless_another_is_in_charge(mode: str, holder: str | None) -> None:
    yard = Yard()
    yard.station.control.mode = mode
    begin(yard, "fleet")
    (session,) = yard.station.sessions()
    assert session.provider == "fleet"
    assert yard.station.control.holder(TRANSACTIONS) == holder


def test_a_session_beside_another_s_takes_nothing_from_it() -> None:
    yard = Yard()
    begin(yard, "fleet")
    begin(yard, "night", TWO)
    assert yard.station.control.holder(TRANSACTIONS) == "fleet"
