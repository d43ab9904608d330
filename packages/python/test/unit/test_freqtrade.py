"""How the gate closes a freqtrade by itself. The real one is in the tests of the sidecar; here is what it decides."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from botwarden.gate import Answer, Config, ConfigurationError, Drain, FreqtradeBot, Pause, Send

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRON = {"BOT_ADAPTER": "freqtrade", "BOT_USERNAME": "me", "BOT_PASSWORD": "secret"}


def order(side: str = "sell", kind: str = "market", tag: str = "", *, is_open: bool = True) -> dict[str, Any]:
    return {"ft_order_side": side, "order_type": kind, "ft_order_tag": tag, "is_open": is_open}


def trade(number: int = 1, *orders: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"trade_id": number, "pair": "BTC/USDT", "orders": list(orders), **more}


@dataclass
class Freqtrade:
    """A freqtrade that does what it is asked for, unless a test says otherwise."""

    trades: list[dict[str, Any]] = field(default_factory=list)
    closed: list[dict[str, Any]] = field(default_factory=list)
    state: str = "running"
    processed: int | None = 100
    started: int = 1
    lines: list[list[Any]] = field(default_factory=list)
    #: The worker ends an iteration before each answer of /health from then on.
    iterates: bool = True
    answers: dict[str, Callable[[Freqtrade], Answer]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def answer(self, call: str, body: dict[str, str]) -> Answer:
        self.calls.append(f"{call} {body['tradeid']}" if "tradeid" in body else call)
        special = self.answers.get(self.calls[-1], self.answers.get(call))
        if special is not None:
            return special(self)
        if call == "POST /stopentry":
            self.state = "paused"
            return ok({})
        if call == "POST /forceexit":
            self.trades = [one for one in self.trades if str(one["trade_id"]) != body["tradeid"]]
            return ok({})
        if call == "DELETE /trades/0/open-order":
            return Answer(502, b'{"error":"Invalid trade_id."}')
        if call.startswith("DELETE /trades/"):
            for one in self.trades:
                one["orders"] = []
            return ok({})
        if call == "GET /health":
            if self.iterates and self.processed is not None:
                self.processed += 1
            return ok({"last_process_ts": self.processed, "bot_startup_ts": self.started})
        read: dict[str, Any] = {
            "GET /show_config": {"state": self.state, "max_open_trades": 3},
            "GET /logs": {"logs": self.lines},
            "GET /status": self.trades,
            "GET /count": {"current": len(self.trades)},
            "GET /trades": {"trades": self.closed},
        }
        return ok(read[call])

    def said(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if not call.startswith("GET ")]


def ok(body: Any) -> Answer:
    return Answer(200, json.dumps(body).encode())


def failing(status: int, body: Any = None) -> Callable[[Freqtrade], Answer]:
    return lambda _: Answer(status, json.dumps(body).encode() if body is not None else b"")


@dataclass
class Run:
    flat: str | None
    trouble: str


def run(bot: Freqtrade, monkeypatch: pytest.MonkeyPatch, rounds: int = 200, call: float = 0.0) -> Run:
    """Closes it, for so many steps; each call takes so many seconds, and pauses take their time."""
    now = 1_000.0
    monkeypatch.setattr("botwarden.gate.time.monotonic", lambda: now)
    side = FreqtradeBot(Config(ENVIRON))
    steps = side.close(Drain("the-drain", "SIGTERM came", 1e12))
    answer = Answer(0)
    try:
        step = next(steps)
        for _ in range(rounds):
            if isinstance(step, Pause):
                now += step.span
                answer = Answer(0)
            else:
                assert isinstance(step, Send)
                now += call
                head, _, body = step.request.partition(b"\r\n\r\n")
                method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
                assert b"Authorization: Basic bWU6c2VjcmV0" in head
                name = f"{method} {path.removeprefix('/api/v1').partition('?')[0]}"
                answer = bot.answer(name, json.loads(body) if body else {})
            step = steps.send(answer)
    except StopIteration as end:
        return Run(end.value, side.trouble)
    return Run(None, side.trouble)


EXITS = ["POST /stopentry", "DELETE /trades/0/open-order", "POST /forceexit 1", "POST /forceexit 2"]


def test_entries_are_stopped_and_each_trade_is_exited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade([trade(1), trade(2)])
    assert run(bot, monkeypatch).flat == "freqtrade opens nothing any more, and twice nothing was open"
    assert bot.said() == EXITS
    assert bot.calls.count("GET /count") == 2


def test_without_trades_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade()
    assert run(bot, monkeypatch).flat
    assert bot.said() == ["POST /stopentry"]


@pytest.mark.parametrize("status", [404, 405])
def test_a_version_of_long_ago_is_asked_by_its_own_words(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(bot: Freqtrade) -> Answer:
        bot.state = "paused"
        return ok({})

    bot = Freqtrade(answers={"POST /stopentry": failing(status), "POST /stopbuy": stop})
    assert run(bot, monkeypatch).flat


@pytest.mark.parametrize(
    "bot",
    [
        Freqtrade(iterates=False),
        Freqtrade(processed=None),
        Freqtrade(iterates=False, lines=[["", 5.0, "freqtrade.worker", "INFO", "Starting worker 2026.9"]]),
        Freqtrade(answers={"GET /show_config": lambda _: ok({"state": "running", "max_open_trades": 3})}),
        Freqtrade(answers={"POST /stopentry": failing(500)}),
        Freqtrade(answers={"GET /health": failing(502)}),
    ],
)
def test_nothing_is_flat_before_entries_are_surely_stopped(bot: Freqtrade, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(bot, monkeypatch).flat is None


def test_the_log_of_the_worker_shows_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def logs(bot: Freqtrade) -> Answer:
        at = float(len(bot.calls))
        return ok({"logs": [["", at, "freqtrade.worker", "INFO", "Changing state from RUNNING to: PAUSED"]]})

    assert run(Freqtrade(iterates=False, answers={"GET /logs": logs}), monkeypatch).flat


def test_one_that_was_started_again_is_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(bot: Freqtrade) -> Answer:
        if bot.calls.count("GET /count") == 1:
            bot.state = "running"
        return ok({"current": 0})

    bot = Freqtrade(answers={"GET /count": count})
    assert run(bot, monkeypatch).flat
    assert bot.said() == ["POST /stopentry", "POST /stopentry"]


def test_one_that_is_another_process_is_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(bot: Freqtrade) -> Answer:
        bot.started = 2
        return ok({"current": 0})

    bot = Freqtrade(answers={"GET /count": count})
    assert run(bot, monkeypatch).flat
    assert bot.said().count("POST /stopentry") == 2


@pytest.mark.parametrize(
    ("orders", "does"),
    [
        ([order()], []),
        ([order(tag="force_exit")], []),
        ([order("buy", "limit")], ["POST /forceexit 1"]),
        ([order("stoploss", "limit")], ["POST /forceexit 1"]),
        ([order("sell", "limit", is_open=False)], ["POST /forceexit 1"]),
        ([order("sell", "limit")], ["DELETE /trades/1/open-order", "POST /forceexit 1"]),
        ([order("sell", "limit", "force_exit")], ["DELETE /trades/1/open-order", "POST /forceexit 1"]),
    ],
)
def test_an_exit_that_is_open_is_waited_for_or_cancelled_and_never_doubled(
    orders: list[dict[str, Any]], does: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = Freqtrade([trade(1, *orders)])
    done = run(bot, monkeypatch)
    assert bot.said()[2:] == does
    assert (done.flat is not None) == bool(does)


def test_a_short_is_closed_by_buying(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade([trade(1, order("sell", "limit"), is_short=True)])
    run(bot, monkeypatch)
    assert bot.said()[2:] == ["POST /forceexit 1"]


def test_our_own_exit_is_waited_for_where_an_exchange_knows_no_market_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(bot: Freqtrade) -> Answer:
        bot.trades = [trade(1, order("sell", "limit", "force_exit"))]
        return ok({})

    bot = Freqtrade([trade(1)], answers={"POST /forceexit": exits})
    assert run(bot, monkeypatch).flat is None
    assert bot.said() == EXITS[:3]


def test_a_call_that_may_still_run_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade([trade(1)], answers={"POST /forceexit": failing(0)})
    # Half a minute, at six calls and a pause of a second each.
    run(bot, monkeypatch, rounds=120)
    assert bot.said().count("POST /forceexit 1") == 1


def test_one_that_cannot_be_exited_holds_up_no_other_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    line = [
        "",
        1.0,
        "uvicorn.error",
        "ERROR",
        "Exception in ASGI application\nTraceback\nInvalidOrderException: NOTIONAL",
    ]
    bot = Freqtrade([trade(1), trade(2)], lines=[line], answers={"POST /forceexit 1": failing(500)})
    done = run(bot, monkeypatch)
    assert done.flat is None
    assert done.trouble == "trade 1 (BTC/USDT) is open: InvalidOrderException: NOTIONAL"
    assert [one["trade_id"] for one in bot.trades] == [1]
    assert bot.said().count("POST /forceexit 1") > 1


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ({"GET /status": failing(500)}, "answered the read of its trades with: 500"),
        ({"GET /status": failing(200, {"trades": []})}, "what cannot be read"),
        ({"GET /status": failing(200, [{"pair": "BTC/USDT"}])}, "what cannot be read"),
        ({"GET /count": failing(502)}, "answered their count with: 502"),
        ({"GET /count": failing(200, {"current": 2})}, "answered their count with: 2"),
        ({"GET /count": failing(200, {"current": False})}, "answered their count with"),
        ({"GET /trades": failing(500)}, "answered the read of its closed trades with: 500"),
    ],
)
def test_what_cannot_be_read_is_not_flat(
    answers: dict[str, Any], trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(Freqtrade(answers=answers), monkeypatch)
    assert done.flat is None
    assert trouble in done.trouble


def test_an_order_that_a_closed_trade_has_kept_is_not_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade([trade(1)], closed=[trade(1, order())])
    done = run(bot, monkeypatch)
    assert done.flat is None
    assert "trade 1 (BTC/USDT)" in done.trouble
    # One from before is none of this stop's.
    assert run(Freqtrade([trade(1)], closed=[trade(7, order())]), monkeypatch).flat


def test_exits_of_somebody_else_are_waited_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Freqtrade([trade(1)], answers={"DELETE /trades/0/open-order": failing(0)})
    run(bot, monkeypatch, rounds=60)
    assert "POST /forceexit 1" not in bot.calls


@pytest.mark.parametrize("missing", ["BOT_USERNAME", "BOT_PASSWORD"])
def test_it_needs_the_user_and_the_password(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{missing}: expected api_server"):
        Config({name: value for name, value in ENVIRON.items() if name != missing})
