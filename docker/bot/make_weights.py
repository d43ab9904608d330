"""Makes `bot/signal.json`: trains the model's network on a seeded price walk, in plain Python.

    python3 make_weights.py

It is deterministic: the same script makes the same weights, up to the last digit of the machine's math
library. It learns whether the next return is above or below zero.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from bot.market import WINDOW, PriceWalk
from bot.model import HIDDEN, SCALE

SAMPLES = 6_000
RATE = 0.02


def train(seed: int = 1) -> dict[str, Any]:
    """One pass of stochastic gradient descent over a walk; returns the tensors."""
    draw = random.Random(seed)
    hidden = [[draw.uniform(-0.5, 0.5) for _ in range(WINDOW)] for _ in range(HIDDEN)]
    hidden_bias = [0.0] * HIDDEN
    out = [draw.uniform(-0.5, 0.5) for _ in range(HIDDEN)]
    out_bias = 0.0

    walk = PriceWalk(seed, {"TRAIN": 100.0})
    for _ in range(SAMPLES):
        inputs = [value * SCALE for value in walk.returns("TRAIN")]
        walk.step()
        target = math.copysign(1.0, walk.returns("TRAIN")[-1])

        activations = [
            math.tanh(sum(w * x for w, x in zip(row, inputs)) + b) for row, b in zip(hidden, hidden_bias)
        ]
        signal = math.tanh(sum(w * a for w, a in zip(out, activations)) + out_bias)

        slope = (signal - target) * (1 - signal**2)
        for unit, activation in enumerate(activations):
            inner = slope * out[unit] * (1 - activation**2)
            out[unit] -= RATE * slope * activation
            hidden_bias[unit] -= RATE * inner
            for index, x in enumerate(inputs):
                hidden[unit][index] -= RATE * inner * x
        out_bias -= RATE * slope

    def rounded(values: list[float]) -> list[float]:
        return [round(value, 6) for value in values]

    return {
        "hidden.weight": [rounded(row) for row in hidden],
        "hidden.bias": rounded(hidden_bias),
        "out.weight": [rounded(out)],
        "out.bias": [round(out_bias, 6)],
    }


def written(tensors: dict[str, Any]) -> str:
    """The file's text: a matrix row to a line, so that a change of weights can be read as a change."""

    def tensor(value: list[Any]) -> str:
        if len(value) == 1 or not isinstance(value[0], list):
            return json.dumps(value)
        return "[\n      " + ",\n      ".join(json.dumps(row) for row in value) + "\n    ]"

    lines = ",\n".join(f'    "{name}": {tensor(value)}' for name, value in tensors.items())
    return f'{{\n  "name": "signal",\n  "version": "1",\n  "tensors": {{\n{lines}\n  }}\n}}\n'


if __name__ == "__main__":
    Path(__file__).with_name("bot").joinpath("signal.json").write_text(written(train()))
