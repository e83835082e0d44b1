"""The house keeps its order: a room imports only rooms below it, adapters never each other, core is pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "ocpp_mqtt_proxy"
ROOT = Path(__file__).parents[1] / PACKAGE

FLOORS = [
    {"budget", "core", "frame_log", "framing", "passwords", "prompt", "topics", "turns"},
    {"ocppj", "bus", "checking", "ports", "shapes", "sockets", "requests"},
    {"calling", "config", "telling"},
    {"hub", "exports", "config_file", "logs", "simulator", "welcome"},
    {"steering"},
    {"commissioning", "household", "monthly", "renewal"},
    {"dispatch"},
    {"arbitration"},
    {"authority", "backends"},
    {"services"},
    {"adapters"},
    {"backend_face", "books", "service_face"},
    {"bridge", "home_assistant_face", "mqtt_face", "reporting"},
    {"metrics"},
    {"app"},
    {"__main__"},
    {"demo"},
]
"""From the ground up: a room may import lower floors, not its own floor's other rooms nor higher ones."""

NEIGHBOURS = {("adapters.discovery", "adapters.entities")}
"""Pairs that may look at each other though they are on one floor: a table and who reads it."""

IMPURE = {
    "asyncio", "logging", "os", "pathlib", "random", "socket", "sqlite3", "subprocess", "threading", "time",
    "aiomqtt", "aiosqlite", "fastapi", "ocpp", "orjson", "pydantic", "starlette", "uvicorn", "websockets", "yaml",
}  # fmt: skip
"""What the core may not touch: clocks, files, sockets, loops, logs, and libraries of the outside."""

NO_SOCKETS = IMPURE - {"ocpp", "orjson", "pathlib"}
"""OCPP-J is sans-I/O: it reads the schemas' files and JSON, nothing else."""

LIMIT = 450
"""Lines a file may have: more is more than one idea."""


def modules() -> Iterator[tuple[str, Path]]:
    for file in sorted(ROOT.rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield ("" if name == "__init__" else name), file


def imports(file: Path) -> set[str]:
    """Every module a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {node.module or ""}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(file: Path) -> set[str]:
    """What a file imports of this package, without the package's name."""
    return {name.removeprefix(f"{PACKAGE}.") for name in imports(file) if name.startswith(f"{PACKAGE}.")}


def room(module: str) -> str:
    return module.partition(".")[0]


def floor(module: str) -> int | None:
    return next((level for level, rooms in enumerate(FLOORS) if room(module) in rooms), None)


def suite(module: str) -> str:
    """One outside thing among the adapters: a file or a folder."""
    return module.split(".")[1] if module.startswith("adapters.") else ""


def outside(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(file)}


MODULES = list(modules())


@pytest.mark.parametrize(("module", "file"), MODULES, ids=[name or PACKAGE for name, _ in MODULES])
class TestEveryFile:
    def test_has_a_floor(self, module: str, file: Path) -> None:
        assert module == "" or floor(module) is not None, f"{module} has no place in the house: add it to FLOORS"

    def test_imports_only_what_is_below(self, module: str, file: Path) -> None:
        here = floor(module)
        for other in ours(file):
            there = floor(other)
            if here is None or there is None or room(other) == room(module):
                continue
            assert there < here, f"{module} (floor {here}) imports {other} (floor {there})"

    def test_of_one_adapter_leaves_the_others_alone(self, module: str, file: Path) -> None:
        for other in ours(file):
            if suite(module) and suite(other) and suite(other) != suite(module):
                known = {".".join(name.split(".")[:2]) for name in (module, other)}
                allowed = [set(pair) for pair in NEIGHBOURS]
                assert known in allowed, f"{module} imports {other}"

    def test_of_the_core_is_pure(self, module: str, file: Path) -> None:
        if room(module) == "core":
            assert not outside(file) & IMPURE

    def test_of_ocppj_opens_nothing(self, module: str, file: Path) -> None:
        if room(module) == "ocppj":
            assert not outside(file) & NO_SOCKETS

    def test_never_uses_the_ocpp_package_s_charge_point(self, module: str, file: Path) -> None:
        assert "ocpp" not in outside(file), "only its schema files, found without importing it"

    def test_holds_one_idea(self, module: str, file: Path) -> None:
        assert len(file.read_text().splitlines()) <= LIMIT


def test_nothing_is_left_undone() -> None:
    left = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    assert [name for name, file in MODULES if left.search(file.read_text())] == []


def test_the_core_never_asks_for_the_time() -> None:
    asks = re.compile(r"\b(datetime\.now|utcnow|monotonic|time\.time)\(")
    assert [name for name, file in MODULES if room(name) == "core" and asks.search(file.read_text())] == []
