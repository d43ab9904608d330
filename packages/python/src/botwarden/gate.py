#!/usr/bin/env python3
"""The gate: runs a trading bot and holds a stop back until every position is closed.

One file, and nothing but the standard library: it may be copied alone into an image, as `hold-until-flat`. From top
to bottom: configuration, HTTP, names, calls, the bot's side, the lease, the stop, standard error, the gate, main.

When the bot runs, the gate needs no fork, no thread, no import and no writable disk any more: a bot that has used up
processes or memory is just the one that has to be closed. So there is one loop, no call in it blocks, and every
answer from outside has a limit in time and size. Each thing that goes on has a method `turn(now)`, which does what is
due, and returns when it wants to be called again. All times are seconds.
"""

from __future__ import annotations

import binascii
import contextlib
import errno
import json
import os
import select
import selectors
import signal
import socket
import stat
import sys
import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any, NoReturn

VERSION = "0.1.0"

USAGE = """\
Usage: hold-until-flat COMMAND [ARGUMENT...]

Runs a trading bot, and stands between it and whoever stops it.

A stop (TERM, INT, HUP or QUIT) is held back. The sidecar is asked to drain: to close every position. Where it
cannot prove that, the bot's own API is called to close, and its positions are read. Only then does the bot get
SIGTERM; at the latest after GATE_TIMEOUT, and SIGKILL after KILL_AFTER more.

When the sidecar asks for a restart of the bot (503 from /livez, for this boot), the bot is ended, and this program
exits with 75, so that the restart policy brings it back.

The exit status is the bot's (128+n after signal n); 75 after a restart that the sidecar asked for; 2 where it
refuses to start; 126 or 127 where the command cannot be run.

  SIDECAR_URL         the sidecar [default http://sidecar:9400; empty: there is none]
  BOT_URL             the bot's API, as reached from here [default http://127.0.0.1:8000]
  BOT_ADAPTER         what API the bot has: http, or freqtrade [default http]
  BOT_HEALTH_PATH     [default /health; empty: there is none]
  BOT_POSITIONS_PATH  [default /positions]
  BOT_CLOSE_PATH      [default /close-positions]
  BOT_TOKEN           bearer token of the bot's API, if it has one
  BOT_USERNAME        freqtrade's api_server.username
  BOT_PASSWORD        freqtrade's api_server.password
  DRAIN_TOKEN         the sidecar's token, for the drain and for the lease
  GATE_TIMEOUT        how long a stop may be held back, such as 250ms, 70s or 2m [default 70s]
  KILL_AFTER          from SIGTERM to SIGKILL [default 5s]

BOT_TOKEN, BOT_USERNAME, BOT_PASSWORD and DRAIN_TOKEN may each come from a file: NAME_FILE.

  --help     this text
  --version  the version
"""

#: The exit status after a restart that the sidecar asked for.
EXIT_HEALED = 75
#: The exit status where the gate refuses to start.
EXIT_REFUSED = 2

#: The first ask of the lease may keep the bot from starting for so long.
FIRST_ASK_LIMIT = 1.0
#: The sidecar is asked to answer a lease after this time at the latest. A whole number.
LEASE_WAIT = 20
#: How long the sidecar may take beyond that, and for a lease that it is to answer at once.
LEASE_LIMIT = 5.0
#: Between two looks at a sidecar that knows no lease or cannot be understood.
POLL_EVERY = 2.0
#: Between two asks of the lease, whatever the sidecar answers.
LEASE_GAP = 0.1
#: A sidecar is said to be silent after this time. At the start of a stack it comes up after the bot.
UNHEARD_AFTER = 5.0
#: A sidecar that shows no sign of a drain for so long is not waited for.
SILENCE = 3.0
#: Between two looks at how the sidecar's drain is getting on.
SIGN_EVERY = 1.0
#: From a drain that the sidecar did not answer to the next ask.
ASK_AGAIN = 5.0
#: Telling the sidecar of a bot that died may take so long.
TELL_LIMIT = 2.0
#: One close call, and one reading of health or positions.
CLOSE_LIMIT = 10.0
READ_LIMIT = 5.0
#: Between the two empty reads that prove flat.
READ_GAP = 1.0
#: freqtrade: an exit is waited for as long as there is time. The next try for a trade that is still open after its
#: answer; and where the answer was lost, for the call may go on.
EXIT_LIMIT = 3600.0
EXIT_AGAIN = 3.0
EXIT_LOST = 30.0
#: Between two rounds of closing: doubles from the first to the second.
CLOSE_AGAIN = 1.0
CLOSE_AGAIN_MOST = 5.0

#: Bytes of an answer's body, of its head, and of all of it with the marks of its chunks.
BODY_LIMIT = 1024 * 1024
HEAD_LIMIT = 32 * 1024
WIRE_LIMIT = 4 * BODY_LIMIT
HEADER_COUNT_LIMIT = 100
SECRET_LIMIT = 64 * 1024
#: Lines that wait for somebody to read standard error, and the length of one. Short enough to be written as a whole.
LINES_LIMIT = 200
LINE_LIMIT = 1000
#: How long the end waits for somebody to read the last of them.
LAST_WORDS_LIMIT = 2.0

HOSTS_FILE = "/etc/hosts"
RESOLV_FILE = "/etc/resolv.conf"
DNS_PORT = 53
#: When a question is asked again, how often it is asked, and how long an address that served before is not used.
DNS_RESEND = 1.0
DNS_TRIES = 3
DNS_PATIENCE = 0.5

NEVER = float("inf")


# ── Configuration ───────────────────────────────────────────────────────────────────────────────────────────────────


class ConfigurationError(Exception):
    """The configuration cannot be used. Lists every problem, and quotes no secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        some = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"the configuration has {some}:", *(f"  {one}" for one in problems)]))
        self.problems = problems


class Url:
    """Where an API is: `http://host:port/prefix`."""

    def __init__(self, host: str, port: int, prefix: str) -> None:
        self.host = host
        self.port = port
        self.prefix = prefix

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"http://{self.authority}{self.prefix}"


class Config:
    """What the environment says."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises `ConfigurationError`. An empty variable counts as one that is not set, where nothing else is said."""
        problems: list[str] = []

        def read(name: str, default: str, parse: Callable[[str], Any], expected: str, *, off: bool = False) -> Any:
            text = environ.get(name, default)
            if not text and not off:
                text = default
            value = parse(text) if text else ""
            if value is None:
                problems.append(f"{name}: expected {expected}, got {json.dumps(without_password(text))}")
            return value

        def secret(name: str) -> str:
            try:
                return read_secret(name, environ)
            except ValueError as error:
                problems.append(str(error))
                return ""

        address = "an address such as http://bot:8000, without a user, a query or TLS"
        path = "a path such as /positions"
        duration = "a time above zero such as 250ms, 70s or 2m"
        self.sidecar: Url | None = read("SIDECAR_URL", "http://sidecar:9400", parse_url, address, off=True) or None
        self.bot: Url = read("BOT_URL", "http://127.0.0.1:8000", parse_url, address)
        self.adapter: str = read("BOT_ADAPTER", "http", parse_adapter, "http or freqtrade")
        self.health_path: str = read("BOT_HEALTH_PATH", "/health", parse_path, path, off=True)
        self.positions_path: str = read("BOT_POSITIONS_PATH", "/positions", parse_path, path, off=True)
        self.close_path: str = read("BOT_CLOSE_PATH", "/close-positions", parse_path, path)
        self.bot_token = secret("BOT_TOKEN")
        self.bot_username = secret("BOT_USERNAME")
        self.bot_password = secret("BOT_PASSWORD")
        self.drain_token = secret("DRAIN_TOKEN")
        self.gate_timeout: float = read("GATE_TIMEOUT", "70s", parse_duration, duration)
        self.kill_after: float = read("KILL_AFTER", "5s", parse_duration, duration)
        if self.adapter == "freqtrade":
            for name, value in (("USERNAME", self.bot_username), ("PASSWORD", self.bot_password)):
                if not value:
                    problems.append(f"BOT_{name}: expected api_server.{name.lower()} of freqtrade's configuration")
        if problems:
            raise ConfigurationError(problems)


def parse_duration(text: str) -> float | None:
    """The seconds of a text such as `250ms`, `70s` or `2m`; None when it is not one, or zero, or absurdly long."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        number = text[: -len(unit)]
        if text.endswith(unit) and number.isascii() and number.isdigit():
            return int(number) * factor if len(number) <= 7 and number[0] != "0" else None
    return None


def parse_url(text: str) -> Url | None:
    """The parts of an address; None when the gate cannot call it."""
    scheme, separator, rest = text.partition("://")
    if scheme.lower() != "http" or not separator or not is_visible(rest) or any(mark in rest for mark in "@?#\\"):
        return None
    authority, slash, path = rest.partition("/")
    host, port = authority, ""
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        if not bracket or not is_address(host, socket.AF_INET6) or (after and after[0] != ":"):
            return None
        port = after[1:] if after else "80"
    else:
        host, colon, port = authority.partition(":")
        port = port if colon else "80"
        letters = host.replace("-", "").replace("_", "").replace(".", "")
        if not letters.isalnum() or not all(0 < len(label) < 64 for label in host.rstrip(".").split(".")):
            return None
    if not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536 or len(host) > 253:
        return None
    return Url(host.lower(), int(port), (slash + path).rstrip("/"))


def parse_path(text: str) -> str | None:
    return text if text.startswith("/") and is_visible(text) else None


def parse_adapter(text: str) -> str | None:
    return text if text in ("http", "freqtrade") else None


def is_visible(text: str) -> bool:
    """Whether it can stand in the first line of a request."""
    return all("!" <= letter <= "~" for letter in text)


def without_password(text: str) -> str:
    """An address that was given, without a user and a password in it."""
    before, separator, after = text.partition("://")
    if "@" not in text:
        return text
    return f"{before}{separator}***@{after.rpartition('@')[2]}" if separator else f"***@{text.rpartition('@')[2]}"


def read_secret(name: str, environ: Mapping[str, str]) -> str:
    """A secret from NAME, or from the file that NAME_FILE names; empty when neither is set. Raises `ValueError`."""
    value, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if not path:
        if not is_header_text(value):
            raise ValueError(f"{name}: expected one line of printable ASCII: it travels in a header")
        return value
    if value:
        raise ValueError(f"{name}: expected either {name} or {name}_FILE, not both")
    wanted = f"{name}_FILE: expected a file with one line of printable ASCII"
    try:
        # Without O_NONBLOCK a FIFO would be waited for here for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{wanted}, got {path}, which is not a regular file")
            content = os.read(descriptor, SECRET_LIMIT + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ValueError(f"{wanted}, got {path} ({error.strerror})") from None
    if len(content) > SECRET_LIMIT:
        raise ValueError(f"{wanted}, got {path}, which has more than {SECRET_LIMIT // 1024} KiB")
    text = content.decode("latin-1")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{wanted}, got {path}, which is empty")
    if not is_header_text(text):
        raise ValueError(f"{wanted}, got {path}, which has something else in it")
    return text


def is_header_text(text: str) -> bool:
    return all(" " <= letter <= "~" for letter in text)


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class MalformedError(Exception):
    """What came is not what was expected. The message says what it is."""


class Answer:
    """What a call was answered with. Status 0: not at all, and `failure` says why."""

    def __init__(self, status: int, body: bytes = b"", failure: str = "") -> None:
        self.status = status
        self.body = body
        self.failure = failure

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return str(self.status) if self.status else self.failure


class AnswerParser:
    """Reads one HTTP answer as it comes in. What is not exactly HTTP is no answer."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self._status = 0
        self._body = bytearray()
        self._buffer = bytearray()
        self._received = 0
        self._interim = 0
        #: How many bytes of the body, or of this chunk of it, are still to come; -1: it lasts until the end.
        self._left = 0
        self._read: Callable[[], bool] = self._read_head

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes what was received. Raises `MalformedError`."""
        self._received += len(data)
        if self._received > WIRE_LIMIT:
            raise MalformedError("an answer that is too long")
        if self.answer is not None:
            raise MalformedError("more than one answer")
        self._buffer += data
        while self.answer is None and self._read():
            pass
        if self.answer is not None and self._buffer:
            raise MalformedError("more than one answer")

    def end(self) -> None:
        """The connection was ended in good order. Raises `MalformedError`."""
        if self.answer is None and self._read == self._read_body and self._left < 0:
            self._finish()
        if self.answer is None:
            raise MalformedError("half an answer" if self._received else "no answer: the connection was closed")

    def _finish(self) -> bool:
        self.answer = Answer(self._status, bytes(self._body))
        return False

    def _line(self, limit: int, what: str) -> bytes | None:
        """The next line; None when it has not come yet."""
        end = self._buffer.find(b"\r\n", 0, limit)
        if end < 0:
            if len(self._buffer) >= limit:
                raise MalformedError(f"{what} that is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_head(self) -> bool:
        if self._buffer and not b"HTTP/1.".startswith(self._buffer[:7]):
            raise MalformedError("an answer that is not HTTP")
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end < 0:
            if len(self._buffer) >= HEAD_LIMIT:
                raise MalformedError("a head that is too long")
            return False
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        self._status = parse_status(first)
        lengths, codings = parse_framing(lines)
        if self._status < 200:
            # An answer to come announces itself, for instance with 103.
            self._interim += 1
            if self._status == 101 or self._interim > 10:
                raise MalformedError("an answer that switches protocols")
            return True
        if self._status in (204, 304):
            return self._finish()
        if codings:
            if codings != [b"chunked"] or lengths:
                raise MalformedError("a body whose length cannot be told")
            self._read = self._read_chunk_size
        elif lengths:
            if len(set(lengths)) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 12:
                raise MalformedError("a body whose length cannot be told")
            self._left = int(lengths[0])
            if self._left > BODY_LIMIT:
                raise MalformedError("a body that is too long")
            self._read = self._read_body
        else:
            self._left = -1
            self._read = self._read_body
        return True

    def _read_body(self) -> bool:
        self._take()
        return self._finish() if self._left == 0 else False

    def _take(self) -> None:
        """Moves what has come of the body, at most as much as is left, into it."""
        count = len(self._buffer) if self._left < 0 else min(self._left, len(self._buffer))
        if len(self._body) + count > BODY_LIMIT:
            raise MalformedError("a body that is too long")
        self._body += self._buffer[:count]
        del self._buffer[:count]
        if self._left > 0:
            self._left -= count

    def _read_chunk_size(self) -> bool:
        line = self._line(1024, "a chunk's head")
        if line is None:
            return False
        size = line.partition(b";")[0].strip(b" \t")
        if not 0 < len(size) <= 8 or size.strip(b"0123456789abcdefABCDEF"):
            raise MalformedError("a chunk whose size cannot be told")
        self._left = int(size, 16)
        self._read = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._left or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise MalformedError("a chunk that is longer than it says")
        del self._buffer[:2]
        self._read = self._read_chunk_size
        return True

    def _read_trailer(self) -> bool:
        line = self._line(HEAD_LIMIT, "a trailer")
        if line is None:
            return False
        if line:
            parse_framing([line])
            return True
        return self._finish()


def parse_status(line: bytes) -> int:
    """The status in an answer's first line. Raises `MalformedError`."""
    version, status, rest = line[:9], line[9:12], line[12:13]
    if (
        version not in (b"HTTP/1.1 ", b"HTTP/1.0 ")
        or not status.isdigit()
        or len(status) < 3
        or rest not in (b"", b" ")
    ):
        raise MalformedError("an answer that is not HTTP")
    if not 100 <= int(status) < 600:
        raise MalformedError("an answer that is not HTTP")
    return int(status)


HEADER_NAME = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def parse_framing(lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """What the headers say of the body: every Content-Length and every Transfer-Encoding. Raises `MalformedError`."""
    if len(lines) > HEADER_COUNT_LIMIT:
        raise MalformedError("too many headers")
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or not HEADER_NAME.issuperset(name) or any(mark in value for mark in b"\0\r\n"):
            raise MalformedError("a header that is none")
        if name.lower() == b"content-length":
            lengths.append(value.strip(b" \t"))
        elif name.lower() == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
    return lengths, codings


def build_request(
    method: str, url: Url, path: str, headers: Mapping[str, str], body: Mapping[str, str] | None = None
) -> bytes:
    """A request as it is sent. Its connection serves for it alone."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {url.prefix}{path} HTTP/1.1",
        f"Host: {url.authority}",
        f"User-Agent: hold-until-flat/{VERSION}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def parse_json(body: bytes) -> Any:
    """The JSON value of a body; None when it is none, has a name twice, or cannot be read for any other reason."""
    try:
        return json.loads(body.decode(), object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None


def parse_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a body; None when it is none."""
    value = parse_json(body)
    return value if isinstance(value, dict) else None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def count_open(answer: Answer) -> int | None:
    """How many positions are open and orders pending; None when the answer does not say."""
    said = parse_object(answer.body) if answer.status == 200 else None
    if said is None:
        return None
    total = 0
    for name in ("open_positions", "pending_orders"):
        value = said.get(name)
        if isinstance(value, list):
            total += len(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            total += value
        else:
            return None
    return total


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────────
# The system's own look-up, getaddrinfo, blocks for as long as a name server is silent. So names are asked for here.

TYPE_A = 1
TYPE_AAAA = 28


def is_address(text: str, family: socket.AddressFamily) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Resolver:
    """What is known of names without asking: addresses, /etc/hosts, /etc/resolv.conf, and what served before."""

    def __init__(self) -> None:
        #: The address that a name had when it was reached last.
        self.last: dict[str, str] = {}
        self.hosts = parse_hosts(read_text(HOSTS_FILE))
        self.servers, self.search, self.dots = parse_resolv(read_text(RESOLV_FILE))

    def known(self, host: str) -> list[str]:
        """The addresses of a host that need no asking; empty when the name servers have to be asked."""
        if is_address(host, socket.AF_INET) or is_address(host, socket.AF_INET6):
            return [host]
        name = host.rstrip(".")
        return self.hosts.get(name, ["127.0.0.1", "::1"] if name == "localhost" else [])

    def names(self, host: str) -> list[str]:
        """The full names to ask for, one after the other."""
        if host.endswith("."):
            return [host.rstrip(".")]
        found = [f"{host}.{domain}" for domain in self.search]
        found.insert(0 if host.count(".") >= self.dots else len(found), host)
        return [name for name in found if len(name) <= 253]


def read_text(path: str) -> str:
    try:
        with open(path, encoding="latin-1") as file:  # noqa: PTH123 - pathlib is slow to import
            return file.read(BODY_LIMIT)
    except OSError:
        return ""


def parse_hosts(text: str) -> dict[str, list[str]]:
    """The addresses of each name in /etc/hosts; those of IPv4 first."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if is_address(address, socket.AF_INET) or is_address(address, socket.AF_INET6):
            for name in names:
                found.setdefault(name.lower().rstrip("."), []).append(address)
    for addresses in found.values():
        addresses.sort(key=lambda address: ":" in address)
    return found


def parse_resolv(text: str) -> tuple[list[str], list[str], int]:
    """The name servers, the domains to search, and the dots from which on a name is asked for as it is first."""
    servers: list[str] = []
    search: list[str] = []
    dots = 1
    for line in text.splitlines():
        key, *values = line.split() or [""]
        if key == "nameserver" and values:
            if is_address(values[0], socket.AF_INET) or is_address(values[0], socket.AF_INET6):
                servers.append(values[0])
        elif key in ("search", "domain"):
            domains = [value.lower().strip(".") for value in values]
            search = [domain for domain in domains if domain.isascii() and is_name(domain)]
        elif key == "options":
            for value in values:
                name, _, number = value.partition(":")
                if name == "ndots" and number.isascii() and number.isdigit():
                    dots = min(int(number[:4]), 15)
    return servers[:3] or ["127.0.0.1"], search[:6], dots


def is_name(text: str) -> bool:
    return len(text) <= 253 and all(0 < len(label) < 64 for label in text.split("."))


def build_question(number: int, name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split("."))
    head = number.to_bytes(2, "big") + b"\x01\x00" + b"\x00\x01" + b"\x00\x00" * 3
    return head + labels + b"\x00" + kind.to_bytes(2, "big") + b"\x00\x01"


def parse_reply(data: bytes, question: bytes) -> list[str] | None:
    """The addresses in a reply to a question: none when the name is unknown or has no such address, None when the
    server failed. Raises `MalformedError` when it is no reply to this question."""
    asked = question[12:]
    kind = int.from_bytes(question[-4:-2], "big")
    if len(data) < 12 or data[:2] != question[:2] or not data[2] & 0x80:
        raise MalformedError("no reply to this question")
    if data[4:6] != b"\x00\x01" or data[12 : 12 + len(asked)].lower() != asked.lower():
        raise MalformedError("a reply to another question")
    code = data[3] & 0x0F
    if code == 3:
        return []
    if code != 0:
        return None
    at = 12 + len(asked)
    found: list[str] = []
    for _ in range(int.from_bytes(data[6:8], "big")):
        at = after_name(data, at)
        record, length = data[at : at + 4], int.from_bytes(data[at + 8 : at + 10], "big")
        value = data[at + 10 : at + 10 + length]
        if len(data) < at + 10 + length:
            break  # It was cut off to fit into a datagram. What has come is right all the same.
        at += 10 + length
        if record == kind.to_bytes(2, "big") + b"\x00\x01" and length == (4 if kind == TYPE_A else 16):
            found.append(socket.inet_ntop(socket.AF_INET if kind == TYPE_A else socket.AF_INET6, value))
    # One that was cut off before the first address says nothing.
    return None if data[2] & 0x02 and not found else found


def after_name(data: bytes, at: int) -> int:
    """Where a name ends that begins at a place. One that points elsewhere ends there. Raises `MalformedError`."""
    while at < len(data):
        length = data[at]
        if length >= 0xC0:
            return at + 2
        if length >= 0x40:
            break
        at += 1 + length
        if length == 0:
            return at
    # Cut off in the middle of a name: what has been read before counts.
    if at >= len(data):
        return len(data)
    raise MalformedError("a name that is none")


class Lookup:
    """Asks every name server at once for one host, again and again, until one of them knows it or all do not."""

    def __init__(self, net: Net, host: str, now: float) -> None:
        self.addresses: list[str] = []
        self.ended = False
        self._net = net
        self._names = net.resolver.names(host)
        self._servers: list[NameServer] = []
        self._questions: list[bytes] = []
        self._found: dict[bytes, list[str]] = {}
        self._tries = 0
        self._due = now
        self._next_name(now)

    def turn(self, now: float) -> float:
        if not self.ended and now >= self._due:
            if self._tries < DNS_TRIES:
                self._ask(now)
            else:
                self._next_name(now)
        return NEVER if self.ended else self._due

    def close(self) -> None:
        self.ended = True
        for server in self._servers:
            server.close()
        self._servers = []

    def _next_name(self, now: float) -> None:
        self.close()
        if not self._names:
            return
        self.ended = False
        name = self._names.pop(0)
        self._found = {}
        self._tries = 0
        self._questions = [
            build_question(int.from_bytes(os.urandom(2), "big"), name, kind) for kind in (TYPE_A, TYPE_AAAA)
        ]
        self._servers = [NameServer(self, self._net, address) for address in self._net.resolver.servers]
        self._ask(now)

    def _ask(self, now: float) -> None:
        self._tries += 1
        self._due = now + DNS_RESEND
        for server in list(self._servers):
            for question in self._questions:
                server.send(question)
        self._judge(now)

    def received(self, server: NameServer, data: bytes) -> None:
        for question in self._questions:
            try:
                addresses = parse_reply(data, question)
            except MalformedError:
                continue
            if addresses is None:
                server.failed = True
            else:
                self._found.setdefault(question, addresses)
        self._judge(time.monotonic())

    def failed(self, server: NameServer) -> None:
        server.failed = True
        self._judge(time.monotonic())

    def _judge(self, now: float) -> None:
        if self.ended:
            return
        for question in self._questions:
            if self._found.get(question):
                self.addresses = self._found[question]
                self.close()
                return
            if question not in self._found:
                break  # An address of IPv4 is preferred: its answer is waited for.
        else:
            self._next_name(now)
            return
        if all(server.failed for server in self._servers):
            self._next_name(now)


class NameServer:
    """A name server, for one look-up."""

    def __init__(self, lookup: Lookup, net: Net, address: str) -> None:
        self.failed = False
        self._lookup = lookup
        self._net = net
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(family_of(address), socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect((address, DNS_PORT))
            net.watch(self._socket, selectors.EVENT_READ, self)
        except OSError:
            self.close()
            self.failed = True

    def send(self, data: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(data)
        except BlockingIOError:
            pass  # It is asked again.
        except OSError:
            self.failed = True

    def ready(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self._lookup.failed(self)
            return
        self._lookup.received(self, data)

    def fail(self, _: str) -> None:
        self._lookup.failed(self)

    def close(self) -> None:
        if self._socket is not None:
            self._net.forget(self._socket)
            self._socket = None


# ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Net:
    """What every call shares: the selector, the names, and a buffer that is there before memory is short."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.resolver = Resolver()
        self.buffer = bytearray(64 * 1024)

    def watch(self, sock: socket.socket, events: int, who: Call | NameServer) -> None:
        self.selector.register(sock, events, who)

    def forget(self, sock: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)
        sock.close()


class Call:
    """One HTTP call, from the look-up of the name to the answer, with an end that nothing can put off."""

    def __init__(self, net: Net, url: Url, request: bytes, now: float, limit: float) -> None:
        self.answer: Answer | None = None
        self.started = now
        self._net = net
        self._url = url
        self._unsent = memoryview(request)
        self._until = now + limit
        self._limit = limit
        self._parser = AnswerParser()
        self._lookup: Lookup | None = None
        self._socket: socket.socket | None = None
        self._connected = False
        self._address = ""
        self._addresses = net.resolver.known(url.host)
        self._give_up_address = NEVER
        try:
            if self._addresses:
                self._connect(now)
            else:
                self._lookup = Lookup(net, url.host, now)
        except (OSError, MemoryError) as error:
            self.fail(describe(error))

    def turn(self, now: float) -> float:
        """Does what is due; returns when it has to be called again. `answer` is there once the call has ended."""
        if self.answer is not None:
            return now
        if now >= self._until:
            what = "does not resolve" if self._lookup else "no answer" if self._connected else "no connection"
            self.fail(f"{what} within {seconds(self._limit)}")
            return now
        due = self._until
        if self._lookup is not None:
            due = min(due, self._lookup.turn(now), self._look(now))
        if self._socket is not None and not self._connected and now >= self._give_up_address:
            self._connect(now)
        if self.answer is not None:
            return now
        return due if self._connected else min(due, max(now, self._give_up_address))

    def _look(self, now: float) -> float:
        """Goes on when the name has an address. One that served before serves again when the name does not resolve."""
        lookup = self._lookup
        last = self._net.resolver.last.get(self._url.host)
        patience = self.started + DNS_PATIENCE if last is not None else NEVER
        if lookup is None or (not lookup.ended and now < patience):
            return patience
        self._addresses = lookup.addresses or ([last] if last is not None else [])
        lookup.close()
        self._lookup = None
        if self._addresses:
            self._connect(now)
        else:
            self.fail(f"the name {self._url.host} does not resolve")
        return now

    def _connect(self, now: float) -> None:
        """Tries the next address."""
        self._close()
        failure = ""
        while self._addresses:
            address = self._addresses[0]
            self._addresses = self._addresses[1:]
            # Where there is another one, a dead address must not use up all the time.
            self._give_up_address = now + 1.0 if self._addresses else NEVER
            try:
                self._socket = socket.socket(family_of(address), socket.SOCK_STREAM)
                self._socket.setblocking(False)
                code = self._socket.connect_ex((address, self._url.port))
                if code in (0, errno.EINPROGRESS):
                    self._address = address
                    self._net.watch(self._socket, selectors.EVENT_WRITE, self)
                    return
                failure = describe_code(code)
            except OSError as error:
                failure = describe(error)
            self._close()
        self.fail(failure or "no connection")

    def ready(self) -> None:
        """The socket can be written or read."""
        if self._socket is None:
            return
        try:
            if not self._connected:
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code and self._addresses:
                    self._connect(time.monotonic())
                    return
                if code:
                    self.fail(describe_code(code))
                    return
                self._connected = True
                self._net.resolver.last[self._url.host] = self._address
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                if not self._unsent:
                    self._net.selector.modify(self._socket, selectors.EVENT_READ, self)
                return
            count = self._socket.recv_into(self._net.buffer)
            if count:
                with memoryview(self._net.buffer) as view:
                    self._parser.feed(view[:count])
            else:
                self._parser.end()
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(describe(error))
        except MalformedError as error:
            self.fail(str(error))
        else:
            if self._parser.answer is not None:
                self._end(self._parser.answer)

    def fail(self, why: str) -> None:
        """Ends the call without an answer."""
        self._end(Answer(0, failure=why))

    def close(self) -> None:
        """Ends the call; nobody wants its answer any more."""
        self.fail("nobody waits for it")

    def _end(self, answer: Answer) -> None:
        if self.answer is None:
            self.answer = answer
        if self._lookup is not None:
            self._lookup.close()
            self._lookup = None
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._net.forget(self._socket)
            self._socket = None


def describe(error: OSError | MemoryError) -> str:
    return "no memory" if isinstance(error, MemoryError) else describe_code(error.errno or 0)


def describe_code(code: int) -> str:
    known = {
        errno.ECONNREFUSED: "connection refused",
        errno.ECONNRESET: "connection reset",
        errno.EPIPE: "connection reset",
        errno.EHOSTUNREACH: "host unreachable",
        errno.ENETUNREACH: "network unreachable",
    }
    return known.get(code) or os.strerror(code)


def seconds(span: float) -> str:
    return f"{span:g}s"


# ── The bot's side ──────────────────────────────────────────────────────────────────────────────────────────────────
# How a bot is closed by the gate alone, and proven flat. It decides and does nothing itself: it is a generator that
# yields one step after the other, is sent the answer to each, and returns once the bot is flat.


class Drain:
    """The stop that goes on: one id for every call that belongs to it."""

    def __init__(self, number: str, reason: str, deadline: float) -> None:
        self.number = number
        self.reason = reason
        #: On the clock of `time.monotonic`.
        self.deadline = deadline


class Send:
    """A step: one call of the bot's API, cut off after `limit`."""

    def __init__(self, request: bytes, limit: float) -> None:
        self.request = request
        self.limit = limit


class Pause:
    """A step: nothing, for a while."""

    def __init__(self, span: float) -> None:
        self.span = span


if TYPE_CHECKING:
    Steps = Generator[Send | Pause, Answer, str]


class HttpBot:
    """A bot with the calls of Botwarden's contract."""

    def __init__(self, config: Config) -> None:
        self._config = config
        #: Why it is not proven flat yet, for people.
        self.trouble = "the bot has not been asked yet"

    def close(self, drain: Drain) -> Steps:
        """Closes until flat is proven, and returns by what. Only what was read after the last close call counts."""
        accepted = False
        pause = CLOSE_AGAIN
        while True:
            answer = yield self._close_call(drain)
            accepted = accepted or answer.accepted
            halted = False
            if not answer.accepted:
                self.trouble = f"the bot answered its close call with: {answer}"
                halted = yield from self._is_halted()
            if accepted or halted:
                empty = 0
                while empty < 2:
                    if empty:
                        yield Pause(READ_GAP)
                    if not (yield from self._is_empty()):
                        break
                    empty += 1
                else:
                    return (
                        "the bot closed, and twice nothing was open"
                        if accepted
                        else "halted, and twice nothing was open"
                    )
            yield Pause(pause)
            pause = min(2 * pause, CLOSE_AGAIN_MOST)

    def _close_call(self, drain: Drain) -> Send:
        left = max(0.0, drain.deadline - time.monotonic())
        body = {"drain_id": drain.number, "reason": drain.reason, "deadline": iso_time(time.time() + left)}
        headers = {"Idempotency-Key": drain.number, **bearer(self._config.bot_token)}
        return Send(build_request("POST", self._config.bot, self._config.close_path, headers, body), CLOSE_LIMIT)

    def _read(self, path: str) -> Send:
        return Send(build_request("GET", self._config.bot, path, bearer(self._config.bot_token)), READ_LIMIT)

    def _is_halted(self) -> Generator[Send | Pause, Answer, bool]:
        if not self._config.health_path:
            return False
        answer = yield self._read(self._config.health_path)
        said = parse_object(answer.body) if answer.status == 200 else None
        return said is not None and said.get("trading") == "halted"

    def _is_empty(self) -> Generator[Send | Pause, Answer, bool]:
        if not self._config.positions_path:
            self.trouble = "BOT_POSITIONS_PATH is empty, so nobody can read what is open"
            return False
        answer = yield self._read(self._config.positions_path)
        count = count_open(answer)
        if count is None:
            what = "what cannot be read" if answer.status == 200 else str(answer)
            self.trouble = f"the bot answered the read of its positions with: {what}"
        elif count:
            self.trouble = f"the bot still reports {count} open positions or pending orders"
        return count == 0


class Trade:
    """An open trade of freqtrade, as `GET /status` tells it."""

    def __init__(self, said: dict[str, Any]) -> None:
        """Raises `KeyError`, `TypeError` or `ValueError` when it is none."""
        self.number = int(said["trade_id"])
        self.name = f"trade {self.number} ({said['pair']})"
        orders = [order for order in said.get("orders") or () if order.get("is_open")]
        entry = "sell" if said.get("is_short") else "buy"
        #: Its open orders that close it; freqtrade itself cancels a stop-loss.
        self.exits = [order for order in orders if order.get("ft_order_side") not in (entry, "stoploss")]
        self.orders = len(orders)

    def waits(self, exited: bool) -> bool:
        """Whether its exit orders will be filled by themselves: those at the market, and what our own exit became."""
        return all(
            order.get("order_type") == "market" or (exited and order.get("ft_order_tag") == "force_exit")
            for order in self.exits
        )


class FreqtradeBot:
    """freqtrade, by its own API. The rules are those of the sidecar's adapter, which has the reasons in full.

    - Entries are stopped when the worker has ended an iteration, or was between two, after `/stopentry`: the one that
      was under way still opens trades, and a freqtrade that starts sets its state anew.
    - Each trade is exited by its id, never while it has an exit order open, nor while a call for it may still run:
      freqtrade carries calls out whether or not anybody waits for the answer, and sells twice when it is asked again.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        pair = f"{config.bot_username}:{config.bot_password}".encode()
        self._headers = {"Authorization": f"Basic {binascii.b2a_base64(pair, newline=False).decode()}"}
        #: Why it is not proven flat yet, for people.
        self.trouble = "freqtrade has not been asked yet"
        #: Entries: open, asked (to stop), ending (the iteration under way), stopped.
        self._entries = "open"
        self._since: tuple[float, ...] = ()
        #: An exit that somebody else asked for, such as the sidecar, is not under way any more.
        self._alone = False
        #: What was asked for which trade: the words, when, and whether an answer came.
        self._asked: dict[int, tuple[str, float, bool]] = {}
        self._exited: set[int] = set()
        #: Every trade that was seen open, and why one could not be closed so far.
        self._known: set[int] = set()
        self._refused: dict[int, str] = {}

    def close(self, drain: Drain) -> Steps:  # noqa: ARG002 - freqtrade knows no drains
        """Closes until flat is proven, and returns by what."""
        empty = 0
        while True:
            if self._entries == "open" and not (yield from self._stop_entries()):
                yield Pause(CLOSE_AGAIN)
                # Money first: what is open is closed, whether or not entries can be stopped.
            yield from self._look()
            trades = yield from self._read_trades()
            if trades:
                empty = 0
                if not (yield from self._exit_one(trades)):
                    yield Pause(READ_GAP)
                continue
            if trades is None or not (yield from self._counts_none()):
                empty = 0
            elif self._entries != "stopped":
                empty = 0
                self.trouble = (
                    "nothing is open, but freqtrade's worker has not ended an iteration since entries were stopped"
                )
            else:
                empty += 1
                if empty == 2:
                    return "freqtrade opens nothing any more, and twice nothing was open"
            yield Pause(READ_GAP)

    def _get(self, path: str) -> Send:
        return Send(build_request("GET", self._config.bot, f"/api/v1{path}", self._headers), READ_LIMIT)

    def _change(self, method: str, path: str, limit: float, body: Mapping[str, str] | None = None) -> Send:
        return Send(build_request(method, self._config.bot, f"/api/v1{path}", self._headers, body), limit)

    def _stop_entries(self) -> Generator[Send | Pause, Answer, bool]:
        answer = yield self._change("POST", "/stopentry", READ_LIMIT)
        if answer.status in (404, 405):
            # Its name in versions before 2022.3.
            answer = yield self._change("POST", "/stopbuy", READ_LIMIT)
        if not answer.accepted:
            self.trouble = f"freqtrade answered the stop of entries with: {answer}"
            return False
        self._entries, self._since = "asked", ()
        return True

    def _look(self) -> Generator[Send | Pause, Answer, None]:
        """Looks at the worker, and at what has become of entries."""
        health = parse_object((yield self._get("/health")).body) or {}
        config = parse_object((yield self._get("/show_config")).body) or {}
        logs = parse_object((yield self._get("/logs?limit=200")).body) or {}
        if self._entries == "open":
            return
        state, ended = config.get("state"), number_of(health.get("last_process_ts"))
        paused = state == "paused" or (state == "running" and config.get("max_open_trades") == 0)
        began = number_of(health.get("bot_startup_ts"))
        if not paused or not ended or (self._since and self._since[0] != began):
            # Somebody let it trade on, or it starts, or started again, and knows nothing of the stop.
            self._entries = "open" if state else self._entries
            return
        now = (began, ended, last_line_of_worker(logs.get("logs")))
        if not self._since:
            self._entries, self._since = "ending", now
        elif now[1] > self._since[1] or now[2] > self._since[2]:
            self._entries = "stopped"

    def _read_trades(self) -> Generator[Send | Pause, Answer, list[Trade] | None]:
        """The open trades; None when they cannot be read."""
        answer = yield self._get("/status")
        said = parse_json(answer.body) if answer.status == 200 else None
        try:
            if not isinstance(said, list):
                raise TypeError
            trades = [Trade(trade) for trade in said]
        except (AttributeError, KeyError, TypeError, ValueError):
            what = "what cannot be read" if answer.status == 200 else str(answer)
            self.trouble = f"freqtrade answered the read of its trades with: {what}"
            return None
        self._known.update(trade.number for trade in trades)
        return trades

    def _exit_one(self, trades: Sequence[Trade]) -> Generator[Send | Pause, Answer, bool]:
        """Turns to the trade whose turn it is, and waits for the answer. False when there is nothing to ask for."""
        self.trouble = "; ".join(self._describe(trade) for trade in trades)
        if not self._alone:
            # There is no trade 0; to find that out, freqtrade takes the lock that every exit holds.
            answer = yield self._change("DELETE", "/trades/0/open-order", EXIT_LIMIT)
            self._alone = answer.status not in (0, 429)
            return self._alone
        now = time.monotonic()
        for trade in sorted(trades, key=lambda trade: self._asked.get(trade.number, ("", 0.0, True))[1]):
            what, at, answered = self._asked.get(trade.number, ("", 0.0, True))
            waiting = EXIT_AGAIN if answered else EXIT_LOST
            if what and now - at < waiting and not (what == "cancel" and answered and not trade.exits):
                continue
            if trade.exits and trade.waits(trade.number in self._exited):
                continue
            yield from self._ask(trade, "cancel" if trade.exits else "exit")
            return True
        return False

    def _ask(self, trade: Trade, what: str) -> Generator[Send | Pause, Answer, None]:
        self._asked[trade.number] = (what, time.monotonic(), False)
        if what == "cancel":
            answer = yield self._change("DELETE", f"/trades/{trade.number}/open-order", EXIT_LIMIT)
        else:
            self._exited.add(trade.number)
            body = {"tradeid": str(trade.number), "ordertype": "market"}
            answer = yield self._change("POST", "/forceexit", EXIT_LIMIT, body)
        self._asked[trade.number] = (what, time.monotonic(), answer.status != 0)
        if answer.accepted:
            self._refused[trade.number] = "freqtrade answered that it exits it"
        elif answer.status == 500:
            logs = parse_object((yield self._get("/logs?limit=20")).body) or {}
            self._refused[trade.number] = last_error(logs.get("logs")) or str(answer)
        else:
            self._refused[trade.number] = str((parse_object(answer.body) or {}).get("error") or answer)

    def _describe(self, trade: Trade) -> str:
        if trade.orders:
            return f"{trade.name} has {trade.orders} open orders"
        why = self._refused.get(trade.number)
        return f"{trade.name} is open: {why}" if why else f"{trade.name} is open"

    def _counts_none(self) -> Generator[Send | Pause, Answer, bool]:
        """Whether freqtrade counts no open trade either, and no closed one has kept an open order."""
        answer = yield self._get("/count")
        count = (parse_object(answer.body) or {}).get("current") if answer.status == 200 else None
        if count != 0 or isinstance(count, bool):
            self.trouble = f"freqtrade lists no open trade, and answered their count with: {count if count else answer}"
            return False
        answer = yield self._get("/trades?limit=50&order_by_id=false")
        if answer.status in (404, 405):
            return True
        try:
            closed = [Trade(trade) for trade in (parse_object(answer.body) or {})["trades"]]
        except (AttributeError, KeyError, TypeError, ValueError):
            self.trouble = f"freqtrade answered the read of its closed trades with: {answer}"
            return False
        left = [trade.name for trade in closed if trade.number in self._known and trade.orders]
        if left:
            self.trouble = f"closed, with an open order that freqtrade cannot cancel any more: {', '.join(left)}"
        return not left


def last_error(lines: Any) -> str:
    """What the last error of freqtrade's API says: the end of its traceback, which an answer 500 does not have."""
    for line in reversed(lines if isinstance(lines, list) else []):
        if isinstance(line, list) and len(line) == 5 and line[2:4] == ["uvicorn.error", "ERROR"]:
            return str(line[4]).strip().rpartition("\n")[2][:300]
    return ""


def number_of(value: Any) -> float:
    """A number, or 0."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def last_line_of_worker(lines: Any) -> float:
    """When freqtrade's worker last wrote to its log, which it does between two iterations only; 0 where it did not."""
    at = 0.0
    for line in lines if isinstance(lines, list) else ():
        of_worker = isinstance(line, list) and len(line) == 5 and line[2] == "freqtrade.worker"
        if of_worker and not str(line[4]).startswith("Starting worker"):
            at = max(at, number_of(line[1]))
    return at


def bots_side(config: Config) -> HttpBot | FreqtradeBot:
    """How the gate closes this bot by itself."""
    return FreqtradeBot(config) if config.adapter == "freqtrade" else HttpBot(config)


def iso_time(at: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"


class Closing:
    """Carries the steps of the bot's side out, one after the other."""

    def __init__(self, net: Net, url: Url, side: HttpBot | FreqtradeBot, drain: Drain) -> None:
        self.flat = ""
        self._net = net
        self._url = url
        self._side = side
        self._drain = drain
        self._steps: Steps | None = None
        self._call: Call | None = None
        self._due = 0.0

    @property
    def trouble(self) -> str:
        return self._side.trouble

    def turn(self, now: float) -> float:
        while not self.flat:
            if self._call is not None:
                due = self._call.turn(now)
                if self._call.answer is None:
                    return due
            elif now < self._due:
                return self._due
            self._step(now)
        return NEVER

    def _step(self, now: float) -> None:
        answer = self._call.answer if self._call is not None else None
        self._call = None
        # Whatever goes wrong in here, for want of memory say, begins anew, and not at once.
        self._due = now + CLOSE_AGAIN
        steps, self._steps = self._steps, None
        try:
            if steps is None:
                steps = self._side.close(self._drain)
                step = next(steps)
            else:
                step = steps.send(answer or Answer(0))
        except StopIteration as end:
            self.flat = end.value
            return
        if isinstance(step, Pause):
            self._due = now + step.span
        else:
            limit = min(step.limit, max(0.0, self._drain.deadline - now))
            self._call = Call(self._net, self._url, step.request, now, limit)
        self._steps = steps

    def close(self) -> None:
        if self._call is not None:
            self._call.close()


# ── The lease ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Lease:
    """Asks the sidecar's /livez again and again, so that it knows this boot, and keeps what it is told.

    A sidecar that is unreachable, slow, wrong, or speaks of another boot, is never a reason for anything.
    """

    def __init__(self, net: Net, url: Url, boot: str, token: str, say: Callable[[str], None]) -> None:
        #: The first ask has ended, one way or the other.
        self.asked = False
        #: A person's drain stands: the bot is to start halted.
        self.hold = False
        #: This boot is to be restarted.
        self.verdict = False
        self.because = ""
        #: The drain that left this boot flat; empty when there is none.
        self.flat = ""
        self._net = net
        self._url = url
        self._boot = boot
        self._token = token
        self._say = say
        self._call: Call | None = None
        self._due = 0.0
        self._told: object = None
        self._pause = 0.0
        #: The sidecar gives no lease: it has no token, or another one.
        self._refused = False
        self._unheard_since: float | None = None
        self._said_unheard = False

    def turn(self, now: float) -> float:
        if self._call is None:
            if now < self._due:
                return self._due
            self._call = self._ask(now)
        due = self._call.turn(now)
        if self._call.answer is None:
            return due
        call, self._call = self._call, None
        # Whatever goes wrong in here is followed by another ask, and not at once.
        self._due = now + POLL_EVERY
        self._take(call, call.answer or Answer(0), now)
        self.asked = True
        return self._due

    def _ask(self, now: float) -> Call:
        headers: dict[str, str] = {}
        limit = LEASE_LIMIT
        if not self._refused:
            headers = {"Botwarden-Boot": self._boot, **bearer(self._token)}
            if self._told is not None:
                headers["Prefer"] = f"wait={LEASE_WAIT}"
                limit += LEASE_WAIT
        return Call(self._net, self._url, build_request("GET", self._url, "/livez", headers), now, limit)

    def _take(self, call: Call, answer: Answer, now: float) -> None:
        if answer.status == 0:
            # A sidecar that comes back may have become another one: one that gives leases, say.
            self._refused = False
            self._pause = min(max(0.25, 2 * self._pause), POLL_EVERY)
            self._due = now + self._pause
            self._unheard(str(answer), now)
            return
        self._pause = 0.0
        if answer.status in (401, 403) and not self._refused:
            self._refused = True
            self._due = now
            why = "it has no DRAIN_TOKEN" if answer.status == 403 else "this DRAIN_TOKEN is not its own"
            self._say(f"the sidecar gives no lease ({answer.status}: {why}). It is asked every {seconds(POLL_EVERY)}.")
            return
        news = parse_lease(answer)
        if news is None:
            self._unheard(f"it answered {answer}, and not what it should", now)
            return
        if self._said_unheard:
            self._say("the sidecar answers again.")
        self._unheard_since, self._said_unheard = None, False
        changed = self._learn(news)
        if not self._refused and (changed or now - call.started >= LEASE_WAIT - 1):
            self._due = max(now, call.started + LEASE_GAP)

    def _learn(self, news: News) -> bool:
        """Keeps what was told; says whether that is new."""
        ours = news.boot == self._boot
        self.verdict = ours and not news.live
        self.because = news.because
        if not self._refused:
            self.hold = news.hold
            # The newest word counts: another drain that did not get there takes it back.
            self.flat = news.drain if news.drained == (self._boot, "flat") else ""
        changed, self._told = news.told != self._told, news.told
        if changed and not ours and news.boot is not None:
            self._say(f"the sidecar takes another boot ({news.boot[:100]}) for the current one, and not this one.")
        return changed

    def _unheard(self, why: str, now: float) -> None:
        if self._unheard_since is None:
            self._unheard_since = now
        if not self._said_unheard and now - self._unheard_since >= UNHEARD_AFTER:
            self._said_unheard = True
            self._say(f"the sidecar does not say whether the bot lives ({why}). The bot is left alone.")


class News:
    """What /livez says: whether a boot is to be left alone, how the asking boot was drained, whether a hold stands."""

    def __init__(self, said: dict[str, Any]) -> None:
        """Raises `MalformedError` where a part of it is not of the kind that it should be."""
        self.live: bool = said["live"]
        self.boot: str | None = said.get("boot")
        self.because = str(said.get("because") or "")[:500]
        self.hold = said.get("hold") is True
        self.drain = ""
        self.drained: tuple[str, str] | None = None
        if not isinstance(self.boot, (str, type(None))):
            raise MalformedError("a boot that is no name")
        drained = said.get("drained")
        if drained is not None:
            if not isinstance(drained, dict):
                raise MalformedError("a drain that is no object")
            boot, self.drain, state = (str(drained.get(name)) for name in ("boot", "drain_id", "state"))
            self.drained = (boot, state)
        #: Two answers with the same of this tell the same.
        self.told = (self.live, self.boot, self.drain, self.drained, self.hold)


def parse_lease(answer: Answer) -> News | None:
    """What /livez answered; None when it is not what it should be."""
    said = parse_object(answer.body) if answer.status in (200, 503) else None
    if said is None or said.get("live") is not (answer.status == 200):
        return None
    try:
        return News(said)
    except MalformedError:
        return None


# ── The stop ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stop:
    """A stop that is held back: until this boot is proven flat, or the time is up.

    The sidecar is asked to drain. Its answer comes at the end, which may be a minute away. So it is asked meanwhile how
    the drain is getting on. When it shows no sign of one, or its answer is not that this boot is flat, the bot is
    closed through its own API, under the same id. Whoever proves flat first is believed.
    """

    def __init__(
        self,
        net: Net,
        config: Config,
        boot: str,
        lease: Lease | None,
        cause: str,
        say: Callable[[str], None],
        now: float,
    ) -> None:
        #: By whom flat was proven; empty when it was not.
        self.flat = ""
        self.deadline = now + config.gate_timeout
        self.drain = Drain(new_uuid(), f"{cause} came to the gate of boot {boot}", self.deadline)
        self._net = net
        self._config = config
        self._boot = boot
        self._lease = lease
        self._say = say
        self._side = bots_side(config)
        self._ask: Call | None = None
        self._ask_due = now if config.sidecar is not None else NEVER
        #: When the sidecar showed the last sign of a drain, and how it is looked for.
        self._sign_at = now
        self._sign: Call | None = None
        self._sign_due = now + SIGN_EVERY / 2
        self._closing: Closing | None = None
        self._trouble = ""
        #: What the sidecar said against it.
        self._doubt = ""
        #: What the sidecar knows against a bot that shows nothing open: the bot's own word cannot overrule it.
        self.contradiction = ""
        #: The bot shows nothing open, and that is all that can be had.
        self.settled = False

    def turn(self, now: float) -> float:
        if self._lease is not None and self._lease.flat:
            self.flat = f"the sidecar said so over the lease, drain {self._lease.flat[:100]}"
            return now
        if now >= self.deadline:
            return now
        due = min(self.deadline, self._turn_ask(now), self._turn_signs(now))
        if self._config.sidecar is None:
            self._fall_back("there is no sidecar")
        if self._closing is not None and not self.flat:
            due = min(due, self._closing.turn(now))
            if self._closing.flat and self.contradiction:
                self.settled = True
            elif self._closing.flat:
                self.flat = self._closing.flat + self._doubt
        return now if self.flat or self.settled else due

    def close(self) -> None:
        """Ends every call. What the sidecar has begun it goes on with."""
        for call in (self._ask, self._sign, self._closing):
            if call is not None:
                call.close()

    @property
    def trouble(self) -> str:
        """Why it is not proven flat."""
        return self._closing.trouble if self._closing is not None else self._trouble

    def _fall_back(self, why: str) -> None:
        """The sidecar has not proven flat: the bot is closed through its own API."""
        if self._closing is not None:
            return
        self._trouble = why
        self._say(f"{why}. The bot is closed through its own API.")
        self._closing = Closing(self._net, self._config.bot, self._side, self.drain)

    def _turn_ask(self, now: float) -> float:
        url = self._config.sidecar
        if url is None:
            return NEVER
        if self._ask is None:
            if now < self._ask_due:
                return self._ask_due
            body = {"boot": self._boot, "drain_id": self.drain.number, "reason": self.drain.reason}
            request = build_request("POST", url, "/drain", bearer(self._config.drain_token), body)
            self._ask = Call(self._net, url, request, now, self.deadline - now)
            self._sign_at = now
        due = self._ask.turn(now)
        answer = self._ask.answer
        if answer is None:
            return due
        self._ask = None
        self._judge(answer, now)
        return self._ask_due

    def _judge(self, answer: Answer, now: float) -> None:
        said = parse_object(answer.body) if answer.status in (200, 503) else None
        if answer.status == 200 and said is not None and said.get("state") == "flat" and said.get("boot") == self._boot:
            self.flat = f"the sidecar proved it, drain {str(said.get('drain_id'))[:100]}"
            return
        if said is not None and said.get("state") == "not_flat":
            self._doubt = "; the sidecar could not prove it"
            nothing = all(is_zero(said.get(name)) for name in ("open_positions", "pending_orders"))
            if nothing and said.get("boot") == self._boot:
                self.contradiction = str(said.get("reason"))[:500]
        # One that answered has said what it has to say; one that did not may come back, and has more ways to close.
        self._ask_due = now + ASK_AGAIN if answer.status == 0 else NEVER
        self._fall_back(describe_refusal(answer, said))

    def _turn_signs(self, now: float) -> float:
        """Tells a sidecar that is slow because it drains from one that is frozen."""
        url = self._config.sidecar
        if url is None or self._ask is None or self._closing is not None:
            if self._sign is not None:
                self._sign.close()
                self._sign = None
            return NEVER
        if now - self._sign_at >= SILENCE:
            self._fall_back(f"the sidecar has shown no sign of a drain for {seconds(SILENCE)}")
            return now
        due = self._sign_at + SILENCE
        if self._sign is None:
            if now < self._sign_due:
                return min(due, self._sign_due)
            self._sign_due = now + SIGN_EVERY
            self._sign = Call(self._net, url, build_request("GET", url, "/drain", {}), now, SILENCE)
        due = min(due, self._sign.turn(now))
        if self._sign.answer is None:
            return due
        call, self._sign = self._sign, None
        running = parse_running(call.answer or Answer(0), self._boot)
        if running:
            self._sign_at = now
            # It was under way before: the bot is to see one id.
            self.drain.number = running
        return now


def parse_running(answer: Answer, boot: str) -> str:
    """The id of the drain that the sidecar is busy with; empty when there is none, or it means another boot."""
    said = parse_object(answer.body) if answer.status == 200 else None
    if said is None or said.get("state") != "started" or said.get("boot") not in (boot, None):
        return ""
    # Without a phase it is a receipt of an earlier sidecar, which was killed in the middle.
    phase, number = said.get("phase"), said.get("drain_id")
    if not isinstance(phase, str) or phase == "ended" or not isinstance(number, str) or not 0 < len(number) <= 100:
        return ""
    return number if is_visible(number) else ""


def is_zero(count: object) -> bool:
    """Whether a receipt says that nothing is open: the number 0, and nothing else that looks like it."""
    return isinstance(count, int) and not isinstance(count, bool) and count == 0


def describe_refusal(answer: Answer, said: dict[str, Any] | None) -> str:
    """Why an answer to POST /drain does not prove that this boot is flat."""
    if answer.status == 0:
        return f"the sidecar cannot be asked to drain ({answer})"
    if answer.status == 403:
        return "the sidecar refuses to drain (403): it has no DRAIN_TOKEN"
    if answer.status == 401:
        return "the sidecar refuses to drain (401): this DRAIN_TOKEN is not its own"
    if answer.status == 409:
        return "the sidecar refuses to drain (409): it takes another boot for the current one"
    if said is not None and said.get("state") == "not_flat":
        return "the sidecar could not close everything"
    if said is not None and said.get("state") == "flat":
        return "the sidecar speaks of another boot"
    return f"the sidecar answered {answer}, which does not say that this boot is flat"


def new_uuid() -> str:
    """A random UUID (version 4)."""
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# ── Standard error ──────────────────────────────────────────────────────────────────────────────────────────────────


class Voice:
    """Writes lines to standard error, and never waits for anybody to read them.

    The bot writes to the same pipe. So its flags stay as they are, and where the system lets it be opened once more,
    the second way in does not block. Lines that nobody reads wait, and the oldest of too many are dropped.
    """

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._socket: socket.socket | None = None
        self._file = 2
        self._may_block = False
        try:
            mode = os.fstat(2).st_mode
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(2))
            elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
                # Where this fails, it is asked whether there is room before each line, which is shorter than that.
                self._may_block = True
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                self._file = os.open("/dev/fd/2", flags)
                self._may_block = False
        except OSError:
            pass

    def say(self, text: str) -> None:
        line = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text[:LINE_LIMIT])
        self._lines.append(f"hold-until-flat: {line}\n".encode(errors="replace"))
        if len(self._lines) > LINES_LIMIT:
            self._lines.popleft()
            self._dropped += 1
        self.flush()

    def flush(self) -> bool:
        """Writes what can be written; says whether that was all."""
        try:
            while self._lines or self._dropped:
                if self._dropped:
                    lost = f"hold-until-flat: {self._dropped} lines were lost, since nobody read them.\n".encode()
                    self._write(lost)
                    self._dropped = 0
                else:
                    self._write(self._lines[0])
                    self._lines.popleft()
        except BlockingIOError:
            return False
        except OSError:
            # Nobody will ever read it.
            self._lines.clear()
            self._dropped = 0
        return True

    def finish(self) -> None:
        """Gives whoever reads a last moment."""
        until = time.monotonic() + LAST_WORDS_LIMIT
        while not self.flush() and time.monotonic() < until:
            time.sleep(0.01)

    def _write(self, line: bytes) -> None:
        if self._socket is not None:
            self._socket.send(line, socket.MSG_DONTWAIT)
            return
        if self._may_block:
            poll = select.poll()
            poll.register(self._file, select.POLLOUT)
            if not poll.poll(0):
                raise BlockingIOError
        os.write(self._file, line)


# ── The gate ────────────────────────────────────────────────────────────────────────────────────────────────────────

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
#: These tell of faults of the gate itself, cannot be caught, or mean its terminal and not the bot.
NOT_PASSED_ON = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGCHLD,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGKILL,
    signal.SIGPIPE,
    signal.SIGSEGV,
    signal.SIGSTOP,
    signal.SIGSYS,
    signal.SIGTRAP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    *STOPS,
}
#: A gate that its terminal stops guards nothing.
IGNORED = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Signals:
    """Notes the signals that come, and wakes the loop."""

    def __init__(self) -> None:
        self.waking, wake = os.pipe()
        os.set_blocking(self.waking, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._came: dict[int, bool] = {}
        #: What the bot is to find as it was: nohup, for instance, has it ignore a hang-up.
        self.ignored_before = {
            number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN
        } - {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM}
        passed_on = [number for number in signal.valid_signals() if number not in NOT_PASSED_ON]
        for number in (*STOPS, signal.SIGCHLD, *passed_on):
            if number not in self.ignored_before:
                self._came[number] = False
                signal.signal(number, self._note)
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _note(self, number: int, _: object) -> None:
        self._came[number] = True

    def take(self, act: Callable[[int], None]) -> None:
        """Acts on each signal that came since the last time. One that could not be acted on is kept."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.waking, 4096):
                pass
        for number, came in self._came.items():
            if came:
                self._came[number] = False
                try:
                    act(number)
                except BaseException:
                    self._came[number] = True
                    raise


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def find_program(name: str, path: str) -> list[str]:
    """Where a command may be, one after the other. `os.execvpe` does the same, with an import that takes its time."""
    return [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in path.split(os.pathsep)]


class Gate:
    """The bot, and everything that is watched for it."""

    def __init__(self, config: Config, command: Sequence[str], voice: Voice, signals: Signals) -> None:
        self._config = config
        self._command = command
        self._voice = voice
        self._signals = signals
        self._boot = new_uuid()
        self._net = Net()
        self._net.selector.register(signals.waking, selectors.EVENT_READ, None)
        self._lease: Lease | None = None
        if config.sidecar is not None:
            self._lease = Lease(self._net, config.sidecar, self._boot, config.drain_token, voice.say)
        self._bot = 0
        #: The bot's exit status, negative for a signal; None while it runs.
        self._ended: int | None = None
        self._stop: Stop | None = None
        self._healing = False
        #: The bot has got SIGTERM, and gets SIGKILL then.
        self._kill_at: float | None = None
        #: The sidecar is being told that this boot ends without being proven flat.
        self._tell: Call | None = None
        #: It was said how this stop ended.
        self._said = False
        #: Given up when there is no other memory left.
        self._reserve: bytearray | None = bytearray(1024 * 1024)

    def run(self) -> int:
        """Runs the bot to its end; returns the exit status."""
        cause = self._ask_before_start()
        if not self._start(hold=bool(cause) or (self._lease is not None and self._lease.hold)):
            return 1
        if cause:
            # What an earlier boot left open is to be closed all the same. For that alone the bot is started.
            self._begin_stop(cause, time.monotonic())
        due = 0.0
        while True:
            self._wait(due)
            now = time.monotonic()
            due = NEVER
            for part in (self._turn_signals, self._turn_lease, self._turn_stop, self._turn_end, self._turn_tell):
                due = min(due, self._guarded(part, now))
            if self._ended is not None and self._tell is None:
                return self._status(self._ended)

    def _guarded(self, part: Callable[[float], float], now: float) -> float:
        """One part of a turn. Whatever goes wrong in it, the others go on: the bot must not be left alone."""
        try:
            return part(now)
        except MemoryError:
            self._find_memory()
        except Exception as error:
            self._defect(error)
        return now

    def _wait(self, due: float) -> None:
        """Waits for a socket, a signal, or the moment at which something is due."""
        try:
            # Lines that nobody has read yet are offered again, four times a second.
            longest = NEVER if self._voice.flush() else 0.25
            span = min(longest, max(0.0, due - time.monotonic()))
            for key, _ in self._net.selector.select(None if span == NEVER else span):
                if key.data is not None:
                    self._ready(key.data)
        except MemoryError:
            self._find_memory()

    def _ready(self, who: Call | NameServer) -> None:
        try:
            who.ready()
        except MemoryError:
            self._find_memory()
            who.fail("no memory")
        except Exception as error:
            self._defect(error)
            who.fail("a defect of the gate")

    def _find_memory(self) -> None:
        """Memory is short: what can be done without goes, and nothing is tried again at once."""
        self._reserve = None
        time.sleep(0.05)

    def _defect(self, error: Exception) -> None:
        self._voice.say(f"a defect of the gate, which goes on: {type(error).__name__}: {error}")
        time.sleep(0.05)

    # Starting

    def _ask_before_start(self) -> str:
        """Asks whether the bot is to start halted, for a second at most. Returns the stop that came, if one did."""
        causes: list[str] = []

        def note(number: int) -> None:
            if number in STOPS:
                causes.append(signal_name(number))

        until = time.monotonic() + FIRST_ASK_LIMIT
        while True:
            self._signals.take(note)
            now = time.monotonic()
            if self._lease is None or self._lease.asked or causes or now >= until:
                return causes[0] if causes else ""
            self._wait(min(until, self._guarded(self._turn_lease, now)))

    def _start(self, hold: bool) -> bool:
        environ = {**os.environ, "BOTWARDEN_BOOT": self._boot}
        if hold:
            environ["BOTWARDEN_HOLD"] = "true"
            if self._config.adapter == "freqtrade":
                # It knows no hold, and takes its settings from its environment.
                environ["FREQTRADE__INITIAL_STATE"] = "paused"
            self._voice.say("the bot starts halted: a person's drain stands, or a stop has come already.")
        # Meanwhile no signal is delivered: a handler of the gate must not take one that is meant for the bot.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            self._bot = os.fork()
            if self._bot == 0:
                self._become_bot(environ)
        except OSError as error:
            self._voice.say(f"the bot cannot be started: {error.strerror}.")
            return False
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return True

    def _become_bot(self, environ: dict[str, str]) -> NoReturn:
        """What the forked process does: it becomes the bot, and never returns."""
        name = self._command[0]
        status = 126
        try:
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                ignored = number in self._signals.ignored_before
                signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
            # Ctrl-C, and every signal to the gate's group, reaches the gate alone.
            os.setsid()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            code = errno.ENOENT
            for file in find_program(name, environ.get("PATH", os.defpath)):
                try:
                    os.execve(file, list(self._command), environ)  # noqa: S606 - running a command is the point
                except OSError as error:
                    # That it may not be run says more than that it is not somewhere else.
                    code = code if error.errno in (errno.ENOENT, errno.ENOTDIR) else error.errno or code
            status = 127 if code == errno.ENOENT else 126
            self._voice.say(f"{name} cannot be run: {os.strerror(code)}.")
        finally:
            os._exit(status)

    # The parts of a turn: each does what is due, and returns when the next thing is.

    def _turn_signals(self, now: float) -> float:
        self._signals.take(lambda number: self._on_signal(number, now))
        self._reap()
        return NEVER

    def _on_signal(self, number: int, now: float) -> None:
        if number == signal.SIGCHLD:
            return
        if number not in STOPS:
            self._signal_bot(number)
        elif self._stop is not None:
            self._voice.say(f"already stopping; {signal_name(number)} changes nothing.")
        elif self._ended is None:
            self._begin_stop(signal_name(number), now)

    def _turn_lease(self, now: float) -> float:
        if self._lease is None:
            return NEVER
        due = self._lease.turn(now)
        if self._lease.verdict and self._bot and self._stop is None and not self._healing and self._ended is None:
            self._healing = True
            because = f": {self._lease.because}" if self._lease.because else ""
            try:
                self._voice.say(f"the sidecar asks for a restart of the bot (503 from /livez){because}.")
            finally:
                self._end_bot(now)
        return due

    def _turn_stop(self, now: float) -> float:
        stop = self._stop
        if stop is None or self._healing or self._kill_at is not None:
            return NEVER
        due = NEVER
        try:
            if not stop.flat and not stop.settled and now < stop.deadline:
                due = stop.turn(now)
        finally:
            if self._ended is not None:
                self._died_while_held(stop, now)
            elif stop.flat or stop.settled or now >= stop.deadline:
                self._forward(stop, now)
        return due

    def _turn_end(self, now: float) -> float:
        if self._kill_at is None or self._ended is not None:
            return NEVER
        if now >= self._kill_at:
            self._signal_bot(signal.SIGKILL)
            self._kill_at = NEVER
            after = seconds(self._config.kill_after)
            self._voice.say(f"the bot was still there {after} after SIGTERM; it got SIGKILL.")
        return self._kill_at

    def _turn_tell(self, now: float) -> float:
        if self._tell is None:
            return NEVER
        due = self._tell.turn(now)
        if self._tell.answer is None and not (self._stop is not None and self._stop.flat):
            return due
        self._tell = None
        return NEVER

    # A stop

    def _begin_stop(self, cause: str, now: float) -> None:
        self._stop = Stop(self._net, self._config, self._boot, self._lease, cause, self._voice.say, now)
        if self._healing:
            # The bot has got SIGTERM already: nothing can be held back any more.
            self._not_flat(self._stop, f"{cause} came while the bot was being restarted", now)
        else:
            self._voice.say(f"{cause}: stop asked for. The bot is held until its positions are closed.")

    def _forward(self, stop: Stop, now: float) -> None:
        try:
            if stop.flat:
                self._voice.say(f"flat. The bot gets SIGTERM. ({stop.flat}.)")
            elif stop.settled:
                what = f"the bot shows nothing open, but the sidecar says: {stop.contradiction}"
                self._voice.say(f"NOT FLAT: {what}. POSITIONS MAY BE OPEN. The bot gets SIGTERM.")
            else:
                within = seconds(self._config.gate_timeout)
                what = f"not proven within {within}. POSITIONS MAY BE OPEN. The bot gets SIGTERM."
                self._voice.say(f"NOT FLAT: {what} ({stop.trouble}.)")
            stop.close()
        finally:
            self._end_bot(now)

    def _end_bot(self, now: float) -> None:
        self._kill_at = now + self._config.kill_after
        self._signal_bot(signal.SIGTERM)

    def _died_while_held(self, stop: Stop, now: float) -> None:
        """The bot has ended although its stop was held back: it is not flat, unless somebody still proves it."""
        if stop.flat:
            if self._said:
                self._voice.say(f"flat after all. ({stop.flat}.)")
            else:
                self._voice.say(f"flat. The bot has ended by itself. ({stop.flat}.)")
            self._kill_at = NEVER
        elif not self._said:
            self._not_flat(stop, "the bot died while its stop was held back", now)

    def _not_flat(self, stop: Stop, what: str, now: float) -> None:
        """Says, here and to the sidecar, that this boot ends without being proven flat."""
        self._said = True
        if self._lease is not None and self._lease.flat:
            return
        self._voice.say(f"NOT FLAT: {what}. POSITIONS MAY BE OPEN.")
        if self._config.sidecar is not None:
            body = {"boot": self._boot, "drain_id": stop.drain.number, "reason": what}
            headers = bearer(self._config.drain_token)
            request = build_request("POST", self._config.sidecar, "/drain?wait=false", headers, body)
            self._tell = Call(self._net, self._config.sidecar, request, now, TELL_LIMIT)

    # The bot's process

    def _signal_bot(self, number: int) -> None:
        if not self._bot or self._ended is not None:
            return
        # It may be gone without having been seen to go.
        with contextlib.suppress(OSError):
            os.kill(self._bot, number)

    def _reap(self) -> None:
        """Takes note of the processes that have ended: the bot, and under the first process whatever was left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._bot:
                    self._ended = os.waitstatus_to_exitcode(status)

    def _status(self, ended: int) -> int:
        # Of what the bot started nothing must trade on beside the next boot.
        with contextlib.suppress(OSError):
            os.killpg(self._bot, signal.SIGKILL)
        if self._healing:
            return EXIT_HEALED
        return ended if ended >= 0 else 128 - ended


def main() -> int:
    """Runs the command that the arguments name, as a program: it returns only where there is nothing to run."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["--help"], ["-h"]):
        print(USAGE, end="")  # noqa: T201
        return 0
    if arguments[:1] == ["--version"]:
        print(VERSION)  # noqa: T201
        return 0
    # From here on a stop is noted. It is acted on once there is a bot to act on.
    signals = Signals()
    voice = Voice()
    problems: list[str] = []
    if not arguments or arguments[0].startswith("-") or not arguments[0]:
        problems.append("nothing to run. Usage: hold-until-flat COMMAND [ARGUMENT...]")
    try:
        config = Config(os.environ)
    except ConfigurationError as error:
        problems += str(error).splitlines()
    if problems:
        for problem in problems:
            voice.say(problem)
        voice.finish()
        return EXIT_REFUSED
    status = Gate(config, arguments, voice, signals).run()
    voice.finish()
    # At once: on the usual way out a signal could still change the status.
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
