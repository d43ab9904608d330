"""What is an answer, and what it says. What is not exactly that is no answer, and nothing is flat by it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botwarden.gate import (
    BODY_LIMIT,
    Answer,
    AnswerParser,
    MalformedError,
    build_request,
    count_open,
    parse_lease,
    parse_object,
    parse_running,
    parse_url,
)


def parse(*parts: bytes, end: bool = False) -> Answer | None:
    parser = AnswerParser()
    for part in parts:
        parser.feed(part)
    if end:
        parser.end()
    return parser.answer


def found(*parts: bytes, end: bool = False) -> tuple[int, bytes] | None:
    answer = parse(*parts, end=end)
    return None if answer is None else (answer.status, answer.body)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}"),
        (b"HTTP/1.0 503 \r\ncontent-length:\t0 \r\n\r\n", 503, b""),
        (b"HTTP/1.1 204\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n", 200, b"a0123456789"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\nZ: y\r\n\r\n", 200, b""),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
            200,
            b"x",
        ),
    ],
)
def test_an_answer_is_read_however_it_is_cut(data: bytes, status: int, body: bytes) -> None:
    assert found(data) == (status, body)
    assert found(*(data[at : at + 1] for at in range(len(data)))) == (status, body)
    for at in range(len(data)):
        assert found(data[:at]) is None
        with pytest.raises(MalformedError):
            parse(data[:at], end=True)


def test_an_answer_without_a_length_lasts_until_the_end() -> None:
    assert found(OK + b"\r\n{}") is None
    assert found(OK + b"\r\n{}", end=True) == (200, b"{}")


@pytest.mark.parametrize(
    "data",
    [
        *(b"503 503\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.2 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n"),
        *(
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n\r\n",
            b"HTTP/1.1 +20 OK\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
        ),
        *(b"HTTP/1.1 101 Switching\r\n\r\n", b"HTTP/1.1 103 Early\r\n\r\n" * 11, b"HTTP/1.1 600 X\r\n\r\n"),
        *(
            OK + b"nothing\r\n\r\n",
            OK + b": x\r\n\r\n",
            OK + b"a b: x\r\n\r\n",
            OK + b" folded: x\r\n\r\n",
            OK + b"a: \0\r\n\r\n",
        ),
        *(OK + b"a: b\n\r\n\r\n", OK + b"x: y\r\n" * 101 + b"\r\n", OK + b"x: " + b"y" * 40_000),
        *(
            OK + b"Content-Length: " + length + b"\r\n\r\nxx"
            for length in (b"", b"-1", b"+1", b"0x1", b"1, 1", b"1e1", b"1_0")
        ),
        *(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", OK + b"Content-Length: 9999999999999\r\n\r\n"),
        *(OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", OK + b"Transfer-Encoding: gzip\r\n\r\n"),
        *(OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",),
        *(
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
            for chunk in (b"\r\n", b"x\r\n", b"-1\r\n", b"1 1\r\n", b"123456789\r\n")
        ),
        *(
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
            for chunk in (b"1\r\nabc", b"1\r\na\rb", b"0\r\nnothing\r\n", b"9" * 2000)
        ),
        *(OK + b"Content-Length: 1\r\n\r\nxx", OK + b"Content-Length: 0\r\n\r\n" + OK),
        OK + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1),
        OK + b"\r\n" + b" " * (BODY_LIMIT + 1),
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"10000\r\n" % ()
        + b" " * 0x10000
        + b"\r\n100001\r\n"
        + b" " * 0x100001,
    ],
)
def test_no_answer(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(data)
    with pytest.raises(MalformedError):
        parse(*(data[at : at + 997] for at in range(0, len(data), 997)))


def test_a_body_in_the_smallest_of_chunks_is_not_read_for_ever() -> None:
    parser = AnswerParser()
    parser.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(MalformedError):
        for _ in range(10_000):
            parser.feed(b"1;" + b"x" * 1000 + b"\r\na\r\n")


@given(st.lists(st.binary(max_size=40), max_size=10))
@example([b"HTTP/1.1 200 \r", b"\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"])
def test_whatever_comes_is_an_answer_or_is_refused(parts: list[bytes]) -> None:
    parser = AnswerParser()
    try:
        for part in parts:
            parser.feed(part)
        parser.end()
    except MalformedError:
        return
    assert parser.answer is not None
    assert 200 <= parser.answer.status < 600


#: The pieces of an answer, put together as they should not be.
PIECES = st.sampled_from(
    [
        OK,
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n",
        b"2\r\n",
        b"{}",
        b"x: y\r\n",
    ]
)


@given(st.lists(PIECES, max_size=12), st.data())
def test_how_it_is_cut_makes_no_difference(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))

    def outcome(*parts: bytes) -> Any:
        try:
            return found(*parts, end=True)
        except MalformedError:
            return "refused"

    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert outcome(whole) == outcome(*parts)


@given(st.integers(200, 599), st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=9), st.booleans())
def test_every_body_comes_through(status: int, body: bytes, sizes: list[int], by_length: bool) -> None:
    head = b"HTTP/1.1 %d X\r\n" % status
    if by_length:
        data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n"
        rest = body
        for size in sizes:
            part, rest = rest[:size], rest[size:]
            data += b"%x\r\n%b\r\n" % (len(part), part) if part else b""
        data += (b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n"
    if status in (204, 304):
        return
    assert found(data) == (status, body)
    assert found(data[:-1]) is None


def test_a_request_is_one() -> None:
    url = parse_url("http://[::1]:9400/api")
    assert url is not None
    request = build_request("POST", url, "/drain", {"Authorization": "Bearer x"}, {"drain_id": "ü"})
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/drain HTTP/1.1\r\nHost: [::1]:9400\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body) == {"drain_id": "ü"}


@pytest.mark.parametrize(
    "body",
    [
        '{"open_positions":[],"pending_orders":[]}',
        '{"open_positions":0,"pending_orders":0}',
        '{"pending_orders":[],"open_positions":0}',
        ' { "open_positions" : [ ] ,\n\t"pending_orders" : [\r\n] } \n',
        '{"instance":"a","open_positions":[],"pending_orders":[],"cash":1.5,"paused":null}',
        '{"account":{"limits":[1,2,{"x":[]}]},"open_positions":[],"pending_orders":[]}',
        '{"summary":{"open_positions":4},"open_positions":0,"pending_orders":0}',
        '{"note":"a \\"quoted\\" {[ brace \\\\","open_positions":0,"pending_orders":0}',
        '{"open_positions":-0,"pending_orders":0}',
    ],
)
def test_nothing_is_open(body: str) -> None:
    assert count_open(Answer(200, body.encode())) == 0


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ('{"open_positions":1,"pending_orders":0}', 1),
        ('{"open_positions":0,"pending_orders":1}', 1),
        ('{"open_positions":[{}],"pending_orders":[null,0]}', 3),
        ('{"open_positions":[0],"pending_orders":[""]}', 2),
        ('{"before":{"open_positions":0,"pending_orders":0},"open_positions":2,"pending_orders":0}', 2),
        ('{"note":"\\"open_positions\\":0","open_positions":3,"pending_orders":0}', 3),
    ],
)
def test_something_is_open(body: str, count: int) -> None:
    assert count_open(Answer(200, body.encode())) == count


@pytest.mark.parametrize(
    "body",
    [
        *("", " ", "0", "null", "[]", "{}", "flat", "<html>0</html>"),
        *('{"open_positions":[]}', '{"open_positions":0}', '{"pending_orders":0}'),
        *('{"open_positions":null,"pending_orders":0}', '{"open_positions":false,"pending_orders":0}'),
        *('{"open_positions":"0","pending_orders":0}', '{"open_positions":"","pending_orders":0}'),
        *('{"open_positions":{},"pending_orders":{}}', '{"open_positions":-1,"pending_orders":1}'),
        *('{"open_positions":0.0,"pending_orders":0}', '{"open_positions":00,"pending_orders":0}'),
        *('{"open_positions":0e9,"pending_orders":0}', '{"open_positions":NaN,"pending_orders":0}'),
        *('{"open_positions":0,"pending_orders":0', '{"open_positions":[],"pending_orders":['),
        *('{"open_positions":0,"pending_orders":0}}', '{"open_positions":0,"pending_orders":0}{'),
        *('{"open_positions":0,"pending_orders":0}x', 'x{"open_positions":0,"pending_orders":0}'),
        *('"open_positions":0,"pending_orders":0', '[{"open_positions":0,"pending_orders":0}]'),
        *('{"data":{"open_positions":0,"pending_orders":0}}', '{"data":{"open_positions":0},"pending_orders":0}'),
        *(
            '{"open_positions":0,"open_positions":2,"pending_orders":0}',
            '{"open_positions":2,"open_positions":0,"pending_orders":0}',
        ),
        *(
            '{"open_positions":0,"pending_orders":0,"pending_orders":1}',
            '{"x":{"y":1,"y":1},"open_positions":0,"pending_orders":0}',
        ),
        *('{"a":"\\","open_positions":0,"pending_orders":0}', "{'open_positions':0,'pending_orders':0}"),
        *('{"open positions":0,"pending orders":0}', '{"open_positions":0,"pending_orders":0,"x":Infinity}'),
        *('\ufeff{"open_positions":0,"pending_orders":0}', '{"open_positions":0,"pending_orders":0,}'),
        '{"open_positions":0,"pending_orders":0,"x":' + "[" * 500_000,
        '{"open_positions":' + "9" * 5_000 + ',"pending_orders":0}',
    ],
)
def test_what_cannot_be_read_is_never_flat(body: str) -> None:
    assert count_open(Answer(200, body.encode())) != 0


@pytest.mark.parametrize(
    "body",
    [b'{"open_positions":0,"pending_orders":0,"x":"\xff"}', '{"open_positions":0,"pending_orders":0}'.encode("utf-16")],
)
def test_neither_is_what_is_not_utf_8(body: bytes) -> None:
    assert count_open(Answer(200, body)) is None


@pytest.mark.parametrize("status", [0, 201, 202, 204, 206, 302, 404, 500, 503])
def test_neither_is_what_has_another_status(status: int) -> None:
    assert count_open(Answer(status, b'{"open_positions":0,"pending_orders":0}')) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_it_is_flat_only_when_both_are_a_list_or_a_number_of_nothing(
    positions: Any, orders: Any, rest: dict[str, Any]
) -> None:
    body = json.dumps({**rest, "open_positions": positions, "pending_orders": orders}).encode()
    # `==` alone would take False and 0.0 for 0.
    nothing = all(type(value) in (int, list) and value in (0, []) for value in (positions, orders))
    readable = parse_object(body) is not None
    assert (count_open(Answer(200, body)) == 0) == (nothing and readable)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_whatever_a_body_is_it_is_an_object_or_nothing(body: bytes) -> None:
    value = parse_object(body)
    if value is not None:
        assert json.loads(body) == value or value != value


def lease(status: int, **said: Any) -> Any:
    news = parse_lease(Answer(status, json.dumps(said).encode()))
    return None if news is None else news.told


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, {}),
        (200, {"live": False}),
        (503, {"live": True}),
        (503, {"live": 0}),
        (200, {"live": 1}),
        (202, {"live": True}),
        (500, {"live": False}),
        (200, {"live": True, "boot": 7}),
        (200, {"live": True, "boot": ["x"]}),
        (200, {"live": True, "drained": "flat"}),
        (200, {"live": True, "drained": []}),
    ],
)
def test_no_lease(status: int, said: dict[str, Any]) -> None:
    assert lease(status, **said) is None


def test_a_lease() -> None:
    assert lease(200, live=True) == (True, None, "", None, False)
    drained = {"boot": "b", "drain_id": "d", "state": "flat"}
    assert lease(503, live=False, boot="b", drained=drained, hold=True) == (False, "b", "d", ("b", "flat"), True)
    # A hold is one only when it is said as it should be.
    assert lease(200, live=True, hold="yes")[-1] is False


@given(
    st.sampled_from([200, 503]), st.dictionaries(st.sampled_from(["live", "boot", "drained", "hold", "because"]), JSON)
)
def test_whatever_a_lease_says_it_is_read_or_refused(status: int, said: dict[str, Any]) -> None:
    news = parse_lease(Answer(status, json.dumps(said).encode()))
    if news is not None:
        assert news.live is (status == 200)
        assert news.live is said["live"]


@given(
    st.dictionaries(
        st.sampled_from(["state", "phase", "boot", "drain_id"]), JSON | st.sampled_from(["started", "b", "x"])
    )
)
def test_a_drain_is_under_way_only_when_it_is_said_in_full(said: dict[str, Any]) -> None:
    number = parse_running(Answer(200, json.dumps(said).encode()), "b")
    if number:
        assert said["state"] == "started"
        assert said.get("boot") in ("b", None)
        assert number == said["drain_id"]
        assert isinstance(said["phase"], str)


@pytest.mark.parametrize(
    ("status", "said", "number"),
    [
        (200, {"state": "started", "phase": "closing", "boot": "b", "drain_id": "x"}, "x"),
        (200, {"state": "started", "phase": "proving", "boot": None, "drain_id": "x"}, "x"),
        (200, {"state": "started", "phase": "ended", "boot": "b", "drain_id": "x"}, ""),
        (200, {"state": "started", "boot": "b", "drain_id": "x"}, ""),
        (200, {"state": "flat", "phase": "closing", "boot": "b", "drain_id": "x"}, ""),
        (200, {"state": "started", "phase": "closing", "boot": "another", "drain_id": "x"}, ""),
        (200, {"state": "started", "phase": "closing", "boot": "b", "drain_id": "x\r\nEvil: 1"}, ""),
        (200, {"state": "started", "phase": "closing", "boot": "b", "drain_id": "x" * 101}, ""),
        (200, {"state": "none"}, ""),
        (503, {"state": "started", "phase": "closing", "boot": "b", "drain_id": "x"}, ""),
    ],
)
def test_whether_a_drain_is_under_way(status: int, said: dict[str, Any], number: str) -> None:
    assert parse_running(Answer(status, json.dumps(said).encode()), "b") == number
