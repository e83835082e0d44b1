"""Where the configuration is found, how it is read, and what comes from the environment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy import config_file
from ocpp_mqtt_proxy.config import Charger, Config
from ocpp_mqtt_proxy.config_file import SHORT_NAMES, BadConfiguration, find, load, read
from tests.test_config import CONTRACT, at

MADE = Charger(id="CP1", connector_max_current={2: 16})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "house.yaml"


def loaded(file: Path, text: str) -> Config:
    file.write_text(text)
    return load(file)


def refused(file: Path, text: str) -> list[str]:
    with pytest.raises(BadConfiguration) as caught:
        loaded(file, text)
    return caught.value.faults


# Finding


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program is started in, and an add-on's file that may be written to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_file, "ADDON_OPTIONS", tmp_path / "options.json")
    return tmp_path


def test_the_first_of_the_places_that_has_a_file_is_taken(in_folder: Path) -> None:
    here = Path("ocpp-mqtt-proxy.yaml")
    named, given = in_folder / "named.yaml", in_folder / "given.yaml"
    environment = {"OCPP_MQTT_PROXY_CONFIG": str(named)}
    assert find(None, {}) is None
    for place in (here, in_folder / "options.json", named, given):
        place.write_text("")
    assert find(given, environment) == given
    assert find(None, environment) == named
    assert find(None, {}) == in_folder / "options.json"
    (in_folder / "options.json").unlink()
    assert find(None, {}) == here


@pytest.mark.parametrize("name", ["", "OCPP_MQTT_PROXY_CONFIG"])
def test_a_file_that_was_named_must_be_there(in_folder: Path, name: str) -> None:
    missing = in_folder / "missing.yaml"
    with pytest.raises(BadConfiguration, match=r"missing\.yaml: there is no such file"):
        find(None if name else missing, {name: str(missing)})


# Reading


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "mqtt:\nchargers:\nhttp: {tls:}\n"])
def test_what_is_not_said_has_its_default(file: Path, text: str) -> None:
    assert loaded(file, text) == Config()


def test_no_file_at_all_runs() -> None:
    assert load(None) == Config()


def test_json_is_taken_as_yaml_is(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"mqtt": {"host": "broker", "port": 1884}, "owner_tag": None}))
    assert load(file).mqtt.port == 1884
    file.write_text("")
    assert load(file) == Config()


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("id_tags: [{tag: 04123456}]", "id_tags.0.tag", "04123456"),
        ("id_tags: [{tag: 12345678}]", "id_tags.0.tag", "12345678"),
        ("id_tags: [{tag: 0x1F}]", "id_tags.0.tag", "0x1F"),
        ("id_tags: [{tag: 12e4}]", "id_tags.0.tag", "12e4"),
        ("id_tags: [{tag: 1_000}]", "id_tags.0.tag", "1_000"),
        ("id_tags: [{tag: 2026-03-14}]", "id_tags.0.tag", "2026-03-14"),
        ("chargers: [{id: 0012}]", "chargers.0.id", "0012"),
        ("mqtt: {password: 0123}", "mqtt.password.get_secret_value", "0123"),
        ("ocpp_version: 1.6", "ocpp_version", "1.6"),
        ("providers: [{id: x, schedule: [{from: 23:00, to: 7:00}]}]", "", None),
        ("providers: [{id: x, schedule: [{from: 23:00, to: 07:00}]}]", "providers.0.schedule.0.start", "23:00"),
        ("rate_limit_seconds: 2.5", "rate_limit_seconds", 2.5),
        ("rate_limit_seconds: .5", "rate_limit_seconds", 0.5),
        ("rate_limit_seconds: 12", "rate_limit_seconds", 12),
        ("auto_detect_ocpp_version: off", "auto_detect_ocpp_version", False),
        ("mqtt: {discovery: off}", "mqtt.discovery", "off"),
    ],
)
def test_yaml_says_what_it_seems_to_say(file: Path, text: str, path: str, value: Any) -> None:
    if not path:
        assert refused(file, text) == ['providers.0.schedule.0.to: must be a time of day in quotes, "HH:MM"']
        return
    found = at(loaded(file, text), path)
    assert (found() if callable(found) else found) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("just words", "must hold keys and values"),
        ("- a\n- list\n", "must hold keys and values"),
        ("1: 2", "must hold keys and values"),
        ("mqtt: {host: x", "cannot be read: line 1, column 15"),
        ("mqtt:\n  host: x\n port: 1\n", "cannot be read: line 3"),
        ("mqtt: {host: @home}", "cannot be read: line 1, column 14"),
        ("mqtt: \x00", "cannot be read: it is no YAML"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(file: Path, text: str, fault: str) -> None:
    (told,) = refused(file, text)
    assert told.startswith(f"{file}: {fault}")
    assert len(told.splitlines()) == 1


def test_json_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    (told,) = refused(tmp_path / "options.json", '{"mqtt": ')
    assert "options.json: cannot be read" in told
    assert "line 1" in told


def test_bytes_that_are_no_text_are_said_to_be_none(file: Path) -> None:
    file.write_bytes(b"mqtt: \xff\xfe")
    with pytest.raises(BadConfiguration, match="must be UTF-8 text"):
        read(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read: Is a directory"):
        read(tmp_path)


special = st.text(st.sampled_from("s3cret*&!%@`'\"{}[]:#|>-? \t"), min_size=1).map(lambda text: f"s3cret{text}")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "house.yaml"


@given(
    front=st.sampled_from(["", "*", "&", "!", "%", "@", "`", "'", '"', "[", "{", "|", ">", "!file ", "? "]),
    secret=special,
)
def test_a_secret_without_its_quotes_is_not_told(scratch: Path, front: str, secret: str) -> None:
    scratch.write_text(f"mqtt: {{password: {front}{secret}}}\n")
    try:
        load(scratch)
    except BadConfiguration as error:
        named = re.sub(r"!file [^\n]*: ", "", str(error)) if front == "!file " else str(error)
        assert "s3cret" not in named.replace(str(scratch), "")


# Secrets in files


def test_a_secret_may_stand_in_a_file_beside_the_configuration(file: Path) -> None:
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "mqtt").write_text("correct horse\n")
    config = loaded(file, "mqtt: {password: !file secrets/mqtt}")
    assert config.mqtt.password.get_secret_value() == "correct horse"


def test_a_secret_may_stand_in_a_file_anywhere(file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "token"
    elsewhere.write_text("correct horse")
    assert loaded(file, f"http: {{api_token: !file {elsewhere}}}").http.api_token.get_secret_value() == "correct horse"


def test_a_secret_s_file_that_is_not_there_is_named(file: Path) -> None:
    assert refused(file, "mqtt: {password: !file gone}") == [f"!file {file.parent / 'gone'}: No such file or directory"]


def test_a_secret_s_file_that_is_no_text_is_said_to_be_none(file: Path) -> None:
    (file.parent / "key").write_bytes(b"\xff\xfe")
    assert refused(file, "mqtt: {password: !file key}") == [f"!file {file.parent / 'key'}: is no text"]


def test_a_secret_s_file_needs_a_path(file: Path) -> None:
    assert refused(file, "mqtt:\n  password: !file [a, b]") == ["!file in line 2: must be followed by a path"]


# The environment


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("OCPP_MQTT_PROXY_MQTT__HOST", "broker", "mqtt.host", "broker"),
        ("OCPP_MQTT_PROXY_HTTP__TLS__PORT", "9444", "http.tls.port", 9444),
        ("OCPP_MQTT_PROXY_OCPP_VERSION", "2.0.1", "ocpp_version", "2.0.1"),
        ("OCPP_MQTT_PROXY_STRICT_SUBPROTOCOL", "true", "strict_subprotocol", True),
        ("OCPP_MQTT_PROXY_ACCEPT_UNKNOWN_CHARGERS", "false", "accept_unknown_chargers", False),
        ("OCPP_MQTT_PROXY_CHARGERS", '[{"id": "CP1", "name": "Garage"}]', "chargers.0.name", "Garage"),
        ("OCPP_MQTT_PROXY_BLOCKED_PROVIDERS", '["x"]', "blocked_providers", ["x"]),
        ("OCPP_MQTT_PROXY_MQTT", '{"host": "broker"}', "mqtt.host", "broker"),
        ("OCPP_MQTT_PROXY_CHARGERS", '[{"id": "CP1", "connector_max_current": {"2": 16}}]', "chargers", [MADE]),
        ("ocpp_mqtt_proxy_mqtt__port", "1884", "mqtt.port", 1884),
        ("MQTT_HOST", "broker", "mqtt.host", "broker"),
        ("MQTT_PORT", "1884", "mqtt.port", 1884),
        ("MQTT_USERNAME", "anna", "mqtt.username", "anna"),
        ("HA_URL", "http://ha:8123", "home_assistant.url", "http://ha:8123"),
    ],
)
def test_a_key_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, path: str, value: Any
) -> None:
    monkeypatch.setenv(name, text)
    assert at(load(None), path) == value


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_a_short_name_is_as_good_as_the_long_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    section, key = SHORT_NAMES[name]
    value = {"port": "1884", "url": "http://given"}.get(key, "given")
    default = load(None)
    monkeypatch.setenv(name, value)
    short = load(None)
    monkeypatch.delenv(name)
    monkeypatch.setenv(f"OCPP_MQTT_PROXY_{section}__{key}".upper(), value)
    assert short == load(None) != default


def test_the_environment_wins_over_the_file_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCPP_MQTT_PROXY_MQTT__PORT", "1885")
    monkeypatch.setenv("MQTT_HOST", "short")
    config = loaded(file, "mqtt: {host: broker, port: 1884, username: anna}")
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.username) == ("short", 1885, "anna")


def test_the_long_name_wins_over_the_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_HOST", "short")
    monkeypatch.setenv("OCPP_MQTT_PROXY_MQTT__HOST", "long")
    assert load(None).mqtt.host == "long"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("OCPP_MQTT_PROXY_MQTT__PORT", "many", "mqtt.port: must be a valid integer"),
        ("OCPP_MQTT_PROXY_MQTT__HOTS", "broker", "mqtt.hots: no such key; allowed: base_topic"),
        ("OCPP_MQTT_PROXY_MTQQ__HOST", "broker", "$OCPP_MQTT_PROXY_MTQQ__HOST: no such key; allowed: accept_unknown_backends"),
        ("OCPP_MQTT_PROXY_CHARGERS", "CP1 s3cret", "chargers: $OCPP_MQTT_PROXY_CHARGERS cannot be read; must be JSON"),
        ("OCPP_MQTT_PROXY_CHARGERS", '["CP1"]', "chargers.0: must hold keys and values"),
        ("OCPP_MQTT_PROXY_MQTT", '{"s3cret', "mqtt: $OCPP_MQTT_PROXY_MQTT cannot be read; must be JSON"),
        ("MQTT_PORT", "many", "mqtt.port: must be a valid integer"),
    ],
)  # fmt: skip
def test_a_fault_in_the_environment_is_told_like_any_other(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, fault: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(BadConfiguration) as caught:
        load(None)
    (told,) = caught.value.faults
    assert told.startswith(fault)
    assert "s3cret" not in told


def test_all_faults_are_told_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCPP_MQTT_PROXY_NOTHING", "x")
    faults = refused(file, "mqtt: {port: many}\nlog: {level: loud}")
    assert [fault.partition(":")[0] for fault in faults] == ["$OCPP_MQTT_PROXY_NOTHING", "mqtt.port", "log.level"]


def test_a_section_that_is_none_is_a_fault_though_the_environment_adds_to_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_HOST", "broker")
    assert refused(file, "mqtt: 5") == ["mqtt: must hold keys and values"]


# What check-config prints is itself a configuration


def test_what_is_shown_can_be_read_again(file: Path) -> None:
    config = load(CONTRACT)
    assert loaded(file, yaml.safe_dump(config.masked())) == config


@pytest.mark.parametrize("text", ["x: &a [*a]", "x: " + "[" * 3000 + "]" * 3000], ids=["itself", "deep"])
def test_a_file_that_has_no_end_is_a_fault(tmp_path: Path, text: str) -> None:
    file = tmp_path / "endless.yaml"
    file.write_text(text)
    with pytest.raises(BadConfiguration, match="must not hold itself"):
        config_file.load(file, {})
