"""Figures side by side, round by round, and what is printed of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figure:
    """One quantity, of the proxy and of what it is compared with, once per round."""

    name: str
    ours: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Medians, and the ratio's median and spread over the rounds."""
        if not self.ours:
            return f"{self.name:<58} not measured"
        ratios = [ours / base for ours, base in zip(self.ours, self.base, strict=True) if base]
        spread = f"{median(ratios):8.2f}  ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
        return f"{self.name:<58}{median(self.base):10.2f}{median(self.ours):10.2f}{spread}"


@dataclass
class Figures:
    """Everything that was measured under one heading. `against` says what the proxy is compared with."""

    heading: str
    against: str = "relay"
    figures: dict[str, Figure] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, ours: float | None, base: float | None) -> None:
        """A round's values; None where the system does not tell."""
        figure = self.figures.setdefault(name, Figure(name))
        if ours is not None and base is not None:
            figure.ours.append(ours)
            figure.base.append(base)

    def remark(self, text: str) -> None:
        """Something that is no ratio."""
        self.remarks.append(text)

    def show(self) -> None:
        """Print it."""
        columns = f"{self.against:>10}{'proxy':>10}   ratio  (min to max)" if self.figures else ""
        print(f"\n{self.heading:<58}{columns}")
        for figure in self.figures.values():
            print(figure.line())
        for text in self.remarks:
            print(text)


def at(quantile: float, ordered: list[float]) -> float:
    """A quantile of sorted values."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
