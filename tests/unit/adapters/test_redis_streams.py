"""Messages of a real Redis server become events, each once."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.adapters import inbox, postgres
from headwater.adapters.home import Home
from headwater.adapters.redis_streams import forward
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
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    found = f"unix://{socket}"
    until = time.monotonic() + 60
    while not (socket.exists() and redis.Redis.from_url(found).ping()):
        assert server.poll() is None
        assert time.monotonic() < until
    yield found
    server.terminate()
    server.wait(timeout=60)


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


def test_a_connection_that_does_not_commit_by_itself_is_refused(unopened):
    with postgres.connect(unopened) as connection, pytest.raises(ValueError, match="before its event is committed"):
        forward(connection, "redis://localhost")


def test_without_the_package_it_says_what_to_install(connection, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(Refusal) as refusal:
        forward(connection, "redis://localhost")
    assert refusal.value.code == "E-REDIS-MISSING"
