"""Where a prediction comes from: a page, and the same as data."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from headwater.errors import HeadwaterError
from headwater.steps.lineage import Lineage
from headwater_console.exchange import sent
from headwater_console.pages import PageRoute
from headwater_console.problems import ProblemRoute, status_of

__all__ = ["reading", "router"]

router = APIRouter(route_class=PageRoute)
reading = APIRouter(prefix="/api/v1/lineage", route_class=ProblemRoute)

_SUGGESTED = 12
"""Stays that are offered where none is named."""

_Stay = Annotated[str, Query(max_length=200)]
_Version = Annotated[str, Query(pattern=r"^([1-9][0-9]{0,8})?$")]


@router.get("/lineage")
def lineage(request: Request, stay: _Stay = "", version: _Version = "") -> HTMLResponse:
    """Trace the prediction for one stay; without one, offer some of those that were predicted."""
    readings, found, refused = request.app.state.readings, None, None
    try:
        found = _found(request, stay, version) if stay.strip() else None
    except HeadwaterError as error:
        refused = error
    return request.app.state.views.page(
        request,
        "lineage.html",
        here="lineage",
        stay=stay.strip(),
        found=found,
        refused=refused,
        offered=() if found else readings.predicted(_SUGGESTED),
        quality_folder=readings.quality_folder(found.quality.run_id) if found and found.quality else "",
        mlflow_url=readings.mlflow_url,
        status=status_of(refused) if refused else 200,
    )


@reading.get("")
def told(
    request: Request, stay: Annotated[str, Query(min_length=1, max_length=200)], version: _Version = ""
) -> Response:
    """Give the lineage of the prediction for a stay, by default that of the version that serves."""
    return sent(_found(request, stay, version).to_dict())


def _found(request: Request, stay: str, version: str) -> Lineage:
    found: Lineage = request.app.state.readings.lineage(stay.strip(), int(version) if version else None)
    return found
