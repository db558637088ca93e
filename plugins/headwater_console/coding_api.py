"""The interface of coding review: what waits, one question with its items, decisions and confirmations."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headwater.adapters.reviews import Question, Ruling
from headwater.steps import review
from headwater.steps.questions import told
from headwater_console.exchange import Body, Key, cursor_of, drawn, name, place_by_amount, sent
from headwater_console.problems import ProblemRoute
from headwater_console.views import LANGUAGES, language

__all__ = ["changing", "reading"]

_PREFIX = "/api/v1/coding"
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


@reading.get("/queue")
def queue(
    request: Request,
    state: Literal["review", "none"] = "review",
    kind: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List what waits for a person, or was used and has no code, the most money at risk first."""
    home, after = request.app.state.home, place_by_amount(cursor, keys="[0-9a-f]{20}")
    found = review.waiting(home, state=state, kind=kind, after=after, limit=limit)
    lang = LANGUAGES[language(request)]
    listed = [{**_question(one, lang), "proposal": _ruling(proposal)} for one, proposal in found]
    return sent({"questions": listed, "next_cursor": _cursor(found[-1][0]) if len(found) == limit else None})


@reading.get("/items/{like_id}")
def items(request: Request, like_id: _Id) -> Response:
    """Show one question with its local items and all decisions about it."""
    shown = review.show(request.app.state.home, like_id)
    return sent(
        {
            "question": _question(shown.question, LANGUAGES[language(request)]),
            "items": shown.items,
            "decisions": [_ruling(ruling) for ruling in shown.rulings],
        }
    )


@changing.post("/decisions")
def decide(request: Request, body: Body, idempotency_key: Key = None) -> Response:
    """Put a decision down; who decides is never taken from the body."""
    wanted, home = _Decision.model_validate_json(body), request.app.state.home
    signed, key = (name(request.state.user), wanted.why), drawn(idempotency_key)
    done = review.decide(home, wanted.like_id, code=wanted.code, signed=signed, over=wanted.over, request_key=key)
    return sent(done.to_dict(), status=201)


@changing.post("/confirmations")
def confirm(request: Request, body: Body, idempotency_key: Key = None) -> Response:
    """Confirm what somebody else proposed."""
    wanted, home = _Confirmation.model_validate_json(body), request.app.state.home
    signed, key = (name(request.state.user), wanted.why), drawn(idempotency_key)
    return sent(review.confirm(home, wanted.decision_id, signed=signed, request_key=key).to_dict(), status=201)


def _cursor(question: Question) -> str:
    return cursor_of(str(question.at_risk), question.like_id)


def _question(question: Question, lang: str) -> dict[str, Any]:
    return {**asdict(question), "reason_text": getattr(told(question.reason), lang)}


def _ruling(ruling: Ruling | None) -> dict[str, Any] | None:
    return None if ruling is None else asdict(ruling)
