"""Positions and pending orders, as values: every change makes a new book and does nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

PositionSide = Literal["long", "short"]
OrderSide = Literal["buy", "sell"]


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Position:
    symbol: str
    side: PositionSide
    quantity: float
    price: float
    at: datetime
    id: str = field(default_factory=_new_id)


@dataclass(frozen=True)
class Order:
    """A limit order that waits for its price."""

    symbol: str
    side: OrderSide
    quantity: float
    price: float
    at: datetime
    id: str = field(default_factory=_new_id)

    def reached_by(self, price: float) -> bool:
        return price >= self.price if self.side == "sell" else price <= self.price


Item = Position | Order


@dataclass(frozen=True)
class Departure:
    """Something that is gone from the exchange: when, at what price, and why."""

    item: Item
    event: Literal["closed", "filled", "cancelled"]
    price: float
    at: datetime
    reason: str


@dataclass(frozen=True)
class Book:
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()
    #: What has left the exchange and is not on record yet.
    departed: tuple[Departure, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that is open or pending."""
        return (*self.positions, *self.orders)

    def position_in(self, symbol: str) -> Position | None:
        return next((position for position in self.positions if position.symbol == symbol), None)

    def order_in(self, symbol: str) -> Order | None:
        return next((order for order in self.orders if order.symbol == symbol), None)

    def open(self, position: Position) -> Book:
        return replace(self, positions=(*self.positions, position))

    def place(self, order: Order) -> Book:
        return replace(self, orders=(*self.orders, order))

    def close(self, position: Position, price: float, at: datetime, reason: str) -> Book:
        return replace(
            self,
            positions=tuple(other for other in self.positions if other.id != position.id),
            departed=(*self.departed, Departure(position, "closed", price, at, reason)),
        )

    def fill(self, order: Order, at: datetime, reason: str) -> Book:
        return self._without(order, Departure(order, "filled", order.price, at, reason))

    def cancel(self, order: Order, at: datetime, reason: str) -> Book:
        return self._without(order, Departure(order, "cancelled", order.price, at, reason))

    def flatten(
        self, price_of: Callable[[str], float], at: datetime, reason: str, at_most: int | None = None
    ) -> Book:
        """Cancels every order, then closes every position, or the first `at_most` of them."""
        book = self
        for order in self.orders:
            book = book.cancel(order, at, reason)
        for position in self.positions[:at_most]:
            book = book.close(position, price_of(position.symbol), at, reason)
        return book

    def recorded(self, departed: tuple[Departure, ...]) -> Book:
        """The same book, once these departures are on record."""
        return replace(self, departed=tuple(one for one in self.departed if one not in departed))

    def _without(self, order: Order, departure: Departure) -> Book:
        return replace(
            self,
            orders=tuple(other for other in self.orders if other.id != order.id),
            departed=(*self.departed, departure),
        )
