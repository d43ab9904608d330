import json
import threading
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from .harness import Bot


@contextmanager
def sidecar(status: int, body: bytes) -> Iterator[str]:
    """A sidecar that answers GET /hold so, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/hold" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class HoldTest(unittest.TestCase):
    def assert_opens_nothing(self, bot: Bot) -> None:
        self.assertEqual(bot.event("halted")["reason"], "a person's drain stands")
        self.assertEqual(bot.health()["trading"], "halted")
        for _ in range(20):
            bot.tick()
        self.assertEqual(bot.open(), (0, 0))

    def test_its_instance_is_the_name_that_the_gate_gave_this_boot(self) -> None:
        with Bot(BOTWARDEN_BOOT="boot-of-the-tests") as bot:
            self.assertEqual(bot.health()["instance"], "boot-of-the-tests")
            self.assertEqual({line["instance"] for line in bot.log}, {"boot-of-the-tests"})

    def test_a_hold_that_the_gate_tells_of_makes_it_start_halted(self) -> None:
        with Bot(BOTWARDEN_HOLD="true", BOT_TICK_INTERVAL="0.01") as bot:
            self.assert_opens_nothing(bot)

    def test_it_asks_the_sidecar_before_it_opens_anything(self) -> None:
        hold = json.dumps({"hold": True, "since": "2030-01-01T00:00:00Z", "reason": "looking"}).encode()
        with sidecar(200, hold) as url, Bot(SIDECAR_URL=f"{url}/", BOT_TICK_INTERVAL="0.01") as bot:
            self.assert_opens_nothing(bot)

    def test_it_trades_when_none_stands_or_the_sidecar_cannot_tell(self) -> None:
        for status, body in ((200, b'{"hold":false}'), (200, b"yes"), (200, b"[true]"), (500, b'{"hold":true}')):
            with self.subTest(body), sidecar(status, body) as url, Bot(SIDECAR_URL=url) as bot:
                bot.trading()
        with Bot(SIDECAR_URL="http://127.0.0.1:9") as bot:
            bot.trading()
