"""The pages of payments: one stay explained to the fen, and what would be paid under another policy."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, StringConstraints

from headwater.adapters import marts
from headwater.adapters.home import Home
from headwater.errors import HeadwaterError
from headwater.steps.explain import ExplainedStay, explain
from headwater.steps.policies import policies
from headwater.steps.what_if import find_policy, what_if
from headwater.steps.write_policy import usual_period
from headwater_console.exchange import spanned
from headwater_console.pages import PageRoute
from headwater_console.problems import status_of

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)

_SUGGESTED = 12
"""Stays that are offered where none is named."""

_Name = Annotated[str, StringConstraints(max_length=200)]
_Day = Annotated[str, StringConstraints(max_length=10)]


@router.get("/payment")
def payment(request: Request, stay: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Explain the payment of one stay; without one, offer some of those that are published."""
    home, found, refused = request.app.state.home, None, None
    try:
        found = explain(home, stay.strip()) if stay.strip() else None
    except HeadwaterError as error:
        refused = error
    offered = [] if found else _offered(home)
    return request.app.state.views.page(
        request,
        "payment.html",
        here="payment",
        stay=stay.strip(),
        found=found,
        accounts=_accounts(found),
        refused=refused,
        offered=offered,
        status=status_of(refused) if refused else 200,
    )


def _accounts(found: ExplainedStay | None) -> dict[str, list[Any]]:
    """Return the lines of each account."""
    accounts: dict[str, list[Any]] = {}
    for line in found.paid.lines if found and found.paid else ():
        accounts.setdefault(line.account, []).append(line)
    return accounts


def _offered(home: Home) -> list[dict[str, Any]]:
    try:
        return marts.page(home, "fct_payment", key=("stay_id",), where={}, after=None, limit=_SUGGESTED)[1]
    except HeadwaterError:
        return []


class _Asked(BaseModel):
    """What stands in the address of a what-if; empty text where nothing is chosen."""

    before: _Name = ""
    after: _Name = ""
    first: _Day = Field("", alias="from")
    last: _Day = Field("", alias="to")
    base_from: _Day = ""
    base_to: _Day = ""

    @property
    def is_whole(self) -> bool:
        """Whether two policies and a period are chosen."""
        return all((self.before, self.after, self.first, self.last))


def _report(home: Home, asked: _Asked) -> dict[str, Any]:
    sides = (find_policy(home, name) for name in (asked.before, asked.after))
    base = spanned(asked.base_from, asked.base_to) if asked.base_from and asked.base_to else None
    return what_if(home, *sides, period=spanned(asked.first, asked.last), base=base).to_dict()


@router.get("/what-if")
def compare(request: Request, asked: Annotated[_Asked, Query()]) -> HTMLResponse:
    """Show who gains and who loses under another policy, and what a change since an earlier period is made of."""
    home, report, refused = request.app.state.home, None, None
    try:
        report = _report(home, asked) if asked.is_whole else None
    except HeadwaterError as error:
        refused = error
    return request.app.state.views.page(
        request,
        "what_if.html",
        here="what_if",
        asked=asked,
        known=policies(home),
        usual=usual_period(home),
        report=report,
        refused=refused,
        status=status_of(refused) if refused else 200,
    )
