"""One JSON object per line and event."""

from __future__ import annotations

import json
import threading
from typing import Any, TextIO

from . import clock


class Log:
    """Writes events to a stream. Fields given here are on every line."""

    def __init__(self, stream: TextIO, **fields: Any) -> None:
        self._stream = stream
        self._fields = fields
        self._lock = threading.Lock()

    def info(self, event: str, message: str, **fields: Any) -> None:
        self._write("info", event, message, fields)

    def warn(self, event: str, message: str, **fields: Any) -> None:
        self._write("warn", event, message, fields)

    def error(self, event: str, message: str, **fields: Any) -> None:
        self._write("error", event, message, fields)

    def _write(self, level: str, event: str, message: str, fields: dict[str, Any]) -> None:
        line = json.dumps(
            {"time": clock.iso(clock.now()), "level": level, "event": event, "message": message}
            | self._fields
            | fields,
            default=str,
        )
        with self._lock:
            try:
                print(line, file=self._stream, flush=True)
            except (OSError, ValueError):
                # A reader that went away must not end a trading loop.
                pass
