"""`make fuzz`: frames by coverage through the charger's path in one process, then over sockets to the program."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

_PROGRESS = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+)")
EVERY = 20_000
"""Inputs between two lines of progress."""


def by_coverage(frames: int, seed: int) -> int:
    """Fuzz in a process of its own, because libFuzzer ends the one it is in; whether something was found."""
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", "--frames", str(frames), "--seed", str(seed)]
    begun = now = told = 0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as process:  # noqa: S603
        assert process.stderr is not None
        for line in process.stderr:
            match = _PROGRESS.match(line)
            if match is None:
                if not line.startswith(("INFO:", "WARNING: Failed to find")):
                    print(line, end="", flush=True)
                continue
            now = int(match[3])
            begun = begun or (now if match[2] == "INITED" else 0)
            if int(match[1]) >= told + EVERY:
                told = int(match[1])
                print(f"… {told:,} inputs, {now:,} edges", flush=True)
    print(f"coverage      {now:,} edges of the program, {begun:,} by the corpus alone")
    return process.returncode


def main() -> int:
    """Both halves; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--socket-frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = by_coverage(given.frames, given.seed) if given.frames else 0
    if given.socket_frames:
        command = [sys.executable, "-m", "tests.fuzz.sockets", "--frames", str(given.socket_frames)]
        found |= subprocess.run(command, check=False).returncode  # noqa: S603
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
