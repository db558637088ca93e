"""The interface of groups, payments and indicators: stays and why they are paid so, policies, what-if, values."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from headwater.adapters import marts
from headwater.claims.comparing.suppressing import LEAST
from headwater.content.national import National, read_national
from headwater.errors import Message, Refusal
from headwater.steps.explain import explain
from headwater.steps.near import near
from headwater.steps.plans import plans
from headwater.steps.policies import policies
from headwater.steps.what_if import find_policy, what_if
from headwater_console.exchange import cursor_of, place, sent
from headwater_console.problems import ProblemRoute

__all__ = ["reading"]

_LARGEST = 400
"""Characters of a cursor."""
_STAY = ("stay_id",)
_LONGEST = timedelta(days=3 * 366)
"""Of a period of what-if, whose stays are all held in memory while somebody waits."""
_SHOWN = 1000
"""Rows of a what-if by one column."""

reading = APIRouter(prefix="/api/v1", route_class=ProblemRoute)

_Cursor = Annotated[str | None, Query(max_length=_LARGEST)]
_Limit = Annotated[int, Query(ge=1, le=1000)]
_Filter = Annotated[str | None, Query(max_length=100)]
_Policy = Annotated[str, Query(max_length=200, pattern=r"^[\w.-]+(/\d{4}-\d{2}-\d{2})?$")]


@reading.get("/payments")
def payments(
    request: Request,
    hospital_id: _Filter = None,
    drg: _Filter = None,
    month: Annotated[date | None, Query()] = None,
    cursor: _Cursor = None,
    limit: _Limit = 100,
) -> Response:
    """List what stays are paid, by stay."""
    chosen = {"hospital_id": hospital_id, "drg": drg, "discharge_month": month.isoformat() if month else None}
    where = {name: value for name, value in chosen.items() if value is not None}
    return _page(request, "fct_payment", _STAY, where=where, paging=(cursor, limit))


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
def compare(
    request: Request,
    before: _Policy,
    after: _Policy,
    first: Annotated[date, Query(alias="from")],
    last: Annotated[date, Query(alias="to")],
) -> Response:
    """Price the stays of a period under two policies."""
    home = request.app.state.home
    if not timedelta() <= last - first <= _LONGEST:
        raise Refusal(
            "E-REQUEST-PERIOD",
            Message("期间须自起日至止日，最长三年。", "The period must end after it begins, within three years."),
            Message(
                "改 from 与 to；更长的期间用 headwater what-if。",
                "Mend from and to; headwater what-if takes longer ones.",
            ),
        )
    report = what_if(home, find_policy(home, before), find_policy(home, after), period=(first, last)).to_dict()
    by: dict[str, list[Any]] = report["by"]
    return sent({**report, "by": {name: rows[:_SHOWN] for name, rows in by.items()}})


@reading.get("/indicators")
def indicators(request: Request) -> Response:
    """List the indicators that the project ships."""
    return sent({"indicators": [asdict(one) for one in read_national(request.app.state.home.project)]})


@reading.get("/indicators/{name}")
def values(
    request: Request,
    name: str,
    hospital_id: _Filter = None,
    month: Annotated[date | None, Query()] = None,
    cursor: _Cursor = None,
    limit: _Limit = 100,
) -> Response:
    """List the values of an indicator."""
    one = _indicator(request, name)
    chosen = {"hospital_id": hospital_id, "discharge_month": month.isoformat() if month else None}
    where = {column: value for column, value in chosen.items() if value is not None and column in one.columns}
    return _page(request, one.name, one.key, where=where, paging=(cursor, limit), shown=_without_few)


def _without_few(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of an indicator without its numbers where they are of few stays, and why they are not there."""
    stays = row.get("stay_count")
    if stays is None or not 0 < stays < LEAST:
        return {**row, "withheld": None}
    kept = {name: None if isinstance(value, int | float | Decimal) else value for name, value in row.items()}
    return {**kept, "withheld": "small"}


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
    paging: tuple[str | None, int],
    shown: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Response:
    cursor, limit = paging
    snapshot_id, rows = marts.page(
        request.app.state.home, mart, key=key, where=where, after=place(cursor, size=len(key)), limit=limit
    )
    following = cursor_of(*(_text(rows[-1][name]) for name in key)) if len(rows) == limit else None
    return sent({"rows": [shown(row) for row in rows], "snapshot_id": snapshot_id, "next_cursor": following})


def _text(value: object) -> str:
    return "" if value is None else str(value)
