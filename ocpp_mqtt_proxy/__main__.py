"""The command line (contract §2). Exit codes: 0 stopped as asked, 1 failed at run time, 2 bad configuration."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import getpass
import logging
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from ocpp_mqtt_proxy import __version__, config_file, exports, logs
from ocpp_mqtt_proxy.config import Config, Log
from ocpp_mqtt_proxy.config_file import BadConfiguration
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.passwords import hash_password, token_hash

if TYPE_CHECKING:  # commands that need no store must not wait for it
    from ocpp_mqtt_proxy.adapters.store import Store

log = logging.getLogger("ocpp_mqtt_proxy")

LOGIN_MINUTES = 10

ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 (compared with)
"""Addresses to listen on that nobody can connect to."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    parser = _parser()
    given = parser.parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    try:
        return int(given.run(given))
    except BadConfiguration as error:
        print(error, file=sys.stderr)
        return 2
    except exports.BadTime as error:
        print(f"ocpp-mqtt-proxy: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Who read our output has enough of it, as `head` does. Nothing can be written at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ProxyError, OSError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        print(f"ocpp-mqtt-proxy: {error}{'; choose another with http.port' if taken else ''}", file=sys.stderr)
        return 1


COMMANDS = ("run", "check-config", "simulate", "export", "login", "hash-password")


def _with_command(arguments: list[str]) -> list[str]:
    """`run` may be left out."""
    named = any(word in COMMANDS or word in ("-h", "--help", "--version") for word in arguments[:1])
    return arguments if named else ["run", *arguments]


def _parser() -> argparse.ArgumentParser:
    about = "EV chargers by OCPP, on MQTT and in Home Assistant."
    parser = argparse.ArgumentParser(prog="ocpp-mqtt-proxy", description=about)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--config", type=Path, help="the configuration file, YAML or JSON")
    run = commands.add_parser("run", parents=[file], help="run the service (what is done without a command)")
    run.set_defaults(run=_run)
    check = commands.add_parser("check-config", parents=[file], help="print the effective configuration")
    check.set_defaults(run=_check_config)
    _simulate_parser(commands)
    export = commands.add_parser("export", parents=[file], help="print sessions out of the store")
    export.add_argument("--from", dest="since", metavar="DATE", help="started on this day or later")
    export.add_argument("--to", dest="until", metavar="DATE", help="started on this day or earlier")
    export.add_argument("--provider", metavar="ID")
    export.add_argument("--totals", choices=["provider", "tag", "month"], help="sums instead of sessions, by month")
    export.add_argument("--format", choices=["csv", "json"], default="csv")
    export.set_defaults(run=_export)
    login = commands.add_parser("login", parents=[file], help="print a link to the page, good once")
    login.set_defaults(run=_login)
    password = commands.add_parser("hash-password", help="read a password, print its hash for the configuration")
    password.set_defaults(run=_hash_password)
    return parser


def _simulate_parser(commands: Any) -> None:  # noqa: ANN401 (argparse has no public name for it)
    simulate = commands.add_parser("simulate", help="run a simulated charger")
    url = "where the CSMS is; the id is appended"
    simulate.add_argument("--url", required=True, metavar="WS_URL", type=_ws_url, help=url)
    simulate.add_argument("--version", dest="ocpp_version", choices=list(Version), default=Version.V16)
    simulate.add_argument("--id", default="SIM1")
    simulate.add_argument("--password", default="", help="for Basic authentication")
    simulate.add_argument("--speed", type=_speed, default=1.0, help="how much faster than life it charges")
    simulate.add_argument("--plugged", action="store_true", help="begin with a car plugged in")
    simulate.add_argument("--show", action="store_true", help="run by itself: cars come, charge for a while and leave")
    simulate.set_defaults(run=_simulate)


def _ws_url(text: str) -> str:
    if not text.startswith(("ws://", "wss://")) or not urlsplit(text).hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no WebSocket URL; allowed: ws://host:port/path or wss://…")
    return text


def _speed(text: str) -> float:
    if not 0 < float(text) <= 10_000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 10000")
    return float(text)


def _load(given: argparse.Namespace) -> Config:
    return config_file.load(config_file.find(given.config))


def _run(given: argparse.Namespace) -> int:
    from ocpp_mqtt_proxy.app import App

    config = _load(given)
    logs.set_up(config.log)

    async def serve() -> None:
        app = App(config, reread=lambda: _load(given))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, app.ask_to_stop)
        with contextlib.suppress(NotImplementedError, AttributeError):  # likewise
            loop.add_signal_handler(signal.SIGHUP, app.reload)
        await app.run()

    _in_loop(serve)
    return 0


def _in_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def _check_config(given: argparse.Namespace) -> int:
    from ocpp_mqtt_proxy.household import warnings_of

    config = _load(given)
    print(yaml.safe_dump(config.masked(), sort_keys=False, allow_unicode=True), end="")
    for warning in warnings_of(config):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _simulate(given: argparse.Namespace) -> int:
    from ocpp_mqtt_proxy.simulator.console import simulate

    logs.set_up(Log())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(simulate(given))
    return 0


def _export(given: argparse.Namespace) -> int:
    from ocpp_mqtt_proxy.adapters.store import Filter
    from ocpp_mqtt_proxy.household import zone_of

    config = _load(given)
    if given.totals:
        return _export_totals(config, given)
    zone = zone_of(config)
    wanted = Filter(
        since=exports.when(given.since, zone),
        until=exports.when(given.until, zone, end=True),
        provider=given.provider,
        limit=500,
    )
    write = exports.as_csv if given.format == "csv" else exports.as_json

    async def export(store: Store) -> None:
        async for line in write(store.all_sessions(wanted), datetime.now(UTC)):
            sys.stdout.write(line)

    asyncio.run(_with(_store(config), export))
    return 0


def _export_totals(config: Config, given: argparse.Namespace) -> int:
    from ocpp_mqtt_proxy.adapters.store import Wanted

    asked = {"since": exports.month(given.since), "until": exports.month(given.until), "provider": given.provider}
    wanted = Wanted(given.totals, **{name: value for name, value in asked.items() if value})

    async def export(store: Store) -> None:
        await store.totals.reckon()
        sums = await store.totals.sums(wanted)
        write = exports.totals_as_csv if given.format == "csv" else exports.totals_as_json
        sys.stdout.writelines(write(wanted.by, sums))

    asyncio.run(_with(_store(config), export))
    return 0


def _login(given: argparse.Namespace) -> int:
    config = _load(given)
    code = secrets.token_urlsafe(24)

    async def add(store: Store) -> None:
        await store.logins.add(token_hash(code), datetime.now(UTC) + timedelta(minutes=LOGIN_MINUTES))

    asyncio.run(_with(_store(config), add))
    from ocpp_mqtt_proxy.welcome import own_address

    host = config.http.host if config.http.host not in ANYWHERE else own_address()
    print(f"http://{f'[{host}]' if ':' in host else host}:{config.http.port}/login?code={code}")
    print(f"good once, for {LOGIN_MINUTES} minutes", file=sys.stderr)
    return 0


def _store(config: Config) -> Store:
    """The store, beside a service that may be running with it."""
    from ocpp_mqtt_proxy.adapters.store import Store
    from ocpp_mqtt_proxy.household import zone_of

    path = Path(config.database.path)
    if not path.exists():
        print(f"there was no store at {path.absolute()} yet: is this the service's configuration?", file=sys.stderr)
    return Store(path, zone_of(config))


async def _with(store: Store, work: Callable[[Store], Awaitable[None]]) -> None:
    await store.open(mend=False)  # a service may be running with it: what it needs mended it mends itself
    try:
        await work(store)
    finally:
        await store.close()


def _hash_password(_: argparse.Namespace) -> int:
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        print("no password given", file=sys.stderr)
        return 2
    print(hash_password(password))
    return 0


if __name__ == "__main__":
    sys.exit(main())
