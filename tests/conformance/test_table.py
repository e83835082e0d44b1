"""Every priority-1 case is shown by a test or left out for a reason, and README says which."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.cases import cases, shown, table
from tests.conformance.left_out import LEFT_OUT

README = Path(__file__).parents[2] / "README.md"


def test_every_case_is_shown_by_a_test_or_left_out_for_a_reason() -> None:
    assert sorted(cases().keys() - shown().keys() - LEFT_OUT.keys()) == []


def test_no_case_is_both_shown_and_left_out() -> None:
    assert sorted(shown().keys() & LEFT_OUT.keys()) == []


def test_every_case_that_is_named_exists() -> None:
    assert sorted((shown().keys() | LEFT_OUT.keys()) - cases().keys()) == []


def test_readme_has_the_table() -> None:
    assert table() in README.read_text(), "make it anew: python -m tests.conformance.cases"
