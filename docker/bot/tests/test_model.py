import importlib.util
import io
import json
import math
import random
import tempfile
import unittest
from pathlib import Path

from bot.log import Log
from bot.market import WINDOW, PriceWalk
from bot.model import ModelError, ModelSlot, PlainModel, TorchModel, build, read_weights
from bot.settings import DEFAULT_MODEL

WEIGHTS = read_weights(DEFAULT_MODEL)
HAS_TORCH = importlib.util.find_spec("torch") is not None


class PlainModelTest(unittest.TestCase):
    def test_it_calls_the_next_move_better_than_a_coin_on_walks_it_was_not_trained_on(self) -> None:
        model = PlainModel(WEIGHTS)
        for seed in (7, 8, 9):
            walk = PriceWalk(seed, {"BTC/USDT": 100.0})
            right = 0
            for _ in range(2000):
                signal = model.signal(walk.returns("BTC/USDT"))
                walk.step()
                right += signal * walk.returns("BTC/USDT")[-1] > 0
            self.assertGreater(right / 2000, 0.58)


@unittest.skipUnless(HAS_TORCH, "torch is not installed")
class TorchModelTest(unittest.TestCase):
    def test_torch_and_plain_python_agree(self) -> None:
        draw = random.Random(1)
        plain, torch = PlainModel(WEIGHTS), TorchModel(WEIGHTS)
        for _ in range(500):
            returns = [draw.gauss(0.0, 0.005) for _ in range(WINDOW)]
            self.assertAlmostEqual(plain.signal(returns), torch.signal(returns), delta=1e-6)

    def test_where_torch_is_installed_it_evaluates_the_model(self) -> None:
        import torch

        self.assertEqual(build(WEIGHTS).runtime, f"torch {torch.__version__}")


@unittest.skipIf(HAS_TORCH, "torch is installed")
class WithoutTorchTest(unittest.TestCase):
    def test_where_torch_is_not_installed_plain_python_evaluates_the_model_and_says_so(self) -> None:
        self.assertEqual(build(WEIGHTS).runtime, "plain Python (torch is not installed)")


class WeightsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "weights.json")
        self.content = json.loads(DEFAULT_MODEL.read_text())

    def assert_refused(self, reason: str) -> None:
        with self.assertRaisesRegex(ModelError, reason):
            read_weights(self.path)

    def test_a_missing_file_is_refused(self) -> None:
        self.assert_refused("cannot be read: No such file")

    def test_what_is_not_a_weights_file_is_refused(self) -> None:
        for text in ("", "not json", "[]", "{}", '{"name":"signal","version":"1","tensors":3}'):
            with self.subTest(text):
                self.path.write_text(text)
                self.assert_refused("is not a weights file")

    def test_tensors_that_do_not_fit_the_network_are_refused(self) -> None:
        for tensor in (
            None,
            [],
            [1, 2],
            [[1.0]] * 8,
            [[1, 2, 3, 4]] * 7,
            [[1, 2, 3, "4"]] * 8,
            [[math.nan] * 4] * 8,
        ):
            with self.subTest(tensor):
                self.content["tensors"]["hidden.weight"] = tensor
                self.path.write_text(json.dumps(self.content))
                self.assert_refused("tensor hidden.weight must be")


class ModelSlotTest(unittest.TestCase):
    def setUp(self) -> None:
        self.log = io.StringIO()

    def slot(self, path: Path) -> ModelSlot:
        return ModelSlot(path, 0.0, Log(self.log))

    def test_a_model_that_cannot_be_loaded_is_said_to_be_not_loaded_and_why(self) -> None:
        slot = self.slot(Path("/nowhere/weights.json"))
        slot.load()
        self.assertIsNone(slot.model)
        description = slot.describe()
        self.assertEqual((description["name"], description["loaded"]), ("signal", False))
        self.assertIn("cannot be read", description["error"])
        self.assertIn("model_failed", self.log.getvalue())

    def test_a_load_that_ends_after_an_unload_does_not_bring_the_model_back(self) -> None:
        slot = self.slot(DEFAULT_MODEL)
        slot.unload()
        slot.load()
        self.assertFalse(slot.describe()["loaded"])
