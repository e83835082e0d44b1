"""Every key of the configuration: its default, what is allowed, and what is shown of it."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from ocpp_mqtt_proxy import config_file
from ocpp_mqtt_proxy.config import LATER, Config, not_acted_upon
from ocpp_mqtt_proxy.config_file import faults
from ocpp_mqtt_proxy.core.model import RESERVED_IDS
from ocpp_mqtt_proxy.passwords import hash_password

CONTRACT = Path(__file__).parent / "data" / "contract.yaml"
"""The configuration as the contract shows it: every key, with its default or an example."""

EXAMPLES = ("id_tags", "chargers", "groups", "providers", "ocpp_services")
"""What the contract shows an example of; by default there is none."""

OURS = {"ingress.enabled"}
"""Keys that are not for people: the add-on sets them."""

BEYOND = {"chargers.connector_max_current"}
"""Keys that the contract does not name."""


def config_of(**given: Any) -> Config:
    return Config(**given)


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return config_file.read(CONTRACT)


# The contract's example


def test_the_contract_s_example_is_a_configuration() -> None:
    config = config_file.load(CONTRACT, {})
    assert [charger.id for charger in config.chargers] == ["CP1"]
    assert [provider.schedule[0].start for provider in config.providers] == ["23:00"]


def test_what_the_contract_shows_is_the_default(contract: Mapping[str, Any]) -> None:
    shown = {key: value for key, value in contract.items() if key not in EXAMPLES}
    assert config_of(**shown) == Config()


def test_by_default_there_are_no_cards_chargers_providers_or_services() -> None:
    assert [getattr(Config(), key) for key in EXAMPLES] == [[]] * len(EXAMPLES)


@pytest.mark.parametrize("example", ["chargers", "ocpp_services"])
def test_a_list_s_example_shows_its_defaults_too(contract: Mapping[str, Any], example: str) -> None:
    (shown,) = contract[example]
    named = {key: shown[key] for key in ("id", "name", "url", "version", "auth_type") if key in shown}
    assert getattr(config_of(**{example: [shown]}), example) == getattr(config_of(**{example: [named]}), example)


def keys_of(value: object, path: str = "") -> Iterator[str]:
    """Every key of a document, lists without their numbers."""
    if isinstance(value, list):
        for item in value:
            yield from keys_of(item, path)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}{key}"
            yield from keys_of(part, f"{path}{key}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (list, Union, types.UnionType):
        for part in get_args(annotation):
            yield from models_in(part)


def keys_there_are(model: type[BaseModel] = Config, path: str = "") -> Iterator[str]:
    """Every key that a configuration may have."""
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        yield key
        for part in models_in(field.annotation):
            yield from keys_there_are(part, f"{key}.")


def test_the_contract_names_every_key_there_is(contract: Mapping[str, Any]) -> None:
    in_comments = {"tariff.price_topic", "ocpp_services.certificate", "ocpp_services.key", "ocpp_services.deny"}
    assert set(keys_there_are()) == set(keys_of(dict(contract))) | in_comments | OURS | BEYOND


# What is allowed

LONG = "x" * 256
ONE = {"id": "CP1"}
SERVICE = {"id": "fleet", "url": "wss://fleet.example"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ocpp_version": "1.5"}, "ocpp_version: must be '1.6', '2.0.1' or '2.1'"),
    ({"ocpp_version": 2.0}, "ocpp_version: must be '1.6', '2.0.1' or '2.1'"),
    ({"auto_detect_ocpp_version": "perhaps"}, "auto_detect_ocpp_version: must be true or false"),
    (
        {"chargers": [ONE | {"quirks": ["stray_commas", "no_ping"]}]},
        ("chargers.0.quirks.1: no_ping is no quirk; must be one of byte_order_mark, control_characters, "
        "counts_phases, endless_numbers, few_measurands, forgets_first_limit, fractions, frames_not_closed, "
        "half_characters, keys_without_values, lists_not_begun, must_ping, no_offers_no_soc, not_a_number, nulls, "
        "numbers_for_text, objects_for_lists, relative_profiles, speaks_16_on_2x, spellings, stack_level_0, "
        "stop_is_final, stray_commas, text_for_numbers, times_as_numbers, watts_only; or no_… to switch one off"),
    ),
    ({"rate_limit_seconds": -1}, "rate_limit_seconds: must be greater than or equal to 0"),
    ({"allowed_providers": "all"}, "allowed_providers: must be a list"),
    ({"presence_topic": "home/+/presence"}, "presence_topic: must be an MQTT topic without wildcards"),
    ({"presence_topic": "$SYS/uptime"}, "presence_topic: must be an MQTT topic without wildcards"),
    ({"presence_sensor": "Anna"}, "presence_sensor: must be an entity of Home Assistant, such as person.anna"),
    ({"override_input_boolean": "switch.x"}, "override_input_boolean: must be an input_boolean of Home Assistant, such as input_boolean.x"),
    ({"home_assistant": {"url": "ha.local"}}, "home_assistant.url: must begin with http:// or https://"),
    ({"default_presence": "out"}, "default_presence: must be 'any', 'home' or 'away'"),
    ({"owner_tag": "x" * 17}, "owner_tag: must have at most 16 characters"),
    ({"owner_tag": ""}, "owner_tag: must have at least 1 character"),
    ({"id_tags": [{"name": "Anna"}]}, "id_tags.0.tag: is missing"),
    ({"id_tags": ["04A1B2C3"]}, "id_tags.0: must hold keys and values"),
    ({"tariff": {"currency": "euro"}}, "tariff.currency: must be a currency's three letters, such as EUR"),
    ({"tariff": {"price_per_kwh": "cheap"}}, "tariff.price_per_kwh: must be a valid decimal"),
    ({"timezone": "Mars/Phobos"}, "timezone: must be a time zone such as Europe/Amsterdam"),
    ({"timezone": "../../etc/passwd"}, "timezone: must be a time zone such as Europe/Amsterdam"),
    ({"http": {"port": 0}}, "http.port: must be greater than or equal to 1"),
    ({"http": {"port": 65536}}, "http.port: must be less than or equal to 65535"),
    ({"http": 9000}, "http: must hold keys and values"),
    ({"http": {"prot": 9000}}, "http.prot: no such key; allowed: api_token, host, port, tls"),
    ({"htpp": {}}, f"htpp: no such key; allowed: {', '.join(sorted(Config.model_fields))}"),
    ({"mqtt": {"protocol": 4}}, "mqtt.protocol: must be 'auto', '5' or '3.1.1'"),
    ({"mqtt": {"qos": 3}}, "mqtt.qos: must be 0, 1 or 2"),
    ({"mqtt": {"base_topic": "#"}}, "mqtt.base_topic: must be an MQTT topic without wildcards, not empty"),
    ({"mqtt": {"base_topic": ""}}, "mqtt.base_topic: must be an MQTT topic without wildcards, not empty"),
    ({"mqtt": {"base_topic": "homeassistant"}}, "mqtt: base_topic and discovery_prefix must differ"),
    ({"log": {"level": "loud"}}, "log.level: must be 'debug', 'info', 'warning' or 'error'"),
    ({"database": {"keep_days": -1}}, "database.keep_days: must be greater than or equal to 0"),
    ({"accept_unknown_chargers": "maybe"}, "accept_unknown_chargers: must be first, true or false"),
    ({"chargers": [{}]}, "chargers.0.id: is missing"),
    ({"chargers": [{"id": ""}]}, "chargers.0.id: must have at least 1 character"),
    ({"chargers": [{"id": LONG}]}, "chargers.0.id: must have at most 255 characters"),
    ({"chargers": [ONE | {"version": "2.2"}]}, "chargers.0.version: must be '1.6', '2.0.1', '2.1' or 'auto'"),
    ({"chargers": [ONE | {"phases": 4}]}, "chargers.0.phases: must be 1, 2 or 3"),
    ({"chargers": [ONE | {"max_current": -1}]}, "chargers.0.max_current: must be greater than or equal to 0"),
    ({"chargers": [ONE | {"safe_current": "little"}]}, "chargers.0.safe_current: must be a valid number, unable to parse string as a number"),
    ({"chargers": [ONE | {"connector_max_current": [16]}]}, "chargers.0.connector_max_current: must be {connector: A}, such as {1: 16}"),
    ({"chargers": [ONE | {"connector_max_current": {0: 16}}]}, "chargers.0.connector_max_current: '0' is no connector; must be a number from 1 to 999"),
    ({"chargers": [ONE | {"connector_max_current": {"left": 16}}]}, "chargers.0.connector_max_current: 'left' is no connector; must be a number from 1 to 999"),
    ({"chargers": [ONE | {"connector_max_current": {1: 16, "1": 20}}]}, "chargers.0.connector_max_current: connector 1 stands there twice; allowed: once"),
    ({"chargers": [ONE | {"connector_max_current": {1: -1}}]}, "chargers.0.connector_max_current.1: must be greater than or equal to 0"),
    ({"chargers": [ONE | {"connector_max_current": {1: 8, 2: 33}}]}, "chargers.0.connector_max_current: connector 2 has 33; must be at most max_current, 32"),
    ({"chargers": [ONE | {"max_current": 16, "connector_max_current": {1: 20}}]}, "chargers.0.connector_max_current: connector 1 has 20; must be at most max_current, 16"),
    ({"chargers": [ONE | {"heartbeat_interval": 0}]}, "chargers.0.heartbeat_interval: must be greater than or equal to 1"),
    ({"chargers": [ONE | {"measurands": "some"}]}, "chargers.0.measurands: must be auto, keep or a list of measurands"),
    ({"chargers": [ONE | {"security_profile": 3}]}, "chargers.0.security_profile: profiles 2 and 3 need TLS, which is not served yet; must be 0 or 1"),
    ({"chargers": [ONE | {"security_profile": 1}]}, "chargers.0: security_profile 1 needs a password"),
    ({"chargers": [ONE, ONE]}, "configuration: chargers: the same id twice: CP1"),
    ({"groups": [{"id": "house"}]}, "groups.0.chargers: is missing"),
    ({"providers": [{"id": "cheap night"}]}, "providers.0.id: must be made of letters, digits, _ and -"),
    ({"providers": [{"id": "x\n"}]}, "providers.0.id: must be made of letters, digits, _ and -"),
    ({"providers": [{"id": "x", "roles": ["all"]}]}, "providers.0.roles.0: must be 'transactions', 'smart_charging' or 'management'"),
    ({"providers": [{"id": "x", "schedule": [{"from": "25:00", "to": "07:00"}]}]}, 'providers.0.schedule.0.from: must be a time of day in quotes, "HH:MM"'),
    ({"providers": [{"id": "x", "schedule": [{"from": "23:00", "til": "07:00"}]}]}, "providers.0.schedule.0.til: no such key; allowed: days, from, to"),
    ({"ocpp_services": [{"id": "x", "url": "http://x"}]}, "ocpp_services.0.url: must begin with ws:// or wss://"),
    ({"ocpp_services": [SERVICE | {"charge_point_id": [1]}]}, "ocpp_services.0.charge_point_id: must be text, or {charger: text}"),
    ({"ocpp_services": [SERVICE | {"auth_type": "magic"}]}, "ocpp_services.0.auth_type: must be 'none', 'basic', 'token' or 'certificate'"),
]  # fmt: skip


def faults_of(**given: Any) -> list[str]:
    try:
        config_of(**given)
    except ValidationError as error:
        return list(faults(error))
    return []


@pytest.mark.parametrize(("given", "fault"), REFUSED, ids=[fault for _, fault in REFUSED])
def test_a_fault_says_where_it_is_what_is_wrong_and_what_is_allowed(given: dict[str, Any], fault: str) -> None:
    assert fault in faults_of(**given)


@pytest.mark.parametrize(("given", "fault"), REFUSED, ids=[fault for _, fault in REFUSED])
def test_every_fault_is_a_line_of_its_own(given: dict[str, Any], fault: str) -> None:
    assert all(len(line.splitlines()) == 1 for line in faults_of(**given))


@pytest.mark.parametrize("word", [*RESERVED_IDS, *(word.upper() for word in RESERVED_IDS)])
@pytest.mark.parametrize("kind", ["chargers", "providers", "ocpp_services"])
def test_reserved_words_are_no_ids(kind: str, word: str) -> None:
    item = {"id": word} | ({"url": "wss://x"} if kind == "ocpp_services" else {})
    assert faults_of(**{kind: [item]}) == [f"{kind}.0.id: is reserved; not allowed: auto, none, owner"]


ALLOWED: list[tuple[dict[str, Any], str, Any]] = [
    ({"ocpp_version": 1.6}, "ocpp_version", "1.6"),
    ({"ocpp_version": 2.1}, "ocpp_version", "2.1"),
    ({"mqtt": {"protocol": 5}}, "mqtt.protocol", "5"),
    ({"mqtt": {"discovery": False}}, "mqtt.discovery", "off"),
    ({"mqtt": {"username": 1234}}, "mqtt.username", "1234"),
    ({"mqtt": {"password": 1234}}, "mqtt.password", SecretStr("1234")),
    ({"accept_unknown_chargers": "True"}, "accept_unknown_chargers", True),
    ({"accept_unknown_chargers": False}, "accept_unknown_chargers", False),
    ({"chargers": [{"id": 1234}]}, "chargers.0.id", "1234"),
    ({"chargers": [ONE | {"measurands": ["Voltage"]}]}, "chargers.0.measurands", ["Voltage"]),
    ({"chargers": [ONE | {"ping_interval": 0}]}, "chargers.0.ping_interval", 0),
    ({"chargers": [ONE | {"connector_max_current": {"2": 16}}]}, "chargers.0.connector_max_current", {2: 16}),
    ({"chargers": [ONE | {"connector_max_current": {1: 32}}]}, "chargers.0.connector_max_current", {1: 32}),
    ({"id_tags": [{"tag": 12345678}]}, "id_tags.0.tag", "12345678"),
    ({"ocpp_services": [SERVICE | {"charge_point_id": {"CP1": 7}}]}, "ocpp_services.0.charge_point_id", {"CP1": "7"}),
    ({"ocpp_services": [SERVICE | {"version": 1.6}]}, "ocpp_services.0.version", "1.6"),
    ({"timezone": "Europe/Amsterdam"}, "timezone", "Europe/Amsterdam"),
]


def at(config: Any, path: str) -> Any:
    for step in path.split("."):
        config = config[int(step)] if step.isdigit() else getattr(config, step)
    return config


@pytest.mark.parametrize(("given", "path", "value"), ALLOWED, ids=[path for _, path, _ in ALLOWED])
def test_what_people_write_is_understood(given: dict[str, Any], path: str, value: Any) -> None:
    assert at(config_of(**given), path) == value


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({"authority": ["transactions"]}, {"authority": ["transactions"]}, True),
        ({"authority": ["transactions"], "chargers": ["CP1"]}, {"authority": ["transactions"]}, True),
        ({"authority": ["transactions"]}, {"authority": ["transactions"], "chargers": ["CP1"]}, True),
        ({"authority": ["transactions"], "chargers": ["CP1"]}, {"authority": ["transactions"], "chargers": ["CP2"]}, False),
        ({"authority": ["transactions"]}, {"authority": ["smart_charging"]}, False),
        ({"authority": ["transactions"]}, {}, False),
    ],
)  # fmt: skip
def test_one_class_of_one_charger_has_one_authority(one: dict[str, Any], other: dict[str, Any], clash: bool) -> None:
    services = [SERVICE | {"id": "a"} | one, SERVICE | {"id": "b"} | other]
    told = [
        "configuration: ocpp_services: a and b both claim authority for transactions of one charger; allowed: one service at most"
    ]
    assert faults_of(ocpp_services=services) == (told if clash else [])


@pytest.mark.parametrize("part", [Config(), Config().mqtt, Config().http.tls])
def test_a_configuration_does_not_change(part: BaseModel) -> None:
    for key, value in part:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, key, value)


@pytest.mark.parametrize("key", ["id_tags", "providers", "ocpp_services"])
def test_every_card_is_accepted_until_cards_providers_or_services_are_named(
    key: str, contract: Mapping[str, Any]
) -> None:
    assert Config().open_to_all
    assert not config_of(**{key: contract[key]}).open_to_all


# Passwords


def test_a_password_may_be_hashed() -> None:
    stored = hash_password("correct horse")
    config = config_of(chargers=[{"id": "CP1", "password": stored, "security_profile": 1}])
    assert config.chargers[0].password.get_secret_value() == stored


@pytest.mark.parametrize("key", ["chargers.password", "providers.token"])
def test_half_a_hash_is_a_fault_and_not_a_password(key: str) -> None:
    kind, secret = key.split(".")
    half = hash_password("correct horse")[:-30]
    (fault,) = faults_of(**{kind: [{"id": "x", secret: half}]})
    assert fault.startswith(f"{kind}.0.{secret}: begins like a hash but is none")
    assert half not in fault


# What is shown

SECRETS: dict[str, Any] = {
    "http": {"api_token": "s3cret-api"},
    "mqtt": {"password": "s3cret-mqtt"},
    "home_assistant": {"token": "s3cret-ha", "url": "https://anna:s3cret-user@ha.example"},
    "chargers": [{"id": "CP1", "password": "s3cret-charger"}],
    "providers": [{"id": "night", "token": "s3cret-provider"}],
    "ocpp_services": [
        {
            "id": "fleet",
            "url": "wss://user:s3cret-@-url@fleet.example/ocpp?token=s3cret-query",
            "token": "s3cret-token",
            "password": "s3cret-password",
            "key": "s3cret-key",
        }
    ],
}


def secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from ["s3cret"] * value.count("s3cret")
    else:
        for part in value.values() if isinstance(value, dict) else value:
            yield from secrets_in(part)


def secret_fields(model: type[BaseModel] = Config) -> Iterator[str]:
    for field in model.model_fields.values():
        if field.annotation is SecretStr:
            yield "s3cret"
        for part in models_in(field.annotation):
            yield from secret_fields(part)


def test_no_secret_is_shown() -> None:
    config = config_of(**SECRETS)
    assert "s3cret" not in yaml.safe_dump(config.masked())
    assert "s3cret-" not in repr(config).replace(config.home_assistant.url, "").replace(config.ocpp_services[0].url, "")


def test_the_secrets_of_these_tests_are_all_there_are() -> None:
    in_urls = 3
    assert len(list(secrets_in(SECRETS))) == len(list(secret_fields())) + in_urls


def test_an_unset_secret_shows_as_unset() -> None:
    assert Config().masked()["mqtt"]["password"] == ""


def test_no_fault_shows_a_secret() -> None:
    wrong = SECRETS | {
        "chargers": [{"id": "auto", "password": ["s3cret"]}],
        "http": {"api_token": {"s3cret": "s3cret"}},
    }
    told = faults_of(**wrong)
    assert len(told) == 3
    assert "s3cret" not in "\n".join(told)


def test_cards_are_shown_to_the_owner_alone() -> None:
    config = config_of(id_tags=[{"tag": "04A1B2C3", "name": "Anna"}], owner_tag="HOME")
    assert config.masked()["id_tags"] == [{"tag": "04A1B2C3", "name": "Anna"}]
    shown = config.masked(show_tags=False)
    assert shown["id_tags"] == [{"tag": "***", "name": "Anna"}]
    assert "HOME" not in shown.values()


def test_the_topic_that_tells_what_is_believed_is_no_feed() -> None:
    with pytest.raises(ValidationError, match="presence_topic: must not be home/presence"):
        config_of(presence_topic="home/presence", mqtt={"base_topic": "home"})
    assert config_of(presence_topic="ocpp/presence/set").presence_topic == "ocpp/presence/set"


# What comes later


def test_what_is_set_and_not_acted_upon_yet_is_told() -> None:
    assert not_acted_upon(Config()) == []
    (told,) = not_acted_upon(config_of(http={"tls": {"port": 9444}}))
    assert told.startswith("http.tls (")


@pytest.mark.parametrize("key", LATER)
def test_what_comes_later_is_a_key_already(key: str) -> None:
    assert key in set(keys_there_are())


# Groups


def a_group(group_id: str, *chargers: str) -> dict[str, Any]:
    return {"id": group_id, "chargers": list(chargers), "max_current": 25}


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        ([a_group("a", "CP1", "CP9")], "groups.0.chargers: no such charger: CP9; allowed: those of chargers: CP1, CP2"),
        ([a_group("a", "CP2"), a_group("b", "CP1", "CP1")], "groups.1.chargers: the same charger twice: CP1"),
        ([a_group("a", "CP1", "CP2"), a_group("b", "CP2")], "groups: a and b both have CP2; allowed: one of them"),
    ],
)
def test_a_charger_of_a_group_is_one_there_is_and_in_one_group_alone(groups: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(fault)):
        config_of(chargers=[{"id": "CP1"}, {"id": "CP2"}], groups=groups)


def test_a_charger_knows_its_group() -> None:
    config = config_of(chargers=[{"id": "CP1"}, {"id": "CP2"}], groups=[a_group("a", "CP1")])
    assert [config.group_of(one) for one in ("CP1", "CP2")] == ["a", ""]
