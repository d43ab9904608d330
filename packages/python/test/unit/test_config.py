"""What the environment may say, and what is made of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botwarden.gate import (
    Config,
    ConfigurationError,
    parse_duration,
    parse_url,
    without_password,
)


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        Config(environ)
    return list(raised.value.problems)


def test_nothing_set_gives_the_defaults() -> None:
    config = Config({})
    assert str(config.sidecar) == "http://sidecar:9400"
    assert str(config.bot) == "http://127.0.0.1:8000"
    assert (config.health_path, config.positions_path, config.close_path) == (
        "/health",
        "/positions",
        "/close-positions",
    )
    assert (config.adapter, config.gate_timeout, config.kill_after) == ("http", 70.0, 5.0)
    assert (config.bot_token, config.drain_token) == ("", "")


def test_an_empty_variable_is_one_that_is_not_set_except_where_it_switches_something_off() -> None:
    names = ("BOT_URL", "BOT_ADAPTER", "BOT_CLOSE_PATH", "BOT_TOKEN", "BOT_TOKEN_FILE", "GATE_TIMEOUT", "KILL_AFTER")
    assert vars(Config(dict.fromkeys(names, ""))).keys() == vars(Config({})).keys()
    config = Config({"SIDECAR_URL": "", "BOT_HEALTH_PATH": "", "BOT_POSITIONS_PATH": ""})
    assert config.sidecar is None
    assert (config.health_path, config.positions_path) == ("", "")


def test_every_problem_is_told_at_once() -> None:
    told = problems(BOT_URL="bot:8000", GATE_TIMEOUT="70", BOT_TOKEN="a\nb", BOT_TOKEN_FILE="/nowhere")
    assert [one.partition(":")[0] for one in told] == ["BOT_URL", "BOT_TOKEN", "GATE_TIMEOUT"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("1ms", 0.001), ("70s", 70.0), ("2m", 120.0), ("9999999m", 9999999 * 60.0)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        "ms",
        "0s",
        "05s",
        "-5s",
        "+5s",
        "1.5s",
        " 5s",
        "5 s",
        "5S",
        "1h",
        "10000000s",
        "٣s",
        "5sm",
        "1e3s",
        "1_0s",
    ],
)
def test_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text())
def test_whatever_is_a_duration_is_a_finite_time_above_zero(text: str) -> None:
    span = parse_duration(text)
    assert span is None or (0 < span < math.inf)


@given(st.integers(1, 9_999_999), st.sampled_from(["ms", "s", "m"]))
def test_every_whole_number_up_to_seven_digits_is_a_duration(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") == pytest.approx(number * {"ms": 0.001, "s": 1, "m": 60}[unit])


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://bot:8000", "http://bot:8000"),
        ("HTTP://Bot", "http://bot:80"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
        ("http://[::1]:9400/a/b/", "http://[::1]:9400/a/b"),
        ("http://side_car.bots.svc.cluster.local.:9400", "http://side_car.bots.svc.cluster.local.:9400"),
    ],
)
def test_an_address(text: str, url: str) -> None:
    assert str(parse_url(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "bot:8000", "http://", "http:///positions", "https://bot", "ftp://bot", "http:/bot", "http:bot"),
        *("http://user@bot", "http://user:password@bot", "http://bot?x=1", "http://bot#x", "http://bot/a b"),
        *("http://bot:", "http://bot:0", "http://bot:65536", "http://bot:1e3", "http://bot:-1", "http://bot:٣"),
        *("http://[::1", "http://::1", "http://[::1]9400", "http://[bot]:1", "http://a..b", f"http://{'a' * 64}"),
        *("http://bot\r\nX: y", "http://bot/\r\nX: y", "http://böt", "http://-:-:1", f"http://{'a.' * 130}a"),
    ],
)
def test_no_address(text: str) -> None:
    assert parse_url(text) is None


@given(st.text() | st.text(alphabet="htp:/[]@.0123456789abc-_%?# \r\n").map(lambda text: f"http://{text}"))
def test_whatever_is_an_address_fits_into_a_request(text: str) -> None:
    url = parse_url(text)
    if url is not None:
        assert all("!" <= letter <= "~" for letter in str(url))
        assert 0 < url.port < 65536
        assert str(parse_url(str(url))) == str(url)


@given(st.text(alphabet=st.characters(blacklist_characters="@", min_codepoint=33), min_size=8, max_size=20))
def test_a_password_in_an_address_is_told_to_nobody(password: str) -> None:
    for text in (f"http://user:{password}@bot:8000/x", f"user:{password}@bot"):
        (problem,) = problems(BOT_URL=text)
        assert password not in problem
        assert password not in without_password(text)
