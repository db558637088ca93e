"""The interface of writing policies: one with its text and history, what a text would be and change, a new version."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headwater.adapters.policies import Entry
from headwater.errors import Message, Refusal
from headwater.steps.write_policy import NAME, add, find, judge, preview
from headwater_console.exchange import LongBody, name, sent, spanned
from headwater_console.problems import ProblemRoute

__all__ = ["Draft", "Named", "Trial", "changing", "reading"]

_PREFIX = "/api/v1/policies"
reading = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
changing = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
"""What changes something stands apart, as it takes more than a login."""

Named = Annotated[str, InPath(pattern=f"^{NAME}$")]
_Tag = Annotated[str | None, Header(max_length=100)]


class Draft(BaseModel):
    """A text that may become a policy."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(min_length=1)]


class Trial(Draft):
    """A text to be previewed: against which policy, and over which days of discharge."""

    before: Annotated[str, StringConstraints(max_length=200)] | None = None
    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="to")] = None

    @property
    def period(self) -> tuple[date, date] | None:
        """Return the days, None where none are named."""
        if self.first is None and self.last is None:
            return None
        return spanned(self.first, self.last)


class _Signed(Draft):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


@reading.get("/{policy}/{first}")
def one(request: Request, policy: Named, first: date) -> Response:
    """Show one version: its text, and who put it there in whose place, when and why."""
    found = find(request.app.state.home, policy, first)
    told = {field: getattr(found.policy, field) for field in ("name", "valid_from", "valid_to", "version", "plan")}
    entries = [_without_text(entry) for entry in found.entries]
    answer = sent({**told, "title": asdict(found.policy.title), "text": found.text, "entries": entries})
    answer.headers["ETag"] = f'"{found.tag}"'
    return answer


@reading.post("/check")
def check(request: Request, body: LongBody) -> Response:
    """Tell whether a text may be added: the first fault with its place, its tests, and what it would supersede."""
    return sent(judge(request.app.state.home, Draft.model_validate_json(body).text).to_dict())


@reading.post("/preview")
def try_out(request: Request, body: LongBody) -> Response:
    """Tell what a text would change: the stays of a period under the policy before it and under it."""
    wanted = Trial.model_validate_json(body)
    found = preview(request.app.state.home, wanted.text, before=wanted.before, period=wanted.period)
    return sent(found.to_dict())


@changing.put("/{policy}/{first}")
def put(
    request: Request, policy: Named, first: date, body: LongBody, if_match: _Tag = None, if_none_match: _Tag = None
) -> Response:
    """Add a version; ``If-Match`` names the one it supersedes, ``If-None-Match: *`` says that none stands there."""
    wanted, over = _Signed.model_validate_json(body), _seen(if_match, if_none_match)
    home = request.app.state.home
    stated = judge(home, wanted.text).policy
    if stated is not None and (stated.name, stated.valid_from) != (policy, first):
        raise Refusal(
            "E-REQUEST",
            Message(
                "地址与政策文本的名称、生效日不同。", "The address names another policy or first day than the text."
            ),
            Message("二者写成一致。", "Make both the same."),
        )
    entry = add(home, wanted.text, signed=(name(request.state.user), wanted.reason), over=over)
    answer = sent(_without_text(entry), status=201)
    answer.headers["ETag"] = f'"{find(home, policy, first).tag}"'
    return answer


def _seen(if_match: str | None, if_none_match: str | None) -> str | None:
    if if_match is None and if_none_match == "*":
        return None
    if if_match is not None and if_none_match is None:
        return if_match.strip().strip('"')
    raise Refusal(
        "E-REQUEST-CONDITION",
        Message(
            "须写明取代哪个版本，或声明此处尚无版本。", "Say which version is superseded, or that none stands there."
        ),
        Message(
            "用 If-Match 写所见版本的 ETag，或 If-None-Match: *。",
            "Send If-Match with the ETag that was seen, or If-None-Match: *.",
        ),
    )


def _without_text(entry: Entry) -> dict[str, Any]:
    return {field: value for field, value in asdict(entry).items() if field != "body"}
