"""The market of the paper exchange: a seeded price walk, the same for every boot with the same seed."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence

#: How many past returns the model looks at.
WINDOW = 4

START_PRICES: Mapping[str, float] = {"BTC/USDT": 60_000.0, "ETH/USDT": 3_000.0, "SOL/USDT": 150.0}

# Returns carry on a little, so that there is something for a model to learn.
_MOMENTUM = 0.4
_VOLATILITY = 0.002


class PriceWalk:
    """Prices and recent returns of every symbol. It starts with its window filled, as a bot that has
    fetched its first candles does, so that the first tick can already decide."""

    def __init__(self, seed: int, start_prices: Mapping[str, float] = START_PRICES) -> None:
        self._random = random.Random(seed)
        self._prices = dict(start_prices)
        self._returns = {symbol: deque([0.0] * WINDOW, maxlen=WINDOW) for symbol in start_prices}
        for _ in range(WINDOW):
            self.step()

    def step(self) -> None:
        """Moves every price by one tick."""
        for symbol, returns in self._returns.items():
            change = _MOMENTUM * returns[-1] + self._random.gauss(0.0, _VOLATILITY)
            returns.append(change)
            self._prices[symbol] *= math.exp(change)

    @property
    def symbols(self) -> Sequence[str]:
        return list(self._prices)

    def price(self, symbol: str) -> float:
        return round(self._prices[symbol], 2)

    def returns(self, symbol: str) -> Sequence[float]:
        """The last `WINDOW` logarithmic returns, oldest first."""
        return list(self._returns[symbol])
