import json
import unittest

from bot.settings import DEFAULT_MODEL
from make_weights import train


class MakeWeightsTest(unittest.TestCase):
    def test_the_script_makes_the_weights_that_the_bot_ships(self) -> None:
        shipped = json.loads(DEFAULT_MODEL.read_text())["tensors"]
        made = train()
        self.assertEqual(set(made), set(shipped))
        for name, tensor in made.items():
            # The last digits belong to the machine's math library.
            for row, expected in zip(_rows(tensor), _rows(shipped[name])):
                for value, wanted in zip(row, expected):
                    self.assertAlmostEqual(value, wanted, places=4)


def _rows(tensor: list) -> list[list[float]]:
    return tensor if isinstance(tensor[0], list) else [tensor]
