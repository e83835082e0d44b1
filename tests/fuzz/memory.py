"""What a process holds of the machine's memory."""

from __future__ import annotations

import os
from pathlib import Path


def resident(process: int | None = None) -> int:
    """Bytes of memory that a process has, this one where none is named (Linux)."""
    pages = Path(f"/proc/{process or 'self'}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
