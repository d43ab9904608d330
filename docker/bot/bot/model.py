"""The model that decides: a two-layer perceptron over recent returns.

The weights are a JSON file of named tensors, so that PyTorch and plain Python read the same file and
loading it can run no code. With PyTorch installed they are the state of a real `nn.Module`; without it
the same arithmetic is done in Python, and `/models` and the log say so.
"""

from __future__ import annotations

import json
import math
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from . import clock
from .log import Log
from .market import WINDOW

HIDDEN = 8

_SHAPES: dict[str, tuple[int, ...]] = {
    "hidden.weight": (HIDDEN, WINDOW),
    "hidden.bias": (HIDDEN,),
    "out.weight": (1, HIDDEN),
    "out.bias": (1,),
}

# Returns are about a thousandth; a network learns best from inputs of about one.
SCALE = 500.0


class ModelError(Exception):
    """The weights cannot be used; the message says what was expected and what came."""


@dataclass(frozen=True)
class Weights:
    name: str
    version: str
    tensors: dict[str, Any]


class Model(Protocol):
    runtime: str

    def signal(self, returns: Sequence[float]) -> float:
        """Between -1 (falls, for sure) and 1 (rises, for sure)."""
        ...


def read_weights(path: Path) -> Weights:
    """Raises `ModelError` when the file is missing, is not such a file, or does not fit this network."""
    try:
        content = json.loads(path.read_text("utf-8"))
        weights = Weights(str(content["name"]), str(content["version"]), dict(content["tensors"]))
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is not a weights file: expected JSON with name, version and tensors."
        ) from error
    for name, shape in _SHAPES.items():
        found = _shape(weights.tensors.get(name))
        if found != shape:
            raise ModelError(f"{path}: tensor {name} must be {list(shape)} finite numbers, found {found}.")
    return weights


def _shape(tensor: Any) -> tuple[int, ...] | None:
    if isinstance(tensor, (int, float)) and not isinstance(tensor, bool) and math.isfinite(tensor):
        return ()
    if not isinstance(tensor, list) or not tensor:
        return None
    inner = {_shape(item) for item in tensor}
    first = inner.pop()
    return None if first is None or inner else (len(tensor), *first)


class PlainModel:
    """The network in plain Python."""

    runtime = "plain Python (torch is not installed)"

    def __init__(self, weights: Weights) -> None:
        self._tensors = weights.tensors

    def signal(self, returns: Sequence[float]) -> float:
        features = [value * SCALE for value in returns]
        hidden = [math.tanh(value) for value in self._linear("hidden", features)]
        return math.tanh(self._linear("out", hidden)[0])

    def _linear(self, layer: str, values: Sequence[float]) -> list[float]:
        rows, biases = self._tensors[f"{layer}.weight"], self._tensors[f"{layer}.bias"]
        return [
            sum(weight * value for weight, value in zip(row, values)) + bias
            for row, bias in zip(rows, biases)
        ]


class TorchModel:
    """The network as a PyTorch module. Raises `ImportError` where torch is not installed."""

    def __init__(self, weights: Weights) -> None:
        # torch works without NumPy, which this bot does not need, but warns about it on standard error.
        warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
        import torch
        from torch import nn

        class Signal(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.hidden = nn.Linear(WINDOW, HIDDEN)
                self.out = nn.Linear(HIDDEN, 1)

            def forward(self, returns: torch.Tensor) -> torch.Tensor:
                return torch.tanh(self.out(torch.tanh(self.hidden(returns * SCALE))))

        # One tiny network gains nothing from a thread per core, and the container may have one core.
        torch.set_num_threads(1)
        self._torch = torch
        self._module = Signal().double()
        self._module.load_state_dict(
            {name: torch.tensor(weights.tensors[name], dtype=torch.float64) for name in _SHAPES}
        )
        self._module.eval()
        self.runtime = f"torch {torch.__version__}"

    def signal(self, returns: Sequence[float]) -> float:
        with self._torch.inference_mode():
            return float(self._module(self._torch.tensor(returns, dtype=self._torch.float64)))


def build(weights: Weights) -> Model:
    """Only a torch that is not installed is replaced by plain Python. One that is installed and does not
    load is a fault, and must not be hidden."""
    try:
        return TorchModel(weights)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return PlainModel(weights)


class ModelSlot:
    """The place of the model in the running bot: empty while it loads, when it failed, and when it was
    unloaded. Without a model the bot opens nothing."""

    def __init__(self, path: Path, load_seconds: float, log: Log) -> None:
        self._path = path
        self._load_seconds = load_seconds
        self._log = log
        self._lock = threading.Lock()
        self._loaded: tuple[Model, Weights, datetime] | None = None
        self._error: str | None = None
        self._wanted = True

    def load(self) -> None:
        """Blocks until the model is loaded or has failed, which `describe` tells; it never raises."""
        time.sleep(self._load_seconds)
        try:
            weights = read_weights(self._path)
            model = build(weights)
        except Exception as error:
            with self._lock:
                self._error = str(error)
            self._log.error("model_failed", f"The model did not load: {error}")
            return
        with self._lock:
            if not self._wanted:
                return
            self._loaded, self._error = (model, weights, clock.now()), None
        self._log.info(
            "model_loaded",
            f"Model {weights.name} {weights.version} is loaded, evaluated by {model.runtime}.",
            model=weights.name,
            version=weights.version,
            runtime=model.runtime,
        )

    def load_in_background(self) -> None:
        with self._lock:
            self._wanted = True
        threading.Thread(target=self.load, name="model", daemon=True).start()

    def unload(self) -> None:
        with self._lock:
            self._loaded, self._wanted = None, False

    @property
    def model(self) -> Model | None:
        with self._lock:
            return self._loaded[0] if self._loaded else None

    def describe(self) -> dict[str, Any]:
        """The model's entry in `/models`."""
        with self._lock:
            if self._loaded is None:
                failure = {"error": self._error} if self._error else {}
                return {"name": "signal", "loaded": False} | failure
            model, weights, at = self._loaded
        return {
            "name": weights.name,
            "loaded": True,
            "version": weights.version,
            "loaded_at": clock.iso(at),
            "runtime": model.runtime,
        }
