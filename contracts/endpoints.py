"""Online endpoints as the workflows see them: a server on a cloud that scores rows. No cloud lives here.

A server is asked for like a job, by a `JobRequest` of the kind `deploy`: its command listens where `PORT` says, answers
any GET with 200 once its model is loaded, and any POST of `{"instances": [...]}` with `{"predictions": [...]}`, as many
as there were instances and in their order. Paths differ from cloud to cloud, so it takes no notice of them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.artifacts import Artifact
from contracts.errors import ErrorKind
from contracts.jobs import FindRequest, JobRef, JobRequest, LogPage, LogRequest, RunRef
from contracts.leaves import LeaveRef
from contracts.model import Message

RowFormat = Literal["csv", "jsonl"]
"""How rows lie in a file: `csv` with a header, whose cells become texts, or JSON lines."""
PREDICTIONS = "predictions"
"""The output of a stage that scores: a folder of JSON lines, a prediction for each row, in the rows' order."""


class EndpointPhase(StrEnum):
    """Where an endpoint stands."""

    CREATING = "CREATING"
    READY = "READY"
    FAILED = "FAILED"
    DELETING = "DELETING"
    INCOMPLETE = "INCOMPLETE"
    """There is no endpoint, but something that was made for it, such as its model."""
    GONE = "GONE"
    """Nothing of it is left."""


class EndpointRef(Message):
    """An endpoint that was made."""

    id: str
    """The vendor's identifier."""
    name: str
    """The request's `name`; a vendor that allows no such name derives its own from it."""
    generation: int = 1
    console: str | None = None
    adopted: bool = False


def server_ref(endpoint: EndpointRef) -> JobRef:
    """Return an endpoint's server as whoever reads its log names it."""
    return JobRef(id=endpoint.id, name=endpoint.name, generation=endpoint.generation, kind="deploy")


class EndpointState(Message):
    """An endpoint as its control plane last described it."""

    ref: EndpointRef
    phase: EndpointPhase
    message: str = ""
    """The vendor's words."""
    reason: ErrorKind | None = None
    """Why it is FAILED, where that is another than that its server is not healthy."""
    created_at: datetime | None = None
    last_seen: datetime | None = None


class InvokeRequest(Message):
    """Rows to score by an endpoint."""

    run: RunRef
    stage: str
    generation: int = Field(ge=1)
    endpoint: EndpointRef
    data: Artifact
    """Lies in this connection's store."""
    format: RowFormat = "csv"
    batch_size: int = Field(default=64, ge=1)
    """Rows in one request."""
    max_parallel: int = Field(default=4, ge=1)
    """Requests in flight."""
    target: str
    """URI prefix of the predictions, ending in `/`."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class Invoked(Message):
    """What came of it."""

    predictions: Artifact
    rows: int
    requests: int
    """Sent by the attempt that finished; what earlier attempts had left was not sent again."""
    waits: int = 0
    """How often the endpoint asked to be left alone for a while."""


class InvokeProgress(Message):
    """What a heartbeat tells of rows being scored."""

    rows: int


class EndpointList(Message):
    """Endpoints as their control plane describes them."""

    endpoints: tuple[EndpointState, ...]


class EndpointActivities:
    """What every cloud's worker can do with endpoints."""

    @activity.defn(name="endpoints.deploy")
    def deploy(self, request: JobRequest) -> EndpointState:
        """Have this endpoint exist once, and return when it answers.

        Safe to run twice, also at once: an endpoint of this name is adopted. One that does not become healthy within the
        request's timeout is removed again, with all that was made for it. One that shall stay is marked so when it answers,
        and not before. Heartbeats `EndpointState`. Final: `JOB_FAILED` (it is not healthy; the message ends with its last
        log lines), `TIMED_OUT`, `INVALID_REQUEST`, `UNSUPPORTED`, `ACCESS_DENIED`, `TARGET_CONFLICT`, `CAPACITY`.
        """
        raise NotImplementedError

    @activity.defn(name="endpoints.invoke")
    def invoke(self, request: InvokeRequest) -> Invoked:
        """Score every row and leave the predictions as a folder, which is told of only when it is whole.

        Safe to run twice: what an earlier attempt has left is kept, and not sent again. When the endpoint answers 429 or
        503 everything waits for as long as it asks. Heartbeats `InvokeProgress`. Final: `JOB_FAILED` (the server failed on
        rows, or answered something else), `INVALID_REQUEST` (the data are no such rows), `SOURCE_MISSING`,
        `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="endpoints.retire")
    def retire(self, ref: EndpointRef) -> EndpointState:
        """Remove an endpoint and all that was made for it; return when nothing of it is left.

        Safe to run twice; one that is gone is left alone. Heartbeats `EndpointState`. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="endpoints.find")
    def find(self, request: FindRequest) -> EndpointList:
        """List what carries a run's tags, parts of endpoints too. Safe to run twice. Final: `ACCESS_DENIED`."""
        raise NotImplementedError

    @activity.defn(name="endpoints.logs")
    def logs(self, request: LogRequest) -> LogPage:
        """Read the last lines that an endpoint's server printed, or wait a while for what it prints after a token.

        Safe to run twice. Lines are found again by those before them: of lines that repeat themselves some may be left
        out. Heartbeats nothing but its life. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError
