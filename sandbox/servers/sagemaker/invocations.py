"""SageMaker's runtime: what is posted to an endpoint goes to its server, and errors are told as the vendor's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sandbox.servers.sagemaker.errors import AwsError
from sandbox.servers.sagemaker.hosting import Hosting
from sandbox.servers.sagemaker.signing import verify
from sandbox.servers.scoring import Scored

INVOCATIONS = "/endpoints/{name}/invocations"
LIMIT_BYTES = 6 * 1024 * 1024


def invocations(hosting: Hosting, keys: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """The route."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        request.state.resource = request.path_params["name"]
        try:
            verify(request.method, str(request.url), request.headers, body, keys)
            if len(body) > LIMIT_BYTES:
                raise AwsError("ValidationError", f"Request body exceeds {LIMIT_BYTES} bytes", 413)
            passed = {
                name: request.headers[name] for name in ("content-type", "accept") if name in request.headers
            }
            scored = await run_in_threadpool(hosting.invoke, request.path_params["name"], body, passed)
        except AwsError as error:
            return refusal(error)
        return _told(scored)

    return answer


def refusal(error: AwsError) -> Response:
    """An error in the vendor's form."""
    return json_answer({"__type": error.code, "message": error.message}, error.status)


def json_answer(values: dict[str, Any], status: int) -> Response:
    """An answer of the control plane."""
    return Response(
        json.dumps(values),
        status_code=status,
        media_type="application/x-amz-json-1.1",
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def _told(scored: Scored) -> Response:
    if scored.status < 300:
        return Response(scored.body, media_type=scored.media_type)
    words = scored.body.decode(errors="replace")[:1000]
    values = {
        "__type": "ModelError",
        "Message": f'Received client error ({scored.status}) from primary with message "{words}".',
        "OriginalStatusCode": scored.status,
        "OriginalMessage": words,
    }
    return json_answer(values, 424)
