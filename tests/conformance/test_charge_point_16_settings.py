"""Settings of us, as a 1.6 charge point: the charger's, and over them those of the link, which are its own."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.central import Desk
from tests.conformance.charger import Charger, Payload

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["1.6"], indirect=True, scope="module"),
]


@pytest.fixture(autouse=True)
def configured(box: Charger) -> None:
    """The charger has settings, of which one is its own to set and one takes a restart."""
    box.settings |= {"LocalPreAuthorize": "true", "MinimumStatusDuration": "0", "NumberOfConnectors": "1"}

    def answer(asked: Payload) -> Payload:
        words = {"MinimumStatusDuration": "RebootRequired", "NumberOfConnectors": "Rejected"}
        if asked["key"] not in box.settings:
            return {"status": "NotSupported"}
        return {"status": words.get(asked["key"], "Accepted")}

    box.answers["ChangeConfiguration"] = answer


async def told(desk: Desk, *keys: str) -> tuple[dict[str, str], list[str]]:
    """The keys that are known, with their values, and the others."""
    answer = await desk.ask("GetConfiguration", **({"key": list(keys)} if keys else {}))
    known = {one["key"]: one["value"] for one in answer.get("configurationKey", [])}
    return known, answer.get("unknownKey", [])


async def change(desk: Desk, key: str, value: str) -> str:
    return str((await desk.ask("ChangeConfiguration", key=key, value=value))["status"])


@case("16_CP_GET_CONFIGURATION")
async def test_all_keys_are_told(box: Charger, desk: Desk) -> None:
    known, unknown = await told(desk)
    assert unknown == []
    assert known["LocalPreAuthorize"] == "true"
    assert known["HeartbeatInterval"] == "300"
    assert {"MeterValueSampleInterval", "NumberOfConnectors", "SupportedFeatureProfiles"} <= known.keys()


@case("16_CP_GET_CONFIGURATION")
async def test_some_keys_are_told_and_which_are_unknown(box: Charger, desk: Desk) -> None:
    known, unknown = await told(desk, "LocalPreAuthorize", "Fantasy", "HeartbeatInterval")
    assert known == {"LocalPreAuthorize": "true", "HeartbeatInterval": "300"}
    assert unknown == ["Fantasy"]


@case("16_CP_CHANGE_CONFIGURATION")
async def test_a_key_of_the_link_is_set_for_the_csms_alone(box: Charger, desk: Desk) -> None:
    assert await change(desk, "HeartbeatInterval", "77") == "Accepted"
    assert (await told(desk, "HeartbeatInterval"))[0] == {"HeartbeatInterval": "77"}
    assert "HeartbeatInterval" not in [asked["key"] for asked in box.asked("ChangeConfiguration")]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("LocalPreAuthorize", "Accepted"),
        ("MinimumStatusDuration", "RebootRequired"),
        ("NumberOfConnectors", "Rejected"),
        ("Fantasy", "NotSupported"),
    ],
)
@case("16_CP_CHANGE_CONFIGURATION")
async def test_a_key_of_the_charger_is_set_as_far_as_it_can_be(box: Charger, desk: Desk, key: str, word: str) -> None:
    assert await change(desk, key, "5") == word
