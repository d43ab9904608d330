"""What to trade, decided without doing it.

The strategy is always in the market: each symbol has one position, on the side that the model expects to
win, and one limit order that takes its profit. A running bot therefore always has something that a stop
must not leave behind.
"""

from __future__ import annotations

from datetime import datetime

from .book import Book, Order, Position, PositionSide

#: The value of a new position, in the quote currency.
NOTIONAL = 1_000.0
#: How far from its entry a position takes its profit.
TAKE_PROFIT = 0.01
#: A position is turned only when the model is this sure of the other side, or every tick would turn it.
TURN_AT = 0.5


def decide(book: Book, symbol: str, price: float, signal: float, at: datetime) -> Book:
    """The book as it should be after this tick; `signal` is the model's, from -1 to 1."""
    position, order = book.position_in(symbol), book.order_in(symbol)
    if position and order and order.reached_by(price):
        book = book.fill(order, at, "take profit").close(position, order.price, at, "take profit")
        position = order = None
    elif position and (signal < -TURN_AT if position.side == "long" else signal > TURN_AT):
        book = book.close(position, price, at, "signal turned")
        position = None
    if position is None:
        if order:
            book = book.cancel(order, at, "position closed")
            order = None
        side: PositionSide = "long" if signal >= 0 else "short"
        position = Position(symbol, side, round(NOTIONAL / price, 6), price, at)
        book = book.open(position)
    if order is None:
        book = book.place(_take_profit(position, at))
    return book


def _take_profit(position: Position, at: datetime) -> Order:
    if position.side == "long":
        price = round(position.price * (1 + TAKE_PROFIT), 2)
        return Order(position.symbol, "sell", position.quantity, price, at)
    price = round(position.price * (1 - TAKE_PROFIT), 2)
    return Order(position.symbol, "buy", position.quantity, price, at)
