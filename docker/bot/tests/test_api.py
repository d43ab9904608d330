import json
import re
import signal
import socket
import tempfile
import unittest
from datetime import datetime
from pathlib import Path

from tests.harness import TOKEN, Bot

ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class ReadingTest(unittest.TestCase):
    def test_health_has_the_shape_of_the_contract(self) -> None:
        with Bot() as bot:
            bot.tick()
            health = bot.health()
            self.assertEqual(set(health), {"status", "instance", "trading", "last_tick_at", "dry_run"})
            self.assertEqual(
                (health["status"], health["trading"], health["dry_run"]), ("ok", "running", True)
            )
            self.assertRegex(health["last_tick_at"], ISO)
            age = datetime.now().astimezone() - datetime.fromisoformat(
                health["last_tick_at"].replace("Z", "+00:00")
            )
            self.assertLess(abs(age.total_seconds()), 5)

    def test_every_boot_has_another_instance(self) -> None:
        with Bot() as one, Bot() as other:
            self.assertNotEqual(one.health()["instance"], other.health()["instance"])

    def test_the_bot_soon_holds_a_position_and_an_order_and_goes_on_holding_them(self) -> None:
        with Bot(BOT_TICK_INTERVAL="0.01") as bot:
            bot.trading()
            for _ in range(100):
                positions, orders = bot.open()
                self.assertGreaterEqual(positions, 1)
                self.assertGreaterEqual(orders, 1)
            position = bot.get("/positions")["open_positions"][0]
            self.assertLessEqual({"symbol", "side", "quantity", "price"}, set(position))

    def test_the_model_is_said_to_be_loaded_with_its_version_and_what_evaluates_it(self) -> None:
        with Bot() as bot:
            bot.event("model_loaded")
            (model,) = bot.get("/models")["models"]
            self.assertEqual((model["name"], model["loaded"], model["version"]), ("signal", True, "1"))
            self.assertRegex(model["loaded_at"], ISO)
            self.assertRegex(model["runtime"], r"^(torch \d|plain Python \(torch is not installed\)$)")
            self.assertEqual(bot.event("model_loaded")["runtime"], model["runtime"])

    def test_while_the_model_loads_the_api_answers_and_nothing_is_opened(self) -> None:
        with Bot(MODEL_LOAD_SECONDS="600") as bot:
            bot.tick()
            self.assertEqual(bot.get("/models"), {"models": [{"name": "signal", "loaded": False}]})
            self.assertEqual(bot.open(), (0, 0))

    def test_a_model_that_cannot_be_loaded_leaves_the_bot_up_and_says_why(self) -> None:
        with Bot(MODEL_PATH="/nowhere/weights.json") as bot:
            bot.event("model_failed")
            bot.tick()
            (model,) = bot.get("/models")["models"]
            self.assertFalse(model["loaded"])
            self.assertIn("/nowhere/weights.json", model["error"])


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.bot = Bot().__enter__()
        cls.addClassCleanup(cls.bot.__exit__)

    def assert_error(self, answer: tuple, status: int, code: str) -> None:
        self.assertEqual((answer[0], answer[1]["error"]["code"]), (status, code))

    def test_an_unknown_path_is_404(self) -> None:
        self.assert_error(self.bot.ask("GET", "/nothing"), 404, "not_found")
        self.assert_error(self.bot.ask("POST", "/misbehave", {"mode": "crash"}), 404, "not_found")

    def test_a_method_that_a_path_does_not_take_is_405_and_says_which_it_takes(self) -> None:
        for method, path, allowed in (
            ("POST", "/health", "GET, HEAD"),
            ("DELETE", "/positions", "GET, HEAD"),
            ("GET", "/close-positions", "POST"),
            ("HEAD", "/close-positions", "POST"),
        ):
            with self.subTest(method=method, path=path):
                status, _, headers = self.bot.ask(method, path)
                self.assertEqual((status, headers["Allow"]), (405, allowed))

    def test_head_answers_as_get_without_a_body(self) -> None:
        status, body, headers = self.bot.ask("HEAD", "/health")
        self.assertEqual((status, body), (200, None))
        self.assertGreater(int(headers["Content-Length"]), 0)

    def test_a_query_string_changes_nothing(self) -> None:
        self.assertEqual(self.bot.ask("GET", "/health?verbose=1")[0], 200)

    def test_nothing_is_to_be_cached(self) -> None:
        self.assertEqual(self.bot.ask("GET", "/health")[2]["Cache-Control"], "no-store")

    def test_a_body_that_is_not_a_json_object_is_400(self) -> None:
        for body, code in (
            ("{", "bad_json"),
            ("[]", "bad_body"),
            ("1", "bad_body"),
            (b"\xff", "bad_json"),
            ("[" * 60_000, "bad_json"),
        ):
            with self.subTest(body[:9]):
                self.assert_error(self.bot.ask("POST", "/close-positions", body), 400, code)

    def test_a_field_of_another_type_is_400_and_closes_nothing(self) -> None:
        for field in (
            {"dry_run": "false"},
            {"dry_run": 1},
            {"drain_id": 7},
            {"reason": None},
            {"deadline": 5},
        ):
            with self.subTest(field):
                self.assert_error(self.bot.ask("POST", "/close-positions", field), 400, "bad_body")
        self.assertEqual(self.bot.health()["trading"], "running")

    def test_a_body_over_the_limit_is_413(self) -> None:
        body = json.dumps({"reason": "x" * 65_536})
        self.assert_error(self.bot.ask("POST", "/close-positions", body), 413, "too_large")

    def test_a_body_without_a_length_or_with_a_wrong_one_is_refused(self) -> None:
        for header, status in (
            ("Transfer-Encoding: chunked", b"411"),
            ("Content-Length: -1", b"400"),
            ("Content-Length: many", b"400"),
        ):
            with self.subTest(header):
                sent = f"POST /close-positions HTTP/1.1\r\nHost: bot\r\n{header}\r\n\r\n"
                self.assertEqual(self.raw(sent).split(b" ")[1], status)

    def test_what_is_not_http_is_400_as_json(self) -> None:
        answer = self.raw("NONSENSE\r\n\r\n")
        self.assertIn(b'"error"', answer)

    def test_a_method_that_does_not_exist_is_refused_as_json(self) -> None:
        self.assert_error(self.bot.ask("BREW", "/health"), 501, "bad_request")

    def test_a_client_that_leaves_in_the_middle_of_its_request_closes_nothing(self) -> None:
        with socket.create_connection(("127.0.0.1", self.bot.port)) as client:
            client.sendall(b"POST /close-positions HTTP/1.1\r\nHost: bot\r\nContent-Length: 20\r\n\r\n{")
        self.bot.tick()
        self.assertEqual(self.bot.health()["trading"], "running")
        self.assertNotIn("call_failed", [line["event"] for line in self.bot.log])

    def test_a_kept_connection_answers_call_after_call(self) -> None:
        with socket.create_connection(("127.0.0.1", self.bot.port), timeout=10) as client:
            for sent in (
                b"GET /health HTTP/1.1\r\nHost: bot\r\n\r\n",
                b"POST /health HTTP/1.1\r\nHost: bot\r\nContent-Length: 2\r\n\r\n{}",
                b"GET /models HTTP/1.1\r\nHost: bot\r\n\r\n",
            ):
                client.sendall(sent)
                head = client.recv(65_536)
                self.assertTrue(head.startswith(b"HTTP/1.1 "), head)

    def raw(self, text: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.bot.port), timeout=10) as client:
            client.sendall(text.encode())
            answer = b""
            while data := client.recv(65_536):
                answer += data
            return answer


class ClosingTest(unittest.TestCase):
    def test_closing_halts_cancels_and_closes_and_stays_halted(self) -> None:
        with Bot(BOT_TICK_INTERVAL="0.01") as bot:
            bot.trading()
            self.assertEqual(bot.close(reason="SIGTERM"), (200, {"open_positions": 0, "pending_orders": 0}))
            self.assertEqual(bot.health()["trading"], "halted")
            for _ in range(20):
                bot.tick()
                self.assertEqual(bot.open(), (0, 0))

    def test_a_repeat_trades_nothing_and_answers_the_same(self) -> None:
        with Bot() as bot:
            bot.trading().close("one")
            closed = [line for line in bot.log if line["event"] == "position_closed"]
            for key in ("one", "one", "another"):
                self.assertEqual(bot.close(key), (200, {"open_positions": 0, "pending_orders": 0}))
            bot.tick()
            self.assertEqual([line for line in bot.log if line["event"] == "position_closed"], closed)

    def test_a_rehearsal_says_what_it_would_close_and_changes_nothing(self) -> None:
        with Bot() as bot:
            bot.trading()
            self.assertEqual(
                bot.close(dry_run=True), (200, {"dry_run": True, "open_positions": 3, "pending_orders": 3})
            )
            self.assertEqual((bot.health()["trading"], bot.open()), ("running", (3, 3)))

    def test_a_call_without_a_body_closes(self) -> None:
        with Bot() as bot:
            bot.trading()
            self.assertEqual(bot.ask("POST", "/close-positions")[0], 200)
            self.assertEqual(bot.open(), (0, 0))

    def test_with_a_token_only_its_bearer_may_close_and_anyone_may_read(self) -> None:
        with Bot(BOT_TOKEN=TOKEN) as bot:
            bot.trading()
            for header in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": TOKEN},
                {"Authorization": f"Basic {TOKEN}"},
                {"Authorization": "Bearer \xfc"},
            ):
                with self.subTest(header):
                    for body in ({}, {"dry_run": True}):
                        status, _, headers = bot.ask("POST", "/close-positions", body, header)
                        self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
            self.assertEqual((bot.health()["trading"], bot.open()), ("running", (3, 3)))
            self.assertEqual(bot.close(token=TOKEN), (200, {"open_positions": 0, "pending_orders": 0}))
            self.assertNotIn(TOKEN, "".join(bot.output))

    def test_a_token_from_a_file_protects_as_well(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "token")
            file.write_text(f"{TOKEN}\n")
            with Bot(BOT_TOKEN_FILE=str(file)) as bot:
                self.assertEqual(bot.close()[0], 401)
                self.assertEqual(bot.close(token=TOKEN)[0], 200)


class EndingTest(unittest.TestCase):
    def test_a_signal_ends_the_bot_with_0_and_closes_nothing(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name), Bot() as bot:
                bot.trading()
                bot.signal(number)
                self.assertEqual(bot.ended(), 0)
                self.assertEqual([line["event"] for line in bot.log][-2:], ["stopping", "stopped"])
                drained = [
                    line for line in bot.log if str(line.get("reason", "")).startswith("close-positions")
                ]
                self.assertEqual(drained, [])

    def test_a_signal_while_the_model_loads_ends_the_bot_too(self) -> None:
        with Bot(MODEL_LOAD_SECONDS="600") as bot:
            bot.event("listening")
            bot.signal(signal.SIGTERM)
            self.assertEqual(bot.ended(), 0)

    def test_every_line_of_output_is_json_with_the_same_fields(self) -> None:
        with Bot() as bot:
            bot.trading().close()
            bot.signal(signal.SIGTERM)
            bot.ended()
            self.assertEqual(len(bot.log), len(bot.output))
            for line in bot.log:
                self.assertLessEqual({"time", "level", "event", "message", "instance"}, set(line))
                self.assertRegex(line["time"], ISO)

    def test_a_reader_of_the_log_that_goes_away_does_not_stop_the_bot(self) -> None:
        with Bot(BOT_TICK_INTERVAL="0.01") as bot:
            bot.trading().stop_reading()
            for _ in range(20):
                bot.tick()

    def test_bad_settings_end_the_bot_with_2_and_say_every_problem(self) -> None:
        with Bot(PORT="http", BOT_SEED="x") as bot:
            self.assertEqual(bot.ended(), 2)
            (line,) = bot.log
            self.assertEqual(len(line["problems"]), 2)

    def test_a_port_that_is_taken_ends_the_bot_with_1_and_says_so(self) -> None:
        with Bot() as first, Bot(PORT=str(first.port)) as second:
            self.assertEqual(second.ended(), 1)
            self.assertIn(
                f"Cannot listen on 127.0.0.1:{first.port}", second.event("cannot_listen")["message"]
            )

    def test_without_psycopg_a_database_url_ends_the_bot_with_2_in_one_sentence(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "psycopg.py").write_text("raise ImportError('not installed')\n")
            with Bot(PYTHONPATH=folder, DATABASE_URL="postgresql://u:s3cret@127.0.0.1/x") as bot:
                self.assertEqual(bot.ended(), 2)
                (line,) = bot.log
                self.assertIn("psycopg cannot be imported", line["message"])
                self.assertEqual(len(bot.output), 1)
                self.assertNotIn("s3cret", bot.output[0])
