"""Problems: every refusal of the interface as RFC 9457 says, in both languages, with a code and a remedy."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError

from headwater.errors import HeadwaterError, Message, Refusal
from headwater_console.views import LANGUAGES, language

__all__ = ["ProblemRoute", "problem", "senseless", "status_of"]

_STATUS = {
    "E-CODING-UNKNOWN": 404,
    "E-CODING-DECIDED": 409,
    "E-CODING-NOT-WAITING": 409,
    "E-CODING-NO-REFERENCE": 409,
    "E-CODING-SAME-PERSON": 403,
    "E-STAY-UNKNOWN": 404,
    "E-POLICY-UNKNOWN": 404,
    "E-POLICY-CHANGED": 412,
    "E-REQUEST-CONDITION": 428,
    "E-INDICATOR-UNKNOWN": 404,
    "E-INDICATOR-NONE": 404,
    "E-INDICATOR-RETIRED": 409,
    "E-INDICATOR-DEPENDENT": 409,
    "E-NOT-PUBLISHED": 409,
    "E-VALUE-NONE": 404,
    "E-LINEAGE-STAY": 404,
    "E-EXTREME-UNKNOWN": 404,
    "E-EXTREME-DECIDED": 409,
    "E-REQUEST-SIZE": 413,
    "E-REQUEST-TYPE": 415,
}
_OTHERWISE = 422

_BY_STATUS = {
    401: ("E-LOGIN", Message("需要登录。", "Nobody is logged in."), Message("请先登录。", "Log in first.")),
    403: (
        "E-FORBIDDEN",
        Message("没有此项权限。", "This is not allowed to you."),
        Message("请联系管理员。", "Ask an administrator."),
    ),
}


class ProblemRoute(APIRoute):
    """A route whose refusals are problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with every refusal turned into a problem."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except HeadwaterError as error:
                return problem(request, error, status_of(error))
            except (RequestValidationError, ValidationError) as error:
                return problem(request, senseless(error), _OTHERWISE)
            except HTTPException as error:
                if error.status_code not in _BY_STATUS:
                    raise
                return problem(request, HeadwaterError(*_BY_STATUS[error.status_code]), error.status_code)

        return handle


def status_of(error: HeadwaterError) -> int:
    """Return the status of the answer to a request that was refused."""
    return _STATUS.get(error.code, _OTHERWISE)


def problem(request: Request, error: HeadwaterError, status: int) -> JSONResponse:
    """Return an error as ``application/problem+json``; ``title`` and ``remedy`` are in the language of the request."""
    lang = LANGUAGES[language(request)]
    content = {
        "type": f"urn:headwater:problem:{error.code.lower()}",
        "status": status,
        "code": error.code,
        "title": getattr(error.reason, lang),
        "remedy": getattr(error.remedy, lang),
        "title_zh": error.reason.zh,
        "title_en": error.reason.en,
        "remedy_zh": error.remedy.zh,
        "remedy_en": error.remedy.en,
        "instance": request.url.path,
    }
    return JSONResponse(content, status_code=status, media_type="application/problem+json")


def senseless(error: RequestValidationError | ValidationError) -> Refusal:
    """Return what is wrong with a request, field by field; its values are not repeated."""
    wrong = ", ".join(sorted({".".join(str(part) for part in one["loc"]) or "body" for one in error.errors()}))
    return Refusal(
        "E-REQUEST",
        Message(f"请求中有误：{wrong}。", f"The request is wrong in {wrong}."),
        Message("改正所列各项后重发。", "Mend what is named and send it again."),
    )
