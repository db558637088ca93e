"""The application: every route behind one login, one policy on every answer, no documentation in public."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from headwater.adapters.home import Home
from headwater_console import (
    coding_api,
    extremes_api,
    files,
    indicators_api,
    lineage_pages,
    pages,
    payment_api,
    payment_pages,
    policy_api,
    policy_pages,
    value_pages,
)
from headwater_console.readings import Readings
from headwater_console.views import Views

__all__ = ["POLICY", "create_app"]

POLICY = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
"""Headers of every answer: nothing from elsewhere, nothing inline, framed by Airflow only."""


def create_app(home: Home, *, authenticate: Callable[..., Any], authorize: Callable[..., Any]) -> FastAPI:
    """Build the console for one installation.

    Parameters
    ----------
    home : whose state it shows
    authenticate : FastAPI dependency that returns the user or answers 401; it guards every route
    authorize : FastAPI dependency that answers 403 to whoever may not change anything; it guards what changes something
    """
    app = FastAPI(title="headwater", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_warmed)
    app.state.readings = Readings(home)
    app.state.views = Views(Path(__file__).parent)
    app.state.home = home

    def remember(request: Request, user: Annotated[Any, Depends(authenticate)]) -> None:
        request.state.user = user

    guarded = APIRouter(dependencies=[Depends(remember)])
    # The order counts: the last router answers whatever no other one knows.
    for router in (coding_api.changing, extremes_api.changing, policy_api.changing, indicators_api.changing):
        guarded.include_router(router, dependencies=[Depends(authorize)])
    apis = (
        *(coding_api.reading, extremes_api.reading, payment_api.reading, policy_api.reading),
        *(indicators_api.reading, value_pages.reading, lineage_pages.reading),
    )
    shown = (pages.router, policy_pages.router, payment_pages.router, value_pages.router, lineage_pages.router)
    for router in (*shown, files.router, *apis, pages.unknown):
        guarded.include_router(router)
    app.include_router(guarded)
    app.middleware("http")(_headers)
    return app


@asynccontextmanager
async def _warmed(app: FastAPI) -> AsyncIterator[None]:
    """Let the pages warm up beside the start of whatever serves them, which the mere import of a plugin is not."""
    warming = asyncio.create_task(asyncio.to_thread(app.state.readings.warm))
    yield
    await warming


async def _headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in POLICY.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
