"""Finding and reading the configuration, and saying clearly what is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.errors import ProxyError

ADDON_OPTIONS: Final = Path("/data/options.json")
DEFAULT_FILE: Final = Path("ocpp-mqtt-proxy.yaml")

SHORT_NAMES: Mapping[str, tuple[str, str]] = {
    "HA_URL": ("home_assistant", "url"),
    "HA_TOKEN": ("home_assistant", "token"),
    "MQTT_HOST": ("mqtt", "host"),
    "MQTT_PORT": ("mqtt", "port"),
    "MQTT_USERNAME": ("mqtt", "username"),
    "MQTT_PASSWORD": ("mqtt", "password"),
}


class BadConfiguration(ProxyError):
    """A configuration that cannot be used: one line per fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def find(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: the given one, $OCPP_MQTT_PROXY_CONFIG, the add-on's, the one in this folder, or none.

    Raises BadConfiguration where a file that was named is not there.
    """
    named = given or _path(environment.get("OCPP_MQTT_PROXY_CONFIG"))
    if named is not None:
        if not named.is_file():
            raise BadConfiguration([f"{named}: there is no such file"])
        return named
    return next((file for file in (ADDON_OPTIONS, DEFAULT_FILE) if file.is_file()), None)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def load(file: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration of a file and the environment. Raises BadConfiguration."""
    given = read(file) if file else {}
    for name, (section, key) in SHORT_NAMES.items():
        if value := environment.get(name):
            part = given.setdefault(section, {})
            if isinstance(part, dict):
                part[key] = value
    try:
        return Config(**given)
    except ValidationError as error:
        raise BadConfiguration(list(faults(error))) from None


class _Loader(yaml.SafeLoader):
    """YAML with `!file PATH`: a secret that stands in a file of its own, by its path from the configuration."""


def _secret_file(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.ScalarNode)
    path = Path(loader.name).parent / str(loader.construct_scalar(node))
    try:
        return path.read_text().strip()
    except OSError as error:
        raise BadConfiguration([f"!file {path}: {error.strerror}"]) from None


_Loader.add_constructor("!file", _secret_file)


def read(file: Path) -> dict[str, Any]:
    """The contents of a YAML or JSON file. Raises BadConfiguration."""
    try:
        parsed = _json(file) if file.suffix == ".json" else _yaml(file)
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise BadConfiguration([f"{file}: cannot be read: {_one_line(error)}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration([f"{file}: cannot be read: {error}"]) from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise BadConfiguration([f"{file}: must hold keys and values"])
    return parsed


def _json(file: Path) -> Any:  # noqa: ANN401
    return json.loads(file.read_text() or "{}")


def _yaml(file: Path) -> Any:  # noqa: ANN401
    with file.open() as stream:
        return yaml.load(stream, Loader=_Loader)  # noqa: S506 (a SafeLoader)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def faults(error: ValidationError) -> Iterator[str]:
    """One line per fault: the key's path, what is wrong, what is allowed. Secrets are not shown."""
    for fault in error.errors(include_url=False, include_input=False):
        path = ".".join(str(step) for step in fault["loc"] if not str(step).startswith("function-"))
        if fault["type"] == "extra_forbidden":
            yield f"{path}: no such key; allowed: {', '.join(_siblings(fault['loc']))}"
        else:
            yield f"{path or 'configuration'}: {_wrong(fault)}"


def _wrong(fault: Mapping[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message.replace("Input should be", "must be")


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """The keys allowed beside an unknown one."""
    model: Any = Config
    for step in location[:-1]:
        if isinstance(step, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(step)
            model = _model_in(field.annotation) if field else None
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    return sorted(str(info.alias or name) for name, info in fields.items())


def _model_in(annotation: Any) -> Any:  # noqa: ANN401
    """The model within `list[Model]`, `Model | None` or `Model`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
