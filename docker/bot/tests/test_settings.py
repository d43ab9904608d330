import tempfile
import unittest
from pathlib import Path

from bot.settings import Settings, SettingsError


class SettingsTest(unittest.TestCase):
    def file(self, content: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "secret")
        path.write_text(content)
        return str(path)

    def problems(self, **environ: str) -> list[str]:
        with self.assertRaises(SettingsError) as raised:
            Settings.read(environ)
        return raised.exception.problems

    def test_nothing_set_gives_the_defaults(self) -> None:
        self.assertEqual(Settings.read({}), Settings())

    def test_what_is_set_but_empty_counts_as_not_set(self) -> None:
        names = ("HOST", "PORT", "BOT_TOKEN", "BOT_TOKEN_FILE", "DATABASE_URL", "MISBEHAVE", "BOT_SEED")
        self.assertEqual(Settings.read(dict.fromkeys(names, "")), Settings())

    def test_a_secret_is_read_from_its_file_without_the_line_break(self) -> None:
        self.assertEqual(Settings.read({"BOT_TOKEN_FILE": self.file("s3cret\n")}).token, "s3cret")

    def test_a_secret_given_twice_is_refused(self) -> None:
        self.assertEqual(
            self.problems(BOT_TOKEN="s3cret", BOT_TOKEN_FILE=self.file("s3cret")),
            ["BOT_TOKEN and BOT_TOKEN_FILE are both set: set one of them."],
        )

    def test_an_empty_or_missing_secret_file_is_refused_and_does_not_mean_no_secret(self) -> None:
        self.assertIn("is empty", self.problems(BOT_TOKEN_FILE=self.file("\n"))[0])
        self.assertIn("No such file", self.problems(DATABASE_URL_FILE="/nowhere/url")[0])

    def test_every_problem_is_told_at_once(self) -> None:
        problems = self.problems(
            PORT="http", BOT_TICK_INTERVAL="0", BOT_SEED="1.5", ALLOW_MISBEHAVIOUR="yes", MISBEHAVE="dance"
        )
        self.assertEqual(
            [problem.partition(" ")[0].rstrip(":") for problem in problems],
            ["PORT", "BOT_SEED", "BOT_TICK_INTERVAL", "ALLOW_MISBEHAVIOUR", "MISBEHAVE"],
        )

    def test_a_hold_is_true_or_not_there(self) -> None:
        self.assertTrue(Settings.read({"BOTWARDEN_HOLD": "true"}).hold)
        self.assertFalse(Settings.read({"BOTWARDEN_HOLD": ""}).hold)
        self.assertEqual(self.problems(BOTWARDEN_HOLD="perhaps"), ["BOTWARDEN_HOLD must be 1 or 0, got 'perhaps'."])

    def test_misbehaving_needs_to_be_allowed(self) -> None:
        self.assertEqual(self.problems(MISBEHAVE="hang"), ["MISBEHAVE needs ALLOW_MISBEHAVIOUR=1."])
        settings = Settings.read({"MISBEHAVE": "hang, slow-close:2.5", "ALLOW_MISBEHAVIOUR": "1"})
        self.assertEqual(settings.misbehave, (("hang", 5.0), ("slow-close", 2.5)))

    def test_the_settings_print_no_secret(self) -> None:
        settings = Settings.read({"BOT_TOKEN": "s3cret", "DATABASE_URL": "postgresql://u:s3cret@db/x"})
        self.assertNotIn("s3cret", repr(settings))
