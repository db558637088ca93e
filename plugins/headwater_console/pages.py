"""The pages: parse, read, render."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from headwater.errors import HeadwaterError
from headwater_console.problems import senseless, status_of
from headwater_console.records import BatchFilter

__all__ = ["PageRoute", "router", "unknown"]


class PageRoute(APIRoute):
    """A page that shows in its language what was refused."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with every refusal turned into a page."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except HeadwaterError as error:
                return _refused(request, error)
            except (RequestValidationError, ValidationError) as error:
                return _refused(request, senseless(error))

        return handle


def _refused(request: Request, error: HeadwaterError) -> HTMLResponse:
    return request.app.state.views.page(request, "refused.html", here="", refused=error, status=status_of(error))


router = APIRouter(route_class=PageRoute)
unknown = APIRouter()

_Short = Annotated[str, Query(max_length=100)]


@router.get("/")
def overview(request: Request) -> HTMLResponse:
    """Show where the region stands: each stage's last result, the sources, the model, what failed."""
    state = request.app.state
    return state.views.page(request, "overview.html", here="overview", state=state.readings.overview())


@router.get("/batches")
def batches(
    request: Request,
    source: _Short = "",
    entity: _Short = "",
    state: _Short = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """List landed files with their balance, filtered by what stands in the address."""
    chosen = BatchFilter(source=source, entity=entity, state=state, page=page)
    found = request.app.state.readings.batches(chosen)
    return request.app.state.views.page(request, "batches.html", here="batches", chosen=chosen, found=found)


@router.get("/sources")
def sources(request: Request, region: _Short = "", chosen: bool = False) -> HTMLResponse:
    """List what every source is worth in the newest valuation of its region."""
    known = request.app.state.readings.sources()
    found = [one for one in known if region in ("", one.region) and (one.selected or not chosen)]
    regions = sorted({one.region for one in known})
    return request.app.state.views.page(
        request, "sources.html", here="sources", found=found, regions=regions, region=region, chosen=chosen
    )


@router.get("/quality")
def quality(request: Request, run: _Short = "") -> HTMLResponse:
    """Show a quality report, the newest unless the address names another."""
    found = request.app.state.readings.quality(run)
    return request.app.state.views.page(
        request, "quality.html", here="quality", found=found, status=404 if run and found.shown is None else 200
    )


@unknown.get("/{path:path}")
def nothing(request: Request, path: str) -> HTMLResponse:
    """Say that there is no such page, to somebody who is logged in."""
    return request.app.state.views.page(request, "nothing.html", here="", status=404)
