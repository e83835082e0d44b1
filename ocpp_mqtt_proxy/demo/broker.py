"""A broker where there is none: the `mosquitto` binary, else amqtt in an environment of its own.

amqtt speaks only MQTT 3.1.1 and pins a `websockets` that is not ours, so it never comes into our environment;
it is for a first look and for tests on a bare machine, never for real use.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

AMQTT_PYTHON = Path(".venv-broker/bin/python")
START_SECONDS = 20.0

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian keeps mosquitto, which is not on every user's path."""

_MOSQUITTO = """\
listener {port} 127.0.0.1
persistence false
set_tcp_nodelay true
max_queued_messages 100000
log_type error
{more}
"""
"""Else it drops messages for who reads slowly, from the 1,000th on. (0, without end, kills Mosquitto 2.0.11.)"""

_AMQTT = """\
import asyncio, logging
from amqtt.broker import Broker

async def main():
    logging.disable(logging.WARNING)
    broker = Broker({{
        "listeners": {{"default": {{"type": "tcp", "bind": "127.0.0.1:{port}"}}}},
        "plugins": {{"amqtt.plugins.authentication.AnonymousAuthPlugin": {{"allow_anonymous": True}}}},
    }})
    await broker.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


class NoBroker(Exception):
    """There is nothing to start a broker with, or it does not start."""


@dataclass(frozen=True, slots=True)
class Started:
    """A broker of ours on 127.0.0.1."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def speaks_mqtt5(self) -> bool:
        """Whether it speaks MQTT 5."""
        return self.name == "mosquitto"

    def stop(self) -> None:
        """End it, and wait for that."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def mosquitto() -> str | None:
    """The path of the mosquitto binary, if there is one."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)


def answers(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, port: int | None = None) -> Started:
    """Start a broker; its configuration goes into `folder`. Raises NoBroker."""
    chosen = port or free_port()
    if mosquitto():
        return start_mosquitto(folder, chosen, "allow_anonymous true")
    if AMQTT_PYTHON.exists():
        return start_amqtt(chosen)
    raise NoBroker("no broker: install mosquitto, or run `make fallback-broker`")


def start_mosquitto(folder: Path, port: int, *more: str) -> Started:
    """Start mosquitto with more lines of configuration. Raises NoBroker."""
    binary = mosquitto()
    if binary is None:
        raise NoBroker("mosquitto is not installed")
    file = folder / f"mosquitto-{port}.conf"
    file.write_text(_MOSQUITTO.format(port=port, more="\n".join(more)))
    return _wait(Started("mosquitto", port, _run([binary, "-c", str(file)])))


def start_amqtt(port: int) -> Started:
    """Start amqtt. Raises NoBroker."""
    return _wait(Started("amqtt", port, _run([str(AMQTT_PYTHON), "-c", _AMQTT.format(port=port)])))


def _run(command: list[str]) -> subprocess.Popen[bytes]:
    """In a group of its own: an interrupt at the keyboard is for us, and the broker goes last."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)  # noqa: S603 (our own)


def _wait(broker: Started) -> Started:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and broker.process.poll() is None:
        if answers("127.0.0.1", broker.port):
            return broker
        time.sleep(0.05)
    broker.stop()
    raise NoBroker(f"{broker.name} does not start on port {broker.port}")
