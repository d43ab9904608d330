"""The trading loop, the book it works on, and the closing of everything."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from datetime import datetime

from . import clock
from .book import Book, Position
from .log import Log
from .market import PriceWalk
from .misbehaviour import Misbehaviour
from .model import ModelSlot
from .store import Store
from .strategy import decide

#: Seconds between two looks at the database, which are also the tries to get it back.
UPKEEP_INTERVAL = 1.0
#: Seconds that a close waits for the database before it answers that the closing is not on record.
RECORD_LIMIT = 3.0


class BookUnknown(Exception):
    """The book on record has not been read yet, so nobody can say what is open."""


@dataclass(frozen=True)
class Outcome:
    open_positions: int
    pending_orders: int
    #: Whether the record says the same.
    recorded: bool


class Trader:
    """Three threads meet here: the loop (`run`), the one that looks after the database (`look_after_store`)
    and the API's. `_state` is held for moments and guards the fields; `_acting` is held for a whole trading
    action with its record, so that no two actions overlap."""

    def __init__(
        self,
        *,
        market: PriceWalk,
        model: ModelSlot,
        store: Store,
        misbehaviour: Misbehaviour,
        tick_interval: float,
        log: Log,
    ) -> None:
        self._market = market
        self._model = model
        self._store = store
        self._misbehaviour = misbehaviour
        self._tick_interval = tick_interval
        self._log = log
        self._acting = threading.Lock()
        self._state = threading.Condition()
        self._look = threading.Event()
        self._book: Book | None = None
        self._halted = False
        self._last_tick_at: datetime | None = None

    @property
    def halted(self) -> bool:
        with self._state:
            return self._halted

    @property
    def last_tick_at(self) -> datetime | None:
        with self._state:
            return self._last_tick_at

    @property
    def book(self) -> Book:
        """What is open at the exchange. Raises `BookUnknown`."""
        with self._state:
            if self._book is None:
                raise BookUnknown
            return self._book

    def run(self, stop: threading.Event) -> None:
        """Ticks until `stop`. A tick that fails leaves `last_tick_at` as it was, so that a loop that only
        fails looks as hung as it is."""
        while not stop.is_set():
            if not self._misbehaviour.active("stop-ticking"):
                try:
                    self._tick()
                    with self._state:
                        self._last_tick_at = clock.now()
                except Exception as error:
                    self._log.error("tick_failed", f"A tick failed: {error!r}", trace=traceback.format_exc())
            stop.wait(self._tick_interval)

    def _tick(self) -> None:
        self._market.step()
        model = self._model.model
        # What cannot be put on record is not opened, nor is anything without a model to decide it.
        if model is None or not self._store.ready:
            return
        with self._acting:
            with self._state:
                before = self._book
                if before is None or self._halted:
                    return
            after, at = before, clock.now()
            for symbol in self._market.symbols:
                signal = model.signal(self._market.returns(symbol))
                after = decide(after, symbol, self._market.price(symbol), signal, at)
            if after is before or not self._store.save(after):
                return
            with self._state:
                # Halted while it was being recorded: the orders are never sent, and the close that waits
                # behind this action takes their rows away.
                if self._halted:
                    return
                self._book = after.recorded(after.departed)
        self._tell(before, after)

    def halt(self, reason: str) -> None:
        """From here on nothing is opened until the bot restarts."""
        with self._state:
            if self._halted:
                return
            self._halted = True
        self._log.info("halted", "Trading is halted until the bot restarts.", reason=reason)

    def close_all(self, reason: str, at_most: int | None = None) -> Outcome:
        """Halts, cancels every order and closes every position (or the first `at_most`). What is closed
        already is not closed twice, however often this is called. Raises `BookUnknown`; it is halted then
        all the same."""
        self.halt(reason)
        with self._acting:
            before = self.book
            after = before.flatten(self._market.price, clock.now(), reason, at_most)
            with self._state:
                self._book = after
            self._record()
        self._tell(before, after)
        self.wait_until_recorded(RECORD_LIMIT)
        with self._state:
            return Outcome(len(after.positions), len(after.orders), not self._unrecorded())

    def look_after_store(self) -> None:
        """Gets the book and the database (back), for as long as the process lives."""
        while True:
            try:
                self._look_once()
            except Exception as error:
                self._log.error("store_failed", f"The store failed: {error!r}", trace=traceback.format_exc())
            self._look.wait(UPKEEP_INTERVAL)
            self._look.clear()

    def _look_once(self) -> None:
        if not self._store.connect():
            return
        if self._book is None:
            loaded = self._store.load()
            if loaded is not None:
                with self._state:
                    self._book = loaded
                self._log.info(
                    "book_loaded",
                    f"Going on with {len(loaded.positions)} positions and {len(loaded.orders)} orders.",
                    open_positions=len(loaded.positions),
                    pending_orders=len(loaded.orders),
                )
            return
        with self._state:
            unrecorded = self._unrecorded()
        if unrecorded:
            with self._acting:
                self._record()

    def wait_until_recorded(self, seconds: float) -> bool:
        with self._state:
            if self._unrecorded():
                self._look.set()
            return self._state.wait_for(lambda: not self._unrecorded(), seconds)

    def _unrecorded(self) -> bool:
        return self._store.in_doubt or (self._book is not None and bool(self._book.departed))

    def _record(self) -> None:
        """Called with `_acting` held, or the record would be of a book that an action is about to change."""
        book = self.book
        if self._store.save(book):
            with self._state:
                self._book = book.recorded(book.departed)
                self._state.notify_all()

    def _tell(self, before: Book, after: Book) -> None:
        for departure in after.departed:
            if departure in before.departed:
                continue
            item = departure.item
            kind = "position" if isinstance(item, Position) else "order"
            self._log.info(
                f"{kind}_{departure.event}",
                f"{departure.event.capitalize()} {item.side} {item.quantity} {item.symbol} "
                f"at {departure.price}.",
                symbol=item.symbol,
                side=item.side,
                quantity=item.quantity,
                price=departure.price,
                reason=departure.reason,
            )
        known = {item.id for item in before.items}
        for item in after.items:
            if item.id not in known:
                self._log.info(
                    "position_opened" if isinstance(item, Position) else "order_placed",
                    f"{item.side.capitalize()} {item.quantity} {item.symbol} at {item.price}.",
                    symbol=item.symbol,
                    side=item.side,
                    quantity=item.quantity,
                    price=item.price,
                )
