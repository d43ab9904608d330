"""How the gate closes a bot by itself. It decides as a table does: the answers that came, and what is done next."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botwarden.gate import Answer, Config, Drain, HttpBot, Pause, Send

FLAT = Answer(200, b'{"open_positions":[],"pending_orders":[]}')
OPEN = Answer(200, b'{"open_positions":[{}],"pending_orders":1}')
UNREADABLE = Answer(200, b"?")
HALTED = Answer(200, b'{"status":"ok","trading":"halted"}')
RUNNING = Answer(200, b'{"status":"ok","trading":"running"}')
NOTHING = Answer(0, failure="connection reset")
LIES = Answer(500, b'{"status":"ok","trading":"halted","open_positions":[],"pending_orders":[]}')


@dataclass
class Run:
    """What was done, in order, and whether it ended flat."""

    calls: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    flat: str | None = None
    trouble: str = ""


def run(*answers: Answer, **environ: str) -> Run:
    """Gives these answers, one to each call, and stops when there are no more."""
    side = HttpBot(Config(environ))
    steps = side.close(Drain("the-drain", "SIGTERM came", 1e12))
    done = Run()
    left = list(answers)
    answer = Answer(0)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Pause):
                done.calls.append("pause")
                done.pauses.append(step.span)
                answer = Answer(0)
            else:
                assert isinstance(step, Send)
                if not left:
                    break
                done.calls.append(step.request.split(b"\r\n")[0].decode().rsplit(" ", 1)[0])
                answer = left.pop(0)
            step = steps.send(answer)
    except StopIteration as end:
        done.flat = end.value
        assert not left
    done.trouble = side.trouble
    return done


CLOSE, READ, HEALTH = "POST /close-positions", "GET /positions", "GET /health"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_close_that_is_taken_and_two_empty_reads_after_it_are_flat(status: int) -> None:
    done = run(Answer(status), FLAT, FLAT)
    assert done.flat == "the bot closed, and twice nothing was open"
    assert done.calls == [CLOSE, READ, "pause", READ]


@pytest.mark.parametrize("status", [0, 302, 400, 401, 403, 404, 405, 408, 429, 500, 503])
def test_a_close_that_is_not_taken_is_followed_by_the_question_whether_it_is_halted(status: int) -> None:
    done = run(Answer(status), HALTED, FLAT, FLAT)
    assert done.flat == "halted, and twice nothing was open"
    assert done.calls == [CLOSE, HEALTH, READ, "pause", READ]


@pytest.mark.parametrize(
    "health", [RUNNING, NOTHING, LIES, Answer(200, b'{"trading":["halted"]}'), Answer(200, b"halted")]
)
def test_without_either_nothing_is_read_and_it_closes_again(health: Answer) -> None:
    done = run(Answer(500), health, Answer(200), FLAT, FLAT)
    assert done.flat is not None
    assert done.calls == [CLOSE, HEALTH, "pause", CLOSE, READ, "pause", READ]


@pytest.mark.parametrize("read", [OPEN, UNREADABLE, NOTHING, LIES])
def test_a_read_that_is_not_empty_begins_anew_with_a_close(read: Answer) -> None:
    for reads in ([read], [FLAT, read]):
        done = run(Answer(200), *reads, Answer(200), FLAT, FLAT)
        assert done.flat is not None
        assert done.calls.count(CLOSE) == 2


def test_what_was_taken_once_stays_taken() -> None:
    # The second close call is cut off: it may still run, and what it does is close.
    done = run(Answer(202), OPEN, NOTHING, RUNNING, FLAT, FLAT)
    assert done.flat is not None


def test_a_bot_without_a_health_call_is_not_asked() -> None:
    assert run(Answer(500), Answer(200), FLAT, FLAT, BOT_HEALTH_PATH="").calls == [
        *(CLOSE, "pause"),
        *(CLOSE, READ, "pause", READ),
    ]


def test_a_bot_whose_positions_nobody_can_read_is_never_flat() -> None:
    done = run(*[Answer(200)] * 20, BOT_POSITIONS_PATH="")
    assert done.flat is None
    assert "BOT_POSITIONS_PATH is empty" in done.trouble


def test_it_closes_less_and_less_often_but_often_enough() -> None:
    done = run(*[Answer(500), RUNNING] * 6)
    assert done.pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ([NOTHING, RUNNING], "the bot answered its close call with: connection reset"),
        ([Answer(403), RUNNING], "the bot answered its close call with: 403"),
        ([Answer(200), OPEN], "the bot still reports 2 open positions or pending orders"),
        ([Answer(200), UNREADABLE], "the bot answered the read of its positions with: what cannot be read"),
        ([Answer(200), Answer(503)], "the bot answered the read of its positions with: 503"),
    ],
)
def test_it_says_why_it_is_not_proven(answers: list[Answer], trouble: str) -> None:
    assert run(*answers).trouble == trouble


def test_the_close_call_carries_the_drain_in_its_head_and_in_its_body() -> None:
    side = HttpBot(Config({"BOT_TOKEN": "secret", "BOT_URL": "http://bot:1/api"}))
    step = next(side.close(Drain("the-drain", "SIGTERM came", 1e12)))
    assert isinstance(step, Send)
    head, _, body = step.request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/close-positions HTTP/1.1\r\nHost: bot:1\r\n")
    assert b"\r\nIdempotency-Key: the-drain\r\n" in head
    assert b"\r\nAuthorization: Bearer secret\r\n" in head
    said = json.loads(body)
    assert (said["drain_id"], said["reason"]) == ("the-drain", "SIGTERM came")
    assert re.fullmatch(r"\d+-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["deadline"])


@settings(max_examples=1000)
@given(
    st.lists(
        st.sampled_from([FLAT, OPEN, UNREADABLE, HALTED, RUNNING, NOTHING, LIES, Answer(202), Answer(204)]), max_size=30
    )
)
def test_it_is_never_flat_without_a_halt_and_two_empty_reads_in_a_row_after_the_last_close(
    answers: list[Answer],
) -> None:
    """Judged from outside, by what was asked and answered alone."""
    side = HttpBot(Config({}))
    steps = side.close(Drain("the-drain", "", 1e12))
    left = list(answers)
    accepted = halted = False
    empty = 0
    answer = Answer(0)
    step = next(steps)
    while left:
        if isinstance(step, Send):
            line = step.request.split(b" ", 2)[1]
            answer = left.pop(0)
            if line == b"/close-positions":
                empty, halted = 0, False
                accepted = accepted or 200 <= answer.status < 300
            elif line == b"/health":
                halted = answer is HALTED
            else:
                assert line == b"/positions"
                empty = empty + 1 if answer is FLAT else 0
        try:
            step = steps.send(answer)
        except StopIteration:
            assert accepted or halted
            assert empty == 2
            return
        # What is proven ends at once.
        assert not ((accepted or halted) and empty == 2)
