"""Trying a service: each step is told, the one that fails with its reason, and no secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from ocpp_mqtt_proxy.adapters.services.dial import Timing
from ocpp_mqtt_proxy.adapters.services.trial import Trial, try_out
from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.core.reports import BootReported
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.services.plan import Credentials, ServicePlan
from ocpp_mqtt_proxy.services.ports import Step
from tests.adapters.certificates import Authority
from tests.adapters.services_rig import QUICK, Service, a_dialer, answering, listening

BOOT = BootReported(Nameplate("Alfen", "Eve Single", "ACE0001", "6.5.0"), "power_up")
NOW = "2026-03-14T12:00:00Z"
MOMENT = 0.05
"""Seconds that tests wait to see whether a service lets a connection stay."""


async def trial_of(
    plan: ServicePlan, *, boot: bool = False, version: Version = Version.V16, timing: Timing = QUICK
) -> Trial:
    return await try_out(a_dialer(timing=timing), plan, "CP1", (version,), BOOT if boot else None, MOMENT)


@asynccontextmanager
async def answering_boots(answer: Callable[[str], Any]) -> AsyncIterator[Service]:
    """A service that answers every call by what `answer` makes of its id."""

    async def converse(socket: ServerConnection) -> None:
        try:
            async for message in socket:
                await socket.send(json.dumps(answer(json.loads(message)[1])))
        except ConnectionClosed:
            pass

    async with listening(converse=converse) as service:
        yield service


def says(status: str) -> Callable[[str], Any]:
    return lambda message_id: [3, message_id, {"status": status, "currentTime": NOW, "interval": 300}]


async def test_a_service_that_lets_us_in_is_told_step_by_step() -> None:
    async with listening() as service:
        trial = await trial_of(service.plan())
    assert trial.ok
    assert trial.lines == [
        f"address: 127.0.0.1:{service.port}",
        f"connect: connected to 127.0.0.1:{service.port}",
        "handshake: the service lets us in",
        "subprotocol: OCPP 1.6",
        "boot: not sent",
    ]
    assert trial.shown()["ok"] is True


async def test_tls_is_a_step_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    house = Authority.found(tmp_path_factory.mktemp("certificates"))
    house.certify("service")
    async with listening(tls=house.serving("service")) as service:
        trial = await trial_of(service.plan(ca=house.ca))
        assert [step for step, _ in trial.passed] == [step for step in Step if step is not Step.DELIVERY]
        assert "tls: TLSv1.3" in trial.lines


async def test_a_boot_is_sent_only_when_it_is_asked_for() -> None:
    async with listening() as service:
        assert (await trial_of(service.plan())).ok
        socket = await service.socket()
        with pytest.raises(ConnectionClosed):  # what was sent before would come first
            await socket.recv()


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("status", ["Accepted", "Pending"])
async def test_what_the_service_answers_to_a_boot_is_told(version: Version, status: str) -> None:
    async with answering_boots(says(status)) as service:
        trial = await trial_of(service.plan(), boot=True, version=version)
    assert trial.ok
    assert trial.passed[-1][0] is Step.BOOT
    assert trial.passed[-1][1].startswith(status.lower())


NO_BOOT: list[tuple[Callable[[str], Any], str]] = [
    (says("Rejected"), "rejected: the service does not want this charger"),
    (says("Perhaps\x1b[31m"), "no status that is known"),
    (lambda message_id: [3, message_id, {}], "no status that is known (none)"),
    (lambda message_id: [4, message_id, "SecurityError", "who are you?", {}], "SecurityError who are you?"),
]


@pytest.mark.parametrize(("answer", "why"), NO_BOOT, ids=[why for _, why in NO_BOOT])
@pytest.mark.parametrize("version", DIALECTS)
async def test_a_boot_that_is_not_accepted_fails_with_the_reason(
    version: Version, answer: Callable[[str], Any], why: str
) -> None:
    async with answering_boots(answer) as service:
        trial = await trial_of(service.plan(), boot=True, version=version)
    assert trial.failed is Step.BOOT
    assert why in trial.why
    assert trial.why.isprintable()


async def test_a_boot_that_is_not_answered_fails_in_time() -> None:
    async with listening() as service:
        trial = await trial_of(service.plan(), boot=True, timing=Timing(call=0.02))
    assert (trial.failed, trial.why) == (Step.BOOT, "the service did not answer BootNotification in 0.02 s")


async def _close(socket: ServerConnection) -> None:
    await socket.close(1008, "the charger is not set up")


async def _close_when_called(socket: ServerConnection) -> None:
    await socket.recv()
    await _close(socket)


async def test_a_service_that_closes_at_once_fails_though_it_let_us_in() -> None:
    async with listening(converse=_close) as service:
        trial = await trial_of(service.plan())
    assert trial.failed is Step.SUBPROTOCOL
    assert "closed the connection at once" in trial.why
    assert "the charger is not set up" in trial.why


@pytest.mark.parametrize("converse", [_close, _close_when_called])
async def test_a_service_that_closes_on_a_boot_fails_there(
    converse: Callable[[ServerConnection], Awaitable[None]],
) -> None:
    async with listening(converse=converse) as service:
        trial = await trial_of(service.plan(), boot=True)
    assert trial.failed is Step.BOOT
    assert "the charger is not set up" in trial.why


async def test_what_a_service_asks_meanwhile_is_refused_as_no_call_for_a_trial() -> None:
    answers: list[Any] = []

    async def ask(socket: ServerConnection) -> None:
        await socket.send('[2,"a","Reset",{"type":"Hard"}]')
        message_id = json.loads(await socket.recv())[1]
        answers.append(json.loads(await socket.recv()))
        await socket.send(json.dumps(says("Accepted")(message_id)))
        await socket.wait_closed()

    async with listening(converse=ask) as service:
        assert (await trial_of(service.plan(), boot=True)).ok
    assert answers[0][:3] == [4, "a", "NotSupported"]


async def test_after_a_trial_the_connection_is_closed() -> None:
    async with answering_boots(says("Accepted")) as service:
        await trial_of(service.plan(), boot=True)
        socket = await service.socket()
        await socket.wait_closed()
        assert socket.close_code == 1001


async def test_a_trial_that_fails_tells_the_steps_before_and_at_which_it_did() -> None:
    async with listening("soap") as service:
        trial = await trial_of(service.plan())
    assert [step for step, _ in trial.passed] == [Step.ADDRESS, Step.CONNECT, Step.HANDSHAKE]
    assert trial.lines[-1] == "subprotocol failed: of ocpp1.6 the service names soap"
    assert trial.shown() == {
        "ok": False,
        "steps": [
            *({"step": str(step), "ok": True, "message": words} for step, words in trial.passed),
            {"step": "subprotocol", "ok": False, "message": trial.why},
        ],
    }


AIMED, REACHED = {Step.ADDRESS}, {Step.ADDRESS, Step.CONNECT}
FAILING: list[tuple[str, bytes, Step, set[Step]]] = [
    ("ws://127.0.0.1:{port}/#SECRET7", b"", Step.ADDRESS, set()),
    ("ws://127.0.0.1:1/SECRET7", b"", Step.CONNECT, AIMED),
    ("wss://127.0.0.1:{port}/SECRET7", b"no TLS", Step.TLS, REACHED),
    ("ws://127.0.0.1:{port}/SECRET7", b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Step.HANDSHAKE, REACHED),
]


@pytest.mark.parametrize(("url", "said", "step", "before"), FAILING, ids=[row[2] for row in FAILING])
async def test_a_trial_names_the_step_that_fails_and_no_secret(
    url: str, said: bytes, step: Step, before: set[Step]
) -> None:
    async with answering(lambda _: said) as port:
        credentials = Credentials("basic", password="SECRET7")
        trial = await trial_of(ServicePlan("x", url.format(port=port), credentials=credentials))
    assert trial.failed is step
    assert [passed for passed, _ in trial.passed] == [one for one in Step if one in before]
    assert "SECRET" not in "\n".join(trial.lines)
