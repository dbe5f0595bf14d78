"""Asking a deployed model over HTTP: `rawPredict`, which passes bodies on unchanged.

The SDK's `raw_predict` cannot be used over REST, and `predict` turns every number into a double on its way.
"""

from datetime import timedelta
from typing import Any

from google.api_core.exceptions import from_http_response
from google.auth.transport.requests import AuthorizedSession

from activities.gcp.errors import CLOUD, first_line
from contracts.errors import ErrorDetail, ErrorKind, failure

TIMEOUT = (5.0, 70.0)
"""Vertex AI itself gives a model 60 s: https://cloud.google.com/vertex-ai/docs/predictions/get-online-predictions."""
SERVED_BY = "X-Vertex-AI-Deployed-Model-Id"
"""Says that an answer is the model's own: google/cloud/aiplatform/v1/prediction_service.proto."""
KIND_OF_ANSWER = {429: ErrorKind.THROTTLED, 503: ErrorKind.UNAVAILABLE}

NEEDS = {"post": ("aiplatform.endpoints.predict",)}


class RawPredict:
    """One region's endpoints as they are asked."""

    def __init__(self, session: AuthorizedSession, address: str) -> None:
        """Ask at this address, with the session's identity."""
        self._session = session
        self._address = address

    def post(self, endpoint: str, name: str, body: bytes) -> bytes:
        """Return what the model answered.

        Raises:
            GoogleAPICallError: Vertex AI itself refused, or could not reach the model.
            ApplicationError: the model refused: `THROTTLED`, `UNAVAILABLE`, `INVALID_REQUEST`, `JOB_FAILED`.
        """
        url = f"{self._address}/v1/{endpoint}:rawPredict"
        headers = {"Content-Type": "application/json"}
        answer = self._session.post(url, data=body, headers=headers, timeout=TIMEOUT)
        if answer.ok:
            return bytes(answer.content)
        if SERVED_BY not in answer.headers:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # the SDK has no types
        raise refused(name, answer)


def refused(name: str, answer: Any) -> Exception:
    """Say what a model answered instead of predictions."""
    status = int(answer.status_code)
    usual = ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.JOB_FAILED
    asked = answer.headers.get("Retry-After", "")
    later = timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 6 else None
    words = first_line(answer.text[:2000]) or "no words"
    detail = ErrorDetail(cloud=CLOUD, ref=name, code=str(status))
    text = f"the server of {name} answered {status}: {words}"
    return failure(KIND_OF_ANSWER.get(status, usual), text, detail, retry_after=later)
