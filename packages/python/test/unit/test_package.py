"""What the package as a whole promises."""

import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"


def test_importing_the_package_loads_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import botwarden; print(set(sys.modules) - before)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
    )
    assert found.stdout == "{'botwarden'}\n"


def test_it_says_that_it_is_typed() -> None:
    assert (SOURCES / "botwarden/py.typed").exists()
