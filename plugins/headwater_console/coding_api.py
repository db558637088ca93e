"""The interface of coding review: what waits, one question with its items, decisions and confirmations."""

import base64
import binascii
import json
import re
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headwater.adapters.reviews import Question, Ruling
from headwater.errors import Message, Refusal
from headwater.steps import review
from headwater.steps.questions import told
from headwater_console.problems import ProblemRoute
from headwater_console.views import LANGUAGES, language

__all__ = ["changing", "reading"]

_PREFIX = "/api/v1/coding"
_LARGEST = 1 << 16
"""Bytes of a body."""
_DIGITS = 30
"""Of an amount of money in a cursor, before or after its point."""
reading = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
changing = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
"""What changes something stands apart, as it takes more than a login."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
_Id = Annotated[str, StringConstraints(pattern="^[0-9a-f]{20}$")]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    like_id: _Id
    code: Annotated[str, StringConstraints(max_length=100)] | None = Field(description="null: the reference has none")
    why: _Text
    over: Annotated[int, Field(ge=1)] | None = None


class _Confirmation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    decision_id: Annotated[int, Field(ge=1)]
    why: _Text


async def _body(request: Request) -> bytes:
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
        if len(body) > _LARGEST:
            raise Refusal(
                "E-REQUEST-SIZE",
                Message("请求体过大。", "The body is too large."),
                Message("缩短理由。", "Give a shorter reason."),
            )
    return bytes(body)


_Body = Annotated[bytes, Depends(_body)]
_Key = Annotated[str | None, Header(max_length=200)]


@reading.get("/queue")
def queue(
    request: Request,
    state: Literal["review", "none"] = "review",
    kind: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List what waits for a person, or was used and has no code, the most money at risk first."""
    home, after = request.app.state.home, _place(cursor)
    found = review.waiting(home, state=state, kind=kind, after=after, limit=limit)
    lang = LANGUAGES[language(request)]
    listed = [{**_question(one, lang), "proposal": _ruling(proposal)} for one, proposal in found]
    return _sent({"questions": listed, "next_cursor": _cursor(found[-1][0]) if len(found) == limit else None})


@reading.get("/items/{like_id}")
def items(request: Request, like_id: _Id) -> Response:
    """Show one question with its local items and all decisions about it."""
    shown = review.show(request.app.state.home, like_id)
    return _sent(
        {
            "question": _question(shown.question, LANGUAGES[language(request)]),
            "items": shown.items,
            "decisions": [_ruling(ruling) for ruling in shown.rulings],
        }
    )


@changing.post("/decisions")
def decide(request: Request, body: _Body, idempotency_key: _Key = None) -> Response:
    """Put a decision down; who decides is never taken from the body."""
    wanted, home = _Decision.model_validate_json(body), request.app.state.home
    signed, key = (_name(request.state.user), wanted.why), _drawn(idempotency_key)
    done = review.decide(home, wanted.like_id, code=wanted.code, signed=signed, over=wanted.over, request_key=key)
    return _sent(done.to_dict(), status=201)


@changing.post("/confirmations")
def confirm(request: Request, body: _Body, idempotency_key: _Key = None) -> Response:
    """Confirm what somebody else proposed."""
    wanted, home = _Confirmation.model_validate_json(body), request.app.state.home
    signed, key = (_name(request.state.user), wanted.why), _drawn(idempotency_key)
    return _sent(review.confirm(home, wanted.decision_id, signed=signed, request_key=key).to_dict(), status=201)


def _drawn(key: str | None) -> str:
    if not key or not key.strip():
        raise Refusal(
            "E-REQUEST-KEY",
            Message("缺少 Idempotency-Key。", "Idempotency-Key is missing."),
            Message(
                "为每个请求取一个新号，重发时用原号。", "Draw a new one a request and repeat it when sending again."
            ),
        )
    return key.strip()


def _name(user: Any) -> str:
    return user if isinstance(user, str) else str(user.get_name())


def _cursor(question: Question) -> str:
    return base64.urlsafe_b64encode(json.dumps([str(question.at_risk), question.like_id]).encode()).decode()


def _place(cursor: str | None) -> tuple[Decimal, str] | None:
    if cursor is None:
        return None
    try:
        risk, like_id = json.loads(base64.urlsafe_b64decode(cursor))
        at = Decimal(risk)
        if not at.is_finite() or abs(at.adjusted()) > _DIGITS or not re.fullmatch("[0-9a-f]{20}", like_id):
            raise ValueError(cursor)
        return at, like_id
    except (binascii.Error, ValueError, TypeError, InvalidOperation):
        raise Refusal(
            "E-REQUEST-CURSOR",
            Message("游标无效。", "There is no such cursor."),
            Message("使用上一页返回的 next_cursor，或从头开始。", "Use next_cursor of the page before, or begin anew."),
        ) from None


def _question(question: Question, lang: str) -> dict[str, Any]:
    return {**asdict(question), "reason_text": getattr(told(question.reason), lang)}


def _ruling(ruling: Ruling | None) -> dict[str, Any] | None:
    return None if ruling is None else asdict(ruling)


def _sent(content: dict[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(json.loads(json.dumps(content, default=_plain)), status_code=status)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
