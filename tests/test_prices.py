"""What the configuration says of prices, in the domain's words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.tariff import Tariff
from ocpp_mqtt_proxy.household import plan_of, prices_of

BERLIN = ZoneInfo("Europe/Berlin")


def a_config(**given: Any) -> Config:
    return Config.model_validate({"timezone": "Europe/Berlin", **given})


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 14, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def test_what_a_kilowatt_hour_costs_the_owner_is_as_configured() -> None:
    prices = prices_of(a_config(tariff={"currency": "CHF", "price_per_kwh": 0.27}))
    assert prices.owner == Tariff("CHF", Decimal("0.27"))


def test_a_provider_pays_by_its_own_tariff_in_local_time() -> None:
    tariff = {
        "currency": "EUR",
        "price_per_kwh": 0.32,
        "price_per_hour": 0.5,
        "session_fee": 1,
        "periods": [{"from": "22:00", "to": "06:00", "price_per_kwh": 0.18}],
    }
    night = prices_of(a_config(providers=[{"id": "night", "tariff": tariff}])).of("night")
    assert (night.currency, night.price_per_hour, night.session_fee) == ("EUR", Decimal("0.5"), Decimal(1))
    assert [night.price_at(at(hour)) for hour in (21, 22, 5, 6)] == [
        Decimal(price) for price in ("0.32", "0.18", "0.18", "0.32")
    ]


def test_a_period_may_end_at_24() -> None:
    tariff = {"price_per_kwh": 0.3, "periods": [{"from": "18:00", "to": "24:00", "price_per_kwh": 0.4}]}
    evening = prices_of(a_config(providers=[{"id": "evening", "tariff": tariff}])).of("evening")
    assert [evening.price_at(at(*clock)) for clock in ((17, 59), (23, 59), (0, 0))] == [
        Decimal(price) for price in ("0.3", "0.4", "0.3")
    ]


def test_a_provider_without_a_tariff_pays_nothing() -> None:
    prices = prices_of(a_config(providers=[{"id": "free"}], tariff={"currency": "CHF"}))
    assert prices.of("free") == Tariff("CHF")


def test_all_chargers_are_priced_by_the_same_prices() -> None:
    config = a_config(chargers=[{"id": "CP1"}, {"id": "CP2"}])
    prices = prices_of(config)
    assert all(plan_of(config.charger(one), config, prices).prices is prices for one in ("CP1", "CP2", "CP3"))


def test_a_charger_has_prices_though_nobody_shares_any() -> None:
    config = a_config(tariff={"price_per_kwh": 0.5})
    assert plan_of(None, config).prices.owner.price_per_kwh == Decimal("0.5")
