import signal
import unittest

from tests.harness import Bot, eventually


class MisbehaviourTest(unittest.TestCase):
    def test_it_is_off_unless_allowed(self) -> None:
        with Bot() as bot:
            self.assertEqual(bot.misbehave("crash")[0], 404)
            self.assertIsNone(bot.process.poll())

    def test_an_unknown_mode_is_refused(self) -> None:
        with Bot(misbehave=True) as bot:
            for mode, more in (
                ("dance", {}),
                (None, {}),
                (["hang"], {}),
                ("slow-close", {"seconds": "soon"}),
                ("slow-close", {"seconds": -1}),
            ):
                with self.subTest(mode):
                    status, answer = bot.misbehave(mode, **more)
                    self.assertEqual((status, answer["error"]["code"]), (400, "unknown_mode"))

    def test_hang_answers_no_call_and_lives_on(self) -> None:
        with Bot(misbehave=True) as bot:
            self.assertEqual(bot.misbehave("hang")[0], 200)
            for method, path in (("GET", "/health"), ("GET", "/nothing"), ("POST", "/close-positions")):
                with self.assertRaises(TimeoutError):
                    bot.ask(method, path, timeout=0.3)
            self.assertIsNone(bot.process.poll())
            bot.signal(signal.SIGTERM)
            self.assertEqual(bot.ended(), 0)

    def test_stop_ticking_leaves_the_api_up_with_an_old_tick(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.tick()
            bot.misbehave("stop-ticking")
            bot.stuck()
            bot.misbehave("none")
            bot.tick()

    def test_unload_model_says_not_loaded_and_none_loads_it_again(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.event("model_loaded")
            bot.misbehave("unload-model")
            self.assertFalse(bot.get("/models")["models"][0]["loaded"])
            bot.misbehave("none")
            eventually(lambda: bot.get("/models")["models"][0]["loaded"], "the model again")

    def test_fail_close_and_refuse_close_change_nothing(self) -> None:
        for mode, status in (("fail-close", 500), ("refuse-close", 403)):
            with self.subTest(mode), Bot(misbehave=True) as bot:
                bot.trading().misbehave(mode)
                self.assertEqual(bot.close()[0], status)
                self.assertEqual(bot.close(dry_run=True)[0], status)
                self.assertEqual((bot.health()["trading"], bot.open()), ("running", (3, 3)))
                bot.misbehave("none")
                self.assertEqual(bot.close()[0], 200)

    def test_lie_close_says_flat_and_is_not(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.trading().misbehave("lie-close")
            self.assertEqual(bot.close(), (200, {"open_positions": 0, "pending_orders": 0}))
            self.assertEqual(bot.open(), (3, 3))

    def test_partial_close_closes_one_position_for_each_call_also_under_one_key(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.trading().misbehave("partial-close")
            for left in (2, 1, 0, 0):
                self.assertEqual(bot.close("one"), (200, {"open_positions": left, "pending_orders": 0}))
                self.assertEqual(bot.open(), (left, 0))

    def test_slow_close_halts_at_once_and_closes_later(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.trading().misbehave("slow-close", seconds=1)
            with self.assertRaises(TimeoutError):
                bot.ask("POST", "/close-positions", {}, timeout=0.2)
            self.assertEqual((bot.health()["trading"], bot.open()), ("halted", (3, 3)))
            eventually(lambda: bot.open() == (0, 0), "everything closed")

    def test_crash_ends_the_bot_with_1(self) -> None:
        with Bot(misbehave=True) as bot:
            with self.assertRaises(ConnectionError):
                bot.misbehave("crash")
            self.assertEqual(bot.ended(), 1)

    def test_exit_at_start_ends_before_anything_is_served(self) -> None:
        with Bot(misbehave=True, MISBEHAVE="exit-at-start") as bot:
            self.assertEqual(bot.ended(), 1)
            self.assertNotIn("listening", [line["event"] for line in bot.log])

    def test_ignore_sigterm_goes_on_but_sigint_ends_it(self) -> None:
        with Bot(misbehave=True) as bot:
            bot.trading().misbehave("ignore-sigterm")
            bot.signal(signal.SIGTERM)
            bot.event("signal_ignored")
            bot.tick()
            bot.signal(signal.SIGINT)
            self.assertEqual(bot.ended(), 0)

    def test_modes_can_be_on_from_the_start(self) -> None:
        with Bot(misbehave=True, MISBEHAVE="unload-model,fail-close") as bot:
            self.assertFalse(bot.get("/models")["models"][0]["loaded"])
            self.assertEqual(bot.close()[0], 500)

    def test_eat_memory_ends_where_memory_ends(self) -> None:
        limited = ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh"]
        with Bot(misbehave=True, under=limited) as bot:
            bot.misbehave("eat-memory")
            self.assertEqual(bot.ended(30), -signal.SIGKILL)

    def test_a_bot_without_a_thread_left_still_closes(self) -> None:
        # Large stacks in little memory: some twenty threads, and no more.
        limited = ["sh", "-c", 'ulimit -s 131072; ulimit -v 3000000; exec "$@"', "sh"]
        with Bot(misbehave=True, under=limited) as bot:
            bot.trading().misbehave("eat-threads")
            bot.event("no_thread_left")
            self.assertEqual(bot.close()[0], 200)
            self.assertEqual(bot.open(), (0, 0))
