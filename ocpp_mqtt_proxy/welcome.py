"""What a first-time user is told at the start: where chargers connect, and where the page is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from typing import Final

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS

THIS_MACHINE: Final = "<this machine>"


def in_container(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether we run in a container, as our image (and Podman) says: its address is of no use outside."""
    return bool(environment.get("container"))


def welcome(address: str, port: int, *, sidebar: bool, container: bool) -> Iterator[str]:
    """The lines. `sidebar`: the page is in Home Assistant's.

    Else nobody has to log in from this machine; but who comes into a container comes from elsewhere.
    """
    reached = THIS_MACHINE if container else address
    log_in = "`ocpp-mqtt-proxy login`"
    yield f"ocpp-mqtt-proxy {__version__} serves OCPP {', '.join(DIALECTS)}"
    yield f"point your charger at   ws://{reached}:{port}/charger/<its id>"
    if sidebar:
        yield "see the page            in Home Assistant's sidebar"
    elif container:
        yield f"see the page at         http://{reached}:{port}/ (to log in, run {log_in} in the container)"
    else:
        yield f"see the page at         http://localhost:{port}/ (elsewhere: run {log_in})"
    yield f"or try one without a car: ocpp-mqtt-proxy simulate --url ws://localhost:{port}/charger/SIM1"


def own_address() -> str:
    """The machine's address in its network, as far as it can be told without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "localhost"
