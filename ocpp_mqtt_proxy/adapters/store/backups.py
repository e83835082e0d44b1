"""Backups of the store: a whole copy beside it, made while it is in use, checked before it counts.

A copy reads what was there when it began and holds nobody up. The oldest go when there are enough.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import files
from ocpp_mqtt_proxy.adapters.store.examination import Unusable, is_damage
from ocpp_mqtt_proxy.ports import LedgerFailed

KEPT = 3
"""Backups kept."""

EVERY = timedelta(days=1)

MOST_BYTES = 256 << 20
"""A database larger than this is not copied: that would take minutes, and a good part of a small disk."""

SPARE_BYTES = 64 << 20
"""What must be left free beside a copy: the store itself needs room more than its backup."""


def is_due(path: Path, now: datetime) -> bool:
    """Whether the newest backup is too old, or there is none."""
    return not any(now - files.made_at(backup) < EVERY for backup in files.backups_of(path)[:1])


def make(path: Path, now: datetime) -> Path:
    """Make a backup; its file. Raises Unusable of a damaged database, LedgerFailed where no copy can be made."""
    draft, backup = files.beside(path, ".copy"), files.backup_of(path, now)
    try:
        _check_room(path)
        files.remove(draft)
        _copy(path, draft)
        files.sync(draft)
        draft.rename(backup)
        files.sync(path.parent)
        for old in files.backups_of(path)[KEPT:]:
            files.remove(old)
    except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
        if is_damage(error):
            raise Unusable(str(error)) from error
        raise LedgerFailed(f"no backup could be made: {error}") from error
    finally:
        files.remove(draft)
    return backup


def _check_room(path: Path) -> None:
    size = sum(file.stat().st_size for suffix in ("", "-wal") if (file := files.beside(path, suffix)).exists())
    if size > MOST_BYTES:
        raise OSError(f"the database is larger than {MOST_BYTES >> 20} MiB")
    if shutil.disk_usage(path.parent).free < size + SPARE_BYTES:
        raise OSError("the disk is nearly full")


def _copy(path: Path, draft: Path) -> None:
    """A whole copy, without waste, as the database is now. A damaged one would drive the good backups out."""
    with closing(files.looking_only(path)) as connection:
        if (wrong := files.is_whole(connection)) is not None:
            raise Unusable(wrong)
        connection.execute("VACUUM INTO ?", (str(draft),))
    if (wrong := files.check(draft)) is not None:
        raise OSError(f"the copy is not whole: {wrong}")
