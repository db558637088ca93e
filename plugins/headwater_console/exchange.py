"""What every interface takes and gives alike: bodies, keys of requests, cursors of pages, answers."""

import base64
import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response

from headwater.errors import Message, Refusal

__all__ = [
    "Body",
    "Key",
    "LongBody",
    "body_of",
    "cursor_of",
    "drawn",
    "name",
    "place",
    "place_by_amount",
    "sent",
    "spanned",
]

_LARGEST = 1 << 16
"""Bytes of a body."""
_LONGEST = 1 << 20
"""Bytes of a body that holds a whole policy, a thousand weights and more."""
_SPAN = timedelta(days=3 * 366)
"""Of a period of what-if, whose stays are all held in memory while somebody waits."""
_DIGITS = 30
"""Of an amount of money in a cursor, before or after its point."""


async def body_of(request: Request, *, largest: int = _LARGEST) -> bytes:
    """Return the body of a request that says it is JSON, which no form of another site can say."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(
            "E-REQUEST-TYPE",
            Message("请求体须为 application/json。", "The body must be application/json."),
            Message("设置 Content-Type。", "Set Content-Type."),
        )
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise Refusal(
                "E-REQUEST-SIZE",
                Message("请求体过大。", "The body is too large."),
                Message("缩短内容。", "Send a shorter text."),
            )
    return bytes(body)


async def _long_body(request: Request) -> bytes:
    return await body_of(request, largest=_LONGEST)


async def _body(request: Request) -> bytes:
    return await body_of(request)


Body = Annotated[bytes, Depends(_body)]
LongBody = Annotated[bytes, Depends(_long_body)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


def drawn(key: str | None) -> str:
    """Return the key of a request that changes something; without one it is refused."""
    if not key or not key.strip():
        raise Refusal(
            "E-REQUEST-KEY",
            Message("缺少 Idempotency-Key。", "Idempotency-Key is missing."),
            Message(
                "为每个请求取一个新号，重发时用原号。", "Draw a new one a request and repeat it when sending again."
            ),
        )
    return key.strip()


def name(user: Any) -> str:
    """Return who is logged in."""
    return user if isinstance(user, str) else str(user.get_name())


def cursor_of(*place: str) -> str:
    """Return a place in a list as an opaque text: what the last row shown is found by."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def place(cursor: str | None, *, size: int) -> list[str] | None:
    """Return the texts of a place, so many as it must have."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor))
        if not isinstance(found, list) or [type(one) for one in found] != [str] * size:
            raise ValueError(cursor)
        # JSON can say halves of characters, which no database holds.
        "".join(found).encode()
        return found
    except ValueError:
        raise _no_place() from None


def place_by_amount(cursor: str | None, *, keys: str) -> tuple[Decimal, str] | None:
    """Return a place in a list that is ordered by an amount, then by a key; ``keys`` is the pattern of keys."""
    found = place(cursor, size=2)
    if found is None:
        return None
    try:
        amount = Decimal(found[0])
    except InvalidOperation:
        raise _no_place() from None
    if not amount.is_finite() or abs(amount.adjusted()) > _DIGITS or not re.fullmatch(keys, found[1]):
        raise _no_place()
    return amount, found[1]


def _no_place() -> Refusal:
    return Refusal(
        "E-REQUEST-CURSOR",
        Message("游标无效。", "There is no such cursor."),
        Message("使用上一页返回的 next_cursor，或从头开始。", "Use next_cursor of the page before, or begin anew."),
    )


def spanned(first: date | str | None, last: date | str | None) -> tuple[date, date]:
    """Return the first and the last day of a period that is whole, neither turned round nor too long."""
    try:
        begins, ends = (date.fromisoformat(day) if isinstance(day, str) else day for day in (first, last))
    except ValueError:
        begins = ends = None
    if begins is None or ends is None:
        begins, ends = date.max, date.min
    if not timedelta() <= ends - begins <= _SPAN:
        raise Refusal(
            "E-REQUEST-PERIOD",
            Message("期间须自起日至止日，最长三年。", "The period must end after it begins, within three years."),
            Message(
                "改 from 与 to；更长的期间用 headwater what-if。",
                "Mend from and to; headwater what-if takes longer ones.",
            ),
        )
    return begins, ends


def sent(content: dict[str, Any], *, status: int = 200) -> Response:
    """Return content as JSON, money and times as text."""
    return JSONResponse(json.loads(json.dumps(content, default=_plain)), status_code=status)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
