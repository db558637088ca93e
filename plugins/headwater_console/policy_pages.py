"""The pages of payment policies: which there are, one with its history, a new one written, judged and tried out."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from headwater.errors import HeadwaterError
from headwater.steps.policies import policies
from headwater.steps.write_policy import find, judge, preview, usual_period
from headwater_console.exchange import LongBody
from headwater_console.pages import PageRoute
from headwater_console.policy_api import Draft, Named, Trial

__all__ = ["router"]

router = APIRouter(prefix="/policies", route_class=PageRoute)


@router.get("")
def all_policies(request: Request) -> HTMLResponse:
    """List every version of every policy, the newest day first."""
    found = sorted(policies(request.app.state.home), key=lambda one: (one.first, one.name), reverse=True)
    return request.app.state.views.page(request, "policies.html", here="policies", found=found)


@router.get("/{policy}/{first}")
def one(request: Request, policy: Named, first: date, entry: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """Show one version with its text; ``entry`` names an earlier text of the same day."""
    found = find(request.app.state.home, policy, first)
    held = next(known for known in policies(request.app.state.home) if (known.name, known.first) == (policy, first))
    earlier = next((known for known in found.entries if known.entry_id == entry), None)
    text = earlier.body if earlier else found.text
    return request.app.state.views.page(
        request, "policy.html", here="policies", found=found, held=held, entry=earlier, text=text
    )


@router.get("/{policy}/{first}/next")
def write(request: Request, policy: Named, first: date) -> HTMLResponse:
    """Give the text of one version to be made into the next."""
    home = request.app.state.home
    return request.app.state.views.page(
        request,
        "policy_write.html",
        here="policies",
        found=find(home, policy, first),
        known=policies(home),
        period=usual_period(home),
    )


@router.post("/verdict")
def verdict(request: Request, body: LongBody) -> HTMLResponse:
    """Tell, as a part of a page, whether a text may be added."""
    found = judge(request.app.state.home, Draft.model_validate_json(body).text)
    return request.app.state.views.page(request, "policy_verdict.html", found=found)


@router.post("/preview")
def try_out(request: Request, body: LongBody) -> HTMLResponse:
    """Tell, as a part of a page, what a text would change."""
    wanted, refused, report = Trial.model_validate_json(body), None, None
    try:
        found = preview(request.app.state.home, wanted.text, before=wanted.before, period=wanted.period)
        report = found.to_dict()
    except HeadwaterError as error:
        refused = error
    return request.app.state.views.page(request, "policy_preview.html", refused=refused, report=report)
