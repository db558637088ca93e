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

__all__ = ["URL_VARIABLE", "forward", "take"]

URL_VARIABLE = "HEADWATER_REDIS_URL"
_STREAM, _GROUP, _CONSUMER, _AT_ONCE = "headwater.events", "headwater", "inbox", 500


def forward(connection: psycopg.Connection, url: str, *, stream: str = _STREAM) -> tuple[int, int]:
    """Post every message not acknowledged yet; return the numbers of new events and of messages put aside.

    The connection must commit by itself. Without the package ``redis`` it is refused, ``E-REDIS-MISSING``.
    """
    if not connection.autocommit:
        raise ValueError("a message would be acknowledged before its event is committed")
    posted = aside = 0
    with _client(url) as client:
        for place, content in _unacknowledged(client, stream):
            try:
                posted += take(connection, content)
            except Refusal as refusal:
                client.xadd(f"{stream}.aside", {**content, b"place": place, b"reason": str(refusal)})
                aside += 1
            client.xack(stream, _GROUP, place)
    return posted, aside


def take(connection: psycopg.Connection, content: Mapping[bytes, bytes]) -> bool:
    """Post one message, whatever bytes it is of; False where the same rang before.

    Parameters
    ----------
    content : fields of an event in UTF-8, months as ``2026-01``; others are not looked at

    Raises
    ------
    Refusal
        ``E-EVENT-MESSAGE`` for what is no event
    """
    try:
        return inbox.post(connection, _event(content))
    except _POISON as error:
        # The text of a foreign exception may quote what was sent: it stays beside the message, which says the same.
        told = error.told if isinstance(error, HeadwaterError) else Message(str(error), str(error))
        raise Refusal(
            "E-EVENT-MESSAGE",
            Message(f"该消息不是事件：{told.zh}", f"This message is no event: {told.en}"),
            Message("请更正后重新发送。", "Mend it and send it again."),
        ) from error


_POISON = (
    HeadwaterError,
    TypeError,
    # Also bytes that are no UTF-8.
    ValueError,
    psycopg.DataError,
    psycopg.IntegrityError,
    # A text that no index holds; other operational errors are the server's, and the message is taken again.
    psycopg.errors.ProgramLimitExceeded,
)


def _client(url: str) -> Any:
    try:
        return importlib.import_module("redis").Redis.from_url(url)
    except ModuleNotFoundError as error:
        missing = Message("没有安装 redis 包。", "The package redis is not installed.")
        remedy = Message("运行 pip install redis==8.1.0。", "Run pip install redis==8.1.0.")
        raise Refusal("E-REDIS-MISSING", missing, remedy) from error


def _unacknowledged(client: Any, stream: str) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
    """Yield what was read before and never acknowledged, then what was never read."""
    groups = client.xinfo_groups(stream) if client.exists(stream) else ()
    if not any(group["name"] == _GROUP.encode() for group in groups):
        client.xgroup_create(stream, _GROUP, id="0", mkstream=True)
    for start in ("0", ">"):
        while found := client.xreadgroup(_GROUP, _CONSUMER, {stream: start}, count=_AT_ONCE):
            ((_, messages),) = found
            if not messages:
                break
            yield from messages


def _event(content: Mapping[bytes, bytes]) -> Event:
    sent = {field.name: content.get(field.name.encode(), b"") for field in fields(Event)}
    said: dict[str, Any] = {name: value.decode() for name, value in sent.items() if value}
    if "period" in said:
        said["period"] = date.fromisoformat(f"{said['period'][:7]}-01")
    if "snapshot_id" in said:
        said["snapshot_id"] = int(said["snapshot_id"])
    return Event(**said)
