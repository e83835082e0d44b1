"""Numbers as text, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one kind: gauges go up and down, counters only rise while the program runs."""

    name: str
    kind: str
    help: str
    samples: Iterable[Sample]

    def __str__(self) -> str:
        """As text; nothing where there is no number."""
        lines = [f"{self.name}{_shown(labels)} {_written(value)}\n" for labels, value in self.samples]
        head = f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.kind}\n"
        return "".join((head, *lines)) if lines else ""


def gauge(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    """Numbers that go up and down."""
    return Family(name, "gauge", help_, samples)


def counter(name: str, help_: str, samples: Iterable[Sample]) -> Family:
    """Numbers that only rise. Their name ends in `_total`."""
    return Family(f"{name}_total", "counter", help_, samples)


def one(value: float) -> list[Sample]:
    """A number that there is one of."""
    return [({}, float(value))]


def by(label: str, values: Mapping[str, float]) -> list[Sample]:
    """Numbers by what one label says."""
    return [({label: key}, float(value)) for key, value in values.items()]


def _written(value: float) -> str:
    """Exactly, without a needless fraction."""
    return repr(float(value)).removesuffix(".0")


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
