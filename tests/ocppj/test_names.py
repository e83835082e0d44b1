"""OCPP's words and ours."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.ocppj import names


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("Idle", "idle"), ("UnknownVendorId", "unknown_vendor_id"), ("EVDetected", "ev_detected"), ("SOCLimitReached", "soc_limit_reached"),
        ("UploadFailed", "upload_failed"), ("TxStartPoint1Reached", "tx_start_point1_reached"), ("", ""),
    ],
)  # fmt: skip
def test_snake(word: str, ours: str) -> None:
    assert names.snake(word) == ours


@pytest.mark.parametrize(
    "word", ["Idle", "UnknownVendorId", "InstallVerificationFailed", "AcceptedCanceled", "Expired", ""]
)
def test_a_word_without_an_abbreviation_comes_back(word: str) -> None:
    assert names.pascal(names.snake(word)) == word
