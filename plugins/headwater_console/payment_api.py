"""The interface of groups, payments and indicators: stays and why they are paid so, policies, what-if, values."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from headwater.adapters import marts
from headwater.claims.comparing.suppressing import LEAST
from headwater.content.national import National, read_national
from headwater.errors import Message, Refusal
from headwater.steps.explain import explain
from headwater.steps.near import near
from headwater.steps.plans import plans
from headwater.steps.policies import policies
from headwater.steps.what_if import Period, find_policy, what_if
from headwater.steps.write_policy import NAME
from headwater_console.exchange import cursor_of, place, sent, spanned
from headwater_console.problems import ProblemRoute

__all__ = ["reading"]

_LARGEST = 400
"""Characters of a cursor."""
_STAY = ("stay_id",)
_SHOWN = 1000
"""Rows of a what-if by one column, those with the greatest change; how many more there are is told."""

reading = APIRouter(prefix="/api/v1", route_class=ProblemRoute)

_Filter = Annotated[str | None, Query(max_length=100)]
_Policy = Annotated[str, Query(pattern=rf"^{NAME}(/\d{{4}}-\d{{2}}-\d{{2}})?$")]


@dataclass(frozen=True)
class _Asked:
    """A page of a list: what comes after the cursor, and how many rows of it."""

    cursor: Annotated[str | None, Query(max_length=_LARGEST)] = None
    limit: Annotated[int, Query(ge=1, le=1000)] = 100


@dataclass(frozen=True)
class _Days:
    """A period of what-if, and the base period from which its change is counted."""

    first: Annotated[date, Query(alias="from")]
    last: Annotated[date, Query(alias="to")]
    base_from: Annotated[date | None, Query()] = None
    base_to: Annotated[date | None, Query()] = None

    def periods(self) -> tuple[Period, Period | None]:
        """Return both."""
        has_base = self.base_from is not None or self.base_to is not None
        return spanned(self.first, self.last), spanned(self.base_from, self.base_to) if has_base else None


@reading.get("/payments")
def payments(
    request: Request,
    asked: Annotated[_Asked, Depends()],
    hospital_id: _Filter = None,
    drg: _Filter = None,
    month: Annotated[date | None, Query()] = None,
) -> Response:
    """List what stays are paid, by stay."""
    chosen = {"hospital_id": hospital_id, "drg": drg, "discharge_month": month.isoformat() if month else None}
    where = {name: value for name, value in chosen.items() if value is not None}
    return _page(request, "fct_payment", _STAY, where=where, asked=asked)


@reading.get("/stays/{stay_id}/payment")
def payment(request: Request, stay_id: str) -> Response:
    """Tell why a stay is in its group and how its payment comes about, under what holds now."""
    return sent(explain(request.app.state.home, stay_id).to_dict())


@reading.get("/stays/{stay_id}/near")
def neighbours(request: Request, stay_id: str) -> Response:
    """Tell what would have to differ for a stay to land in another group."""
    return sent(near(request.app.state.home, stay_id).to_dict())


@reading.get("/plans")
def list_plans(request: Request) -> Response:
    """List the grouping plans."""
    # Where a plan lies on the server is nobody's business here.
    listed = [one.to_dict() for one in plans(request.app.state.home)]
    return sent({"plans": [{name: value for name, value in one.items() if name != "folder"} for one in listed]})


@reading.get("/policies")
def list_policies(request: Request) -> Response:
    """List every version of every payment policy and when it holds."""
    return sent({"policies": [one.to_dict() for one in policies(request.app.state.home)]})


@reading.get("/what-if")
def compare(request: Request, before: _Policy, after: _Policy, days: Annotated[_Days, Depends()]) -> Response:
    """Price a period's published stays under two policies; from a base period, tell of what the change is made."""
    home = request.app.state.home
    period, base = days.periods()
    report = what_if(home, find_policy(home, before), find_policy(home, after), period=period, base=base)
    listed = {"by": report.by, "effects_by": report.effects_by}
    shown = {key: {name: rows[:_SHOWN] for name, rows in by.items()} for key, by in listed.items()}
    left_out = {name: max(len(rows) - _SHOWN, 0) for name, rows in report.by.items()}
    return sent({**report.to_dict(), **shown, "left_out": left_out})


@reading.get("/indicators")
def indicators(request: Request) -> Response:
    """List the indicators that the project ships."""
    return sent({"indicators": [asdict(one) for one in read_national(request.app.state.home.project)]})


@reading.get("/indicators/{name}")
def values(
    request: Request,
    name: str,
    asked: Annotated[_Asked, Depends()],
    hospital_id: _Filter = None,
    drg: _Filter = None,
    month: Annotated[date | None, Query()] = None,
) -> Response:
    """List the values of an indicator."""
    one = _indicator(request, name)
    chosen = {"hospital_id": hospital_id, "drg": drg, "discharge_month": month.isoformat() if month else None}
    where = {column: value for column, value in chosen.items() if value is not None}
    # All rows would pass for those that were asked for.
    if lacking := sorted(set(where) - set(one.columns)):
        raise _no_column(one, ", ".join(lacking))
    return _page(request, one.name, one.key, where=where, asked=asked, shown=_without_few)


def _without_few(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of an indicator without its numbers where they are of few stays, and why they are not there."""
    stays = row.get("stay_count")
    if stays is None or not 0 < stays < LEAST:
        return {**row, "withheld": None}
    kept = {name: None if isinstance(value, int | float | Decimal) else value for name, value in row.items()}
    return {**kept, "withheld": "small"}


def _no_column(one: National, lacking: str) -> Refusal:
    return Refusal(
        "E-REQUEST",
        Message(f"{one.name} 没有 {lacking}，不能据此筛选。", f"{one.name} has no {lacking} to filter by."),
        Message("去掉这一条件。", "Leave that condition out."),
    )


def _indicator(request: Request, name: str) -> National:
    for one in read_national(request.app.state.home.project):
        if one.name in (name, f"ind_{name}"):
            return one
    raise Refusal(
        "E-INDICATOR-UNKNOWN",
        Message("没有这个指标。", "There is no such indicator."),
        Message("见 /api/v1/indicators。", "See /api/v1/indicators."),
    )


def _page(
    request: Request,
    mart: str,
    key: tuple[str, ...],
    *,
    where: dict[str, str],
    asked: _Asked,
    shown: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Response:
    snapshot_id, rows = marts.page(
        request.app.state.home, mart, key=key, where=where, after=place(asked.cursor, size=len(key)), limit=asked.limit
    )
    following = cursor_of(*(_text(rows[-1][name]) for name in key)) if len(rows) == asked.limit else None
    return sent({"rows": [shown(row) for row in rows], "snapshot_id": snapshot_id, "next_cursor": following})


def _text(value: object) -> str:
    return "" if value is None else str(value)
