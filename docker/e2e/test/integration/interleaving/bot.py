"""A bot whose positions are those of an exchange: a file that outlives every boot of it.

Each request first reads how to behave from the file BEHAVE, so that a test can change that at any moment. What was
asked is appended to CALLS, a JSON line for each call, with the boot that saw it.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BOOK = Path(os.environ["BOOK"])
BEHAVE = Path(os.environ["BEHAVE"])
CALLS = Path(os.environ["CALLS"])
BOOT = os.environ.get("BOTWARDEN_BOOT", "")

lock = threading.Lock()
halted = os.environ.get("BOTWARDEN_HOLD") == "true"


def note(**fields: object) -> None:
    with lock, CALLS.open("a") as calls:
        calls.write(json.dumps({"boot": BOOT, "at": time.time(), **fields}) + "\n")


def behave(name: str, usual: object = None) -> object:
    return json.loads(BEHAVE.read_text()).get(name, usual)


def book() -> dict[str, int]:
    return json.loads(BOOK.read_text())


def write_book(open_positions: int, pending_orders: int) -> None:
    part = BOOK.with_suffix(".part")
    part.write_text(json.dumps({"open_positions": open_positions, "pending_orders": pending_orders}))
    part.replace(BOOK)


def counts() -> dict[str, int]:
    if behave("forgets") and BOOT != behave("remembers"):
        return {"open_positions": 0, "pending_orders": 0}
    return book()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if behave("hangs"):
            time.sleep(3600)
        if self.path == "/health":
            told = {} if behave("says_nothing") else {
                "instance": BOOT,
                "trading": "halted" if halted else "running",
                "last_tick_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - float(behave("tick_age", 0)))),
            }
            self.answer(200, {"status": "ok", **told})
        elif self.path == "/positions":
            status = int(behave("positions_status", 200))
            self.answer(status, counts() if status == 200 else {"error": "told to"})
        else:
            self.answer(404, {"error": "no such path"})

    def do_POST(self) -> None:
        global halted
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"{}")
        note(path=self.path, key=self.headers.get("idempotency-key"), drain_id=body.get("drain_id"))
        if behave("hangs"):
            time.sleep(3600)
        how = str(behave("close", "closes"))
        if how.isdigit():
            self.answer(int(how), {"error": "told to"})
        elif how == "dies":
            os._exit(1)
        elif how == "closes, then dies":
            halted = True
            write_book(0, 0)
            os._exit(1)
        elif how == "lies":
            self.answer(200, {"open_positions": 0, "pending_orders": 0})
        elif how == "promises":
            self.answer(202, {"open_positions": 0, "pending_orders": 0})
        else:
            halted = True
            time.sleep(float(behave("close_takes", 0)))
            write_book(0, 0)
            self.answer(200, book())


def main() -> None:
    note(path="start", hold=os.environ.get("BOTWARDEN_HOLD"), pid=os.getpid())
    if behave("ignores_sigterm"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    note(path="up")
    while True:
        # It opens something whenever it may: a bot that is not halted is never flat for long.
        if behave("trades") and not halted:
            write_book(2, 1)
        if behave("dies"):
            sys.exit(1)
        time.sleep(0.05)


main()
