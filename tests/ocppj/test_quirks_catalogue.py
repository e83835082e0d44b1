"""The catalogue of what chargers are known to get wrong: each is seen to by a test, or it is said why not."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.ocppj.quirks import NAMES
from tests.ocppj.rows import FOLDER, rows

TESTS = Path(__file__).parents[1]
CATALOGUE: list[dict[str, Any]] = [json.loads(line) for line in (FOLDER / "catalogue.jsonl").read_text().splitlines()]
ROWS = {row.why for row in rows("quirks", "quirks_of_peers")}


@cache
def _tests_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def exists(by: str) -> bool:
    """Whether what sees to a quirk is there: a row of the corpus, a row of the table, or a test."""
    kind, _, name = by.partition(":")
    match kind:
        case "row":
            return name in ROWS
        case "quirk":
            return name in NAMES
        case file:
            return name.removeprefix(":") in _tests_in(file)


@pytest.mark.parametrize("entry", CATALOGUE, ids=[f"{entry['area']}: {entry['quirk']}" for entry in CATALOGUE])
def test_what_chargers_are_known_to_get_wrong_is_seen_to_or_it_is_said_why_not(entry: dict[str, Any]) -> None:
    assert [by for by in entry["by"] if not exists(by)] == []
    assert entry["by"] or entry["why"]


def test_every_quirk_that_some_have_is_in_the_catalogue_or_in_the_corpus() -> None:
    told = {by.removeprefix("quirk:") for entry in CATALOGUE for by in entry["by"] if by.startswith("quirk:")}
    assert told <= set(NAMES)
    assert len(told) >= 10


def test_every_row_of_peers_is_in_the_catalogue_or_known_from_elsewhere() -> None:
    told = {by.removeprefix("row:") for entry in CATALOGUE for by in entry["by"]}
    unseen = {row.why for row in rows("quirks_of_peers")} - told
    assert unseen <= {"a boot with an empty vendor"}
