"""
The exchange of the freqtrade tests.

Python imports this module by itself in every process that has its folder on PYTHONPATH. It replaces the public calls
of ccxt's Binance, and the life of dry-run orders: how long placing one takes, whether it is refused, when it fills.
All else in the process is freqtrade: its worker, RPC, API and database.

What the exchange does is read from the file that EXCHANGE_SCRIPT names, before every call, so a test may change it
while freqtrade runs:

    {
      "delay_ms": 0,          how long each public call takes
      "down": false,          public calls end in a time-out instead of an answer
      "breaks": false,        public calls end in an error that freqtrade does not expect, and stops for
      "hangs": "fetch_tickers",   that call does not come back before this is changed
      "prices": {"BTC/USDT": 100},
      "waves": false,         prices of the past go up and down
      "orders": {"BTC/USDT sell": {"takes_ms": 0, "refused": "why", "fills_after_ms": 0}, "* sell": {…}}
    }

`fills_after_ms` absent: as freqtrade's dry run does it. null: never.
"""

import asyncio
import json
import math
import os
import time

PAIRS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "DOT/USDT"]
PRICE = 100.0


def script():
    with open(os.environ["EXCHANGE_SCRIPT"], encoding="utf8") as file:
        return json.load(file)


def price(pair):
    return float(script().get("prices", {}).get(pair, PRICE))


def market(exchange, pair):
    base, quote = pair.split("/")
    return exchange.safe_market_structure(
        {
            "id": base + quote,
            "symbol": pair,
            "base": base,
            "quote": quote,
            "baseId": base,
            "quoteId": quote,
            "type": "spot",
            "spot": True,
            "margin": False,
            "swap": False,
            "future": False,
            "option": False,
            "contract": False,
            "active": True,
            "taker": 0.001,
            "maker": 0.001,
            "precision": {"amount": 1e-05, "price": 0.01},
            "limits": {
                "amount": {"min": 1e-05, "max": 9000},
                "cost": {"min": 5, "max": None},
                "price": {"min": 0.01, "max": 1e6},
            },
            "info": {},
        }
    )


def ticker(pair):
    now = price(pair)
    return {
        "symbol": pair,
        "timestamp": int(time.time() * 1000),
        "bid": now,
        "ask": now,
        "last": now,
        "close": now,
        "baseVolume": 1e5,
        "quoteVolume": 1e7,
        "percentage": 0.0,
        "info": {},
    }


def candles(timeframe_ms, since, limit, pair):
    count = min(limit or 500, 500)
    newest = int(time.time() * 1000) // timeframe_ms * timeframe_ms
    first = max(since or 0, newest - (count - 1) * timeframe_ms)
    now = price(pair)
    # A price that never moves teaches a model nothing.
    wave = 0.01 if script().get("waves") else 0.0
    rows = []
    for at in range(first, newest + 1, timeframe_ms):
        close = now * (1 + wave * math.sin(at / timeframe_ms) + wave * math.sin(at / timeframe_ms * 1.7))
        rows.append([at, close, close * 1.001, close * 0.999, close, 100.0])
    return rows


def replace_public_calls():
    import ccxt
    import ccxt.async_support

    def failure():
        told = script()
        if told.get("down"):
            return ccxt.RequestTimeout("binance GET https://api.binance.com timed out")
        if told.get("breaks"):
            return ccxt.BaseError("binance answered what nobody expected")
        return None

    def delay():
        return script().get("delay_ms", 0) / 1000

    def sync(name, answer):
        def call(self, *args, **kwargs):
            time.sleep(delay())
            while script().get("hangs") == name:
                time.sleep(0.05)
            error = failure()
            if error is not None:
                raise error
            return answer(self, *args, **kwargs)

        return call

    def awaited(name, answer):
        async def call(self, *args, **kwargs):
            await asyncio.sleep(delay())
            while script().get("hangs") == name:
                await asyncio.sleep(0.05)
            error = failure()
            if error is not None:
                raise error
            return answer(self, *args, **kwargs)

        return call

    def order_book(self, pair, *_, **__):
        now = price(pair)
        return {"symbol": pair, "bids": [[now, 1e6]], "asks": [[now, 1e6]], "timestamp": None, "nonce": None}

    answers = {
        "fetch_markets": lambda self, params=None: [market(self, pair) for pair in PAIRS],
        "fetch_currencies": lambda self, params=None: {},
        "fetch_time": lambda self, params=None: int(time.time() * 1000),
        "fetch_ticker": lambda self, pair, params=None: ticker(pair),
        "fetch_tickers": lambda self, symbols=None, params=None: {pair: ticker(pair) for pair in symbols or PAIRS},
        "fetch_l2_order_book": order_book,
        "fetch_order_book": order_book,
        "fetch_ohlcv": lambda self, pair, timeframe="1m", since=None, limit=None, params=None: candles(
            self.parse_timeframe(timeframe) * 1000, since, limit, pair
        ),
    }
    for name, answer in answers.items():
        setattr(ccxt.binance, name, sync(name, answer))
        setattr(ccxt.async_support.binance, name, awaited(name, answer))


def replace_the_life_of_orders():
    from freqtrade.exceptions import InvalidOrderException
    from freqtrade.exchange.exchange import Exchange

    place = Exchange.create_dry_run_order
    look = Exchange.check_dry_limit_order_filled
    fetch = Exchange.fetch_dry_run_order
    cancel = Exchange.cancel_order

    def rule(pair, side):
        rules = script().get("orders", {})
        return rules.get(f"{pair} {side}", rules.get(f"* {side}", {}))

    def placed(self, pair, ordertype, side, amount, rate, leverage, params=None, stop_loss=False, stop_price=None):
        told = rule(pair, side)
        time.sleep(told.get("takes_ms", 0) / 1000)
        if told.get("refused") and not stop_loss:
            raise InvalidOrderException(f"Could not create {ordertype} {side} order on market {pair}: {told['refused']}")
        order = place(self, pair, ordertype, side, amount, rate, leverage, params, stop_loss, stop_price)
        if "fills_after_ms" in told and not stop_loss:
            later = told["fills_after_ms"]
            order.update({"status": "open", "filled": 0.0, "remaining": order["amount"], "fee": None})
            order["fills_at"] = None if later is None else time.time() + later / 1000
        return order

    def looked(self, order, immediate=False, orderbook=None):
        if "fills_at" not in order:
            return look(self, order, immediate, orderbook)
        # A test may let an order fill, or fill at once, that was placed as one that waits.
        at = order["fills_at"]
        later = rule(order["symbol"], order["side"]).get("fills_after_ms", 0)
        due = later == 0 or (at is not None and time.time() >= at)
        if order["status"] == "open" and due:
            order.update({"status": "closed", "filled": order["amount"], "remaining": 0.0, "average": order["price"]})
            self.add_dry_order_fee(order["symbol"], order, "taker")
        return order

    def fetched(self, order_id):
        # A dry run forgets its market orders in a restart; an exchange would not.
        known = order_id in self._dry_run_open_orders
        order = fetch(self, order_id)
        if not known and order.get("status") == "open" and order.get("type") == "market":
            order["fills_at"] = time.time()
            order = looked(self, order)
        return order

    def cancelled(self, order_id, pair, params=None):
        order = self.fetch_dry_run_order(order_id)
        if order.get("status") == "closed":
            raise InvalidOrderException("Could not cancel order. Message: binance Unknown order sent.")
        return cancel(self, order_id, pair, params)

    Exchange.create_dry_run_order = placed
    Exchange.check_dry_limit_order_filled = looked
    Exchange.fetch_dry_run_order = fetched
    Exchange.cancel_order = cancelled


if os.environ.get("EXCHANGE_SCRIPT"):
    replace_public_calls()
    replace_the_life_of_orders()
