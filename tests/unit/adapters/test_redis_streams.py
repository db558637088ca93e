"""Messages of a real Redis server become events, each once."""

import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from headwater.adapters import inbox, postgres
from headwater.adapters.home import Home
from headwater.adapters.redis_streams import forward, take
from headwater.errors import Refusal

SERVER = shutil.which("redis-server")
STREAM = "headwater.events"
needs_server = pytest.mark.skipif(SERVER is None, reason="needs redis-server and the package redis")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Start a server that listens on a socket of its own and keeps nothing."""
    redis = pytest.importorskip("redis", reason="needs redis-server and the package redis")
    socket = tmp_path / "redis.sock"
    words = (SERVER, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path))
    found = f"unix://{socket}"
    until = time.monotonic() + 60

    def listens() -> bool:
        try:
            with redis.Redis.from_url(found) as asked:
                return bool(asked.ping())
        except redis.ConnectionError:
            return False

    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        try:
            while not listens():
                assert server.poll() is None
                assert time.monotonic() < until
            yield found
        finally:
            server.terminate()


@pytest.fixture
def client(url):
    with pytest.importorskip("redis").Redis.from_url(url, decode_responses=True) as opened:
        yield opened


@pytest.fixture
def connection(unopened: Home):
    with postgres.connect(unopened, autocommit=True) as opened:
        yield opened


def send(client, *sources: str, **more: str) -> None:
    for source in sources:
        client.xadd(STREAM, {"source_id": source, "kind": "claims", **more})


def waiting(connection) -> list[str]:
    return [one.event.source_id for one in reversed(inbox.newest(connection))]


@needs_server
def test_messages_become_events_in_their_order_and_only_once(connection, client, url):
    send(client, "h3", "h1", "h2", period="2026-03")
    send(client, "h1", period="2026-03")
    assert forward(connection, url) == (3, 0)
    assert waiting(connection) == ["h3", "h1", "h2"]
    assert {f"{one.event.period:%Y-%m}" for one in inbox.newest(connection)} == {"2026-03"}
    assert forward(connection, url) == (0, 0)
    send(client, "h4")
    assert forward(connection, url) == (1, 0)


@needs_server
def test_what_was_read_and_never_acknowledged_comes_again(connection, client, url):
    send(client, *(f"h{number}" for number in range(3)))
    client.xgroup_create(STREAM, "headwater", id="0")
    # A reader that was killed after it had read three and committed one.
    client.xreadgroup("headwater", "inbox", {STREAM: ">"})
    inbox.post(connection, inbox.Event("h0", "claims"))
    assert forward(connection, url) == (2, 0)
    assert sorted(waiting(connection)) == ["h0", "h1", "h2"]
    assert client.xpending(STREAM, "headwater")["pending"] == 0


@needs_server
def test_what_is_no_event_is_put_aside_with_its_reason(connection, client, url):
    send(client, "h1", period="soon")
    client.xadd(STREAM, {"kind": "claims"})
    client.xadd(STREAM, {"source_id": "h2", "kind": "rumour"})
    send(client, "h3", sha256="no digest")
    send(client, "h4")
    assert forward(connection, url) == (1, 4)
    assert waiting(connection) == ["h4"]
    assert all(content["reason"] for _, content in client.xrange(f"{STREAM}.aside"))


GOOD = {b"source_id": b"h1", b"kind": b"claims"}
POISON = {
    "no source": {b"kind": b"claims"},
    "nothing": {},
    "no such kind": {**GOOD, b"kind": b"rumour"},
    "no month": {**GOOD, b"period": b"soon"},
    "no digest": {**GOOD, b"sha256": b"no digest"},
    "no number": {**GOOD, b"snapshot_id": b"9" * 5_000},
    "a number too large": {**GOOD, b"snapshot_id": b"99999999999999999999"},
    "a null character": {**GOOD, b"batch_id": b"a\0b"},
    "no UTF-8": {**GOOD, b"source_id": b"\xff\xfe"},
    "a surrogate": {**GOOD, b"source_id": b"\xed\xa0\x80"},
    "a text that no index holds": {**GOOD, b"batch_id": secrets.token_hex(20_000).encode()},
}


@pytest.mark.parametrize("content", POISON.values(), ids=POISON)
def test_whatever_bytes_a_message_is_of_it_is_an_event_or_refused(connection, content):
    with pytest.raises(Refusal) as refusal:
        take(connection, content)
    assert refusal.value.code == "E-EVENT-MESSAGE"
    assert waiting(connection) == []
    assert [take(connection, GOOD), take(connection, {**GOOD, b"further": b"\xff"})] == [True, False]


def test_a_server_that_is_gone_says_nothing_about_a_message(connection):
    connection.close()
    with pytest.raises(psycopg.OperationalError):
        take(connection, GOOD)


@needs_server
def test_poison_is_put_aside_as_it_came_and_does_not_stop_the_rest(connection, client, url):
    for content in POISON.values():
        client.xadd(STREAM, content or {b"field": b"value"})
    send(client, "h2")
    assert forward(connection, url) == (1, len(POISON))
    assert waiting(connection) == ["h2"]
    assert client.xpending(STREAM, "headwater")["pending"] == 0
    with pytest.importorskip("redis").Redis.from_url(url) as raw:
        aside = [content for _, content in raw.xrange(f"{STREAM}.aside")]
    assert {content.get(b"source_id") for content in aside} >= {b"\xff\xfe", b"h1"}
    assert all(content[b"reason"].startswith(b"E-EVENT-MESSAGE") for content in aside)
    assert forward(connection, url) == (0, 0)


@needs_server
def test_a_message_that_was_trimmed_before_it_was_acknowledged_stops_nothing(connection, client, url):
    send(client, "h1", "h2")
    client.xgroup_create(STREAM, "headwater", id="0")
    client.xreadgroup("headwater", "inbox", {STREAM: ">"})
    client.xtrim(STREAM, maxlen=1, approximate=False)
    assert forward(connection, url) == (1, 1)
    assert waiting(connection) == ["h2"]


def test_a_connection_that_does_not_commit_by_itself_is_refused(unopened):
    with postgres.connect(unopened) as connection, pytest.raises(ValueError, match="before its event is committed"):
        forward(connection, "redis://localhost")


def test_without_the_package_it_says_what_to_install(connection, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(Refusal) as refusal:
        forward(connection, "redis://localhost")
    assert refusal.value.code == "E-REDIS-MISSING"
