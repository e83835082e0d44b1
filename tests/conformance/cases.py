"""The cases, which tests show them, and the table of both."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.left_out import LEFT_OUT

HERE = Path(__file__).parent


def case(*ids: str) -> Callable[[Any], Any]:
    """Marks a test as one that shows these cases."""
    return pytest.mark.case(*ids)


def cases() -> dict[str, str]:
    """Every case by its id, with what it shows."""
    rows = (line.partition("\t") for line in (HERE / "cases.tsv").read_text().splitlines())
    return {one: what for one, _, what in rows}


def shown() -> dict[str, list[str]]:
    """The tests that show each case, as `file::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(HERE.glob("test_*.py")):
        for test, ids in _marked(ast.parse(file.read_text())):
            for one in ids:
                found[one].append(f"{file.stem}::{test}")
    return found


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "case":
                    yield node.name, [str(one.value) for one in mark.args if isinstance(one, ast.Constant)]


def table() -> str:
    """README's table."""
    tests = shown()
    rows = [f"| {one} | {what} | {_where(one, tests)} |" for one, what in cases().items()]
    return "\n".join(["| case | shows | test |", "| --- | --- | --- |", *rows])


def _where(one: str, tests: dict[str, list[str]]) -> str:
    if one in LEFT_OUT:
        return f"left out: {LEFT_OUT[one]}"
    return ", ".join(f"`{name}`" for name in tests.get(one, []))


if __name__ == "__main__":
    print(table())
