from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core import readings as module
from ocpp_mqtt_proxy.core.model import (
    CURRENT,
    CURRENT_OFFERED,
    ENERGY,
    FREQUENCY,
    POWER,
    POWER_OFFERED,
    SOC,
    TEMPERATURE,
    VOLTAGE,
    Reading,
)
from ocpp_mqtt_proxy.core.readings import FAMILIES, by_line, energy_of, metrics_of, pick, scale_of
from tests.core.yard import energy, power


def phases(measurand: str, **values: float) -> list[Reading]:
    """Readings by phase: `L1=230, L1_N=231, L1_L2=400, total=…`."""
    names = {name: None if name == "total" else name.replace("_", "-") for name in values}
    return [Reading(measurand, value, "", names[name]) for name, value in values.items()]


def register(readings: Sequence[Reading], contexts: frozenset[str] | None = None) -> float | None:
    """The register in plain Wh."""
    return energy_of(readings, contexts)


def metrics(*readings: Reading) -> dict[str, float]:
    return metrics_of(pick(readings))


@pytest.mark.parametrize(
    ("measurand", "value", "unit", "base", "in_base"),
    [
        (ENERGY, 1.5, "kWh", "Wh", 1500),
        (ENERGY, 1500, "Wh", "Wh", 1500),
        (ENERGY, 1500, None, "Wh", 1500),
        (ENERGY, 1500, "", "Wh", 1500),
        (ENERGY, 2, "MWh", "Wh", 2_000_000),
        (ENERGY, 1500, "W", "Wh", 1500),  # a unit of another quantity is a slip of the pen
        ("Energy.Active.Import.Session", 1.5, "kWh", "Wh", 1500),
        ("Energy.Reactive.Export.Interval", 1.5, "kvarh", "varh", 1500),
        ("Energy.Apparent.Net", 1.5, "kVAh", "VAh", 1500),
        (POWER, 3.5, "kW", "W", 3500),
        (POWER, 3.5, "KW", "W", 3500),
        (POWER, 3500, None, "W", 3500),
        (POWER_OFFERED, 11, "kW", "W", 11_000),
        ("Power.Reactive.Import", 0.5, "kvar", "var", 500),
        ("Power.Factor", 0.98, None, "", 0.98),
        (CURRENT, 16, "A", "A", 16),
        (CURRENT, 16, "Amp", "A", 16),
        (CURRENT, 16_000, "mA", "A", 16),
        (CURRENT_OFFERED, 16, "Amps", "A", 16),
        (VOLTAGE, 229.5, "Volt", "V", 229.5),
        (VOLTAGE, 0.23, "kV", "V", 230),
        (FREQUENCY, 50, "Hertz", "Hz", 50),
        (FREQUENCY, 50, "hz", "Hz", 50),
        (SOC, 81, "Percent", "%", 81),
        (SOC, 81, "%", "%", 81),
        (SOC, 81, None, "%", 81),
        (TEMPERATURE, 25, "Celsius", "°C", 25),
        (TEMPERATURE, 25, "Celcius", "°C", 25),
        (TEMPERATURE, 25, None, "°C", 25),
        (TEMPERATURE, 298.15, "K", "°C", 25),
        (TEMPERATURE, 77, "Fahrenheit", "°C", 25),
        ("RPM", 900, None, "rpm", 900),
        ("Vendor.Own", 7, "furlong", "furlong", 7),
        ("Vendor.Own", 7, None, "", 7),
    ],
)
def test_every_spelling_of_a_unit_becomes_the_base_unit(
    measurand: str, value: float, unit: str | None, base: str, in_base: float
) -> None:
    for _ in range(2):  # the second time it is remembered
        scale = scale_of(measurand, unit)
        assert scale.unit == base
        assert scale.apply(value) == pytest.approx(in_base)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_base_unit_stays_as_it_is(family: module.Family) -> None:
    assert family.factors.get(family.base.lower(), 1.0) == 1.0


def test_units_that_chargers_make_up_do_not_fill_the_memory() -> None:
    for number in range(2000):
        assert scale_of(ENERGY, f"unit{number}") == ("Wh", 1, 0)
    info = scale_of.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize


def test_the_total_counts_where_phases_are_given_too() -> None:
    assert metrics(*phases(POWER, total=11_000, L1=3600, L2=3700, L3=3650)) == {
        "power": 11_000,
        "power_l1": 3600,
        "power_l2": 3700,
        "power_l3": 3650,
    }


def test_power_without_a_total_is_the_sum_of_its_phases() -> None:
    assert metrics(*phases(POWER, L1=3600, L2=3700, L3=3650))["power"] == 10_950


def test_power_offered_without_a_total_is_the_sum_of_its_phases() -> None:
    assert metrics(*phases(POWER_OFFERED, L1=3600, L2=3700, L3=3650)) == {"power_offered": 10_950}


def test_the_mean_of_currents_leaves_out_idle_phases() -> None:
    assert metrics(*phases(CURRENT, L1=16, L2=0, L3=0)) == {
        "current": 16,
        "current_l1": 16,
        "current_l2": 0,
        "current_l3": 0,
    }


def test_no_current_on_any_phase_is_no_current() -> None:
    assert metrics(*phases(CURRENT, L1=0, L2=0, L3=0))["current"] == 0


def test_a_current_on_the_neutral_alone_is_the_current() -> None:
    assert metrics(*phases(CURRENT, N=15.6)) == {"current": 15.6}


def test_a_current_on_no_known_phase_is_none() -> None:
    assert metrics(*phases(CURRENT, L7=15.6)) == {}


def test_phases_to_neutral_are_phases() -> None:
    assert metrics(*phases(VOLTAGE, L1_N=230, L2_N=231, L3_N=229)) == {
        "voltage": 230,
        "voltage_l1": 230,
        "voltage_l2": 231,
        "voltage_l3": 229,
    }


def test_a_voltage_between_lines_is_scaled_to_neutral() -> None:
    shown = metrics(*phases(VOLTAGE, L1_L2=400, L2_L3=400, L3_L1=400))
    assert shown == pytest.approx(dict.fromkeys(("voltage", "voltage_l1", "voltage_l2", "voltage_l3"), 400 / sqrt(3)))


def test_voltages_to_neutral_go_before_those_between_lines() -> None:
    assert metrics(*phases(VOLTAGE, L1_N=230, L1_L2=400)) == {"voltage": 230, "voltage_l1": 230}


def test_currents_between_lines_do_not_exist() -> None:
    assert by_line({"L1-L2": 16}) == {}


def test_single_figures_have_names_of_their_own() -> None:
    shown = metrics(
        Reading(SOC, 81, "%"),
        Reading(TEMPERATURE, 25, "°C"),
        Reading(FREQUENCY, 50, "Hz"),
        Reading(CURRENT_OFFERED, 16, "A"),
        Reading("Vendor.Own", 7, ""),
    )
    assert shown == {"soc": 81, "temperature": 25, "frequency": 50, "current_offered": 16}


def test_an_energy_by_phases_alone_is_their_sum() -> None:
    assert register(phases(ENERGY, L1=100, L2=200, L3=300)) == 600


def test_an_energy_on_one_phase_alone_is_the_total() -> None:
    assert register(phases(ENERGY, L1=163_630)) == 163_630


@pytest.mark.parametrize("measurand", [POWER, "Energy.Active.Import.Interval", "Energy.Active.Export.Register"])
def test_only_the_import_register_is_the_energy(measurand: str) -> None:
    assert register([Reading(measurand, 5000, "Wh")]) is None


def test_an_energy_of_nothing_at_all_is_none() -> None:
    assert register([]) is None


@pytest.mark.parametrize("wh", [-1, -2_147_483_648, 1e15])
def test_a_register_that_cannot_be_is_none(wh: float) -> None:
    assert register([energy(wh)]) is None


def test_a_register_at_0_is_a_reading() -> None:
    assert register([energy(0)]) == 0


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("Transaction.End", "Sample.Periodic"),
        ("Sample.Periodic", "Sample.Clock"),
        ("Trigger", "Sample.Clock"),
        ("Sample.Clock", "Other"),
        ("Sample.Periodic", "Transaction.Begin"),
        ("Other", "Interruption.Begin"),
    ],
)
def test_of_two_contexts_the_better_counts_whatever_their_order(better: str, worse: str, order: int) -> None:
    readings = [energy(2000, better), energy(1000, worse)]
    assert register(readings[::order]) == 2000


def test_the_growatt_s_two_registers_are_told_apart() -> None:
    assert register([energy(163_630), energy(157_440, "Transaction.Begin")]) == 163_630


def test_the_beginning_alone_tells_nothing_of_now() -> None:
    begin = [energy(157_440, "Transaction.Begin"), power(5000, context="Transaction.Begin")]
    assert register(begin) is None
    assert metrics(*begin) == {}


def test_the_beginning_is_found_where_it_is_asked_for() -> None:
    readings = [energy(163_630), energy(157_440, "Transaction.Begin")]
    assert register(readings, frozenset({"Transaction.Begin"})) == 157_440
    assert register(readings, frozenset({"Transaction.End"})) is None


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("better", "worse"), [("Outlet", "Inlet"), (None, "Body"), ("Cable", "EV"), ("EV", "Inlet")])
def test_of_two_places_the_nearer_to_the_car_s_cable_counts(better: str | None, worse: str, order: int) -> None:
    readings = [energy(2000, location=better), energy(1000, location=worse)]
    assert register(readings[::order]) == 2000


def test_the_state_of_charge_comes_from_the_car() -> None:
    assert metrics(Reading(SOC, 81, "%", location="EV")) == {"soc": 81}


def test_of_two_equal_readings_the_later_counts() -> None:
    assert register([energy(1000), energy(1010)]) == 1010


any_reading = st.builds(
    Reading,
    st.sampled_from([ENERGY, POWER, CURRENT, VOLTAGE, SOC, POWER_OFFERED, "Vendor.Own"]),
    st.floats(-1e6, 1e6),
    st.just(""),
    st.sampled_from([None, "L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1", "?"]),
    st.sampled_from(["Sample.Periodic", "Sample.Clock", "Trigger", "Transaction.Begin", "Transaction.End", "?"]),
    st.sampled_from([None, "Outlet", "EV", "Inlet", "?"]),
)


@given(st.lists(any_reading, max_size=20))
def test_what_is_shown_lies_within_what_was_read(given_: list[Reading]) -> None:
    for name, value in metrics_of(pick(given_)).items():
        assert abs(value) <= sum(abs(reading.value) for reading in given_) + 1e-6, name
