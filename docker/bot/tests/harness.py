"""A real bot process, a real database of its own, and a network between them that can be cut or frozen."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

BOT_FOLDER = Path(__file__).parents[1]
TOKEN = "token-of-the-tests"


def eventually(condition: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    """Waits until the condition gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


class Bot:
    """One boot of the bot. Use as a context manager, or the process outlives the test."""

    def __init__(self, *, misbehave: bool = False, under: Sequence[str] = (), **environ: str) -> None:
        self._command = [*under, sys.executable, "-m", "bot"]
        self._environ = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "HOME")},
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOST": "127.0.0.1",
            "PORT": "0",
            "BOT_TICK_INTERVAL": "0.05",
            **({"ALLOW_MISBEHAVIOUR": "1"} if misbehave else {}),
            **environ,
        }
        self.log: list[dict[str, Any]] = []
        self.output: list[str] = []
        self._deaf = False

    def __enter__(self) -> Bot:
        self.process = subprocess.Popen(
            self._command,
            cwd=BOT_FOLDER,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.ended()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            with contextlib.suppress(ValueError):
                self.log.append(json.loads(line))
            if self._deaf:
                return self.process.stdout.close()

    def stop_reading(self) -> None:
        """Closes the bot's standard output on this end, after the line that comes next."""
        self._deaf = True
        self._reader.join(10)

    def event(self, name: str) -> dict[str, Any]:
        """Waits for the log line of this event."""
        return eventually(
            lambda: next((line for line in list(self.log) if line["event"] == name), None),
            f"{name} in the log, which has {self.output}",
        )

    @property
    def port(self) -> int:
        return self.event("listening")["port"]

    def ended(self, seconds: float = 10.0) -> int:
        """Waits for the end of the process and of its output; returns its status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 15.0,
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, sent, headers or {})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None, response.headers
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, body, _ = self.ask("GET", path)
        if status != 200:
            raise AssertionError(f"{path} answered {status}: {body}")
        return body

    def health(self) -> Any:
        return self.get("/health")

    def open(self) -> tuple[int, int]:
        """The numbers of open positions and pending orders."""
        positions = self.get("/positions")
        return len(positions["open_positions"]), len(positions["pending_orders"])

    def trading(self) -> Bot:
        """Waits until something is open and something pending."""
        eventually(lambda: self._trades(), "a position and an order")
        return self

    def _trades(self) -> bool:
        status, body, _ = self.ask("GET", "/positions")
        return status == 200 and bool(body["open_positions"]) and bool(body["pending_orders"])

    def close(self, key: str = "drain", token: str | None = None, **body: Any) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        status, answer, _ = self.ask("POST", "/close-positions", {"drain_id": key, **body}, headers)
        return status, answer

    def misbehave(self, mode: str, **more: Any) -> tuple[int, Any]:
        status, answer, _ = self.ask("POST", "/misbehave", {"mode": mode, **more})
        return status, answer

    def stuck(self) -> None:
        """Waits until the loop has stood still for many times its interval."""

        def still() -> bool:
            before = self.health()["last_tick_at"]
            time.sleep(0.3)
            return self.health()["last_tick_at"] == before

        eventually(still, "the loop to stand still")

    def tick(self) -> str:
        """Waits for the next tick and returns its time."""
        before = self.health().get("last_tick_at")

        def next_tick() -> str | None:
            at = self.health().get("last_tick_at")
            return at if at != before else None

        return eventually(next_tick, "another tick")


class Wire:
    """A way through to a server, which can be cut (refused and reset) or frozen (open and silent)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Back to normal."""
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in accept keeps the port open past a close.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Takes connections and what they send, and passes nothing on."""
        self._flowing.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pump, args=[near, far], daemon=True).start()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, contextlib.suppress(OSError):
            while True:
                readable, _, _ = select.select([near, far], [], [])
                for source in readable:
                    data = source.recv(65536)
                    if not data:
                        return
                    self._flowing.wait()
                    (far if source is near else near).sendall(data)


URL = os.environ.get("TEST_DATABASE_URL")

needs_database = unittest.skipUnless(URL, "needs TEST_DATABASE_URL, a server where databases may be created")


class Database:
    """A database of one test's own, reached by the bot over a wire and by the test directly."""

    def __init__(self) -> None:
        import psycopg

        assert URL is not None
        name = f"bot_{uuid.uuid4().hex}"
        self._server = psycopg.connect(URL, autocommit=True)
        self._server.execute(f"CREATE DATABASE {name}")
        self._name = name
        parts = urlsplit(URL)
        self.url = urlunsplit(parts._replace(path=f"/{name}"))
        self._connection = psycopg.connect(self.url, autocommit=True)
        self.wire = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
        user = parts.netloc.rpartition("@")[0]
        self.wired_url = urlunsplit(
            parts._replace(netloc=f"{user}@127.0.0.1:{self.wire.port}", path=f"/{name}")
        )

    def rows(self, statement: str) -> list[Any]:
        return self._connection.execute(statement).fetchall()

    def run(self, statement: str) -> None:
        self._connection.execute(statement)

    def flat_check(self) -> int:
        """What the guard's second proof asks."""
        return self.rows("SELECT (SELECT count(*) FROM bot_positions) + (SELECT count(*) FROM bot_orders)")[
            0
        ][0]

    def trades(self, event: str) -> list[Any]:
        """Item, instance and reason of every such trade, in the order of recording."""
        return self.rows(
            f"SELECT item, instance, reason FROM bot_trades WHERE event = '{event}' ORDER BY seq"
        )

    def drop(self) -> None:
        self.wire.cut()
        self._connection.close()
        self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._server.close()


class DatabaseTest(unittest.TestCase):
    def setUp(self) -> None:
        self.database = Database()
        self.addCleanup(self.database.drop)

    @contextlib.contextmanager
    def bot(self, **more: Any) -> Iterator[Bot]:
        with Bot(DATABASE_URL=self.database.wired_url, **more) as bot:
            yield bot
