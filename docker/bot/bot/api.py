"""The bot's HTTP API: the four calls of a guarded bot, on the standard library's server."""

from __future__ import annotations

import hmac
import json
import socketserver
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import clock
from .book import Item
from .log import Log
from .misbehaviour import Misbehaviour, UnknownMode, checked_mode
from .model import ModelSlot
from .store import Store
from .trader import BookUnknown, Trader

#: Bytes that a request's body may have.
BODY_LIMIT = 64 * 1024

#: How long a connection may keep the thread that serves all of them, in seconds.
ALONE_SECONDS = 2.0

_BODY_FIELDS: dict[str, type] = {"drain_id": str, "reason": str, "deadline": str, "dry_run": bool}


class HttpError(Exception):
    def __init__(
        self, status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


@dataclass(frozen=True)
class Request:
    headers: Any
    #: Reads the body as a JSON object; no body is an empty one. Raises `HttpError`.
    json: Callable[[], dict[str, Any]] = field(repr=False)


Handler = Callable[[Request], dict[str, Any]]


class Api:
    """What each call answers."""

    def __init__(
        self,
        *,
        instance: str,
        token: str | None,
        trader: Trader,
        model: ModelSlot,
        store: Store,
        misbehaviour: Misbehaviour,
        log: Log,
    ) -> None:
        self._instance = instance
        self._token = token
        self._trader = trader
        self._model = model
        self._store = store
        self._misbehaviour = misbehaviour
        self._log = log
        self._routes: dict[str, dict[str, Handler]] = {
            "/health": {"GET": self._health},
            "/models": {"GET": self._models},
            "/positions": {"GET": self._positions},
            "/close-positions": {"POST": self._close_positions},
        }
        if misbehaviour.allowed:
            self._routes["/misbehave"] = {"POST": self._misbehave}

    def answer(self, method: str, target: str, request: Request) -> dict[str, Any]:
        """Raises `HttpError`."""
        self._misbehaviour.hang_if_told()
        path = target.partition("?")[0]
        route = self._routes.get(path)
        if route is None:
            raise HttpError(HTTPStatus.NOT_FOUND, "not_found", f"There is no {path[:200]} here.")
        handler = route.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join("GET, HEAD" if known == "GET" else known for known in route)
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"{path} takes {allowed}.",
                {"Allow": allowed},
            )
        try:
            return handler(request)
        except BookUnknown:
            # Never an empty list: a bot that does not know what is open must not look flat.
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "book_unknown",
                "The book has not been read from the database yet, so what is open is unknown.",
            ) from None

    def _health(self, _: Request) -> dict[str, Any]:
        health = {
            "status": "ok",
            "instance": self._instance,
            "trading": "halted" if self._trader.halted else "running",
            # The close call understands dry_run: without this word nobody dares to rehearse it.
            "dry_run": True,
        }
        last_tick_at = self._trader.last_tick_at
        if last_tick_at is not None:
            health["last_tick_at"] = clock.iso(last_tick_at)
        if self._store.state is not None:
            health["database"] = self._store.state
        return health

    def _models(self, _: Request) -> dict[str, Any]:
        return {"models": [self._model.describe()]}

    def _positions(self, _: Request) -> dict[str, Any]:
        book = self._trader.book
        return {
            "open_positions": [_described(position) for position in book.positions],
            "pending_orders": [_described(order) for order in book.orders],
        }

    def _close_positions(self, request: Request) -> dict[str, Any]:
        self._authorise(request)
        body = request.json()
        for name, kind in _BODY_FIELDS.items():
            if name in body and not isinstance(body[name], kind):
                raise HttpError(
                    HTTPStatus.BAD_REQUEST, "bad_body", f"{name} must be a JSON {_JSON_NAMES[kind]}."
                )
        if self._misbehaviour.active("refuse-close"):
            raise HttpError(HTTPStatus.FORBIDDEN, "refused", "Told to refuse to close.")
        if self._misbehaviour.active("fail-close"):
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "Told to fail to close.")
        if body.get("dry_run"):
            book = self._trader.book
            return {
                "dry_run": True,
                "open_positions": len(book.positions),
                "pending_orders": len(book.orders),
            }
        if self._misbehaviour.active("lie-close"):
            return {"open_positions": 0, "pending_orders": 0}
        drain = body.get("drain_id") or request.headers.get("Idempotency-Key") or "without an id"
        reason = f"close-positions {drain}"[:200]
        self._log.info("close_asked", "Asked to close everything.", drain_id=str(drain)[:100])
        if self._misbehaviour.active("slow-close"):
            self._trader.halt(reason)
            self._misbehaviour.delay_close()
        # Closing is idempotent by nature: a repeat, under whatever key, finds closed what is closed. So a
        # key that comes again closes what an attempt before it left open, and trades nothing twice.
        outcome = self._trader.close_all(
            reason, at_most=1 if self._misbehaviour.active("partial-close") else None
        )
        answer: dict[str, Any] = {
            "open_positions": outcome.open_positions,
            "pending_orders": outcome.pending_orders,
        }
        if not outcome.recorded:
            answer["recorded"] = False
        return answer

    def _misbehave(self, request: Request) -> dict[str, Any]:
        body = request.json()
        mode = body.get("mode")
        if mode == "none":
            self._misbehaviour.switch_off()
        else:
            try:
                self._misbehaviour.switch_on(*checked_mode(mode, body.get("seconds")))
            except UnknownMode as error:
                raise HttpError(HTTPStatus.BAD_REQUEST, "unknown_mode", str(error)) from None
        return {"modes": self._misbehaviour.modes}

    def _authorise(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # http.server decodes headers as Latin-1, so this gives back the bytes that were sent.
        same = hmac.compare_digest(given.strip().encode("latin-1"), self._token.encode())
        if scheme.lower() != "bearer" or not same:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "This call needs 'Authorization: Bearer <BOT_TOKEN>'.",
                {"WWW-Authenticate": "Bearer"},
            )


_JSON_NAMES = {str: "string", bool: "boolean"}


def _described(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "symbol": item.symbol,
        "side": item.side,
        "quantity": item.quantity,
        "price": item.price,
        "at": clock.iso(item.at),
    }


class Server(ThreadingHTTPServer):
    """One thread for each connection; none of them keeps the process alive.

    Where no thread can be started, because of a limit or for lack of memory, a connection is served by the thread that
    accepted it: positions can still be closed then.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: Api, log: Log) -> None:
        self.api = api
        self.log = log
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for this machine's name, which may take long to answer.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def process_request(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request(request, client_address)
        except (RuntimeError, MemoryError):
            request.settimeout(ALONE_SECONDS)
            self.process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # A client that went away is no fault of the bot's.
            self.log.error("call_failed", f"A call failed: {error!r}", trace=traceback.format_exc())


class _Connection(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "bot"
    sys_version = ""
    # Seconds that a silent client keeps its thread.
    timeout = 30
    # Head and body leave in one packet.
    wbufsize = -1

    def _handle(self) -> None:
        try:
            # Read in any case: what is left unread on a kept connection would be taken for the next request.
            body = self._read_body()
            answer = self.server.api.answer(
                self.command, self.path, Request(self.headers, lambda: _object(body))
            )
            self._send(HTTPStatus.OK, answer)
        except HttpError as error:
            self._send(error.status, _error(error.code, str(error)), error.headers)
        except OSError:
            raise
        except Exception as error:
            self.server.log.error("call_failed", f"A call failed: {error!r}", trace=traceback.format_exc())
            self._send(
                HTTPStatus.INTERNAL_SERVER_ERROR, _error("internal", "The bot failed; its log says why.")
            )

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise HttpError(
                HTTPStatus.LENGTH_REQUIRED, "length_required", "Send the body with a Content-Length."
            )
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()):
            self.close_connection = True
            raise HttpError(HTTPStatus.BAD_REQUEST, "bad_length", "Content-Length must be a number.")
        length = int(text)
        if length > BODY_LIMIT:
            self.close_connection = True
            # Some of it is taken in, or closing would reset the connection before the answer is read.
            self.rfile.read(min(length, 16 * BODY_LIMIT))
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"The body may have {BODY_LIMIT} bytes."
            )
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("the client left in the middle of its request")
        return body

    def _send(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses (a malformed request line, an unknown method), as JSON too."""
        self.close_connection = True
        self._send(code, _error("bad_request", message or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:
        """No line for each call: a guarded bot is asked every few seconds."""


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(HTTPStatus.BAD_REQUEST, "bad_json", "The body is not JSON.") from None
    if not isinstance(content, dict):
        raise HttpError(HTTPStatus.BAD_REQUEST, "bad_body", "The body must be a JSON object.")
    return content
