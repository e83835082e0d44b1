"""Branch coverage by room, and a failure where it is too low: `python -m tests.coverage_gate coverage.json`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

LEAST = {"all": 90.0, "core": 95.0, "ocppj": 95.0}
"""Per cent of branches; a room without a figure only shows its own."""


def rooms(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, tuple[int, int]]:
    """Branches taken and branches there, by room."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for file, figures in report["files"].items():
        parts = Path(file).parts
        room = parts[1] if len(parts) > 2 else "top"
        for name in (room, "all"):
            counted[name][0] += figures["summary"]["covered_branches"]
            counted[name][1] += figures["summary"]["num_branches"]
    return {name: (taken, there) for name, (taken, there) in sorted(counted.items())}


def main(file: str) -> int:
    low = False
    for room, (taken, there) in rooms(json.loads(Path(file).read_text())).items():
        share = 100 * taken / there if there else 100.0
        short = share < LEAST.get(room, 0)
        low = low or short
        print(f"{room:10} {share:6.1f} % of {there} branches{'  TOO LOW' if short else ''}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
