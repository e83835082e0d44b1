"""Logging: one line per thing worth knowing, as text or JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from ocpp_mqtt_proxy.config import Log

TEXT = "%(asctime)s %(levelname)-7s %(message)s"


class TextFormatter(logging.Formatter):
    """A line for people. What a charger put into its id or its words cannot begin another line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """The line, without control characters."""
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def set_up(config: Log) -> None:
    """Log to standard error as configured; libraries only what is a warning."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if config.format == "json" else TextFormatter(TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ocpp_mqtt_proxy").setLevel(config.level.upper())
    # aiomqtt logs what our session logs itself, a line per loss.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
