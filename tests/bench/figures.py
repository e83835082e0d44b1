"""Figures round by round, and what is printed of them: medians, the spread, the goal, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

HEADINGS = f"{'':<57}{'proxy':>10}{'against':>24}{'median (least to greatest)':>30}{'goal':>10}"


@dataclass
class Figure:
    """One quantity, once per round: in ratio to what was measured beside it, or as it is where there is no `against`.

    `goal` is the most it may be; None where it only informs.
    """

    name: str
    unit: str
    against: str = ""
    goal: float | None = None
    ours: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)

    def add(self, ours: float, base: float | None = None) -> None:
        """A round's values."""
        self.ours.append(ours)
        if base is not None:
            self.base.append(base)

    @property
    def values(self) -> list[float]:
        """What is judged: a value or a ratio per round."""
        if not self.against:
            return self.ours
        return [ours / base for ours, base in zip(self.ours, self.base, strict=True)]

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.goal is None or median(self.values) <= self.goal

    @property
    def verdict(self) -> str:
        """The judged value beside its goal, in words."""
        unit = f"times the {self.against}'s" if self.against else self.unit
        return f"{self.name}: {median(self.values):.3g} {unit}, goal {self.goal:g}"

    def line(self) -> str:
        """All of it."""
        values = self.values
        base = f"{median(self.base):.5g} {self.against}" if self.base else ""
        spread = f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
        goal = "" if self.goal is None else f"≤ {self.goal:g}"
        verdict = "" if self.goal is None else ("met" if self.met else "MISSED")
        name = f"{self.name}, {self.unit}" if self.unit else self.name
        return f"{name:<57}{median(self.ours):>10.5g}{base:>24}{spread:>30}{goal:>10}  {verdict}".rstrip()


@dataclass
class Section:
    """What was measured together."""

    heading: str
    figures: list[Figure]
    remarks: list[str] = field(default_factory=list)

    def show(self) -> None:
        """Print it."""
        print(f"\n{self.heading}\n{HEADINGS}")
        for figure in self.figures:
            print(figure.line())
        for text in self.remarks:
            print(f"  {text}")


def summary(sections: Iterable[Section]) -> str:
    """How many goals are met, and which are not."""
    judged = [figure for section in sections for figure in section.figures if figure.goal is not None]
    missed = [f"  missed: {figure.verdict}" for figure in judged if not figure.met]
    return "\n".join([f"{len(judged) - len(missed)} of {len(judged)} goals met", *missed])


def at(quantile: float, ordered: list[float]) -> float:
    """A quantile of sorted values."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
