"""Redis Streams as another door to the inbox: what others post there is an event here, once, however often it comes.

A message is acknowledged after its event is committed, and an event's identity is its content: whoever is killed in
between leaves a message that comes again and changes nothing. What is no event goes to the stream ``<stream>.aside``.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

import psycopg

from headwater.adapters import inbox
from headwater.adapters.inbox import Event
from headwater.errors import HeadwaterError, Message, Refusal

__all__ = ["URL_VARIABLE", "forward"]

URL_VARIABLE = "HEADWATER_REDIS_URL"
_STREAM, _GROUP, _CONSUMER, _AT_ONCE = "headwater.events", "headwater", "inbox", 500


def forward(connection: psycopg.Connection, url: str, *, stream: str = _STREAM) -> tuple[int, int]:
    """Post every message not acknowledged yet; return the numbers of new events and of messages put aside.

    The fields of a message are those of an event, months as ``2026-01``. The connection must commit by itself. Without
    the package ``redis`` it is refused, ``E-REDIS-MISSING``.
    """
    if not connection.autocommit:
        raise ValueError("a message would be acknowledged before its event is committed")
    posted = aside = 0
    with _client(url) as client:
        for place, content in _unacknowledged(client, stream):
            try:
                posted += inbox.post(connection, _event(content))
            except (HeadwaterError, TypeError, ValueError, psycopg.IntegrityError) as error:
                client.xadd(f"{stream}.aside", {**content, "place": place, "reason": str(error)})
                aside += 1
            client.xack(stream, _GROUP, place)
    return posted, aside


def _client(url: str) -> Any:
    try:
        return importlib.import_module("redis").Redis.from_url(url, decode_responses=True)
    except ModuleNotFoundError as error:
        missing = Message("没有安装 redis 包。", "The package redis is not installed.")
        remedy = Message("运行 pip install redis==8.1.0。", "Run pip install redis==8.1.0.")
        raise Refusal("E-REDIS-MISSING", missing, remedy) from error


def _unacknowledged(client: Any, stream: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield what was read before and never acknowledged, then what was never read."""
    if not any(group["name"] == _GROUP for group in (client.xinfo_groups(stream) if client.exists(stream) else ())):
        client.xgroup_create(stream, _GROUP, id="0", mkstream=True)
    for start in ("0", ">"):
        while found := client.xreadgroup(_GROUP, _CONSUMER, {stream: start}, count=_AT_ONCE):
            ((_, messages),) = found
            if not messages:
                break
            yield from messages


def _event(content: Mapping[str, str]) -> Event:
    said: dict[str, Any] = {field.name: content[field.name] for field in fields(Event) if content.get(field.name)}
    if "period" in said:
        said["period"] = date.fromisoformat(f"{said['period'][:7]}-01")
    if "snapshot_id" in said:
        said["snapshot_id"] = int(said["snapshot_id"])
    return Event(**said)
