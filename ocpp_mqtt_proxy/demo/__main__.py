"""`python -m ocpp_mqtt_proxy.demo [run|demo]`: the service and a broker; for `demo` chargers, a backend, a CSMS too.

The broker is the configured one, else what listens on this machine's port 1883, else one started for the while.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

from ocpp_mqtt_proxy import config_file
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.config_file import BadConfiguration
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.demo import backend, broker, csms
from ocpp_mqtt_proxy.demo.broker import NoBroker

STANDARD_PORT = 1883
CHARGERS = (("1.6", "GARAGE", "20"), ("2.0.1", "DRIVEWAY", "13"), ("2.1", "STREET", "17"))
"""OCPP version, id, and how much faster than life it charges: not the same, so that they are not in step."""

TOKEN = token_urlsafe(16)
DEMO_OPTIONS = {
    "OCPP_MQTT_PROXY_ACCEPT_UNKNOWN_CHARGERS": "true",
    "OCPP_MQTT_PROXY_DATABASE__PATH": "run/demo.db",
    "OCPP_MQTT_PROXY_PROVIDERS": json.dumps([backend.RULES | {"token": TOKEN}]),
}
STOP_SECONDS = 15


class PortTaken(ProxyError):
    """Another program is where the demonstration wants to be: its chargers would go there."""


def main(arguments: list[str]) -> int:
    """Run until interrupted; the service's exit code."""
    demo = "demo" in arguments
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as found:
        csms_port = broker.free_port()
        environment = DEMO_OPTIONS | _billed(csms_port) | found if demo else found
        if demo:
            Path("run").mkdir(exist_ok=True)
        port = str(_load(environment).http.port)
        with contextlib.ExitStack() as stack:
            if demo and broker.answers("127.0.0.1", int(port)):
                raise PortTaken(f"something answers on port {port} already; choose another: http.port")
            if demo:
                stack.enter_context(_process([str(csms_port)], environment, "ocpp_mqtt_proxy.demo.csms"))
            service = stack.enter_context(_process(["run"], environment))
            if demo and _serves(service, int(port)):
                stack.enter_context(_process(_share(port), environment, "ocpp_mqtt_proxy.demo.backend"))
                for version, charger, speed in CHARGERS:
                    stack.enter_context(_process(_simulate(version, charger, speed, port), environment))
            return _wait(service)


def _serves(service: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the service takes connections; whether it does."""
    while service.poll() is None:
        if broker.answers("127.0.0.1", port):
            return True
        time.sleep(0.1)
    return False


def _simulate(version: str, charger: str, speed: str, port: str) -> list[str]:
    url = f"ws://127.0.0.1:{port}/charger"
    return ["simulate", "--url", url, "--version", version, "--id", charger, "--speed", speed, "--show"]


def _billed(csms_port: int) -> dict[str, str]:
    return {"OCPP_MQTT_PROXY_OCPP_SERVICES": json.dumps([csms.options(csms_port)])}


def _share(port: str) -> list[str]:
    url = f"ws://127.0.0.1:{port}/backend?id={backend.PROVIDER}&token={TOKEN}"
    return [url, *(charger for _, charger, _ in CHARGERS)]


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which the service finds a broker."""
    environment = dict(os.environ)
    if _load(environment).mqtt.host:
        yield environment
    elif broker.answers("127.0.0.1", STANDARD_PORT):
        print(f"MQTT: the broker on this machine's port {STANDARD_PORT}", flush=True)
        yield environment | {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(STANDARD_PORT)}
    else:
        started = broker.start(folder, STANDARD_PORT)
        print(f"MQTT: {started.name} on 127.0.0.1:{STANDARD_PORT}, for this run only", flush=True)
        if not started.speaks_mqtt5:
            print("      a makeshift broker, good for a first look; for more, install mosquitto", flush=True)
        protocol = {} if started.speaks_mqtt5 else {"OCPP_MQTT_PROXY_MQTT__PROTOCOL": "3.1.1"}
        try:
            yield environment | protocol | {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(STANDARD_PORT)}
        finally:
            started.stop()


def _load(environment: dict[str, str]) -> Config:
    return config_file.load(config_file.find(None, environment), environment)


@contextlib.contextmanager
def _process(
    arguments: list[str], environment: dict[str, str], module: str = "ocpp_mqtt_proxy"
) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours while this runs. It gets its own group: an interrupt reaches it through us, once."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(service: subprocess.Popen[bytes]) -> int:
    """Wait for the service; an interrupt or a SIGTERM asks it to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: service.terminate())
    return service.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BadConfiguration as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # while it starts
        sys.exit(0)
    except (NoBroker, PortTaken, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
