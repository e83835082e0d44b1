"""The process in numbers, by the names that everybody's dashboards know."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ocpp_mqtt_proxy.metrics.exposition import Family, counter, gauge, one

OWN = Path("/proc/self")
"""What Linux tells of a process; elsewhere there is less to tell."""


def of_process(started_at: datetime, own: Path = OWN) -> Iterator[Family]:
    """Time, memory and files."""
    times = os.times()
    yield counter("process_cpu_seconds", "Processor time used.", one(times.user + times.system))
    yield gauge("process_start_time_seconds", "When it started, in Unix time.", one(started_at.timestamp()))
    try:
        pages = int((own / "statm").read_text().split()[1])
        files = len(os.listdir(own / "fd"))  # noqa: PTH208 (a directory of a process, names only)
    except OSError:
        return
    yield gauge("process_resident_memory_bytes", "Memory in use.", one(pages * os.sysconf("SC_PAGE_SIZE")))
    yield gauge("process_open_fds", "Files and sockets that are open.", one(files))
