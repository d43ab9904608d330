"""The bot's settings, read from the environment as a whole: every problem is told at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .misbehaviour import UnknownMode, parse_mode

DEFAULT_MODEL = Path(__file__).with_name("signal.json")


class SettingsError(Exception):
    """Lists what is wrong, by variable. It quotes no secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    host: str = "0.0.0.0"
    #: 0 lets the system choose; the log's `listening` line tells which.
    port: int = 8000
    #: Protects `POST /close-positions`.
    token: str | None = field(default=None, repr=False)
    #: None keeps positions in memory only.
    database_url: str | None = field(default=None, repr=False)
    seed: int = 7
    #: Seconds between ticks.
    tick_interval: float = 1.0
    model_path: Path = DEFAULT_MODEL
    #: Seconds added to the loading of the model, to show a slow start.
    model_load_seconds: float = 0.0
    #: Start halted: a drain that a person asked for stands.
    hold: bool = False
    #: Asked whether such a drain stands, before anything is opened. None: nobody is asked.
    sidecar_url: str | None = None
    allow_misbehaviour: bool = False
    #: Modes to start with, and their seconds.
    misbehave: tuple[tuple[str, float], ...] = ()

    @staticmethod
    def read(environ: Mapping[str, str]) -> Settings:
        """Raises `SettingsError`. A variable that is set but empty counts as not set."""
        reader = _Reader(environ)
        settings = Settings(
            host=reader.text("HOST") or Settings.host,
            port=int(reader.number("PORT", Settings.port, 0, 65_535, whole=True)),
            token=reader.secret("BOT_TOKEN"),
            database_url=reader.secret("DATABASE_URL"),
            seed=int(reader.number("BOT_SEED", Settings.seed, -(2**53), 2**53, whole=True)),
            tick_interval=reader.number("BOT_TICK_INTERVAL", Settings.tick_interval, 0.001, 3600),
            model_path=Path(reader.text("MODEL_PATH") or DEFAULT_MODEL),
            model_load_seconds=reader.number("MODEL_LOAD_SECONDS", Settings.model_load_seconds, 0, 3600),
            hold=reader.flag("BOTWARDEN_HOLD"),
            sidecar_url=reader.text("SIDECAR_URL"),
            allow_misbehaviour=reader.flag("ALLOW_MISBEHAVIOUR"),
            misbehave=reader.modes("MISBEHAVE"),
        )
        if settings.misbehave and not settings.allow_misbehaviour:
            reader.problems.append("MISBEHAVE needs ALLOW_MISBEHAVIOUR=1.")
        if reader.problems:
            raise SettingsError(reader.problems)
        return settings


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def secret(self, name: str) -> str | None:
        value, file = self.text(name), self.text(f"{name}_FILE")
        if value and file:
            self.problems.append(f"{name} and {name}_FILE are both set: set one of them.")
        if not file:
            return value
        try:
            content = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            self.problems.append(f"{name}_FILE names {file}, which cannot be read: {why}.")
            return None
        if not content:
            # An empty file would switch the protection off without a word.
            self.problems.append(f"{name}_FILE names {file}, which is empty.")
        return content or None

    def number(self, name: str, default: float, low: float, high: float, whole: bool = False) -> float:
        text = self.text(name)
        if text is None:
            return default
        try:
            value: float = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        kind = "a whole number" if whole else "a number"
        self.problems.append(f"{name} must be {kind} from {low} to {high}, got {text!r}.")
        return default

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text in (None, "0", "false"):
            return False
        if text not in ("1", "true"):
            self.problems.append(f"{name} must be 1 or 0, got {text!r}.")
        return text in ("1", "true")

    def modes(self, name: str) -> tuple[tuple[str, float], ...]:
        modes = []
        for text in (self.text(name) or "").split(","):
            try:
                if text.strip():
                    modes.append(parse_mode(text.strip()))
            except UnknownMode as error:
                self.problems.append(f"{name}: {error} Got {text.strip()!r}.")
        return tuple(modes)
