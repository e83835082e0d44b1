"""The command line, as people and systemd use it (contract §2)."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest
import yaml

from ocpp_mqtt_proxy import __main__, __version__
from ocpp_mqtt_proxy.__main__ import main
from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.demo.broker import free_port
from ocpp_mqtt_proxy.passwords import hash_password, matches
from tests.adapters.raw import basic, knocking, request
from tests.adapters.things import a_session, an_ended_session
from tests.brokers import Broker
from tests.independent import CHARGERS, independent_charger
from tests.program import configure, ended, environment, program, service
from tests.running import PATIENCE, Running, Watcher
from tests.test_config import SECRETS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands are given in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of arguments that no command takes."""
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert exit_.value.code == 2
    return capsys.readouterr().err


# The command itself


def test_the_command_is_the_module() -> None:
    (command,) = entry_points(group="console_scripts", name="ocpp-mqtt-proxy")
    assert command.load() is __main__.main


def test_the_module_says_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    run = [sys.executable, "-m", "ocpp_mqtt_proxy", "--help"]
    said = subprocess.run(run, env=environment(), capture_output=True, text=True, check=True)  # noqa: S603
    assert said.stdout == capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc-config"],
        ["run", "--confg", "x"],
        ["export", "--format", "xml"],
        ["simulate"],
        ["simulate", "--url", "ws://x", "--version", "1.5"],
    ],
)
def test_what_no_command_takes_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert "usage: ocpp-mqtt-proxy" in refused(capsys, *arguments)


# check-config


def test_the_effective_configuration_is_printed(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_HOST", "broker")
    assert main(["check-config", "--config", str(configure(here, http={"port": 9001}))]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["http"]["port"], shown["mqtt"]["host"], shown["mqtt"]["port"]) == (9001, "broker", 1883)


@pytest.mark.parametrize(("safe", "warned"), [(6, False), (13, True)])
def test_a_fuse_that_does_not_bear_what_its_chargers_fall_back_to_is_warned_of(
    here: Path, capsys: pytest.CaptureFixture[str], safe: int, *, warned: bool
) -> None:
    chargers = [{"id": "CP1", "safe_current": safe}, {"id": "CP2", "safe_current": 13}]
    groups = [{"id": "house", "chargers": ["CP1", "CP2"], "max_current": 25}]
    assert main(["check-config", "--config", str(configure(here, chargers=chargers, groups=groups))]) == 0
    captured = capsys.readouterr()
    assert ("warning: groups: house" in captured.err) is warned
    assert "warning" not in captured.out


def test_no_secret_is_printed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "--config", str(configure(here, **SECRETS))]) == 0
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
    assert "***" in captured.out


def test_the_file_of_this_folder_is_taken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "ocpp-mqtt-proxy.yaml").write_text("owner_tag: MINE")
    assert main(["check-config"]) == 0
    assert "owner_tag: MINE" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["check-config"], ["run"], [], ["export"], ["login"]])
def test_every_command_refuses_a_bad_configuration_with_a_line_per_fault(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    file = configure(here, mqtt={"port": "s3cret", "password": "s3cret"}, log={"level": "loud"})
    assert main([*arguments, "--config", str(file)]) == 2
    captured = capsys.readouterr()
    assert [line.partition(":")[0] for line in captured.err.splitlines()] == ["mqtt.port", "log.level"]
    assert "s3cret" not in captured.err
    assert captured.out == ""


def test_a_file_that_is_not_there_is_a_bad_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "--config", "gone.yaml"]) == 2
    assert capsys.readouterr().err == "gone.yaml: there is no such file\n"


# hash-password


def test_a_password_is_hashed_for_the_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\r\n"))
    assert main(["hash-password"]) == 0
    assert matches("correct horse", capsys.readouterr().out.strip())


@pytest.mark.parametrize("typed", ["", "\n"])
def test_no_password_is_a_bad_argument(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert main(["hash-password"]) == 2
    assert capsys.readouterr().out == ""


# export


@pytest.fixture
def house(here: Path) -> Path:
    """A configuration with sessions: one on each of three days, and one that runs."""
    file = here / "sessions.db"
    day = timedelta(days=1)
    starts = [a_session(number).started_at + (number - 1) * day for number in (1, 2, 3)]
    providers = ["owner", "night", "owner"]
    ended = [
        an_ended_session(number, started_at=at, provider=provider)
        for number, (at, provider) in enumerate(zip(starts, providers, strict=True), 1)
    ]

    async def fill() -> None:
        store = Store(file)
        await store.open()
        await store.record([*ended, a_session(4)])
        await store.close()

    asyncio.run(fill())
    return configure(here, database={"path": str(file)}, timezone="Europe/Amsterdam")


def exported(capsys: pytest.CaptureFixture[str], house: Path, *arguments: str) -> list[str]:
    assert main(["export", "--config", str(house), *arguments]) == 0
    return [row["session_id"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [3, 2, 4, 1]),
        (["--from", "2026-03-15"], [3, 2]),
        (["--to", "2026-03-15"], [2, 4, 1]),
        (["--from", "2026-03-15", "--to", "2026-03-15"], [2]),
        (["--to", "2026-03-14T12:03:30Z"], [1]),
        (["--to", "2026-03-14T13:03:30"], [1]),
        (["--provider", "night"], [2]),
        (["--provider", "nobody"], []),
    ],
)
def test_sessions_are_exported_by_day_and_provider(
    capsys: pytest.CaptureFixture[str], house: Path, arguments: list[str], numbers: list[int]
) -> None:
    assert exported(capsys, house, *arguments) == [f"test-{number}" for number in numbers]


def test_csv_is_what_comes_without_a_format(capsys: pytest.CaptureFixture[str], house: Path) -> None:
    assert exported(capsys, house, "--format", "csv") == exported(capsys, house)


def test_json_has_all_that_a_session_shows(capsys: pytest.CaptureFixture[str], house: Path) -> None:
    assert main(["export", "--config", str(house), "--format", "json"]) == 0
    sessions = json.loads(capsys.readouterr().out)
    assert [session["session_id"] for session in sessions] == ["test-3", "test-2", "test-4", "test-1"]
    assert sessions[0]["parts"][0]["energy_kwh"] == 2.0


def test_a_date_that_is_none_is_a_bad_argument(capsys: pytest.CaptureFixture[str], house: Path) -> None:
    assert main(["export", "--config", str(house), "--from", "yesterday"]) == 2
    assert "'yesterday' is no time; allowed: 2026-01-31" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "login"])
def test_a_store_that_was_not_there_is_told_of(here: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    file = configure(here, database={"path": "new.db"})
    assert main([command, "--config", str(file)]) == 0
    assert f"there was no store at {here / 'new.db'}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "login"])
def test_a_store_that_cannot_be_used_is_a_failure(here: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (here / "list.txt").write_text("bread and milk " * 100)
    assert main([command, "--config", str(configure(here, database={"path": "list.txt"}))]) == 1
    captured = capsys.readouterr()
    assert captured.err == "ocpp-mqtt-proxy: the store list.txt cannot be used: file is not a database\n"
    assert captured.out == ""


def test_a_reader_that_has_enough_is_no_failure(house: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does
    export = [sys.executable, "-m", "ocpp_mqtt_proxy", "export", "--config", str(house)]
    done = subprocess.run(export, env=environment(), stdout=writing, stderr=subprocess.PIPE, check=False)  # noqa: S603
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_totals_are_exported_by_what_is_asked_for(capsys: pytest.CaptureFixture[str], house: Path) -> None:
    def totals(*arguments: str) -> str:
        assert main(["export", "--config", str(house), "--totals", *arguments]) == 0
        return capsys.readouterr().out

    rows = list(csv.DictReader(io.StringIO(totals("provider"))))
    assert [(row["provider"], row["sessions"], row["cost_EUR"]) for row in rows] == [
        ("night", "1", "0.60"),
        ("owner", "2", "1.20"),
    ]
    found = json.loads(totals("month", "--provider", "night", "--from", "2026-03", "--format", "json"))
    assert [(one["month"], one["energy_kwh"]) for one in found] == [("2026-03", 2.0)]
    assert json.loads(totals("tag", "--to", "2026-02", "--format", "json")) == []


def test_totals_of_what_is_no_month_are_a_bad_argument(capsys: pytest.CaptureFixture[str], house: Path) -> None:
    assert main(["export", "--config", str(house), "--totals", "tag", "--from", "January"]) == 2
    assert "is no month; allowed: 2026-01" in capsys.readouterr().err


# login


def test_the_link_is_by_an_address_that_can_be_reached(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for host, shown in (("0.0.0.0", r"[\w.]+"), ("192.0.2.1", r"192\.0\.2\.1"), ("::1", r"\[::1\]")):  # noqa: S104
        file = configure(here, http={"host": host, "port": 9001}, database={"path": "new.db"})
        assert main(["login", "--config", str(file)]) == 0
        link = capsys.readouterr().out
        assert re.fullmatch(rf"http://{shown}:9001/login\?code=[\w-]{{32}}\n", link)


async def test_a_link_logs_in_once_beside_a_running_service(proxy: Running, here: Path) -> None:
    async with program("login", "--config", str(here / "options.json")) as process:
        code, output, errors = await ended(process)
    assert (code, errors) == (0, "good once, for 10 minutes\n")
    async with httpx.AsyncClient(headers={"X-Forwarded-For": "192.0.2.9"}) as browser:
        assert (await browser.get(f"{proxy.http}/status")).status_code == 401
        first = await browser.get(output.strip())
        assert first.is_success or first.is_redirect
        assert (await browser.get(f"{proxy.http}/status")).status_code == 200
    async with httpx.AsyncClient(headers={"X-Forwarded-For": "192.0.2.9"}) as other:
        assert (await other.get(output.strip())).status_code == 401


async def test_an_export_beside_a_running_service_has_what_runs_there(proxy: Running, here: Path) -> None:
    async with independent_charger(proxy.chargers, "1.6", "CP1") as charger:
        transaction = await charger.begin()
        async with program("export", "--config", str(here / "options.json")) as process:
            code, output, _ = await ended(process)
    (row,) = csv.DictReader(io.StringIO(output))
    assert (code, row["transaction_id"], row["ended_at"]) == (0, str(transaction), "")


# simulate


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_simulated_charger_connects_and_ends_when_told(proxy: Running, watcher: Watcher, version: str) -> None:
    async with program("simulate", "--url", proxy.chargers, "--version", version) as process:
        info = await watcher.document("charger/SIM1/info", lambda info: info["vendor"] != "")
        assert info["ocpp_version"] == version
        await watcher.value("charger/SIM1/connector/1/status", "available")
        async with asyncio.timeout(PATIENCE):
            _, errors = await process.communicate(b"quit\n")
        assert process.returncode == 0, errors
    await watcher.value("charger/SIM1/availability", "offline")


# run: how it fails


async def test_a_port_that_is_taken_is_a_failure_that_names_it(here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = configure(here, http={"host": "127.0.0.1", "port": port}, database={"path": "new.db"})
        async with program("run", "--config", str(file)) as process:
            code, _, errors = await ended(process)
    assert code == 1
    assert errors.startswith("ocpp-mqtt-proxy: ")
    assert len(errors.splitlines()) == 1
    assert str(port) in errors
    assert "address already in use; choose another with http.port" in errors


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere/sessions.db", "nowhere/sessions.db cannot be used: unable to open database file"),
        ("house.json", "house.json cannot be used: file is not a database"),
    ],
)
async def test_a_store_that_cannot_be_used_stops_the_service(here: Path, path: str, said: str) -> None:
    file = configure(here, http={"host": "127.0.0.1"}, database={"path": path}, owner_tag="x" * 16, timezone="UTC")
    async with program("--config", str(file)) as process:
        code, _, errors = await ended(process)
    assert (code, errors) == (1, f"ocpp-mqtt-proxy: the store {said}\n")


# run: how it stops


STALLED_MESSAGES = 20_000


@contextlib.contextmanager
def stalled(port: int) -> Iterator[None]:
    """A charger that says much and reads nothing: neither answers nor a close."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(1)
        peer.connect(("127.0.0.1", port))
        peer.sendall(request("/charger/STALLED", ["ocpp1.6"]))
        text = b'[2,"1","Heartbeat",{}]'
        frame = bytes([0x81, 0x80 | len(text)]) + bytes(4) + text
        with contextlib.suppress(TimeoutError):
            peer.sendall(frame * STALLED_MESSAGES)
        yield


async def test_sigterm_ends_it_in_time_with_everybody_told_and_stalled_peers_notwithstanding(
    here: Path, broker: Broker
) -> None:
    async with service(here, broker) as (process, given):
        mqtt, port = given["mqtt"], given["http"]["port"]
        async with (
            Watcher.at(broker, mqtt["base_topic"], mqtt["discovery_prefix"]) as watcher,
            knocking(port, "/charger/CP1", ["ocpp1.6"]) as charger,
        ):
            await watcher.value("bridge/state", "online")
            charger.send([2, "1", "BootNotification", {"chargePointVendor": "ABB", "chargePointModel": "Terra"}])
            assert (await charger.message())[2]["status"] == "Accepted"
            await watcher.value("charger/CP1/availability", "online")
            with stalled(port):
                await watcher.value("charger/STALLED/availability", "online")
                process.send_signal(signal.SIGTERM)
                assert await charger.close_code() == 1001
                async with asyncio.timeout(10):
                    assert await process.wait() == 0
            await watcher.value("bridge/state", "offline")
            await watcher.value("charger/CP1/availability", "offline")


async def test_ctrl_c_ends_it_as_well(here: Path, broker: Broker) -> None:
    async with service(here, broker) as (process, _):
        process.send_signal(signal.SIGINT)
        code, _, errors = await ended(process)
    assert code == 0
    assert "Traceback" not in errors


CARD = "04S3CRETTAG"


def told_too_much(text: str, *more: str) -> list[str]:
    return [secret for secret in ("s3cret", CARD, *more) if secret in text]


async def show_a_card(port: int, charger_id: str, password: str) -> int:
    """Knock with a password and, once let in, show a card; the status of the handshake."""
    path, authorization = f"/charger/{charger_id}?token=s3cret-query", basic(charger_id, password)
    async with knocking(port, path, ["ocpp1.6"], {"Authorization": authorization}) as charger:
        if charger.status == 101:
            charger.send([2, "1", "Authorize", {"idTag": CARD}])
            assert (await charger.message())[2]["idTagInfo"]["status"] == "Accepted"
        return charger.status


async def test_no_secret_is_logged_or_published_however_much_is(here: Path, broker: Broker) -> None:
    stored = hash_password("s3cret-charger")
    given = SECRETS | {
        "http": {"host": "127.0.0.1", "port": free_port(), "api_token": "s3cret-api"},
        "mqtt": {"password": "s3cret-mqtt", "username": "anna"},
        "chargers": [{"id": "CP1", "password": "s3cret-charger"}, {"id": "CP2", "password": stored}],
        "log": {"level": "debug", "frames": True},
        "id_tags": [{"tag": CARD, "name": "Anna"}],
    }
    async with service(here, broker, **given) as (process, wanted):
        mqtt, port = wanted["mqtt"], wanted["http"]["port"]
        async with Watcher.at(broker, mqtt["base_topic"], mqtt["discovery_prefix"]) as watcher:
            for charger_id in ("CP1", "CP2"):
                assert await show_a_card(port, charger_id, "s3cret-charger") == 101
                assert await show_a_card(port, charger_id, "s3cret-wrong") == 401
            await watcher.value("bridge/info", lambda text: "configuration" in text)
            process.terminate()
            code, output, errors = await ended(process)
            published = json.dumps([watcher.last, watcher.all])
    assert code == 0
    assert [told_too_much(text, stored) for text in (output, errors, published)] == [[], [], []]
    assert "Authorize" in errors
    assert "Anna" in published
