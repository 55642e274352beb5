"""Every error answers `{"error": {"code", "message", "request_id"}}`, those of the framework too."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


def one_error_shape(app: FastAPI) -> None:
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(Exception, _failure)


async def _refusal(request: Request, error: Any) -> JSONResponse:
    shown = (
        error.detail
        if isinstance(error.detail, dict)
        else {
            "code": CODES.get(error.status_code, "error"),
            "message": str(error.detail),
        }
    )
    return _shown(request, shown, error.status_code, dict(error.headers or {}))


async def _failure(request: Request, error: Exception) -> JSONResponse:
    message = "the server failed; its log says why"
    return _shown(request, {"code": "internal", "message": message}, 500, {})


def _shown(
    request: Request, shown: dict[str, Any], status: int, headers: dict[str, str]
) -> JSONResponse:
    request_id = getattr(request.state, "request_id", None)
    return JSONResponse({"error": {**shown, "request_id": request_id}}, status, headers)
