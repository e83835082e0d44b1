"""Finding and reading the configuration, and saying clearly what is wrong with it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.errors import ProxyError

ADDON_OPTIONS: Final = Path("/data/options.json")
DEFAULT_FILE: Final = Path("ocpp-mqtt-proxy.yaml")

PREFIX: Final = "OCPP_MQTT_PROXY_"
FILE_VARIABLE: Final = f"{PREFIX}CONFIG"

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
    named = given or _path(environment.get(FILE_VARIABLE))
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
    unknown = list(_unknown_variables(environment))
    try:
        config = Config(**given)
    except ValidationError as error:
        raise BadConfiguration([*unknown, *faults(error)]) from None
    except SettingsError as error:
        raise BadConfiguration([*unknown, _not_json(error)]) from None
    if unknown:
        raise BadConfiguration(unknown)
    return config


# The environment


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Variables of ours that name no key; deeper ones are found where the configuration is checked."""
    for name in environment:
        if name.upper().startswith(PREFIX) and name.upper() != FILE_VARIABLE:
            key = name[len(PREFIX) :].partition("__")[0].lower()
            if key not in Config.model_fields:
                yield f"${name}: no such key; allowed: {', '.join(sorted(Config.model_fields))}"


def _not_json(error: SettingsError) -> str:
    """A list or a section in the environment that cannot be read."""
    named = re.search(r'field "(\w+)"', str(error))
    key = named[1] if named else "configuration"
    return f"{key}: ${PREFIX}{key.upper()} cannot be read; must be JSON"


# Files


class _Loader(yaml.SafeLoader):
    """YAML with `!file PATH`: a secret that stands in a file of its own, by its path from the configuration.

    Numbers are as in YAML 1.2: `04123456` is a card and no octal number, `23:00` a time and no base of 60.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (as PyYAML has it)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)\.[0-9]*)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def _secret_file(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise BadConfiguration([f"!file in line {node.start_mark.line + 1}: must be followed by a path"])
    path = Path(loader.name).parent / str(loader.construct_scalar(node))
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise BadConfiguration([f"!file {path}: {why}"]) from None


_Loader.add_constructor("!file", _secret_file)


def read(file: Path) -> dict[str, Any]:
    """The contents of a YAML or JSON file; what has no value is as if left out. Raises BadConfiguration."""
    try:
        parsed = _json(file) if file.suffix == ".json" else _yaml(file)
    except yaml.YAMLError as error:
        raise BadConfiguration([f"{file}: cannot be read: {_yaml_fault(error)}"]) from None
    except json.JSONDecodeError as error:
        raise BadConfiguration([f"{file}: cannot be read: {error}"]) from None
    except UnicodeDecodeError:
        raise BadConfiguration([f"{file}: cannot be read: must be UTF-8 text"]) from None
    except RecursionError:
        raise BadConfiguration([f"{file}: cannot be read: must not hold itself, nor be nested that deep"]) from None
    except OSError as error:
        raise BadConfiguration([f"{file}: cannot be read: {error.strerror}"]) from None
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise BadConfiguration([f"{file}: must hold keys and values"])
    return parsed


def _json(file: Path) -> Any:  # noqa: ANN401
    return _given(json.loads(file.read_text(encoding="utf-8") or "{}"))


def _yaml(file: Path) -> Any:  # noqa: ANN401
    with file.open(encoding="utf-8") as stream:
        parsed = yaml.load(stream, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    return {} if parsed is None else _given(parsed)


def _given(value: Any) -> Any:  # noqa: ANN401
    """What was given: a key without a value was not."""
    if isinstance(value, dict):
        return {key: _given(part) for key, part in value.items() if part is not None}
    return [_given(part) for part in value] if isinstance(value, list) else value


def _yaml_fault(error: yaml.YAMLError) -> str:
    """Where and what, without a word of the file itself: it may be a secret that wanted quotes."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it is no YAML"
    mark = error.problem_mark
    problem = re.sub(r"'.*'", "something", error.problem or "it is no YAML", flags=re.DOTALL)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}; allowed: YAML, special characters in quotes"


# Faults

_WRONG = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "model_attributes_type": "must hold keys and values",
}
"""What is wrong, by pydantic's name for it, where its own words would not help."""


def faults(error: ValidationError) -> Iterator[str]:
    """One line per fault: the key's path, what is wrong, what is allowed. Secrets are not shown."""
    for fault in error.errors(include_url=False, include_input=False):
        path = ".".join(_named(step) for step in fault["loc"] if not str(step).startswith("function-"))
        if fault["type"] == "extra_forbidden":
            yield f"{path}: no such key; allowed: {', '.join(_siblings(fault['loc']))}"
        else:
            yield f"{path or 'configuration'}: {_wrong(fault)}"


def _named(step: int | str) -> str:
    """A key as a line can hold it."""
    name = str(step)
    return name if name and name.isprintable() else repr(name)


def _wrong(fault: Mapping[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    return _WRONG.get(fault["type"], re.sub(r"\w+ should\b", "must", message))


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """The keys allowed beside an unknown one."""
    model: Any = Config
    for step in location[:-1]:
        if isinstance(step, str):
            model = _model_in(_annotation(model, step))
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    return sorted(str(info.alias or name) for name, info in fields.items())


def _annotation(model: Any, key: str) -> Any:  # noqa: ANN401
    return model.model_fields[key].annotation if model is not None and key in model.model_fields else None


def _model_in(annotation: Any) -> Any:  # noqa: ANN401
    """The model within `list[Model]`, `Model | None` or `Model`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
