"""The Home Assistant app in `addon/`: what its form offers is what the service takes, and the folder is whole."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from ocpp_mqtt_proxy import __version__, config_file
from ocpp_mqtt_proxy.config import LATER, Config, not_acted_upon

ROOT = Path(__file__).parents[1]
ADDON = ROOT / "addon" / "ocpp_mqtt_proxy"
PACKAGE = ROOT / "ocpp_mqtt_proxy"


def parsed(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text()))


MANIFEST = parsed(ADDON / "config.yaml")
TEXTS = parsed(ADDON / "translations" / "en.yaml")
DOCKERFILE = (ADDON / "Dockerfile").read_text()
COMPOSE = parsed(ROOT / "compose.yaml")

DEFAULTS: Mapping[str, object] = {
    "advanced": False, "apparmor": True, "audio": False, "auth_api": False, "backup": "hot", "boot": "auto",
    "devicetree": False, "docker_api": False, "full_access": False, "gpio": False, "hassio_api": False,
    "hassio_role": "default", "homeassistant_api": False, "host_dbus": False, "host_ipc": False,
    "host_network": False, "host_pid": False, "host_uts": False, "ingress": False, "ingress_port": 8099,
    "ingress_stream": False, "init": True, "journald": False, "kernel_modules": False, "legacy": False,
    "panel_admin": True, "panel_icon": "mdi:puzzle", "realtime": False, "stage": "stable",
    "startup": "application", "stdin": False, "timeout": 10, "tmpfs": False, "uart": False, "udev": False,
    "usb": False, "video": False,
}  # fmt: skip
"""What the Supervisor takes for a key that is not there; the community's linter refuses it written out."""

OBSOLETE = {"advanced", "auto_uart", "codenotary", "legacy", "ports_description", "watchdog", "webui"}

SAMPLES = {"str": "words", "password": "words", "bool": True, "port": 1883}
"""A value of each type of the Supervisor's forms that has no bounds here."""

CHOICE = re.compile(r"list\((?P<choices>.+)\)")
MATCHED = re.compile(r"match\((?P<pattern>.+)\)")
BOUNDED = re.compile(r"(?P<type>int|float|str)\((?P<low>\d*),(?P<high>\d*)\)")


def element(schema: Any) -> Any:
    """What a list in a schema is made of; anything else as it is."""
    return schema[0] if isinstance(schema, list) else schema


def leaves(schema: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every option of a schema, by its path, with its type."""
    for key, given in schema.items():
        inner = element(given)
        if isinstance(inner, dict):
            yield from leaves(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}", inner


def branches(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every key of a schema, by its path: options and what holds them."""
    for key, given in schema.items():
        yield f"{above}{key}"
        if isinstance(inner := element(given), dict):
            yield from branches(inner, f"{above}{key}.")


def described(texts: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every key that has a name in the translation."""
    for key, text in texts.items():
        assert text["name"]
        yield f"{above}{key}"
        yield from described(text.get("fields", {}), f"{above}{key}.")


def values(kind: str) -> list[Any]:
    """Values that the Supervisor's form lets through for a type: every choice, and the bounds."""
    kind = kind.removesuffix("?")
    if choice := CHOICE.fullmatch(kind):
        return choice["choices"].split("|")
    if bounded := BOUNDED.fullmatch(kind):
        bounds = [int(bound) for bound in bounded.group("low", "high") if bound]
        return ["x" * bound for bound in bounds] if bounded["type"] == "str" else bounds
    if match := MATCHED.fullmatch(kind):
        return [word for word in ("EUR", "person.anna", "input_boolean.x", "") if re.fullmatch(match["pattern"], word)]
    return [SAMPLES[kind]]


def nested(path: str, value: Any) -> dict[str, Any]:
    """An option by its path as options.json has it; whatever a list needs beside it is added."""
    key, _, rest = path.partition(".")
    if not rest:
        return {key: value}
    inner = nested(rest, value)
    if isinstance(MANIFEST["schema"][key], list):
        return {key: [{"id": "CP1"} | inner if key == "chargers" else {"tag": "A1"} | inner]}
    return {key: inner}


def as_json(folder: Path, options: Mapping[str, Any]) -> Path:
    file = folder / "options.json"
    file.write_text(json.dumps(options))
    return file


def model_at(path: str) -> type[BaseModel]:
    """The part of our configuration that holds a key."""
    model: type[BaseModel] = Config
    for step in path.split(".")[:-1]:
        model = section(model.model_fields[step].annotation)
    return model


def section(annotation: Any) -> type[BaseModel]:
    """The model in `Model` or `list[Model]`."""
    model: type[BaseModel] = next(part for part in (annotation, *get_args(annotation)) if issubclass(part, BaseModel))
    return model


KEYS = list(branches(MANIFEST["schema"]))
OPTIONS = dict(leaves(MANIFEST["schema"]))
EVERY_VALUE = [(path, value) for path, kind in OPTIONS.items() for value in values(kind)]


class TestTheManifest:
    def test_has_the_version_of_the_package(self) -> None:
        assert MANIFEST["version"] == __version__

    def test_has_its_slug_for_a_folder(self) -> None:
        assert MANIFEST["slug"] == ADDON.name

    def test_is_the_only_one_that_the_supervisor_finds(self) -> None:
        folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        assert [file for folder in folders for file in folder.rglob("config.yaml")] == [ADDON / "config.yaml"]

    def test_writes_out_no_default(self) -> None:
        assert {key for key, default in DEFAULTS.items() if MANIFEST.get(key, ...) == default} == set()

    def test_uses_nothing_obsolete(self) -> None:
        assert not OBSOLETE & set(MANIFEST)

    def test_wants_a_broker_without_needing_one(self) -> None:
        assert MANIFEST["services"] == ["mqtt:want"]

    def test_may_ask_home_assistant_itself(self) -> None:
        assert MANIFEST["homeassistant_api"] is True

    def test_names_no_image_until_one_is_published(self) -> None:
        assert "image" not in MANIFEST

    def test_leaves_a_stop_more_time_than_it_takes(self) -> None:
        assert MANIFEST["timeout"] > 10

    def test_stops_the_service_for_a_backup_of_its_database(self) -> None:
        assert MANIFEST["backup"] == "cold"

    def test_maps_the_port_that_chargers_connect_to(self) -> None:
        assert MANIFEST["ports"] == {f"{Config().http.port}/tcp": Config().http.port}

    def test_has_the_ingress_on_the_port_that_the_supervisor_takes(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name, value in MANIFEST["environment"].items():
            monkeypatch.setenv(name, value)
        ingress = config_file.load(as_json(tmp_path, MANIFEST["options"])).ingress
        assert MANIFEST["ingress"] is ingress.enabled is True
        assert ingress.port == DEFAULTS["ingress_port"]


class TestTheOptions:
    def test_load_as_they_are_installed(self, tmp_path: Path) -> None:
        config = config_file.load(as_json(tmp_path, MANIFEST["options"]))
        assert config.log.level == MANIFEST["options"]["log"]["level"]

    def test_change_nothing_as_they_are_installed(self, tmp_path: Path) -> None:
        assert config_file.load(as_json(tmp_path, MANIFEST["options"])) == Config()

    def test_are_there_as_installed_where_the_supervisor_asks_for_them(self) -> None:
        asked = {key for key, kind in MANIFEST["schema"].items() if not str(kind).endswith("?")}
        assert asked == set(MANIFEST["options"])

    @pytest.mark.parametrize("path", OPTIONS)
    def test_are_keys_of_the_configuration(self, path: str) -> None:
        assert path.rpartition(".")[2] in model_at(path).model_fields

    @pytest.mark.parametrize(("path", "value"), EVERY_VALUE)
    def test_take_what_the_form_lets_through(self, path: str, value: Any, tmp_path: Path) -> None:
        config = config_file.load(as_json(tmp_path, nested(path, value)))
        assert path.partition(".")[0] in config.model_fields_set

    @pytest.mark.parametrize("path", KEYS)
    def test_all_have_an_effect(self, path: str) -> None:
        assert path not in LATER
        assert path.partition(".")[0] not in LATER

    def test_that_are_secret_are_not_shown_while_typed(self) -> None:
        secrets = {path for path in OPTIONS if "Secret" in str(model_at(path).model_fields[path.split(".")[-1]])}
        assert secrets == {path for path, kind in OPTIONS.items() if kind.startswith("password")}

    def test_all_have_a_name_in_english_and_nothing_else_has(self) -> None:
        assert sorted(described(TEXTS["configuration"])) == sorted(KEYS)

    def test_of_the_network_are_explained(self) -> None:
        assert set(TEXTS["network"]) == set(MANIFEST["ports"])

    @pytest.mark.parametrize("path", OPTIONS)
    def test_are_documented(self, path: str) -> None:
        names = {path, path.rpartition(".")[2]}
        assert any(f"`{name}`" in (ADDON / "DOCS.md").read_text() for name in names)


class TestAKeyWithoutEffect:
    def test_is_told_wherever_it_stands(self, tmp_path: Path) -> None:
        given = {"http": {"tls": {"port": 9444}}, "chargers": [{"id": "A", "safe_current": 8}]}
        told = not_acted_upon(config_file.load(as_json(tmp_path, given)))
        assert told == [f"http.tls ({LATER['http.tls']})"]

    @pytest.mark.parametrize("path", LATER)
    def test_is_one_of_the_configuration(self, path: str) -> None:
        assert path.rpartition(".")[2] in model_at(path).model_fields

    def test_is_not_told_where_it_is_not_set(self) -> None:
        assert not_acted_upon(Config()) == []


class TestTheFolder:
    @pytest.mark.parametrize("name", ["README.md", "DOCS.md", "CHANGELOG.md", "Dockerfile", "translations/en.yaml"])
    def test_has_what_the_store_shows(self, name: str) -> None:
        assert (ADDON / name).read_text().strip()

    @pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
    def test_has_pictures_of_the_store_s_size(self, name: str, size: tuple[int, int]) -> None:
        head = (ADDON / name).read_bytes()[:24]
        assert head.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", head[16:24]) == size

    def test_tells_what_is_new_in_this_version(self) -> None:
        assert f"## {__version__}\n" in (ADDON / "CHANGELOG.md").read_text()

    def test_stands_in_a_repository_that_the_store_takes(self) -> None:
        assert {"name", "url", "maintainer"} <= set(parsed(ROOT / "repository.yaml"))


class TestTheImage:
    def test_looks_for_database_and_configuration_where_data_is_kept(self) -> None:
        assert "\nWORKDIR /data\n" in DOCKERFILE
        assert not Path(Config().database.path).is_absolute()
        assert Path("/data") == config_file.ADDON_OPTIONS.parent

    def test_takes_only_wheels_with_pinned_hashes(self) -> None:
        assert "--only-binary=:all: --require-hashes -r requirements.txt" in DOCKERFILE

    def test_is_what_compose_builds_too(self) -> None:
        assert ROOT / COMPOSE["services"]["proxy"]["build"] == ADDON

    def test_runs_in_compose_with_a_broker_that_nobody_outside_reaches(self) -> None:
        (port,) = COMPOSE["services"]["mosquitto"]["ports"]
        assert port.startswith("${MQTT_ADDRESS:-127.0.0.1}:")
        assert COMPOSE["services"]["proxy"]["environment"]["MQTT_HOST"] in COMPOSE["services"]


@pytest.mark.integration
def test_the_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {f.relative_to(ROOT).as_posix() for f in PACKAGE.rglob("*") if f.is_file() and f.suffix != ".pyc"}
    assert {"ocpp_mqtt_proxy/py.typed", "ocpp_mqtt_proxy/adapters/web/static/app.js"} <= files
    assert files <= held
