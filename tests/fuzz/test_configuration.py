"""Whatever the configuration is: it is taken and can be lived by, or what is wrong is told; never a secret."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy import config_file, shapes
from ocpp_mqtt_proxy.__main__ import main
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.config_file import SHORT_NAMES, BadConfiguration
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.household import house_of, plan_of, zone_of
from tests.fuzz.mutations import ODD, changed
from tests.fuzz.test_frames import CHANCE, JSON

CONTRACT = Path(__file__).parents[1] / "data" / "contract.yaml"
SECRET = "sesame"
SECRETS = {"password", "token", "api_token"}
HERE = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.sampled_from([*Config.model_fields, "mqtt", "host", "id", "chargers", "from"]) | st.text(max_size=8)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["CP1", "auto"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configurations")


def live_by(config: Config) -> None:
    """What a configuration is used for at the start, and shown as."""
    assert SECRET not in str(config.masked())
    yaml.safe_dump(config.masked())
    shapes.dump(config.masked(show_tags=False))
    house_of(config)
    zone_of(config).utcoffset(datetime.now(UTC))
    for charger in [None, *config.chargers]:
        assert plan_of(charger, config).max_current >= 0
    assert datetime.now(UTC) - timedelta(days=config.database.keep_days + config.database.keep_audit_days)


def is_told(fault: str) -> bool:
    """One line: a key, a file or a variable, and what is wrong with it."""
    return re.fullmatch(r"[^\n]+: [^\n]+", fault) is not None and SECRET not in fault


def judge(load: Callable[[], Config]) -> None:
    faults: list[str] | None = None
    try:
        live_by(load())
    except BadConfiguration as error:
        faults = error.faults
    assert faults != []
    assert [fault for fault in faults or () if not is_told(fault)] == []


def with_secrets(value: Any, key: object = None) -> Any:
    """A configuration with a secret wherever one may stand."""
    if isinstance(value, dict):
        return {inner: with_secrets(part, inner) for inner, part in value.items()}
    if isinstance(value, list):
        return [with_secrets(part) for part in value]
    return SECRET if key in SECRETS else value


@HERE
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_of_any_kind_are_taken_or_told_of(folder: Path, data: bytes) -> None:
    for name in ("any.yaml", "any.json"):
        (folder / name).write_bytes(data)
        judge(lambda name=name: config_file.load(folder / name, {}))  # type: ignore[misc]  # a default is no argument


@HERE
@given(SHAPES)
def test_shapes_of_any_kind_are_taken_or_told_of(folder: Path, shape: Any) -> None:
    file = folder / "shape.json"
    file.write_text(json.dumps(shape))
    judge(lambda: config_file.load(file, {}))


@HERE
@given(CHANCE, st.sampled_from(["yaml", "json"]))
def test_the_contracts_example_made_strange_is_taken_or_told_of_without_its_secrets(
    folder: Path, chance: Random, form: str
) -> None:
    shape = changed(chance, with_secrets(yaml.safe_load(CONTRACT.read_text())), Version.V16)
    file = folder / f"strange.{form}"
    text = json.dumps(shape) if form == "json" else yaml.safe_dump(shape, allow_unicode=True)
    file.write_text(text, "utf-8", "surrogatepass")
    judge(lambda: config_file.load(file, {}))


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, *path, key)


EXAMPLE: dict[str, Any] = with_secrets(yaml.safe_load(CONTRACT.read_text()))


@pytest.mark.parametrize("key", ["\n", "", "a\x1b[2J", "\u2028", "mqtt.host"])
def test_a_key_that_is_no_word_is_told_of_in_one_line(key: str, tmp_path: Path) -> None:
    file = tmp_path / "house.json"
    file.write_text(json.dumps({key: 1}))
    with pytest.raises(BadConfiguration) as refused:
        config_file.load(file, {})
    (fault,) = refused.value.faults
    assert len(fault.splitlines()) == 1
    assert fault.isprintable()


@pytest.mark.parametrize("place", list(places(EXAMPLE)), ids=lambda place: ".".join(map(str, place)))
def test_every_key_may_hold_anything(place: tuple[Any, ...], folder: Path) -> None:
    file = folder / "key.json"
    for odd in Random(str(place)).sample(ODD, 5):
        shape = json.loads(json.dumps(EXAMPLE))
        holder = shape
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = odd
        file.write_text(json.dumps(shape))
        judge(lambda: config_file.load(file, {}))


@HERE
@given(
    st.dictionaries(
        st.lists(WORDS | st.sampled_from(["MQTT", "PORT", "CHARGERS", "0", "TLS"]), max_size=4).map("__".join),
        st.text(max_size=20) | JSON.map(json.dumps),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from([*SHORT_NAMES]), st.text(max_size=20)),
)
def test_an_environment_of_any_kind_is_taken_or_told_of(ours: dict[str, str], short: dict[str, str]) -> None:
    secrets = {"OCPP_MQTT_PROXY_MQTT__PASSWORD": SECRET, "HA_TOKEN": SECRET}
    given_ours = {f"OCPP_MQTT_PROXY_{name}": text for name, text in ours.items()}
    environment = {_fit(name): _fit(text) for name, text in (given_ours | short | secrets).items()}
    with pytest.MonkeyPatch.context() as machine, contextlib.suppress(UnicodeEncodeError):
        for name, value in environment.items():
            machine.setenv(name, value)
        judge(lambda: config_file.load(None))


def _fit(text: str) -> str:
    """Text as an environment holds it."""
    return text.replace("\0", "").replace("=", "")


@pytest.mark.parametrize(
    "text", ["{", "mqtt: [", "&a [*a]", "a: 1", "mqtt: {port: 99999, password: sesame}", "\x00", "- 1"]
)
def test_what_cannot_be_used_ends_with_2_and_no_traceback(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(text)
    assert main(["check-config", "--config", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err
    assert SECRET not in told.err
