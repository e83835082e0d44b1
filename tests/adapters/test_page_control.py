"""Who controls, on the page in a real browser: what the owner sees there and does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import owner, wishes
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import Ending
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.requests import Start
from tests.adapters.browser import CHROMIUM, Browser
from tests.backends import backend, provider
from tests.independent import independent_charger
from tests.running import Running, running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]

HOME: dict[str, Any] = {
    "chargers": [{"id": "CP1", "name": "Garage"}],
    "providers": [provider("fleet", name="Fleet <b>Co</b>"), provider("night", name="Cheap Night")],
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, None, **HOME) as started:
        yield started


@pytest.fixture
async def charger(service: Running) -> AsyncIterator[Any]:
    async with independent_charger(service.chargers, "1.6", "CP1") as one:
        await one.begin()
        yield one


def pressed(label: str) -> str:
    """Whether the one button that is pressed says something."""
    return f"[...document.querySelectorAll('.mode[aria-pressed=true]')].map((b) => b.innerText).join() === {label!r}"


async def press(browser: Browser, label: str) -> None:
    await browser.until(f"[...document.querySelectorAll('.mode')].some((b) => b.innerText === {label!r})")
    button = f"[...document.querySelectorAll('.mode')].find((b) => b.innerText === {label!r})"
    await browser.script(f"{{ const button = {button}; button.focus(); button.click(); }}")


async def test_the_owner_takes_control_hands_it_over_and_gives_it_back(
    service: Running, browser: Browser, charger: Any
) -> None:
    control = service.app.hub.station("CP1").control
    await browser.visit(service.http)
    await browser.until(pressed("Automatic"))
    for label, mode in {"Owner": "owner", "Fleet <b>Co</b>": "fleet", "Automatic": "auto"}.items():
        await press(browser, label)
        await browser.until(pressed(label))
        assert control.mode == mode
        assert await browser.script("document.activeElement.innerText") == label
    assert browser.complaints == []


async def test_why_a_provider_was_refused_is_told_in_plain_words(
    service: Running, browser: Browser, charger: Any
) -> None:
    await owner.set_mode(service.app.arbitration, "CP1", "owner", by="test")
    await wishes.start(service.app.arbitration, "night", "CP1", Start(connector=1))
    await service.app.store.flush()
    await browser.visit(service.http)
    told = "Cheap Night wanted to start charging at Garage. Refused: you are in charge"
    await browser.until(f"document.getElementById('decisions').innerText.includes({told!r})")
    assert "You alone control it" in await browser.text("#controls")


async def test_what_binds_last_is_told_and_why(service: Running, browser: Browser, charger: Any) -> None:
    for amps in (16, 12, 10):
        assert (await wishes.set_limit(service.app.arbitration, "night", "CP1", Amps(amps))).ok
    await service.app.store.flush()
    await browser.visit(service.http)
    await browser.until("document.getElementById('decisions').innerText.includes('Garage: 10 A')")
    shown = await browser.text("#decisions")
    assert "Garage: 10 A, lowered at once (Cheap Night)" in shown
    assert shown.count("Garage:") == 1


async def test_providers_and_presence_are_seen_as_they_are(service: Running, browser: Browser, charger: Any) -> None:
    async with backend(service, "night"):
        await owner.set_enabled(service.app.arbitration, "fleet", on=False)
        owner.set_presence(service.app.arbitration, Presence.HOME)
        await browser.visit(service.http)
        await browser.until("document.getElementById('presence').innerText === 'Somebody is home'")
        shown = await browser.text("#providers")
    assert "Cheap Night: connected" in shown
    assert "Fleet <b>Co</b>: switched off" in shown


async def test_a_hand_over_that_may_not_be_says_why(service: Running, browser: Browser, charger: Any) -> None:
    await owner.set_enabled(service.app.arbitration, "fleet", on=False)
    await browser.visit(service.http)
    await press(browser, "Fleet <b>Co</b>")
    await browser.until("document.getElementById('overridden').innerText.includes('fleet is switched off')")
    assert await browser.script(pressed("Automatic"))


async def test_every_reason_has_plain_words(service: Running, browser: Browser) -> None:
    await browser.visit(service.http)
    await browser.until("typeof showControl === 'function'")
    known = set(await browser.script("Object.keys(WHY)"))
    of_the_charger = {Reason.UNKNOWN_CHARGER, Reason.UNKNOWN_CONNECTOR, Reason.CHARGER_REJECTED, Reason.TIMEOUT}
    of_the_question = {Reason.NOT_SUPPORTED, Reason.RETAINED, Reason.INVALID}
    assert {str(one) for one in {*Reason, *Ending} - of_the_charger - of_the_question} <= known


async def test_a_house_that_shares_with_nobody_is_not_asked_who_controls(tmp_path: Path, browser: Browser) -> None:
    async with (
        running(tmp_path, None) as service,
        independent_charger(service.chargers, "1.6", "CP1") as charger,
    ):
        await charger.begin()
        await browser.visit(service.http)
        await browser.until("document.querySelector('article') !== null")
        assert await browser.script("document.getElementById('control').hidden")
