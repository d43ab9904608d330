"""Where the book is on record: in Postgres, or nowhere.

`bot_positions` has one row for each open position and `bot_orders` one for each pending order, so

    SELECT (SELECT count(*) FROM bot_positions) + (SELECT count(*) FROM bot_orders)

is 0 when the bot is flat. `bot_trades` is the history: what was opened, placed, filled, cancelled and
closed, when, and by which boot.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from .book import Book, Departure, Item, Order, Position
from .log import Log

if TYPE_CHECKING:
    import psycopg

#: Seconds that one exchange with the database may take.
OPERATION_LIMIT = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bot_positions (
    id text PRIMARY KEY,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity double precision NOT NULL,
    price double precision NOT NULL,
    at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS bot_orders (LIKE bot_positions INCLUDING ALL);
CREATE TABLE IF NOT EXISTS bot_trades (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    instance text NOT NULL,
    event text NOT NULL,
    item text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity double precision NOT NULL,
    price double precision NOT NULL,
    reason text NOT NULL
);
"""

_LOG_TRADE = """
INSERT INTO bot_trades (at, instance, event, item, symbol, side, quantity, price, reason)
SELECT coalesce(%(at)s, now()), %(instance)s, %(event)s,
       id, symbol, side, quantity, coalesce(%(price)s, price), %(reason)s
FROM touched"""

# The history follows from what really changed in the tables, so that the two cannot tell different stories
# even when an answer to a commit was lost on its way.
_ARRIVE = f"""
WITH touched AS (
    INSERT INTO {{table}} (id, symbol, side, quantity, price, at)
    VALUES (%(id)s, %(symbol)s, %(side)s, %(quantity)s, %(price)s, %(at)s)
    ON CONFLICT (id) DO NOTHING RETURNING *
) {_LOG_TRADE}"""
_LEAVE = f"WITH touched AS (DELETE FROM {{table}} WHERE id = %(id)s RETURNING *) {_LOG_TRADE}"


class StoreError(Exception):
    """The store cannot work as configured; the message says what to do and holds no credential."""


class Store(Protocol):
    @property
    def state(self) -> str | None:
        """`connected` or `disconnected`; None where there is no database."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a save can be expected to work."""
        ...

    @property
    def in_doubt(self) -> bool:
        """Whether the record may differ from the book that was saved last."""
        ...

    def connect(self) -> bool:
        """Makes sure that the store answers. Takes seconds at worst; called by one thread only."""
        ...

    def load(self) -> Book | None:
        """The book on record, or None when it could not be read."""
        ...

    def save(self, book: Book) -> bool:
        """Makes the record say what the book says. False: it may or may not be so."""
        ...

    def lose(self) -> None: ...

    def find(self) -> None: ...


class MemoryStore:
    """No record: the book lives and dies with the process."""

    state: str | None = None
    ready = True
    in_doubt = False

    def connect(self) -> bool:
        return True

    def load(self) -> Book | None:
        return Book()

    def save(self, book: Book) -> bool:
        return True

    def lose(self) -> None: ...

    def find(self) -> None: ...


class PostgresStore:
    """The record in Postgres. It never raises for a database that is away: it says so, and comes back by
    `connect`. Raises `StoreError` at construction when it could never work."""

    def __init__(self, url: str, instance: str, log: Log) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise StoreError(
                "DATABASE_URL is set, but the Python package psycopg cannot be imported: run "
                "'python3 -m pip install -r requirements.txt', or unset DATABASE_URL to keep positions in "
                "memory only."
            ) from error
        try:
            self._password = str(conninfo_to_dict(url).get("password") or "")
        except psycopg.Error:
            # The parser's own message quotes parts of what it was given.
            raise StoreError(
                "DATABASE_URL must read postgresql://user:password@host:port/database."
            ) from None
        self._psycopg = psycopg
        self._url = url
        self._instance = instance
        self._log = log
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._socket: socket.socket | None = None
        self._lost = False
        self._in_doubt = False
        self._last_failure = ""
        # Every id that may have a row because of this boot. Only those are ever deleted: another boot on
        # the same database keeps its own.
        self._rows: dict[str, str] = {}

    @property
    def state(self) -> str | None:
        return "connected" if self.ready else "disconnected"

    @property
    def ready(self) -> bool:
        return self._connection is not None and not self._in_doubt

    @property
    def in_doubt(self) -> bool:
        return self._in_doubt

    def connect(self) -> bool:
        with self._lock:
            if self._lost:
                return False
            try:
                if self._connection is None:
                    self._open()
                else:
                    with self._bounded():
                        self._connection.execute("SELECT 1")
            except self._psycopg.Error as error:
                self._drop(error)
                return False
        return True

    def load(self) -> Book | None:
        with self._lock:
            if self._connection is None:
                return None
            columns = "symbol, side, quantity, price, at, id"
            try:
                with self._bounded():
                    positions = self._connection.execute(f"SELECT {columns} FROM bot_positions ORDER BY at")
                    book = Book(positions=tuple(Position(*row) for row in positions))
                    orders = self._connection.execute(f"SELECT {columns} FROM bot_orders ORDER BY at")
                    for row in orders:
                        book = book.place(Order(*row))
            except self._psycopg.Error as error:
                self._drop(error)
                return None
            return book

    def save(self, book: Book) -> bool:
        if self._connection is None:
            # Asked before the lock: a connect that waits for a name server must hold up no close.
            return False
        with self._lock:
            if self._connection is None:
                return False
            self._rows |= _rows_of(book)
            try:
                with self._bounded(), self._connection.transaction():
                    self._write(book)
            except self._psycopg.Error as error:
                self._in_doubt = True
                self._drop(error)
                return False
            self._rows = _rows_of(book)
            self._in_doubt = False
            return True

    def lose(self) -> None:
        self._lost = True
        with self._lock:
            self._close()

    def find(self) -> None:
        self._lost = False

    def _open(self) -> None:
        self._connection = self._psycopg.connect(
            self._url, autocommit=True, connect_timeout=OPERATION_LIMIT, application_name="bot"
        )
        self._socket = socket.fromfd(self._connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._bounded():
            self._connection.execute(f"SET statement_timeout = '{OPERATION_LIMIT}s'")
            self._connection.execute(_SCHEMA)
        info = self._connection.info
        self._last_failure = ""
        self._log.info(
            "database_connected",
            "The database answers.",
            host=info.host,
            port=info.port,
            database=info.dbname,
        )

    def _drop(self, error: Exception) -> None:
        self._close()
        failure = " ".join(str(error).split())
        if self._password:
            failure = failure.replace(self._password, "***")
        if failure != self._last_failure:
            self._last_failure = failure
            self._log.warn("database_lost", "The database does not answer.", error=failure)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._socket is not None:
            self._socket.close()
        self._connection = self._socket = None

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """A server that is frozen sends neither an answer nor an error, and keeps no time-out of its own.
        Past the limit the connection is shut down under whoever waits on it."""
        timer = threading.Timer(OPERATION_LIMIT + 0.5, _shut_down, [self._socket])
        timer.daemon = True
        # Without a thread left the server's own limit is all there is; better than not to record what was closed.
        with suppress(RuntimeError):
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _write(self, book: Book) -> None:
        here = _rows_of(book)
        for departure in book.departed:
            self._leave(departure)
            here[departure.item.id] = ""
        for id, table in self._rows.items():
            if id not in here:
                self._leave_unsaid(id, table)
        for item in book.items:
            self._arrive(item)

    def _arrive(self, item: Item) -> None:
        position = isinstance(item, Position)
        self._run(
            _ARRIVE.format(table=_table(item)),
            id=item.id,
            symbol=item.symbol,
            side=item.side,
            quantity=item.quantity,
            price=item.price,
            at=item.at,
            event="opened" if position else "placed",
            reason="signal" if position else "take profit",
        )

    def _leave(self, departure: Departure) -> None:
        self._run(
            _LEAVE.format(table=_table(departure.item)),
            id=departure.item.id,
            price=departure.price,
            at=departure.at,
            event=departure.event,
            reason=departure.reason,
        )

    def _leave_unsaid(self, id: str, table: str) -> None:
        """Something that was to be opened, whose saving failed or came too late, and that was not opened."""
        self._run(
            _LEAVE.format(table=table), id=id, price=None, at=None, event="withdrawn", reason="never opened"
        )

    def _run(self, statement: str, **values: Any) -> None:
        assert self._connection is not None
        self._connection.execute(statement, {"instance": self._instance, **values})


def _table(item: Item) -> str:
    return "bot_positions" if isinstance(item, Position) else "bot_orders"


def _rows_of(book: Book) -> dict[str, str]:
    return {item.id: _table(item) for item in book.items}


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # It ended by itself meanwhile.
