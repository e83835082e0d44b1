"""TLS with services: theirs must be trusted, ours is shown where asked for, and what fails is said in words."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from ocpp_mqtt_proxy.adapters.services.tls import NoTls, context_of, told
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.services.plan import Credentials, ServicePlan
from ocpp_mqtt_proxy.services.ports import DialFailed, Step
from tests.adapters.certificates import Authority
from tests.adapters.services_rig import Service, a_dialer, answering, listening, nothing

OFFERED = (Version.V16,)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA, and by it: a service, one of another name, one that has expired, and a client."""
    authority = Authority.found(tmp_path_factory.mktemp("certificates"))
    for name in ("service", "client"):
        authority.certify(name)
    authority.certify("elsewhere", "DNS:csms.example")
    authority.certify("expired", days=-1)
    authority.run("ec -in client.key -aes256 -passout pass:secret -out locked.key")
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another CA and a client of its."""
    authority = Authority.found(tmp_path_factory.mktemp("others"), "Another-CA")
    authority.certify("client")
    return authority


async def connects(plan: ServicePlan) -> bool:
    """Whether a link comes to be; closed again. Raises DialFailed."""
    link = await a_dialer()(plan, "CP1", OFFERED, nothing)
    link.part("seen")
    return bool(await link.wait_closed())


async def failure(plan: ServicePlan) -> DialFailed:
    with pytest.raises(DialFailed) as failed:
        await connects(plan)
    return failed.value


@pytest.mark.parametrize("given", [lambda house: house.ca, lambda house: house.text("ca.pem")], ids=["path", "text"])
async def test_a_service_is_trusted_by_its_ca(house: Authority, given: Callable[[Authority], str]) -> None:
    async with listening(tls=house.serving("service")) as service:
        assert await connects(service.plan(ca=given(house)))


async def test_a_password_may_go_where_a_ca_is_given_and_no_certificate_of_ours(house: Authority) -> None:
    async with listening(tls=house.serving("service")) as service:
        assert await connects(service.plan(kind="basic", password="hunter2hunter2ab", ca=house.ca))
        assert service.header is not None


@pytest.mark.parametrize(
    ("name", "ca", "why"),
    [
        ("service", "", "give its CA as ca"),
        ("service", "stranger", "give its CA as ca"),
        ("elsewhere", "house", "not valid for '127.0.0.1'"),
        ("expired", "house", "expired"),
    ],
)
async def test_a_service_that_cannot_be_trusted_is_told_nothing(
    house: Authority, stranger: Authority, name: str, ca: str, why: str
) -> None:
    trusted = {"": "", "house": house.ca, "stranger": stranger.ca}[ca]
    async with listening(tls=house.serving(name)) as service:
        error = await failure(service.plan(kind="token", token="t0ken", ca=trusted))
        assert error.step is Step.TLS
        assert "cannot be trusted" in error.why
        assert why in error.why
        assert not service.requests


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["an error", "no more"])
async def test_a_port_without_tls_is_told_from_one_with(house: Authority, said: bytes) -> None:
    async with answering(lambda _: said) as port:
        error = await failure(ServicePlan("x", f"wss://127.0.0.1:{port}/ocpp"))
        assert error.step is Step.TLS
        assert "TLS on this port" in error.why


async def test_a_port_with_tls_is_told_from_one_without(house: Authority) -> None:
    async with listening(tls=house.serving("service")) as service:
        error = await failure(service.plan(url=f"ws://127.0.0.1:{service.port}/ocpp"))
        assert error.step is Step.HANDSHAKE
        assert "should begin with wss://" in error.why


# Our own certificate


@pytest.mark.parametrize("read", [Authority.file, Authority.text], ids=["path", "text"])
async def test_a_service_that_asks_is_shown_our_certificate(
    house: Authority, read: Callable[[Authority, str], str]
) -> None:
    async with listening(tls=house.serving("service", asks=True)) as service:
        assert await connects(_with_certificate(service, house, read(house, "client.pem"), read(house, "client.key")))
        shown = (await service.socket()).transport.get_extra_info("peercert")
        assert (("commonName", "client"),) in shown["subject"]
        assert service.header is None


def _with_certificate(service: Service, house: Authority, certificate: str, key: str) -> ServicePlan:
    return service.plan(kind="certificate", ca=house.ca, certificate=certificate, key=key)


async def test_certificate_and_key_may_be_in_one_file(house: Authority) -> None:
    both = house.text("client.pem") + house.text("client.key")
    async with listening(tls=house.serving("service", asks=True)) as service:
        assert await connects(_with_certificate(service, house, both, ""))


@contextmanager
def thorough(tls: ssl.SSLContext) -> Iterator[int]:
    """A port where somebody says by a TLS alert why we do not come in; asyncio's servers only hang up."""

    def judge() -> None:
        connection, _ = door.accept()
        with closing(connection.dup()) as below, suppress(OSError):
            with suppress(ssl.SSLError):
                tls.wrap_socket(connection, server_side=True)
            while below.recv(65_536):
                pass

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        thread = threading.Thread(target=judge)
        thread.start()
        yield door.getsockname()[1]
        thread.join()


async def test_a_service_that_asks_in_vain_says_so(house: Authority) -> None:
    with thorough(house.serving("service", asks=True)) as port:
        error = await failure(ServicePlan("x", f"wss://127.0.0.1:{port}/", credentials=Credentials(ca=house.ca)))
    assert error.step is Step.TLS
    assert "asks for a client certificate" in error.why


async def test_a_service_that_does_not_trust_us_says_so(house: Authority, stranger: Authority) -> None:
    shown = Credentials(
        "certificate", ca=house.ca, certificate=stranger.file("client.pem"), key=stranger.file("client.key")
    )
    with thorough(house.serving("service", asks=True)) as port:
        error = await failure(ServicePlan("x", f"wss://127.0.0.1:{port}/", credentials=shown))
    assert error.step is Step.TLS
    assert "does not trust our client certificate" in error.why


async def test_of_a_service_that_hangs_up_it_is_said_what_it_may_want(house: Authority) -> None:
    async with listening(tls=house.serving("service", asks=True)) as service:
        error = await failure(service.plan(ca=house.ca))
        assert "perhaps it asks for a client certificate" in error.why


async def test_a_certificate_is_shown_in_tls_only(house: Authority) -> None:
    error = await failure(ServicePlan("x", "ws://127.0.0.1:1/", credentials=Credentials("certificate")))
    assert error.step is Step.ADDRESS
    assert "wss://" in error.why


WRONG: list[tuple[dict[str, str], str]] = [
    ({}, "needs certificate"),
    ({"certificate": "gone.pem", "key": "client.key"}, "cannot be read: No such file"),
    ({"certificate": "client.pem", "key": "gone.key"}, "cannot be read: No such file"),
    ({"certificate": "client.pem", "key": "service.key"}, "cannot be used: key values mismatch"),
    ({"certificate": "client.pem"}, "cannot be used"),
    ({"certificate": "client.pem", "key": "locked.key"}, "the key is encrypted"),
    ({"certificate": "client.names", "key": "client.key"}, "cannot be used"),
]


@pytest.mark.parametrize(("files", "why"), WRONG, ids=[why for _, why in WRONG])
def test_what_is_configured_wrongly_is_said_in_words(house: Authority, files: dict[str, str], why: str) -> None:
    credentials = Credentials("certificate", **{name: house.file(file) for name, file in files.items()})
    with pytest.raises(NoTls, match=why):
        context_of(credentials)


@pytest.mark.parametrize(("ca", "why"), [("gone.pem", "No such file"), ("client.names", "holds no certificate in PEM")])
def test_a_ca_that_cannot_be_read_is_said_in_words(house: Authority, ca: str, why: str) -> None:
    with pytest.raises(NoTls, match=why):
        context_of(Credentials(ca=house.file(ca)))


def test_a_ca_of_the_configuration_s_text_that_is_broken_is_said_in_words() -> None:
    with pytest.raises(NoTls, match="holds no certificate"):
        context_of(Credentials(ca="-----BEGIN CERTIFICATE-----\nMIIB"))


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    context = context_of(Credentials())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_fault_without_a_reason_is_told_all_the_same() -> None:
    assert told(ssl.SSLError(1, "something")) == "it broke off"


async def test_the_key_is_in_no_failure(house: Authority) -> None:
    key = house.text("service.key")
    error = await failure(
        ServicePlan(
            "x",
            "wss://127.0.0.1:1/",
            credentials=Credentials("certificate", certificate=house.text("client.pem"), key=key),
        )
    )
    assert error.step is Step.TLS
    assert key.splitlines()[1] not in error.why
