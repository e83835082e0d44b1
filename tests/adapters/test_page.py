"""The page in a real browser: what people see there and what they can do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.demo.broker import free_port
from ocpp_mqtt_proxy.passwords import token_hash
from tests.adapters.browser import CHROMIUM, Browser
from tests.independent import independent_charger
from tests.running import Running, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")

TOKEN = "a-token-of-the-test"
ELSEWHERE = {"X-Forwarded-For": "192.168.1.20"}
PREFIX = "/api/hassio_ingress/abc"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    chargers = [{"id": "CP1", "name": "Garage <b>&amp;"}, {"id": "CP2"}]
    http = {"host": "127.0.0.1", "port": free_port(), "api_token": TOKEN}
    ingress = {"enabled": True, "port": free_port(), "allow_from": ["127.0.0.1"]}
    async with running(
        tmp_path, None, chargers=chargers, http=http, ingress=ingress, accept_unknown_chargers=False
    ) as started:
        yield started


def contains(text: str, selector: str = "body") -> str:
    return f"document.querySelector({selector!r}).innerText.includes({text!r})"


def hosts(browser: Browser) -> set[str]:
    return {url.partition("://")[2].partition("/")[0] for url in browser.requests}


# What is seen


async def test_a_charger_is_seen_with_its_state_its_power_and_its_last_session(
    service: Running, browser: Browser
) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        charger.meter.register += 1500
        await charger.tell_meter()
        await browser.visit(service.http)
        await browser.until(contains("Charging", "article .chip"))
        card = await browser.text("article")
        assert "Garage <b>&amp;" in card
        assert "11.0 kW" in card
        assert "1.50 kWh" in card
        row = await browser.text("#sessions tr")
        assert "Garage <b>&amp;" in row
        assert "Running" in row
        assert "04A1B2C3" in row


async def test_it_follows_what_happens_by_itself(service: Running, browser: Browser) -> None:
    await browser.visit(service.http)
    async with independent_charger(service.chargers, "2.0.1", "CP2") as charger:
        await browser.until(contains("Available", "article .chip"))
        await charger.tell_status("Occupied")
        await charger.begin()
        await browser.until(contains("Charging", "article .chip"))
        await charger.end()
        await browser.until(contains("At the charger", "#sessions"))
    await browser.until(contains("Offline", "article .chip"))
    assert await browser.text(".power") == "\N{EN DASH}"


async def test_a_fault_is_seen_with_its_code(service: Running, browser: Browser) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.tell_status("Faulted", "GroundFailure")
        await browser.visit(service.http)
        await browser.until(contains("Faulted", "article .chip"))
        assert await browser.text(".error") == "GroundFailure"


async def test_connectors_are_seen_one_by_one(service: Running, browser: Browser) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.tell_status("Preparing", connector_id=2)
        await browser.visit(service.http)
        await browser.until("document.querySelectorAll('.connector').length === 2")
        chips = "[...document.querySelectorAll('article .chip')].map(chip => chip.dataset.status)"
        assert await browser.script(chips) == ["available", "preparing"]


async def test_without_a_charger_it_says_where_to_connect_one(tmp_path: Path, browser: Browser) -> None:
    async with running(tmp_path, None) as service:
        await browser.visit(service.http)
        await browser.until("!document.querySelector('#none').hidden")
        assert await browser.text("#url") == f"ws://127.0.0.1:{service.app.port}/charger/"


async def test_a_service_that_does_not_answer_is_said_so(tmp_path: Path, browser: Browser) -> None:
    async with running(tmp_path, None) as service:
        await browser.visit(service.http)
        await browser.until(contains("no MQTT broker", "#line"))
    await browser.until(contains("does not answer", "#line"))


# How it behaves


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 800, 1280])
async def test_it_fits_the_screen_complains_of_nothing_and_asks_nobody_else(
    service: Running, browser: Browser, width: int, dark: bool
) -> None:
    await browser.look(width, 800, dark=dark)
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        await browser.visit(service.http)
        await browser.until(contains("Charging", "article .chip"))
        await browser.script("document.querySelector('details').open = true")
        assert await browser.script("document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.complaints == []
    assert hosts(browser) == {f"127.0.0.1:{service.app.port}"}


async def test_what_is_clickable_has_a_name_and_what_is_shown_a_heading(service: Running, browser: Browser) -> None:
    await browser.visit(service.http)
    await browser.until(contains("no MQTT broker", "#line"))
    nameless = (
        "[...document.querySelectorAll('button, a, summary')].filter(e => !(e.textContent || e.ariaLabel)).length"
    )
    assert await browser.script(nameless) == 0
    assert await browser.script("document.querySelectorAll('section').length") == await browser.script(
        "document.querySelectorAll('section[aria-labelledby] > h2').length"
    )
    assert await browser.script("document.documentElement.lang") == "en"


async def test_it_works_below_a_path_of_ingress(service: Running, browser: Browser) -> None:
    async with below(PREFIX, service.app.ingress_port) as port, independent_charger(service.chargers, "1.6", "CP1"):
        await browser.visit(f"http://127.0.0.1:{port}{PREFIX}/")
        await browser.until(contains("Available", "article .chip"))
    assert browser.complaints == []
    assert all(f":{port}{PREFIX}/" in url for url in browser.requests)


@contextlib.asynccontextmanager
async def below(prefix: str, port: int) -> AsyncIterator[int]:
    """A proxy that serves what lies at a port below a path, as ingress does."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        head = head.replace(f" {prefix}/", " /", 1).replace("Connection: keep-alive", "Connection: close")
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        inner_writer.write(
            head.replace("\r\n", f"\r\nX-Ingress-Path: {prefix}\r\nX-Forwarded-For: 10.1.2.3\r\n", 1).encode()
        )
        writer.write(await inner_reader.read())
        await writer.drain()
        inner_writer.close()
        writer.close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


# What can be done


async def test_a_charger_that_waits_is_let_in_by_a_click(service: Running, browser: Browser) -> None:
    with pytest.raises(InvalidStatus):
        await connect(f"{service.chargers}/NEW", subprotocols=[Subprotocol("ocpp1.6")])
    await browser.visit(service.http)
    await browser.until("!document.querySelector('#strangers').hidden")
    assert "NEW from 127.0.0.1" in await browser.text("#strangers")
    await browser.script("document.querySelector('#strangers button').click()")
    await browser.until("document.querySelector('#strangers').hidden")
    async with independent_charger(service.chargers, "1.6", "NEW"):
        await browser.until(contains("NEW", "#chargers"))


async def log_in(browser: Browser, token: str) -> None:
    await browser.until("!!document.querySelector('input[name=token]')")
    await browser.script(f"document.querySelector('input[name=token]').value = {token!r}")
    await browser.script("document.querySelector('form button').click()")


async def test_the_form_takes_the_token(service: Running, browser: Browser) -> None:
    await browser.visit(service.http, **ELSEWHERE)
    await log_in(browser, "wrong")
    await browser.until(contains("This is not the token."))
    await log_in(browser, TOKEN)
    await browser.until("!!document.querySelector('#line')")
    assert await browser.script("document.cookie") == ""  # it is there, and not for scripts


async def test_a_login_that_has_run_out_leads_back_to_the_form(service: Running, browser: Browser) -> None:
    await browser.visit(service.http, **ELSEWHERE)
    await log_in(browser, TOKEN)
    await browser.until("!!document.querySelector('#line')")
    await browser.tell("Network.clearBrowserCookies")
    await browser.until("!!document.querySelector('input[name=token]')")


async def test_a_link_from_another_site_s_page_logs_in(service: Running, browser: Browser) -> None:
    code = token_hash("code")
    await service.app.store.logins.add(code, service.app.clock.now().replace(year=2099))
    async with site(f'<a href="{service.http}/login?code=code">in</a>') as elsewhere:
        await browser.visit(elsewhere, **ELSEWHERE)
        await browser.until("!!document.querySelector('a')")
        await browser.script("document.querySelector('a').click()")
        await browser.until("!!document.querySelector('#line')")


async def test_another_site_s_page_can_do_nothing(service: Running, browser: Browser) -> None:
    """Not even on the machine itself, where nobody needs to log in."""
    url = service.http.replace("127.0.0.1", "localhost")
    async with site("<p>hello</p>") as elsewhere:
        await browser.visit(elsewhere)
        await browser.until(contains("hello"))
        attempts = [
            f'fetch("{service.http}/status")',
            f'fetch("{url}/api/chargers/accept", {{method: "POST", body: "{{}}"}})',
        ]
        for attempt in attempts:
            assert await browser.script(f"{attempt}.then(() => 'read', () => 'refused')") == "refused"
    assert set(browser.answers.values()) <= {200, 403}
    assert service.app.hub.stations == {}


@contextlib.asynccontextmanager
async def site(html: str) -> AsyncIterator[str]:
    """Another site, to a browser: not the same name as ours."""
    page = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(html)}\r\nConnection: close\r\n\r\n{html}"
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(page.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, family=2)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}/"
