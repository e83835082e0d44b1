"""The broker that tests use: Docker's where there is Docker, else the `mosquitto` binary, else the fallback.

`OCPP_TEST_BROKER=docker|local` chooses; `local` is the binary or the fallback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ocpp_mqtt_proxy.demo import broker as local
from ocpp_mqtt_proxy.demo.broker import Started, free_port

IMAGE = "eclipse-mosquitto:2"


@cache
def docker_answers() -> bool:
    """Whether there is a Docker engine; the client alone is not one."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True, timeout=20, check=False).returncode == 0  # noqa: S603


@dataclass
class Broker:
    """A broker that can be stopped and started again on its port. Retained messages go with it."""

    folder: Path
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    _started: Started | None = None
    _container: Any = None

    @property
    def speaks_mqtt5(self) -> bool:
        return self._container is not None or (self._started is not None and self._started.speaks_mqtt5)

    def start(self) -> Broker:
        wanted = os.environ.get("OCPP_TEST_BROKER") or ("docker" if docker_answers() else "local")
        if wanted == "docker":
            self._start_container()
        else:
            self._started = local.start(self.folder, self.port)
        return self

    def _start_container(self) -> None:
        from testcontainers.community.mqtt import MosquittoContainer  # noqa: PLC0415 (needs Docker to be of use)

        self._container = MosquittoContainer(IMAGE).with_bind_ports(1883, self.port)
        self._container.start()
        self.host = self._container.get_container_host_ip()

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()
        if self._started is not None:
            self._started.stop()
        self._started = self._container = None
