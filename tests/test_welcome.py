"""What a first-time user is told, wherever the service runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.welcome import in_container, welcome

DOCKERFILE = Path(__file__).parents[1] / "addon" / "ocpp_mqtt_proxy" / "Dockerfile"


def told(*, sidebar: bool = False, container: bool = False) -> str:
    return "\n".join(welcome("192.0.2.10", 9000, sidebar=sidebar, container=container))


def test_every_version_that_is_spoken_is_told() -> None:
    assert f"serves OCPP {', '.join(DIALECTS)}" in told()


def test_a_charger_is_pointed_at_this_machine_s_address() -> None:
    assert "ws://192.0.2.10:9000/charger/<its id>" in told()


@pytest.mark.parametrize("sidebar", [True, False])
def test_a_container_s_own_address_is_not_told(sidebar: bool) -> None:
    assert "192.0.2.10" not in told(sidebar=sidebar, container=True)
    assert "ws://<this machine>:9000/charger/<its id>" in told(sidebar=sidebar, container=True)


def test_on_this_machine_the_page_is_open() -> None:
    assert "http://localhost:9000/ (elsewhere: run `ocpp-mqtt-proxy login`)" in told()


def test_into_a_container_one_logs_in() -> None:
    assert "http://<this machine>:9000/ (to log in, run `ocpp-mqtt-proxy login` in the container)" in told(
        container=True
    )


def test_under_the_supervisor_the_page_is_in_the_sidebar() -> None:
    assert "in Home Assistant's sidebar" in told(sidebar=True, container=True)


def test_our_image_says_that_it_is_a_container() -> None:
    line = next(line for line in DOCKERFILE.read_text().splitlines() if line.startswith("ENV container"))
    name, _, value = line.removeprefix("ENV ").partition("=")
    assert in_container({name: value})
    assert not in_container({})
