"""What happens to endpoints while nobody asks: they are there, become healthy, fail or go; and who scores."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.servers.azure.online import Online
from sandbox.servers.records import Record
from sandbox.servers.rounds import Rounds
from sandbox.servers.scoring import answers, scored

LIMIT_BYTES = 1_500_000
UNHEALTHY = "User container has crashed or terminated: the server ended before it was ready. See its log."
LATE = "Readiness probe failed: the server did not become ready in the time that its probe allows."


class Caretaker(Rounds):
    """One thread that looks after all endpoints."""

    look_seconds = 0.1

    def __init__(self, online: Online) -> None:
        """Look after these endpoints."""
        super().__init__()
        self._online = online

    def duties(self) -> Iterable[Callable[[], None]]:
        """See `Rounds`."""
        online = self._online
        yield from [partial(self._look_after, record) for record in online.deployments.all()]
        yield from [partial(self._settle, record) for record in online.endpoints.all()]

    def _settle(self, record: Record) -> None:
        online, name = self._online, record["name"]
        if record["status"] in ("Creating", "Updating") and time.time() >= record["ready_at"]:
            online.endpoints.change(name, status="Succeeded")
        elif record["status"] == "Deleting" and not online.below(name):
            online.endpoints.remove(name)

    def _look_after(self, record: Record) -> None:
        machines, key = self._online.machines, record["key"]
        if not machines.home(record["machine"]).exists():
            return
        ended = machines.status(record["machine"]).phase == "DONE"
        if record["status"] == "Deleting":
            if ended:
                machines.clear(record["machine"], "models", "server", "site", "tmp", "wd")
                self._online.deployments.remove(key)
        elif record["status"] == "Creating":
            self._bring_up(record, ended=ended)

    def _bring_up(self, record: Record, *, ended: bool) -> None:
        late = time.time() - record["created_at"] > _patience(record)
        if ended or late:
            error = {"code": "ResourceNotReady", "message": UNHEALTHY if ended else LATE}
            self._say(record, "Failed", error=error)
            self._online.machines.stop(record["machine"], grace_seconds=0, deliver=False)
        elif answers(record["port"], "/ready"):
            self._say(record, "Succeeded")

    def _say(self, record: Record, status: str, **news: object) -> None:
        current = self._online.deployments.get(record["key"])
        if current and current["status"] == "Creating":
            self._online.deployments.change(record["key"], status=status, **news)


def _patience(record: Record) -> float:
    probe = record["body"]["properties"].get("readinessProbe") or {}
    period = str(probe.get("period") or "PT10S").removeprefix("PT").removesuffix("S")
    return float(period) * float(probe.get("failureThreshold") or 30)


def inference(online: Online) -> Route:
    """The route that scores. Its keys are the endpoint's own; what a server refuses is told as a 424."""

    async def answer(request: Request) -> Response:
        name = request.state.resource = request.path_params["name"]
        body = await request.body()
        endpoint = online.endpoints.get(name)
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if endpoint is None or not hmac.compare_digest(given.encode(), endpoint["key"].encode()):
            return JSONResponse({"message": "key_auth_access_denied"}, 401)
        deployment = online.deployments.get(f"{name}.{request.headers.get('azureml-model-deployment', '')}")
        if deployment is None or deployment["status"] != "Succeeded":
            return PlainTextResponse("There is no deployment of this name that takes requests.", 404)
        if len(body) > LIMIT_BYTES:
            return PlainTextResponse("Request Entity Too Large", 413)
        return await run_in_threadpool(_scored, deployment["port"], body)

    return Route("/inference/{name}/score", answer, methods=["POST"], name="Inference.Score")


def _scored(port: int, body: bytes) -> Response:
    try:
        found = scored(port, "/score", body, {"Content-Type": "application/json"})
    except OSError:
        return PlainTextResponse("upstream connect error", 502)
    if found.status == 200:
        return Response(found.body, media_type=found.media_type)
    headers = {
        "ms-azureml-model-error-statuscode": str(found.status),
        "ms-azureml-model-error-reason": "model_error",
    }
    if found.retry_after:
        headers["Retry-After"] = found.retry_after
    return Response(found.body, 424, headers, media_type=found.media_type)
