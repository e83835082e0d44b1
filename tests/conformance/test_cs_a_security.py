"""Security towards a service's CSMS: who we say we are, and whom we trust."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.adapters.certificates import Authority
from tests.conformance.cases import case
from tests.conformance.central import V2, Central, Desk
from tests.conformance.charger import Charger
from tests.running import PATIENCE, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct-horse-battery"


@pytest.fixture(params=V2)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA, and by it: a CSMS, one of another name, one that has expired, and us."""
    authority = Authority.found(tmp_path_factory.mktemp("certificates"))
    for name in ("csms", "client"):
        authority.certify(name)
    authority.certify("elsewhere", "DNS:csms.example")
    authority.certify("expired", days=-1)
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another CA, and a CSMS of its."""
    authority = Authority.found(tmp_path_factory.mktemp("others"), "Another-CA")
    authority.certify("csms")
    return authority


@dataclass
class Door:
    """A CSMS's door. What came in: the credentials shown, the certificates, and how many there were."""

    central: Central
    shown: list[str] = field(default_factory=list)
    subjects: list[Any] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Listen, at the same port as before."""
        spoken = [Subprotocol(f"ocpp{self.central.version}")]
        async with serve(self._take, "127.0.0.1", self.port, ssl=tls, subprotocols=spoken) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def _take(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.shown.append(connection.request.headers.get("Authorization", ""))
        tls = connection.transport.get_extra_info("ssl_object")
        self.subjects.append(tls.getpeercert() if tls is not None else None)
        await self.central.desk("CP").converse(connection)

    def plan(self, scheme: str, **given: Any) -> dict[str, Any]:
        """The service as the configuration has it."""
        url = f"{scheme}://127.0.0.1:{self.port}/ocpp"
        return {"id": "billing", "url": url, "version": self.central.version, "mirror": "all", **given}

    @property
    def desk(self) -> Desk:
        return self.central.desk("CP")


@asynccontextmanager
async def charger_at(folder: Path, version: str, plan: dict[str, Any]) -> AsyncIterator[Charger]:
    """The service runs with a charger that is available."""
    async with (
        running(folder, None, ocpp_services=[plan]) as one,
        Charger.at(one.chargers, version, "CP") as box,
    ):
        await box.boot()
        await box.tell_status("Available")
        yield box


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@case("TC_A_01_CS")
async def test_we_come_with_our_own_name_and_password_and_boot(tmp_path: Path, version: str) -> None:
    async with Central.of(version) as central:
        door = Door(central)
        async with door.open():
            plan = door.plan("ws", auth_type="basic", password=PASSWORD)
            async with charger_at(tmp_path, version, plan):
                await door.desk.status("Available")
                assert door.desk.order[0] == "BootNotification"
                assert door.shown == [basic("CP", PASSWORD)]


@case("TC_A_04_CS")
async def test_a_csms_that_can_be_trusted_is_shown_our_password_and_told(
    tmp_path: Path, house: Authority, version: str
) -> None:
    async with at_home(tmp_path, house, version) as door:
        await door.desk.status("Available")
        assert door.desk.order[0] == "BootNotification"
        assert door.shown == [basic("CP", PASSWORD)]


@asynccontextmanager
async def at_home(folder: Path, house: Authority, version: str) -> AsyncIterator[Door]:
    """A CSMS of security profile 2 with a charger."""
    async with Central.of(version) as central:
        door = Door(central)
        async with door.open(house.serving("csms")):
            plan = door.plan("wss", auth_type="basic", password=PASSWORD, ca=house.ca)
            async with charger_at(folder, version, plan):
                yield door


@pytest.mark.parametrize(
    ("bad", "version"), [("stranger", "2.0.1"), ("elsewhere", "2.1"), ("expired", "2.0.1")], indirect=["version"]
)
@case("TC_A_05_CS")
async def test_a_csms_that_cannot_be_trusted_is_told_nothing_until_it_can_be(
    tmp_path: Path, house: Authority, stranger: Authority, bad: str, version: str
) -> None:
    first = stranger.serving("csms") if bad == "stranger" else house.serving(bad)
    async with Central.of(version) as central:
        door = Door(central)
        async with door.open(one_after_the_other(first, house.serving("csms"))):
            plan = door.plan("wss", auth_type="basic", password=PASSWORD, ca=house.ca)
            async with charger_at(tmp_path, version, plan):
                await hears_of(door, "InvalidCsmsCertificate")


def one_after_the_other(first: ssl.SSLContext, then: ssl.SSLContext) -> ssl.SSLContext:
    """TLS as one context has it for who comes first, and as another has it for all others."""
    left = [first]

    def choose(tls: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        tls.context = left.pop() if left else then

    door = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    door.sni_callback = choose
    return door


async def hears_of(door: Door, event: str) -> None:
    """We came in once, and told then of what was wrong before."""
    await door.desk.status("Available")
    told = await door.desk.until("SecurityEventNotification")
    assert told["type"] == event
    assert len(door.shown) == 1
    assert door.desk.order[0] == "BootNotification"


ALERT = bytes.fromhex("15 0301 0002 02 46")
"""protocol_version: the version that was offered is not spoken (RFC 5246 §7.2.2)."""

HELLO = bytes.fromhex("16 0301 002a 02 000026 0301" + 32 * "5a" + "00 002f 00")
"""A ServerHello of TLS 1.0."""


@pytest.mark.parametrize(
    ("said", "version"), [(ALERT, "2.0.1"), (HELLO, "2.1")], ids=["alert", "hello"], indirect=["version"]
)
@case("TC_A_06_CS")
async def test_a_csms_of_old_tls_is_told_nothing_until_it_is_newer(
    tmp_path: Path, house: Authority, said: bytes, version: str
) -> None:
    async with Central.of(version) as central, old(said) as (port, gone):
        door = Door(central, port=port)
        plan = door.plan("wss", auth_type="basic", password=PASSWORD, ca=house.ca)
        async with charger_at(tmp_path, version, plan):
            await gone()
            async with door.open(house.serving("csms")):
                await hears_of(door, "InvalidTLSVersion")


@asynccontextmanager
async def old(said: bytes) -> AsyncIterator[tuple[int, Callable[[], Awaitable[None]]]]:
    """A port where somebody of old TLS answers whoever comes; it goes once somebody came."""
    came = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(said)
        with suppress(ConnectionError):
            await reader.read()  # until we hang up
            writer.close()
            await writer.wait_closed()
        came.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)

    async def gone() -> None:
        async with asyncio.timeout(PATIENCE):
            await came.wait()
        server.close()
        await server.wait_closed()

    yield server.sockets[0].getsockname()[1], gone


@case("TC_A_07_CS")
async def test_a_csms_that_asks_is_shown_our_certificate(tmp_path: Path, house: Authority, version: str) -> None:
    async with Central.of(version) as central:
        door = Door(central)
        async with door.open(house.serving("csms", asks=True)):
            ours = {"certificate": house.file("client.pem"), "key": house.file("client.key")}
            plan = door.plan("wss", auth_type="certificate", ca=house.ca, **ours)
            async with charger_at(tmp_path, version, plan):
                await door.desk.status("Available")
                assert door.desk.order[0] == "BootNotification"
                assert [one["subject"] for one in door.subjects] == [((("commonName", "client"),),)]
                assert door.shown == [""]


@case("TC_A_22_CS")
async def test_it_cannot_have_us_come_by_a_lower_security_profile(
    tmp_path: Path, house: Authority, version: str
) -> None:
    async with at_home(tmp_path, house, version) as door:
        await door.desk.status("Available")
        assert await variable(door.desk, "SecurityCtrlr", "SecurityProfile") == "2"
        profile = {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": f"ws://127.0.0.1:{door.port}/ocpp",
            "messageTimeout": 30,
            "securityProfile": 1,
            "ocppInterface": "Wired0",
        }
        answer = await door.desk.ask("SetNetworkProfile", configurationSlot=1, connectionData=profile)
        assert answer["status"] == "Rejected"
        assert await variable(door.desk, "SecurityCtrlr", "SecurityProfile") == "2"
        assert len(door.shown) == 1


async def variable(desk: Desk, component: str, name: str) -> str:
    asked = {"component": {"name": component}, "variable": {"name": name}}
    (told,) = (await desk.ask("GetVariables", getVariableData=[asked]))["getVariableResult"]
    return str(told["attributeValue"])
