"""What the sources are worth in a month: a page, and the same as data."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from headwater.errors import Message, Refusal
from headwater_console.exchange import sent
from headwater_console.pages import PageRoute
from headwater_console.problems import ProblemRoute
from headwater_console.records import ValueMonth
from headwater_console.whiskers import NARROW, WIDE, chart

__all__ = ["reading", "router"]

router = APIRouter(route_class=PageRoute)
reading = APIRouter(prefix="/api/v1/source-values", route_class=ProblemRoute)

_Short = Annotated[str, Query(max_length=100)]
_Month = Annotated[str, Query(pattern=r"^(20[0-9]{2}-(0[1-9]|1[0-2]))?$")]


@router.get("/values")
def values(request: Request, task: _Short = "", region: _Short = "", month: _Month = "") -> HTMLResponse:
    """Show one valuation, the newest of the region unless the address names a month."""
    known = request.app.state.readings.value_months()
    found = _found(request, known, (task, region, month))
    return request.app.state.views.page(
        request,
        "values.html",
        here="values",
        found=found,
        known=known,
        charts=[chart(found.lines, size) for size in (WIDE, NARROW)] if found else [],
        status=404 if known and found is None else 200,
    )


@reading.get("")
def told(request: Request, task: _Short = "", region: _Short = "", month: _Month = "") -> Response:
    """Give one valuation with the change since the month before, and the months that there are."""
    known = request.app.state.readings.value_months()
    found = _found(request, known, (task, region, month))
    if found is None:
        raise Refusal(
            "E-VALUE-NONE",
            Message("没有这样的来源估值。", "There is no such valuation of sources."),
            Message("请先运行 headwater value，或换一个月份。", "Run headwater value first, or name another month."),
        )
    months = [{"task": task, "region": region, "month": month} for task, region, month in known]
    return sent({**asdict(found), "known": months})


def _found(
    request: Request, known: tuple[tuple[str, str, date], ...], asked: tuple[str, str, str]
) -> ValueMonth | None:
    """Return the first valuation that agrees with all that was asked, the newest coming first."""
    for one in known:
        if all(want in ("", have) for want, have in zip(asked, (*one[:2], f"{one[2]:%Y-%m}"), strict=True)):
            return request.app.state.readings.value_month(*one)
    return None
