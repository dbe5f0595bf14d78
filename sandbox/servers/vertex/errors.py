"""Errors as Google's APIs answer them: one JSON shape for every service."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

# google.rpc.Code with the HTTP status Google maps it to (google/rpc/code.proto).
_HTTP = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}


class GoogleError(Exception):
    """A refusal with a status of `google.rpc.Code` and a message for a person."""

    def __init__(self, status: str, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []

    def response(self) -> Response:
        """The body and HTTP status Google would answer with."""
        code = _HTTP[self.status]
        error: dict[str, Any] = {"code": code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'} if code == 401 else None
        return JSONResponse({"error": error}, code, headers=headers)


def error_info(reason: str, **metadata: str) -> dict[str, Any]:
    """The detail that names a machine-readable reason."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def field_violations(violations: dict[str, str]) -> dict[str, Any]:
    """The detail that says which fields were wrong, and why."""
    listed = [{"field": field, "description": text} for field, text in violations.items()]
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": listed}


def wrong_fields(violations: dict[str, str]) -> GoogleError:
    """Vertex AI's way to list what is wrong with a request."""
    listed = "".join(
        f"\t{number}.Field: {field}; Message: {text}"
        for number, (field, text) in enumerate(violations.items(), 1)
    )
    return GoogleError("INVALID_ARGUMENT", f"List of found errors:{listed}\t", [field_violations(violations)])
