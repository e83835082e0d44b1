"""The Supervisor, as an add-on asks it: a real HTTP server of the test's answers as the Supervisor does."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.supervisor import MqttService, Supervisor
from ocpp_mqtt_proxy.demo.broker import free_port

MOSQUITTO = {
    "addon": "core_mosquitto",
    "host": "core-mosquitto",
    "port": 1883,
    "ssl": False,
    "username": "addons",
    "password": "secret",
    "protocol": "3.1.1",
}


@dataclass
class Answering:
    """A Supervisor: what it answers by path, as a status and a body, and what tokens it was shown."""

    url: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    tokens: list[str | None] = field(default_factory=list)

    def data(self, path: str, **data: Any) -> None:
        self.answers[path] = (200, json.dumps({"result": "ok", "data": data}).encode())


@pytest.fixture
def supervisor() -> Iterator[Answering]:
    answering = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answering.tokens.append(self.headers["Authorization"])
            status, body = answering.answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its signature)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answering.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield answering
    server.shutdown()
    thread.join()
    server.server_close()


def asked(answering: Answering) -> Supervisor:
    return Supervisor("token", answering.url)


def test_an_add_on_is_known_by_its_token() -> None:
    assert Supervisor.of({"SUPERVISOR_TOKEN": "t"})
    assert not Supervisor.of({})


async def test_the_broker_that_the_supervisor_knows_is_taken(supervisor: Answering) -> None:
    supervisor.data("/services/mqtt", **MOSQUITTO)
    assert await asked(supervisor).mqtt() == MqttService("core-mosquitto", 1883, "addons", "secret", tls=False)
    assert supervisor.tokens == ["Bearer token"]


async def test_a_port_may_come_as_text(supervisor: Answering) -> None:
    supervisor.data("/services/mqtt", **MOSQUITTO | {"port": "8883", "ssl": True})
    service = await asked(supervisor).mqtt()
    assert service is not None
    assert (service.port, service.tls) == (8883, True)


async def test_no_broker_is_nothing_to_warn_of(supervisor: Answering, caplog: pytest.LogCaptureFixture) -> None:
    supervisor.answers["/services/mqtt"] = (400, b'{"result": "error", "message": "Service not enabled"}')
    assert await asked(supervisor).mqtt() is None
    assert caplog.records == []


NONSENSE = {
    "forbidden": (403, b"{}"),
    "no JSON": (200, b"<html>"),
    "no object": (200, b"[1]"),
    "no data": (200, b'{"result": "ok", "data": null}'),
    "no text": (200, b"\xff\xfe"),
    "no port": (200, b'{"data": {"host": "x", "port": "any"}}'),
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_nonsense_is_as_good_as_no_answer(supervisor: Answering, what: str) -> None:
    supervisor.answers = dict.fromkeys(("/services/mqtt", "/info"), NONSENSE[what])
    assert await asked(supervisor).mqtt() is None
    assert await asked(supervisor).home_assistant_version() is None


async def test_a_supervisor_that_is_away_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert await Supervisor("token", f"http://127.0.0.1:{free_port()}").mqtt() is None
    assert "cannot be asked" in caplog.text
    assert "token" not in caplog.text


VERSIONS = {
    "2026.11.0": (2026, 11),
    "2024.3.3": (2024, 3),
    "2025.1.0b2": (2025, 1),
    "2026.12.0.dev202611020214": (2026, 12),
    "landingpage": None,
    "": None,
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_home_assistants_version_is_its_year_and_month(supervisor: Answering, version: str) -> None:
    supervisor.data("/info", homeassistant=version)
    assert await asked(supervisor).home_assistant_version() == VERSIONS[version]
