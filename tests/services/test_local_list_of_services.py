"""Local authorisation lists, one for each service (D01, D02; 1.6 §5.10, §5.15, errata 3.52)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import IdToken, Verdict, Version
from ocpp_mqtt_proxy.core.reports import Authorization
from ocpp_mqtt_proxy.ocppj.fields import zulu
from ocpp_mqtt_proxy.services import tags
from ocpp_mqtt_proxy.services.obeying import cards
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.fakes import FakeClock
from tests.services.fakes import an_outstation
from tests.services.obedience import EACH, V16, call, changed, changes, served

TAG = IdToken("04A1B2C3")


def card(out: Outstation, tag: str, verdict: str | None, expires: str | None = None) -> dict[str, Any]:
    """A card on a list, in the service's words; without a verdict it is taken out."""
    if out.version is V16:
        info = {"status": verdict} | ({"expiryDate": expires} if expires else {})
        return {"idTag": tag} | ({"idTagInfo": info} if verdict else {})
    told = {"status": verdict} | ({"cacheExpiryDateTime": expires} if expires else {})
    return {"idToken": {"idToken": tag, "type": "ISO14443"}} | ({"idTokenInfo": told} if verdict else {})


async def send(out: Outstation, version: int, *listed: dict[str, Any], differential: bool = False) -> str:
    """A service sends its list."""
    payload: dict[str, Any] = {"updateType": "Differential" if differential else "Full"}
    payload["listVersion" if out.version is V16 else "versionNumber"] = version
    if listed:
        payload["localAuthorizationList"] = list(listed)
    return str((await call(out, "SendLocalList", **payload))["status"])


async def version_of(out: Outstation) -> int:
    answer = await call(out, "GetLocalListVersion")
    return int(answer["listVersion" if out.version is V16 else "versionNumber"])


def verdict(out: Outstation, tag: IdToken = TAG) -> Verdict | None:
    known = cards.known(out, tag)
    return known.verdict if known else None


@pytest.mark.parametrize("service", EACH)
async def test_without_a_list_its_version_is_0(service: Version) -> None:
    assert await version_of(served(service)) == 0


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("charger", EACH)
async def test_a_list_is_kept_for_its_service_alone(service: Version, charger: Version) -> None:
    out = served(service, charger)
    other = an_outstation(service, arbitration=out.arbitration, id="other")
    assert await send(out, 3, card(out, "04a1b2c3", "Accepted")) == "Accepted"
    assert (await version_of(out), await version_of(other)) == (3, 0)
    assert (verdict(out), verdict(other)) == (Verdict.ACCEPTED, None)
    assert changes(out) == []


@pytest.mark.parametrize("service", EACH)
async def test_a_list_is_changed(service: Version) -> None:
    out = served(service)
    await send(out, 1, card(out, "A", "Accepted"), card(out, "B", "Accepted"))
    changes_ = [card(out, "A", "Blocked"), card(out, "B", None), card(out, "C", "Accepted"), card(out, "D", None)]
    assert await send(out, 2, *changes_, differential=True) == "Accepted"
    assert [verdict(out, IdToken(tag)) for tag in "ABCD"] == [Verdict.BLOCKED, None, Verdict.ACCEPTED, None]
    assert await version_of(out) == 2


@pytest.mark.parametrize("service", EACH)
async def test_a_full_list_replaces_the_one_before_whatever_its_version(service: Version) -> None:
    out = served(service)
    await send(out, 9, card(out, "A", "Accepted"))
    assert await send(out, 4, card(out, "B", "Accepted")) == "Accepted"
    assert (await version_of(out), verdict(out, IdToken("A"))) == (4, None)


@pytest.mark.parametrize("service", EACH)
async def test_a_full_list_without_cards_is_empty_and_has_its_version(service: Version) -> None:
    """D01.FR.04."""
    out = served(service)
    await send(out, 1, card(out, "A", "Accepted"))
    assert await send(out, 2) == "Accepted"
    assert (await version_of(out), verdict(out, IdToken("A"))) == (2, None)


@pytest.mark.parametrize("service", EACH)
async def test_a_change_of_nothing_changes_the_version_alone(service: Version) -> None:
    """D01.FR.05."""
    out = served(service)
    await send(out, 1, card(out, "A", "Accepted"))
    assert await send(out, 2, differential=True) == "Accepted"
    assert (await version_of(out), verdict(out, IdToken("A"))) == (2, Verdict.ACCEPTED)


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("version", [4, 5])
async def test_a_change_to_no_later_version_does_not_fit(service: Version, version: int) -> None:
    """D01.FR.19."""
    out = served(service)
    await send(out, 5, card(out, "A", "Accepted"))
    assert await send(out, version, card(out, "A", None), differential=True) == "VersionMismatch"
    assert (await version_of(out), verdict(out, IdToken("A"))) == (5, Verdict.ACCEPTED)


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("version", [0, -1, 2**40])
async def test_a_version_that_is_none_fails(service: Version, version: int) -> None:
    assert await send(served(service), version) == "Failed"


@pytest.mark.parametrize("service", EACH)
async def test_a_list_fails_as_a_whole(service: Version) -> None:
    out = served(service)
    await send(out, 1, card(out, "A", "Accepted"))
    assert await send(out, 2, card(out, "B", "Accepted"), card(out, "b", "Blocked")) == "Failed"
    assert await send(out, 2, card(out, "B", "Accepted"), card(out, "C", None)) == "Failed"
    assert (await version_of(out), verdict(out, IdToken("A"))) == (1, Verdict.ACCEPTED)


@pytest.mark.parametrize("service", EACH)
async def test_a_list_has_an_end(service: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MOST_CARDS", 2)
    out = served(service)
    await send(out, 1, card(out, "A", "Accepted"), card(out, "B", "Accepted"))
    assert await send(out, 2, card(out, "C", "Accepted"), differential=True) == "Failed"
    assert await send(out, 2, card(out, "C", "Accepted"), card(out, "A", None), differential=True) == "Accepted"


@pytest.mark.parametrize("service", EACH)
async def test_a_card_runs_out(service: Version) -> None:
    out = served(service)
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    until = clock.now() + timedelta(hours=1)
    await send(out, 1, card(out, TAG.tag, "Accepted", zulu(until)))
    assert cards.known(out, TAG) == Authorization(Verdict.ACCEPTED, None, until)
    clock.pass_(hours=1)
    assert verdict(out) is Verdict.EXPIRED


@pytest.mark.parametrize("charger", [Version.V201, Version.V21])
async def test_a_long_tag_is_on_a_16_list_as_the_service_was_told_it(charger: Version) -> None:
    out, long = served(V16, charger), IdToken("DE*ABC*E12345678*1-and-more", "eMAID")
    await send(out, 1, card(out, tags.told(out, long).tag, "Blocked"))
    assert verdict(out, long) is Verdict.BLOCKED


async def test_a_list_that_is_switched_off_counts_for_nothing() -> None:
    """D02.FR.03."""
    out = served()
    await send(out, 7, card(out, TAG.tag, "Accepted"))
    assert await changed(out, "LocalAuthListEnabled", "False") == "Accepted"
    assert (await version_of(out), verdict(out)) == (0, None)
    await changed(out, "LocalAuthListEnabled", "true")
    assert (await version_of(out), verdict(out)) == (7, Verdict.ACCEPTED)
