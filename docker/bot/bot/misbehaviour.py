"""Faults on demand, for tests and demonstrations: how a bot looks that hangs, lies, or loses its database.

Off unless `ALLOW_MISBEHAVIOUR=1`; without that `/misbehave` does not exist. Never allow it where real
positions are at stake: whoever reaches the port can then crash the bot.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from .log import Log

MODES = {
    "hang": "accept calls and answer none, for good",
    "stop-ticking": "stop the trading loop, with the API still up",
    "unload-model": "drop the model",
    "lose-database": "drop the connection to the database and do not come back",
    "fail-close": "answer a close with 500",
    "refuse-close": "answer a close with 403",
    "lie-close": "answer a close as if all were closed, and close nothing",
    "partial-close": "close one position for each call",
    "slow-close": "take its time to close (seconds, 5 by default)",
    "ignore-sigterm": "go on when told to stop",
    "eat-memory": "allocate until killed",
    "eat-threads": "start threads until no more can be started",
    "crash": "end at once, with status 1",
    "exit-at-start": "end before anything is served, with status 1 (at boot only)",
}

_DEFAULT_SECONDS = 5.0


class UnknownMode(ValueError):
    """Not a mode, or not one that can be switched on now."""


def parse_mode(text: str) -> tuple[str, float]:
    """Reads `mode` or `mode:seconds`. Raises `UnknownMode`."""
    mode, _, seconds = text.partition(":")
    try:
        return checked_mode(mode, float(seconds) if seconds else None)
    except ValueError as error:
        raise UnknownMode(str(error)) from error


def checked_mode(mode: Any, seconds: Any) -> tuple[str, float]:
    """Raises `UnknownMode`."""
    if not isinstance(mode, str) or mode not in MODES:
        raise UnknownMode(f"mode must be one of none, {', '.join(MODES)}.")
    if seconds is None:
        return mode, _DEFAULT_SECONDS
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 3600:
        raise UnknownMode("seconds must be a number from 0 to 3600.")
    return mode, float(seconds)


class Losable(Protocol):
    def lose(self) -> None: ...

    def find(self) -> None: ...


class Unloadable(Protocol):
    def unload(self) -> None: ...

    def load_in_background(self) -> None: ...


class Misbehaviour:
    """The faults that are switched on."""

    def __init__(self, *, allowed: bool, model: Unloadable, store: Losable, log: Log) -> None:
        self.allowed = allowed
        self._log = log
        self._lock = threading.Lock()
        self._active: dict[str, float] = {}
        self._on: dict[str, Callable[[], None]] = {
            "unload-model": model.unload,
            "lose-database": store.lose,
            "crash": lambda: os._exit(1),
            "exit-at-start": lambda: os._exit(1),
            "eat-memory": lambda: threading.Thread(target=_eat_memory, daemon=True).start(),
            "eat-threads": lambda: threading.Thread(target=_eat_threads, args=(log,), daemon=True).start(),
        }
        self._off: dict[str, Callable[[], None]] = {
            "unload-model": model.load_in_background,
            "lose-database": store.find,
        }

    def switch_on(self, mode: str, seconds: float) -> None:
        self._log.warn("misbehaving", f"Told to misbehave: {MODES[mode]}.", mode=mode)
        with self._lock:
            self._active[mode] = seconds
        self._on.get(mode, lambda: None)()

    def switch_off(self) -> None:
        """Back to normal, but for what cannot be taken back (hang, eat-memory, eat-threads)."""
        with self._lock:
            was, self._active = self._active, {}
        for mode in was:
            self._off.get(mode, lambda: None)()
        self._log.warn("behaving", "Told to behave again.", modes=list(was))

    def active(self, mode: str) -> bool:
        with self._lock:
            return mode in self._active

    @property
    def modes(self) -> list[str]:
        with self._lock:
            return list(self._active)

    def hang_if_told(self) -> None:
        if self.active("hang"):
            threading.Event().wait()

    def delay_close(self) -> None:
        with self._lock:
            seconds = self._active.get("slow-close", 0.0)
        time.sleep(seconds)


def _eat_memory() -> None:
    eaten = []
    try:
        while True:
            # Written to, or the system would never have to find the pages.
            eaten.append(b"\x01" * (16 * 1024 * 1024))
            time.sleep(0.01)
    except MemoryError:
        # A limit of this process's own, and not the system, said no; the end is the same.
        os.kill(os.getpid(), signal.SIGKILL)


def _eat_threads(log: Log) -> None:
    said = False
    while True:
        try:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        except RuntimeError:
            # The limit. Whatever ends makes room for one more.
            if not said:
                log.warn("no_thread_left", "No thread is left.")
            said = True
            time.sleep(0.02)
