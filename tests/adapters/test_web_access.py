"""Who may use the API and the page (contract §4), asked from every side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.__main__ import main
from ocpp_mqtt_proxy.adapters.web import Web, bodies
from ocpp_mqtt_proxy.adapters.web.access import COOKIE, COOKIE_LIFETIME, MAX_ADDRESSES, Access, Attempts
from ocpp_mqtt_proxy.adapters.web.control import ControlApi
from ocpp_mqtt_proxy.adapters.web.plans import PlanApi
from ocpp_mqtt_proxy.adapters.web.services import ServiceApi
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, refused
from ocpp_mqtt_proxy.core.limits.outlook import Outlook, Step
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.demo.broker import free_port
from ocpp_mqtt_proxy.monthly import Month
from ocpp_mqtt_proxy.passwords import token_hash
from ocpp_mqtt_proxy.welcome import own_address
from tests.fakes import NOON, FakeClock
from tests.running import running

TOKEN = "a-token-of-the-test"
CLOSED = ["/", "/status", "/sessions", "/sessions.csv", "/api/totals", "/api/report?month=2026-01", "/nothing"]
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
ELSEWHERE = {"X-Forwarded-For": "192.168.1.20"}


@dataclass
class FakeBooks:
    """Books without sessions, with the login codes given."""

    codes: set[str] = field(default_factory=set)
    sessions: list[Session] = field(default_factory=list)
    cursor: str | None = None

    async def page(self, **_: Any) -> FakeBooks:
        return self

    async def every(self, **_: Any) -> AsyncIterator[Session]:
        for session in self.sessions:
            yield session

    async def totals(self, by: str, **_: Any) -> tuple[list[Sum], bool]:
        return [Sum(by)], True

    async def month(self, month: str) -> Month:
        return Month(month, UTC)

    async def use_login(self, code_hash: str) -> bool:
        known = code_hash in self.codes
        self.codes.discard(code_hash)
        return known


@dataclass
class House:
    """The API without sockets, so that a request may come from any address."""

    clock: FakeClock = field(default_factory=FakeClock)
    books: FakeBooks = field(default_factory=FakeBooks)
    faults: list[str] = field(default_factory=list)
    ingress_port: int = 0
    welcomed: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    modes: list[tuple[str | None, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.access = Access(TOKEN, self.ingress_port, ["172.30.32.2"], self.clock.now)
        self.web = Web(
            access=self.access,
            books=self.books,
            clock=self.clock,
            zone=UTC,
            status=lambda: {"version": "test"},
            faults=lambda: self.faults,
            accept_charger=self.welcomed.append,
            control=ControlApi(self.set_mode, self),
            services=ServiceApi(self.try_out),
            plans=PlanApi(lambda _, ahead: Outlook(NOON, NOON + ahead, (Step(NOON, Amps(16), OWNER),))),
            metrics=lambda: "",
            tell_login=self.logins.append,
        )

    async def set_mode(self, charger: str | None, mode: str) -> Outcome:
        """The owner's word, taken down."""
        self.modes.append((charger, mode))
        return done(owner=mode)

    async def try_out(self, service: str, charger: str) -> Outcome:
        """No service is there."""
        return refused(Reason.INVALID, f"no service {service!r} for {charger!r}")

    async def decisions(
        self, charger: str = "", provider: str = "", before: int = 0, limit: int = 100, asked: str = ""
    ) -> list[tuple[int, Decided]]:
        """Nothing was decided."""
        return []

    @contextlib.asynccontextmanager
    async def visited_from(
        self, address: str, url: str = "http://192.168.1.5:9000"
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A client at an address, that asks by a URL."""
        transport = httpx.ASGITransport(self.web.app(), raise_app_exceptions=False, client=(address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            yield client


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A client in the house's network that has shown nothing yet."""
    async with house.visited_from("192.168.1.20") as client:
        yield client


# Without anything to show


@pytest.mark.parametrize("path", CLOSED)
async def test_a_request_from_elsewhere_is_told_how_to_log_in(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "ocpp-mqtt-proxy login" in answer.json()["detail"]


async def test_a_browser_from_elsewhere_gets_the_form(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/", headers=BROWSER)
    assert answer.status_code == 401
    assert 'name="token"' in answer.text


async def test_a_path_where_the_form_s_links_would_lead_astray_gets_none(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/api/chargers/accept", headers=BROWSER)
    assert answer.headers["content-type"] == "application/json"


async def test_health_is_open_to_all(house: House, stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/health")).status_code == 200
    house.faults.append("store: disk is full")
    answer = await stranger.get("/health")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["store: disk is full"])


async def test_the_form_and_what_it_is_made_of_are_open_to_all(stranger: httpx.AsyncClient) -> None:
    for path in ("/login", "/static/style.css", "/static/icon.svg"):
        assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "127.0.0.1"])
async def test_this_machine_itself_needs_nothing(house: House, address: str, host: str) -> None:
    async with house.visited_from(address, f"http://{host}") as client:
        assert (await client.get("/status")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "Via",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Whatever",
        "X-Real-IP",
    ],
)
async def test_what_a_proxy_forwards_is_from_elsewhere(house: House, header: str) -> None:
    async with house.visited_from("127.0.0.1", "http://localhost:9000") as client:
        assert (await client.get("/status", headers={header: "x"})).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5", "evil_site.example", "[", ""],
)
async def test_a_name_that_a_web_site_may_have_rebound_is_from_elsewhere(house: House, host: str) -> None:
    async with house.visited_from("127.0.0.1", "http://localhost:9000") as client:
        answer = await client.get("/status", headers={"Host": host})
        assert answer.status_code == 401


@pytest.mark.parametrize("address", ["192.168.1.20", "10.0.0.1", "8.8.8.8", "fe80::1", "", "nonsense"])
async def test_the_name_alone_makes_nobody_local(house: House, address: str) -> None:
    async with house.visited_from(address, "http://localhost:9000") as client:
        assert (await client.get("/status")).status_code == 401


# The token


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_the_token_opens(stranger: httpx.AsyncClient, scheme: str) -> None:
    answer = await stranger.get("/status", headers={"Authorization": f"{scheme} {TOKEN}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer ", "Bearer", TOKEN, f"Basic {TOKEN}", f"Token {TOKEN}", "Bearer \xe4"]
)
async def test_nothing_but_the_token_opens(stranger: httpx.AsyncClient, given: str) -> None:
    answer = await stranger.get("/status", headers=[(b"Authorization", given.encode("latin-1"))])
    assert answer.status_code == 401
    assert TOKEN not in answer.text


async def test_an_empty_token_opens_nothing(house: House) -> None:
    house.access.token = ""
    async with house.visited_from("192.168.1.20") as client:
        assert (await client.get("/status", headers={"Authorization": "Bearer "})).status_code == 401


async def test_who_guesses_tokens_has_to_wait_and_nobody_else(house: House, stranger: httpx.AsyncClient) -> None:
    answers = [await stranger.get("/status", headers={"Authorization": f"Bearer {n}"}) for n in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 9 + [429] * 2
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert (await stranger.get("/status", headers=right)).status_code == 429
    async with house.visited_from("192.168.1.21") as other:
        assert (await other.get("/status", headers=right)).status_code == 200
    house.clock.pass_(seconds=61)
    assert (await stranger.get("/status", headers=right)).status_code == 200


def test_guessing_from_many_addresses_fills_no_memory() -> None:
    attempts = Attempts()
    for number in range(3 * MAX_ADDRESSES):
        attempts.note(str(number), NOON)
    assert len(attempts.failed) == MAX_ADDRESSES


# Logging in


async def log_in(client: httpx.AsyncClient, token: str = TOKEN, **headers: str) -> httpx.Response:
    return await client.post("/login", data={"token": token}, headers=headers)


async def test_the_token_in_the_form_gives_a_cookie_that_opens(stranger: httpx.AsyncClient) -> None:
    answer = await log_in(stranger)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert (await stranger.get("/status")).status_code == 200


async def test_the_cookie_is_for_our_pages_alone(stranger: httpx.AsyncClient) -> None:
    cookie = (await log_in(stranger)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert TOKEN not in cookie
    assert "Secure" not in cookie


async def test_the_cookie_goes_by_tls_only_where_it_came_by_tls(house: House) -> None:
    async with house.visited_from("192.168.1.20", "https://192.168.1.5:9443") as client:
        assert "Secure" in (await log_in(client)).headers["set-cookie"]


async def test_a_wrong_token_in_the_form_gives_none(stranger: httpx.AsyncClient) -> None:
    answer = await log_in(stranger, "wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This is not the token." in answer.text


async def test_a_form_filled_with_guesses_has_to_wait(stranger: httpx.AsyncClient) -> None:
    for number in range(10):
        await log_in(stranger, str(number))
    answer = await log_in(stranger)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"),
        lambda value: str(int(value.partition(".")[0]) + 1000) + "." + value.partition(".")[2],
        lambda value: value.partition(".")[0],
        lambda value: "." + value.partition(".")[2],
        lambda value: "x" + value,
        lambda _: "",
    ],
)
async def test_a_cookie_that_was_tampered_with_opens_nothing(
    house: House, stranger: httpx.AsyncClient, change: Any
) -> None:
    cookie = change(house.access.cookie())
    answer = await stranger.get("/status", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 401


async def test_a_cookie_ends_with_its_time_and_with_the_token(house: House, stranger: httpx.AsyncClient) -> None:
    kept = {"Cookie": f"{COOKIE}={house.access.cookie()}"}
    house.clock.pass_(seconds=COOKIE_LIFETIME.total_seconds() - 1)
    assert (await stranger.get("/status", headers=kept)).status_code == 200
    house.clock.pass_(seconds=2)
    assert (await stranger.get("/status", headers=kept)).status_code == 401
    fresh = {"Cookie": f"{COOKIE}={house.access.cookie()}"}
    house.access.token = "another"
    assert (await stranger.get("/status", headers=fresh)).status_code == 401


async def test_a_link_is_good_once(house: House, stranger: httpx.AsyncClient) -> None:
    house.books.codes.add(token_hash("code"))
    assert (await stranger.get("/login?code=code")).status_code == 303
    assert (await stranger.get("/status")).status_code == 200
    stranger.cookies.clear()
    assert house.logins == ["192.168.1.20"]
    again = await stranger.get("/login?code=code")
    assert again.status_code == 401
    assert len(house.logins) == 1
    assert "used before" in again.text
    assert "set-cookie" not in again.headers


async def test_a_look_at_a_link_does_not_use_it_up(house: House, stranger: httpx.AsyncClient) -> None:
    house.books.codes.add(token_hash("code"))
    assert "set-cookie" not in (await stranger.head("/login?code=code")).headers
    assert "set-cookie" in (await stranger.get("/login?code=code")).headers


async def test_a_link_followed_from_another_site_does_not_lose_its_cookie(
    house: House, stranger: httpx.AsyncClient
) -> None:
    """A redirect would: the browser sends a SameSite=Strict cookie only from a page of ours."""
    house.books.codes.add(token_hash("code"))
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", **BROWSER}
    answer = await stranger.get("/login?code=code", headers=headers)
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0; url=./"' in answer.text
    assert COOKIE in answer.headers["set-cookie"]


# Other sites' pages


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://192.168.1.5", "http://192.168.1.5:9001", "null", "", "http://[", "file://"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/login"), ("POST", "/api/chargers/accept"), ("GET", "/status")])
async def test_another_origin_is_refused_whatever_it_shows(
    house: House, stranger: httpx.AsyncClient, origin: str, method: str, path: str
) -> None:
    headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    answer = await stranger.request(method, path, headers=headers, json={"charger": "CP1"})
    assert answer.status_code == 403
    assert house.welcomed == []


@pytest.mark.parametrize("origin", ["http://192.168.1.5:9000", "https://192.168.1.5:9000"])
async def test_our_own_origin_is_not(house: House, stranger: httpx.AsyncClient, origin: str) -> None:
    headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    answer = await stranger.post("/api/chargers/accept", headers=headers, json={"charger": "CP1"})
    assert (answer.status_code, house.welcomed) == (200, ["CP1"])


@pytest.mark.parametrize(("mode", "status"), [("no-cors", 403), ("cors", 403), ("navigate", 200)])
async def test_another_site_may_link_to_us_and_no_more(house: House, mode: str, status: int) -> None:
    async with house.visited_from("127.0.0.1", "http://localhost:9000") as client:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert (await client.get("/status", headers=headers)).status_code == status


async def test_a_site_that_rebinds_its_name_to_us_gets_nothing(house: House) -> None:
    """Its Origin and Host agree: it is the name that gives it away."""
    async with house.visited_from("127.0.0.1", "http://evil.example:9000") as client:
        headers = {"Origin": "http://evil.example:9000", "Sec-Fetch-Site": "same-origin"}
        answer = await client.post("/api/chargers/accept", headers=headers, json={"charger": "CP1"})
        assert (answer.status_code, house.welcomed) == (401, [])


# Ingress


async def test_ingress_needs_nothing_more_on_its_own_port() -> None:
    house = House(ingress_port=8099)
    async with house.visited_from("172.30.32.2", "http://192.168.1.5:8099") as client:
        headers = {"X-Ingress-Path": "/api/hassio_ingress/abc", "X-Forwarded-For": "10.1.2.3"}
        answer = await client.get("/", headers=headers | {"Origin": "https://home.example"})
        assert answer.status_code == 200


@pytest.mark.parametrize("path", [*CLOSED, "/health", "/login", "/static/style.css"])
async def test_nobody_else_gets_anything_on_the_ingress_port(path: str) -> None:
    house = House(ingress_port=8099)
    for address in ("192.168.1.20", "127.0.0.1"):
        async with house.visited_from(address, "http://localhost:8099") as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 403


async def test_the_ingress_address_means_nothing_on_the_other_port() -> None:
    house = House(ingress_port=8099)
    async with house.visited_from("172.30.32.2") as client:
        answer = await client.get("/status", headers={"X-Ingress-Path": "/api/hassio_ingress/abc"})
        assert answer.status_code == 401


# On the running service


async def test_a_fault_of_ours_is_told_without_its_details(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> dict[str, Any]:
        raise KeyError("secret")

    house.web.status = fail
    async with house.visited_from("127.0.0.1", "http://localhost:9000") as client:
        answer = await client.get("/status")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["detail"].startswith("the service failed at this")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_token_is_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    kept = []
    for _ in range(2):
        async with running(tmp_path, None) as service, httpx.AsyncClient(base_url=service.http) as client:
            token = await service.app.store.meta("api_token", "there was none")
            answer = await client.get("/status", headers=ELSEWHERE | {"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            kept.append(token)
    assert kept[0] == kept[1]
    assert len(kept[0]) >= 32


async def test_a_configured_token_counts(tmp_path: Path) -> None:
    http = {"host": "127.0.0.1", "port": free_port(), "api_token": TOKEN}
    async with (
        running(tmp_path, None, http=http) as service,
        httpx.AsyncClient(base_url=service.http, headers=ELSEWHERE) as client,
    ):
        assert (await client.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await client.get("/status")).status_code == 401


async def test_the_machine_s_own_address_in_the_network_is_elsewhere(tmp_path: Path) -> None:
    address = own_address()
    if address == "localhost":
        pytest.skip("this machine has no network")
    async with (
        running(tmp_path, None, http={"host": address, "port": free_port()}) as service,
        httpx.AsyncClient(base_url=f"http://{address}:{service.app.port}") as client,
    ):
        assert (await client.get("/status")).status_code == 401
        assert (await client.get("/health")).status_code == 200


async def test_the_command_line_s_link_lets_in_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path, None) as service:
        arguments = ["login", "--config", str(tmp_path / "options.json")]
        assert await asyncio.to_thread(main, arguments) == 0
        path = capsys.readouterr().out.strip().partition(f":{service.app.port}")[2]
        async with httpx.AsyncClient(base_url=service.http, headers=ELSEWHERE) as client:
            assert (await client.get(path)).status_code == 303
            assert (await client.get("/status")).status_code == 200
        async with httpx.AsyncClient(base_url=service.http, headers=ELSEWHERE) as client:
            assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("age", "status"), [(timedelta(minutes=9, seconds=50), 303), (timedelta(minutes=10, seconds=1), 401)]
)
async def test_a_link_is_good_for_ten_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], age: timedelta, status: int
) -> None:
    async with running(tmp_path, None) as service, httpx.AsyncClient(base_url=service.http) as client:
        now = service.app.clock.now()
        await service.app.store.logins.add(token_hash("code"), now - age + timedelta(minutes=10))
        assert (await client.get("/login?code=code")).status_code == status


async def test_ingress_is_served_on_a_port_of_its_own(tmp_path: Path) -> None:
    ingress = {"enabled": True, "port": free_port(), "allow_from": ["127.0.0.1"]}
    async with running(tmp_path, None, ingress=ingress) as service:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.app.ingress_port}") as client:
            headers = ELSEWHERE | {"X-Ingress-Path": "/api/hassio_ingress/abc", "Host": "home.example"}
            assert (await client.get("/status", headers=headers)).status_code == 200
        async with httpx.AsyncClient(base_url=service.http) as client:
            assert (await client.get("/status", headers=headers)).status_code == 401


async def test_a_body_that_does_not_come_is_not_waited_for(
    stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    answer = await stranger.post("/login", content=never())
    assert (answer.status_code, answer.json()["detail"]) == (408, "the body did not come within 0.01 s")
