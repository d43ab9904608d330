import signal
import unittest
from urllib.parse import urlsplit

from tests.harness import Bot, DatabaseTest, eventually, needs_database

FLAT = {"open_positions": 0, "pending_orders": 0}


def _state(bot: Bot) -> str:
    return bot.health()["database"]


@needs_database
class RecordTest(DatabaseTest):
    def test_what_is_open_is_in_the_tables_and_the_history_names_the_boot(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.assertEqual(_state(bot), "connected")
            self.assertEqual(self.database.rows("SELECT count(*) FROM bot_positions")[0][0], 3)
            self.assertEqual(self.database.flat_check(), 6)
            instance = bot.health()["instance"]
            self.assertEqual({boot for _, boot, _ in self.database.trades("opened")}, {instance})
            self.assertEqual({boot for _, boot, _ in self.database.trades("placed")}, {instance})

    def test_the_tables_always_hold_a_position_and_an_order_while_it_trades(self) -> None:
        with self.bot(BOT_TICK_INTERVAL="0.005") as bot:
            bot.trading()
            while len(self.database.trades("closed")) < 20:
                # Closing one position and opening the next is one transaction.
                self.assertEqual(self.database.flat_check(), 6)

    def test_after_a_crash_the_next_boot_goes_on_with_the_positions_it_finds(self) -> None:
        with self.bot() as first:
            first.trading()
            first.signal(signal.SIGKILL)
            first.ended()
        # Without a model the next boot changes nothing of what it finds.
        with self.bot(MODEL_LOAD_SECONDS="600") as second:
            found = second.event("book_loaded")
            self.assertEqual((found["open_positions"], found["pending_orders"]), (3, 3))
            on_record = {id for (id,) in self.database.rows("SELECT id FROM bot_positions")}
            self.assertEqual({one["id"] for one in second.get("/positions")["open_positions"]}, on_record)
            opened_by = {boot for item, boot, _ in self.database.trades("opened") if item in on_record}
            self.assertEqual(opened_by, {first.event("listening")["instance"]})
            self.assertEqual(second.close("after-crash"), (200, FLAT))
            instance = second.health()["instance"]
            self.assertEqual(
                set(self.database.trades("closed")[-3:]),
                {(id, instance, "close-positions after-crash") for id in on_record},
            )
        self.assertEqual(self.database.flat_check(), 0)

    def test_closing_empties_the_tables_and_a_repeat_writes_nothing(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.assertEqual(bot.close("one"), (200, FLAT))
            self.assertEqual(self.database.flat_check(), 0)
            history = self.database.rows("SELECT * FROM bot_trades ORDER BY seq")
            self.assertEqual(
                len([1 for *_, reason in self.database.trades("closed") if reason == "close-positions one"]),
                3,
            )
            self.assertEqual(bot.close("one"), (200, FLAT))
            bot.tick()
            self.assertEqual(self.database.rows("SELECT * FROM bot_trades ORDER BY seq"), history)

    def test_nothing_is_opened_after_the_close_however_fast_the_loop(self) -> None:
        for _ in range(5):
            with self.bot(BOT_TICK_INTERVAL="0.001") as bot:
                bot.trading()
                self.assertEqual(bot.close("fast"), (200, FLAT))
                self.assertEqual(self.database.flat_check(), 0)
                for _ in range(20):
                    bot.tick()
                self.assertEqual((bot.open(), self.database.flat_check()), ((0, 0), 0))
            opened = "SELECT max(seq) FROM bot_trades WHERE event IN ('opened', 'placed')"
            closed = "SELECT max(seq) FROM bot_trades WHERE event IN ('closed', 'cancelled', 'withdrawn')"
            self.assertLess(self.database.rows(opened)[0][0], self.database.rows(closed)[0][0])

    def test_every_opening_in_the_history_has_one_end_or_is_still_open(self) -> None:
        with self.bot(BOT_TICK_INTERVAL="0.005") as bot:
            bot.trading()
            for _ in range(4):
                self.database.wire.cut()
                eventually(lambda: _state(bot) == "disconnected", "the loss to be noticed")
                self.database.wire.mend()
                eventually(lambda: _state(bot) == "connected", "the database back")
                eventually(lambda: bot.open() == (3, 3), "trading again")
            self.assertEqual(bot.close()[1], FLAT)
        for begins, ends in (
            ("opened", ("closed", "withdrawn")),
            ("placed", ("filled", "cancelled", "withdrawn")),
        ):
            begun = sorted(item for item, *_ in self.database.trades(begins))
            self.assertEqual(len(begun), len(set(begun)))
            ended = {item for event in ends for item, *_ in self.database.trades(event)}
            self.assertLessEqual(set(begun), ended)

    def test_another_boot_on_the_same_database_keeps_its_rows(self) -> None:
        with self.bot() as first:
            first.trading()
            own = {id for (id,) in self.database.rows("SELECT id FROM bot_positions")}
            self.database.run("INSERT INTO bot_positions VALUES ('other', 'X/Y', 'long', 1, 1, now())")
            first.close()
            left = {id for (id,) in self.database.rows("SELECT id FROM bot_positions")}
            self.assertEqual(left, {"other"})
            self.assertTrue(own)


@needs_database
class OutageTest(DatabaseTest):
    def assert_opens_nothing(self, bot: Bot) -> None:
        before = bot.get("/positions")
        for _ in range(10):
            bot.tick()
        self.assertEqual(bot.get("/positions"), before)

    def test_while_the_database_is_away_the_loop_ticks_and_opens_nothing_and_it_comes_back_by_itself(
        self,
    ) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.cut()
            eventually(lambda: _state(bot) == "disconnected", "the loss to be noticed")
            self.assert_opens_nothing(bot)
            self.assertEqual(bot.health()["trading"], "running")
            self.database.wire.mend()
            eventually(lambda: _state(bot) == "connected", "the database back")
            trades = len(self.database.trades("opened"))
            eventually(lambda: len(self.database.trades("opened")) > trades, "trading again")

    def test_a_connection_ended_by_the_server_is_replaced(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'bot' AND datname = current_database()"
            )
            trades = len(self.database.trades("opened"))
            eventually(lambda: len(self.database.trades("opened")) > trades, "trading again")
            self.assertEqual(bot.close(), (200, FLAT))
            self.assertEqual(self.database.flat_check(), 0)

    def test_closing_without_the_database_tells_the_truth_and_the_rows_go_when_it_answers(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.cut()
            self.assertEqual(bot.close("away"), (200, {**FLAT, "recorded": False}))
            self.assertEqual(bot.open(), (0, 0))
            self.assertEqual(self.database.flat_check(), 6)
            self.database.wire.mend()
            eventually(lambda: self.database.flat_check() == 0, "the rows to go")
            self.assertEqual(
                {why for *_, why in self.database.trades("closed")[-3:]}, {"close-positions away"}
            )
            # Asked after the record: the bot learns of its own commit a moment after the test does.
            eventually(lambda: bot.close("away") == (200, FLAT), "a repeat to say that it is on record")

    def test_a_close_right_after_a_loss_waits_for_the_record(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'bot' AND datname = current_database()"
            )
            self.assertEqual(bot.close(), (200, FLAT))
            self.assertEqual(self.database.flat_check(), 0)

    def test_a_frozen_database_is_noticed_and_holds_up_no_close(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.freeze()
            eventually(lambda: _state(bot) == "disconnected", "the silence to be noticed")
            bot.tick()
            self.assertEqual(bot.close(), (200, {**FLAT, "recorded": False}))
            self.database.wire.mend()
            eventually(lambda: self.database.flat_check() == 0, "the rows to go")

    def test_a_close_in_the_moment_of_the_freeze_is_answered(self) -> None:
        with self.bot(BOT_TICK_INTERVAL="0.005") as bot:
            bot.trading()
            self.database.wire.freeze()
            status, answer = bot.close()
            self.assertEqual((status, answer["open_positions"], answer["recorded"]), (200, 0, False))
            self.database.wire.mend()
            eventually(lambda: self.database.flat_check() == 0, "the rows to go")
            self.assertEqual(bot.open(), (0, 0))

    def test_what_could_not_be_put_on_record_is_not_opened(self) -> None:
        with self.bot(BOT_TICK_INTERVAL="0.005") as bot:
            bot.trading()
            self.database.wire.freeze()
            bot.stuck()  # In the middle of recording its next trade.
            before = bot.get("/positions")
            eventually(lambda: _state(bot) == "disconnected", "the record to fail")
            bot.tick()
            self.assertEqual(bot.get("/positions"), before)

    def test_what_is_being_recorded_when_trading_is_halted_is_not_opened(self) -> None:
        with self.bot(misbehave=True, BOT_TICK_INTERVAL="0.005") as bot:
            bot.trading().misbehave("slow-close", seconds=2)
            self.database.wire.freeze()
            bot.stuck()
            before = bot.get("/positions")
            with self.assertRaises(TimeoutError):
                bot.ask("POST", "/close-positions", {}, timeout=0.1)
            self.database.wire.mend()
            bot.tick()
            self.assertEqual(bot.get("/positions"), before)
            eventually(lambda: bot.open() == (0, 0) and self.database.flat_check() == 0, "all of it closed")

    def test_a_boot_without_the_database_does_not_claim_that_nothing_is_open(self) -> None:
        with self.bot() as first:
            first.trading()
        self.database.wire.cut()
        with self.bot() as second:
            self.assertEqual(_state(second), "disconnected")
            for method, path in (("GET", "/positions"), ("POST", "/close-positions")):
                status, answer, _ = second.ask(method, path)
                self.assertEqual((status, answer["error"]["code"]), (503, "book_unknown"))
            self.assertEqual(second.health()["trading"], "halted")
            self.database.wire.mend()
            second.event("book_loaded")
            self.assertEqual(second.open(), (3, 3))
            second.tick()
            self.assertEqual(second.close(), (200, FLAT))
        self.assertEqual(self.database.flat_check(), 0)

    def test_a_table_that_is_dropped_is_an_outage_and_not_a_crash(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.run("DROP TABLE bot_orders")
            self.assertEqual(bot.close()[0], 200)
            eventually(lambda: self.database.flat_check() == 0, "the table again, and empty")

    def test_the_password_is_in_no_line_of_output(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.cut()
            bot.event("database_lost")
            # The driver's own warnings would be lines that no log reader understands.
            self.assertEqual(len(bot.log), len(bot.output))
        host = self.database.url.rpartition("@")[2]
        with Bot(DATABASE_URL=f"postgresql://nobody:pa55word@{host}") as refused:
            refused.event("database_lost")
        for line in (*bot.output, *refused.output):
            for secret in ("pa55word", urlsplit(self.database.url).password):
                self.assertNotIn(secret, line)


@needs_database
class EndTest(DatabaseTest):
    def test_a_stop_leaves_the_positions_in_the_tables(self) -> None:
        with self.bot() as bot:
            bot.trading()
            bot.signal(signal.SIGTERM)
            self.assertEqual(bot.ended(), 0)
        self.assertEqual(self.database.flat_check(), 6)

    def test_a_stop_with_closings_that_are_not_on_record_says_so_and_fails(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.cut()
            bot.close()
            bot.signal(signal.SIGTERM)
            self.assertEqual(bot.ended(), 1)
            self.assertIn("next boot", bot.event("unrecorded")["message"])
        self.assertEqual(self.database.flat_check(), 6)

    def test_a_stop_waits_for_a_database_that_comes_back(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.cut()
            bot.close()
            self.database.wire.mend()
            bot.signal(signal.SIGTERM)
            self.assertEqual(bot.ended(), 0)
        self.assertEqual(self.database.flat_check(), 0)

    def test_a_stop_with_a_frozen_database_ends_in_time(self) -> None:
        with self.bot() as bot:
            bot.trading()
            self.database.wire.freeze()
            bot.signal(signal.SIGTERM)
            # The bound is the kill that an orchestrator would follow with; a hang would run into it.
            bot.ended(10)


@needs_database
class LoseDatabaseTest(DatabaseTest):
    def test_lose_database_reports_it_drops_the_connection_and_does_not_come_back_until_told(self) -> None:
        backends = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'bot' AND datname = current_database()"
        )
        with self.bot(misbehave=True) as bot:
            bot.trading()
            bot.misbehave("lose-database")
            self.assertEqual(_state(bot), "disconnected")
            eventually(lambda: self.database.rows(backends)[0][0] == 0, "the connection to end")
            self.assertEqual(bot.close(), (200, {**FLAT, "recorded": False}))
            self.assertEqual(self.database.flat_check(), 6)
            bot.misbehave("none")
            eventually(lambda: self.database.flat_check() == 0, "the rows to go")
            eventually(lambda: _state(bot) == "connected", "the database back")


class BadUrlTest(unittest.TestCase):
    @needs_database
    def test_a_database_url_that_is_none_ends_the_bot_with_2_and_is_not_quoted(self) -> None:
        for url in ("postgres//u:pa55word@db/x", "postgresql+asyncpg://u:pa55word@db/x", "pa55word"):
            with self.subTest(url), Bot(DATABASE_URL=url) as bot:
                self.assertEqual(bot.ended(), 2)
                self.assertIn("DATABASE_URL must read", bot.log[0]["message"])
                self.assertNotIn("pa55word", "".join(bot.output))
