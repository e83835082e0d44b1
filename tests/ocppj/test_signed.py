"""What a meter signed goes from one version to the other byte for byte (semantics §8.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import ENERGY, IdToken, Place, Reading, Sample, Signed, Version, WattHours
from ocpp_mqtt_proxy.core.reports import Phase, TransactionReported
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.ocppj.judge import assert_valid

AT = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
OCMF = 'OCMF|{"RD":[{"RV":1.234,"RU":"kWh"}]}|{"SD":" 3045 "} '
TWO = [Version.V201, Version.V21]
BYTES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=2500)

ENDED = TransactionReported(
    Phase.ENDED,
    "7",
    AT,
    place=Place(1, 1),
    token=IdToken("CARD"),
    trigger="remote_stop",
    seq_no=3,
    meter_stop=WattHours(9),
)


def told(version: Version, sample: Sample) -> tuple[Sample, dict[str, object]]:
    """A sample at a transaction's end as a service of a version hears it, and as it stood in the message."""
    dialect = DIALECTS[version]
    [(action, payload)] = dialect.say[TransactionReported].encode(replace(ENDED, samples=(sample,)))
    assert_valid(version, action, payload)
    heard, violation = dialect.decode(action, payload)
    assert violation is None
    assert isinstance(heard, TransactionReported)
    return heard.samples[0], payload


@pytest.mark.parametrize("version", TWO)
@given(data=BYTES)
def test_2x_carries_what_was_signed_beside_its_number(version: Version, data: str) -> None:
    sample = Sample(AT, (Reading(ENERGY, 1234.0, "Wh", signed=Signed(data, "ECDSA", "OCMF", "key ")),))
    assert told(version, sample)[0] == sample


@given(data=BYTES)
def test_16_carries_what_was_signed_alone(data: str) -> None:
    sealed = Reading(ENERGY, 0.0, "Wh", context="Transaction.End", signed=Signed(data))
    assert told(Version.V16, Sample(AT, (), (sealed,)))[0] == Sample(AT, (), (sealed,))


def test_16_carries_what_was_signed_beside_the_number_that_it_is_of() -> None:
    reading = Reading(ENERGY, 1234.0, "Wh", signed=Signed(OCMF, "ECDSA", "OCMF", "key"))
    _, payload = told(Version.V16, Sample(AT, (reading,)))
    number, signed = payload["transactionData"][0]["sampledValue"]  # type: ignore[index] # of this shape in 1.6
    assert (number["value"], number.get("format")) == ("1234", None)
    assert (signed["value"], signed["format"]) == (OCMF, "SignedData")


@pytest.mark.parametrize(("version", "room"), [(Version.V201, 2500), (Version.V21, 32768)])
def test_signed_data_that_has_no_room_is_left_out_whole(version: Version, room: int) -> None:
    fits, bursts = (Reading(ENERGY, 1.0, "Wh", signed=Signed("x" * size)) for size in (room, room + 1))
    assert told(version, Sample(AT, (fits, bursts)))[0].readings == (fits, bursts._replace(signed=None))
