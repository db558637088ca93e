"""The interface of indicators that a bureau defines: what holds, its versions, its values, defining and retiring."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headwater.adapters.indicators import Stored
from headwater.claims.comparing import WITHHELD
from headwater.claims.indicators import from_document, to_document
from headwater.steps import indicators
from headwater_console.exchange import Body, Key, drawn, name, sent
from headwater_console.problems import ProblemRoute
from headwater_console.views import LANGUAGES, language

__all__ = ["changing", "reading"]

_PREFIX = "/api/v1/custom-indicators"
reading = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
changing = APIRouter(prefix=_PREFIX, route_class=ProblemRoute)
"""What changes something stands apart, as it takes more than a login."""

_Name = Annotated[str, InPath(pattern=r"^[a-z][a-z0-9_]{1,62}$")]


class _Definitions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    definitions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=200)]


class _Retirement(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


@reading.get("")
def listed(request: Request) -> Response:
    """List the newest version of each indicator that is not retired."""
    return sent({"indicators": [_told(one) for one in indicators.listed(request.app.state.home)]})


@reading.get("/{indicator}")
def history(request: Request, indicator: _Name) -> Response:
    """List every version of an indicator, retired or not, the newest first."""
    return sent({"versions": [_told(one) for one in indicators.history(request.app.state.home, indicator)]})


@reading.get("/{indicator}/values")
def values(request: Request, indicator: _Name, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """List the newest cells of an indicator; what is withheld says why in ``withheld`` and ``told``."""
    cells = indicators.values(request.app.state.home, indicator, limit=limit)
    lang = LANGUAGES[language(request)]
    told = [
        {**one, "told": getattr(WITHHELD[str(one["withheld"])], lang) if one["withheld"] else None} for one in cells
    ]
    return sent({"cells": told})


@changing.post("")
def define(request: Request, body: Body, idempotency_key: Key = None) -> Response:
    """Store definitions as versions, all or none; the same again is the same version, whatever the key."""
    wanted = _Definitions.model_validate_json(body)
    drawn(idempotency_key)
    defined = [from_document(one) for one in wanted.definitions]
    stored = indicators.define(request.app.state.home, *defined, by=name(request.state.user))
    return sent({"indicators": [_told(one) for one in stored]}, status=201)


@changing.post("/{indicator}/retirement")
def retire(request: Request, indicator: _Name, body: Body, idempotency_key: Key = None) -> Response:
    """Compute an indicator no more; who retires it is never taken from the body."""
    wanted = _Retirement.model_validate_json(body)
    drawn(idempotency_key)
    signed = (name(request.state.user), wanted.why)
    return sent(_told(indicators.retire(request.app.state.home, indicator, signed=signed)), status=201)


def _told(one: Stored) -> dict[str, Any]:
    retirement = asdict(one.retirement) if one.retirement else None
    said = {**to_document(one.indicator), "version": one.indicator.version}
    return {**said, "defined_by": one.defined_by, "defined_at": one.defined_at, "retirement": retirement}
