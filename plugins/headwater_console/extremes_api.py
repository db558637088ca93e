"""The interface of extreme stays: what waits, one stay with its reasons and lines, decisions."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headwater.steps import extremes
from headwater_console.exchange import Body, Key, cursor_of, drawn, name, place_by_amount, sent
from headwater_console.problems import ProblemRoute
from headwater_console.views import LANGUAGES, language

__all__ = ["changing", "reading"]

_PREFIX = "/api/v1/extremes"
reading = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
changing = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
"""What changes something stands apart, as it takes more than a login."""

# Hospitals name their stays, so anything printable but the separators of an address may stand in a name.
_PATTERN = r"[^/\\\x00-\x1f\x7f]{1,200}"
_Stay = Annotated[str, InPath(pattern=f"^{_PATTERN}$")]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    stay_id: Annotated[str, StringConstraints(pattern=f"^{_PATTERN}$")]
    decision: Annotated[str, StringConstraints(max_length=20)]
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    over: Annotated[int, Field(ge=1)] | None = None


@reading.get("/queue")
def queue(
    request: Request,
    hospital: Annotated[str | None, Query(pattern=f"^{_PATTERN}$")] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the extreme stays that wait for a person, the most money at stake first, without their lines."""
    after = place_by_amount(cursor, keys=_PATTERN)
    found = extremes.waiting(request.app.state.home, hospital=hospital, after=after, limit=limit)
    listed = [_without_lines(one.to_dict(), LANGUAGES[language(request)]) for one in found]
    more = cursor_of(str(found[-1].at_stake), found[-1].stay_id) if len(found) == limit else None
    return sent({"stays": listed, "next_cursor": more})


@reading.get("/stays/{stay_id}")
def stay(request: Request, stay_id: _Stay) -> Response:
    """Show one stay with its lines of evidence and all decisions about it."""
    shown = extremes.show(request.app.state.home, stay_id)
    lang = LANGUAGES[language(request)]
    question = {**_without_lines(shown.question, lang), "evidence": shown.question["evidence"]}
    choices = {code: getattr(message, lang) for code, message in extremes.CHOICES.items()}
    decisions = [asdict(ruling) for ruling in shown.rulings]
    return sent({"stay": question, "is_waiting": shown.is_waiting, "choices": choices, "decisions": decisions})


@changing.post("/decisions")
def decide(request: Request, body: Body, idempotency_key: Key = None) -> Response:
    """Put a decision down; who decides is never taken from the body."""
    wanted, home = _Decision.model_validate_json(body), request.app.state.home
    signed, key = (name(request.state.user), wanted.why), drawn(idempotency_key)
    options = {"decision": wanted.decision, "signed": signed, "over": wanted.over, "request_key": key}
    return sent(extremes.decide(home, wanted.stay_id, **options).to_dict(), status=201)


def _without_lines(question: Any, lang: str) -> dict[str, Any]:
    reasons = [{"code": one["code"], "text": one[lang]} for one in question["reasons"]]
    return {name: value for name, value in question.items() if name != "evidence"} | {"reasons": reasons}
