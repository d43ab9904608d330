import unittest

from bot import clock
from bot.book import Book, Order, Position
from bot.market import PriceWalk
from bot.strategy import decide

AT = clock.now()
LONG = Position("BTC/USDT", "long", 1.0, 100.0, AT)
SHORT = Position("BTC/USDT", "short", 1.0, 100.0, AT)
SELL = Order("BTC/USDT", "sell", 1.0, 101.0, AT)
BUY = Order("BTC/USDT", "buy", 1.0, 99.0, AT)


class DecideTest(unittest.TestCase):
    def test_every_situation_leads_to_the_expected_book(self) -> None:
        cases = [
            # held, its order, price, signal -> side held, price of the order, what left
            ("nothing held, model expects a rise", None, None, 100.0, 0.1, "long", 101.0, []),
            ("nothing held, model expects a fall", None, None, 100.0, -0.1, "short", 99.0, []),
            ("long, model agrees", LONG, SELL, 100.5, 0.9, "long", 101.0, []),
            ("long, model is unsure", LONG, SELL, 100.5, -0.4, "long", 101.0, []),
            (
                "long, model is sure of a fall",
                LONG,
                SELL,
                100.0,
                -0.6,
                "short",
                99.0,
                ["closed", "cancelled"],
            ),
            (
                "short, model is sure of a rise",
                SHORT,
                BUY,
                100.0,
                0.6,
                "long",
                101.0,
                ["closed", "cancelled"],
            ),
            ("short, model is unsure", SHORT, BUY, 100.0, 0.4, "short", 99.0, []),
            ("long, profit reached", LONG, SELL, 101.0, 0.1, "long", 102.01, ["filled", "closed"]),
            ("short, profit reached", SHORT, BUY, 98.0, -0.1, "short", 97.02, ["filled", "closed"]),
            ("an order whose position is gone", None, SELL, 100.0, 0.1, "long", 101.0, ["cancelled"]),
            ("a position whose order is gone", LONG, None, 100.0, 0.1, "long", 101.0, []),
        ]
        for name, position, order, price, signal, side, limit, left in cases:
            with self.subTest(name):
                book = Book((position,) if position else (), (order,) if order else ())
                after = decide(book, "BTC/USDT", price, signal, AT)
                self.assertEqual([one.side for one in after.positions], [side])
                self.assertEqual([one.price for one in after.orders], [limit])
                self.assertEqual([one.event for one in after.departed], left)

    def test_a_tick_that_changes_nothing_gives_the_same_book(self) -> None:
        book = Book((LONG,), (SELL,))
        self.assertIs(decide(book, "BTC/USDT", 100.0, 0.0, AT), book)

    def test_after_any_tick_each_symbol_has_one_position_and_one_order(self) -> None:
        walk, book = PriceWalk(3), Book()
        for tick in range(500):
            walk.step()
            for index, symbol in enumerate(walk.symbols):
                signal = ((tick * 7 + index * 3) % 20 - 10) / 10
                book = decide(book, symbol, walk.price(symbol), signal, AT)
            self.assertEqual(sorted(one.symbol for one in book.positions), sorted(walk.symbols))
            self.assertEqual(sorted(one.symbol for one in book.orders), sorted(walk.symbols))


class FlattenTest(unittest.TestCase):
    def test_flattening_cancels_every_order_and_closes_every_position_at_the_market(self) -> None:
        book = Book((LONG,), (SELL,)).flatten(lambda _: 90.0, AT, "told to")
        self.assertEqual(book.items, ())
        self.assertEqual(
            [(one.event, one.price) for one in book.departed], [("cancelled", 101.0), ("closed", 90.0)]
        )

    def test_flattening_at_most_one_leaves_the_other_positions(self) -> None:
        other = Position("ETH/USDT", "long", 1.0, 100.0, AT)
        book = Book((LONG, other), (SELL,)).flatten(lambda _: 90.0, AT, "told to", at_most=1)
        self.assertEqual(book.items, (other,))

    def test_flattening_a_flat_book_changes_nothing(self) -> None:
        self.assertEqual(Book().flatten(lambda _: 90.0, AT, "told to"), Book())


class PriceWalkTest(unittest.TestCase):
    def test_the_same_seed_walks_the_same_way_and_another_does_not(self) -> None:
        def walked(seed: int) -> list[float]:
            walk = PriceWalk(seed)
            for _ in range(50):
                walk.step()
            return [walk.price(symbol) for symbol in walk.symbols]

        self.assertEqual(walked(7), walked(7))
        self.assertNotEqual(walked(7), walked(8))
