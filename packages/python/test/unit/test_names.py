"""The look-up of names: questions, replies, and the two files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botwarden.gate import (
    TYPE_A,
    TYPE_AAAA,
    MalformedError,
    Resolver,
    build_question,
    parse_hosts,
    parse_reply,
    parse_resolv,
)

QUESTION = build_question(0x1234, "sidecar.bots", TYPE_A)
QUESTION_6 = build_question(0x1235, "sidecar.bots", TYPE_AAAA)


def record(value: bytes, kind: int = TYPE_A, name: bytes = b"\xc0\x0c", rank: int = 1) -> bytes:
    head = name + kind.to_bytes(2, "big") + rank.to_bytes(2, "big") + (60).to_bytes(4, "big")
    return head + len(value).to_bytes(2, "big") + value


def reply(
    *records: bytes, question: bytes = QUESTION, code: int = 0, flags: int = 0x81, count: int | None = None
) -> bytes:
    number = len(records) if count is None else count
    head = question[:2] + bytes([flags, 0x80 | code]) + b"\x00\x01" + number.to_bytes(2, "big") + b"\x00" * 4
    return head + question[12:] + b"".join(records)


def test_a_question() -> None:
    assert QUESTION == (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x07sidecar\x04bots\x00" + b"\x00\x01\x00\x01"
    )


def test_the_addresses_in_a_reply() -> None:
    alias = record(b"\x01x\x00", kind=5)
    assert parse_reply(reply(alias, record(b"\x0a\x00\x00\x02"), record(b"\x0a\x00\x00\x03")), QUESTION) == [
        "10.0.0.2",
        "10.0.0.3",
    ]
    six = reply(record(bytes(15) + b"\x01", kind=TYPE_AAAA, name=b"\x07sidecar\x04bots\x00"), question=QUESTION_6)
    assert parse_reply(six, QUESTION_6) == ["::1"]


def test_a_name_that_is_unknown_or_has_no_such_address_has_none() -> None:
    assert parse_reply(reply(code=3), QUESTION) == []
    assert parse_reply(reply(), QUESTION) == []
    assert parse_reply(reply(record(bytes(16), kind=TYPE_AAAA)), QUESTION) == []
    assert parse_reply(reply(record(b"\x0a\x00\x00\x02", rank=3)), QUESTION) == []


@pytest.mark.parametrize("code", [1, 2, 4, 5, 9])
def test_a_server_that_fails_says_nothing_of_the_name(code: int) -> None:
    assert parse_reply(reply(code=code), QUESTION) is None


def test_of_a_reply_that_was_cut_off_the_addresses_that_came_count() -> None:
    whole = reply(record(b"\x0a\x00\x00\x02"), record(b"\x0a\x00\x00\x03"), flags=0x83)
    assert parse_reply(whole[:-6], QUESTION) == ["10.0.0.2"]
    assert parse_reply(reply(flags=0x83), QUESTION) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        QUESTION,
        b"\x99" + reply(record(b"\x0a\x00\x00\x02"))[1:],
        reply(record(b"\x0a\x00\x00\x02"), question=build_question(0x1234, "sidecar.bets", TYPE_A)),
        reply(record(b"\x0a\x00\x00\x02"), question=build_question(0x1234, "sidecar.bots", TYPE_AAAA)),
        reply(record(b"\x0a\x00\x00\x02", name=b"\x41x\x00")),
    ],
)
def test_what_is_no_reply_to_the_question(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_reply(data, QUESTION)


def test_a_reply_may_write_the_name_in_other_letters() -> None:
    data = reply(record(b"\x0a\x00\x00\x02")).replace(b"sidecar", b"SideCar")
    assert parse_reply(data, QUESTION) == ["10.0.0.2"]


@given(st.binary(max_size=200), st.integers(0, 9))
def test_whatever_comes_is_a_reply_or_is_refused(rest: bytes, count: int) -> None:
    for data in (rest, reply(rest, count=count), reply(record(b"\x0a\x00\x00\x02"), rest, count=count + 1)):
        try:
            found = parse_reply(data, QUESTION)
        except MalformedError:
            continue
        assert found is None or all(address.count(".") == 3 for address in found)


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=5), st.integers(0, 300))
def test_of_a_reply_that_ends_anywhere_no_wrong_address_is_read(addresses: list[bytes], at: int) -> None:
    expected = [".".join(str(part) for part in address) for address in addresses]
    data = reply(*(record(address) for address in addresses))
    try:
        found = parse_reply(data[:at], QUESTION)
    except MalformedError:
        return
    assert found is None or found == expected[: len(found)]


def test_the_hosts_file() -> None:
    text = (
        "127.0.0.1 localhost\n::1 localhost\nfe80::1%lo ignored\n"
        "10.0.0.5\tBot  bot.local # the bot\n#10.0.0.6 x\n\nnonsense y\n"
    )
    assert parse_hosts(text) == {
        "localhost": ["127.0.0.1", "::1"],
        "bot": ["10.0.0.5"],
        "bot.local": ["10.0.0.5"],
    }


def test_the_file_of_the_name_servers() -> None:
    text = (
        "# of docker\nsearch a.example b.example.\noptions edns0 ndots:0 trust-ad\n"
        "nameserver 127.0.0.11\nnameserver x\n"
    )
    assert parse_resolv(text) == (["127.0.0.11"], ["a.example", "b.example"], 0)
    assert parse_resolv("") == (["127.0.0.1"], [], 1)
    many = "".join(f"nameserver 10.0.0.{last}\n" for last in range(9)) + "options ndots:99999\nsearch " + "a..b c\n"
    assert parse_resolv(many) == (["10.0.0.0", "10.0.0.1", "10.0.0.2"], ["c"], 15)


@given(st.text())
def test_whatever_the_files_say_they_are_read(text: str) -> None:
    parse_hosts(text)
    servers, search, dots = parse_resolv(text)
    assert 1 <= len(servers) <= 3
    assert len(search) <= 6
    assert 0 <= dots <= 15


def resolver(search: list[str], dots: int) -> Resolver:
    found = Resolver()
    found.hosts, found.search, found.dots = {}, search, dots
    return found


def test_the_order_in_which_a_name_is_asked_for() -> None:
    kubernetes = resolver(["bots.svc.cluster.local", "svc.cluster.local"], 5)
    assert kubernetes.names("sidecar") == ["sidecar.bots.svc.cluster.local", "sidecar.svc.cluster.local", "sidecar"]
    assert kubernetes.names("sidecar.") == ["sidecar"]
    assert resolver(["x"], 1).names("a.b") == ["a.b", "a.b.x"]
    assert resolver(["x"], 0).names("a") == ["a", "a.x"]
    assert resolver([], 1).names("a") == ["a"]
    assert resolver(["y" * 250], 1).names("sidecar") == ["sidecar"]


def test_addresses_and_localhost_need_no_asking() -> None:
    found = resolver([], 1)
    assert found.known("127.0.0.2") == ["127.0.0.2"]
    assert found.known("::1") == ["::1"]
    assert found.known("localhost") == ["127.0.0.1", "::1"]
    assert found.known("sidecar") == []
    # Not an address, although some take it for one.
    assert found.known("127.1") == []
