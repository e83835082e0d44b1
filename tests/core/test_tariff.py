from __future__ import annotations

from decimal import Decimal

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import WattHours
from ocpp_mqtt_proxy.core.tariff import Tariff

TARIFF = Tariff("EUR", Decimal("0.30"))


def test_energy_costs_its_price_to_the_last_digit() -> None:
    assert TARIFF.price(WattHours(1234.5)) == Decimal("0.37035")


def test_without_a_price_energy_is_free() -> None:
    assert Tariff().price(WattHours(50_000)) == 0


@given(st.lists(st.integers(0, 100_000), max_size=50))
def test_parts_cost_what_the_whole_costs(parts: list[int]) -> None:
    whole = TARIFF.price(WattHours(sum(parts)))
    assert sum((TARIFF.price(WattHours(part)) for part in parts), Decimal(0)) == whole
