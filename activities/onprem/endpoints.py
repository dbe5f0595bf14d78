"""Endpoints on-prem: a server process under a runner of its own, as a job is, on a port of this machine.

A folder is the endpoint, and its runner's order says the port. Of an endpoint that was removed not even the folder is left.
"""

import http.client
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.choosing import Machines
from activities.endpoint_service import Marked
from activities.onprem.job_folder import JobFolder
from activities.onprem.job_notes import Order
from activities.onprem.jobs import ProcessJobs
from activities.onprem.places import Places
from activities.scrub import scrub
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import KEPT_TAG, JobPhase, JobRef, JobRequest, JobState
from contracts.units import LONGEST, MIB

HOST = "127.0.0.1"
PORT = "PORT"
"""The variable that tells a server where to listen."""
ENDED_BY_ITSELF = (
    "the server ended by itself, with exit code 0, before anybody asked it to; "
    f"let its command stay and listen on {PORT} until it is stopped"
)
PING_SECONDS = 2.0
ANSWER_SECONDS = 60.0
_KIND_OF_STATUS = {429: ErrorKind.THROTTLED, 503: ErrorKind.UNAVAILABLE}


class Servers(ProcessJobs):
    """Jobs that serve: each has a port, and runs until it is stopped."""

    def __init__(
        self, places: Places, search: str, environment: Mapping[str, str], machine: Machines, container: str
    ) -> None:
        super().__init__(places, search, environment, machine, container, places.endpoints)

    def port(self, name: str) -> int:
        """Return where a server listens."""
        return int(self.folder(name).order().env[PORT])

    def folders(self) -> Iterator[JobFolder]:
        """Return the folder of every server."""
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            if not path.name.startswith(".") and JobFolder(path).exists():
                yield JobFolder(path)

    def remove(self, name: str) -> None:
        """Stop a server, and forget one that has ended."""
        ref = JobRef(id=name, name=name, generation=1, kind="deploy")
        if not self.folder(name).exists():
            return
        if self.describe(ref).phase.terminal:
            shutil.rmtree(self.folder(name).path, ignore_errors=True)
        else:
            self.stop(ref)

    def _order(self, folder: JobFolder, request: JobRequest) -> tuple[Order, str]:
        order, script = super()._order(folder, request)
        environment = {**order.env, PORT: str(_free_port())}
        return replace(order, env=environment, limit_seconds=LONGEST.total_seconds()), script


class ProcessEndpoints:
    """Each endpoint is a process of this machine, reached on loopback by the worker alone."""

    first_poll_seconds = 0.05
    body_limit_bytes = 64 * MIB

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def create(self, request: JobRequest) -> EndpointRef:
        """Start the server, or adopt the one that carries its name."""
        ref = self._servers.submit(request)
        return EndpointRef(id=ref.id, name=ref.name, generation=ref.generation, adopted=ref.adopted)

    def describe(self, ref: EndpointRef) -> EndpointState:
        """Look at the process, and ask it whether it is well."""
        folder = self._servers.folder(ref.name)
        if not folder.exists():
            return _state(ref, EndpointPhase.GONE)
        job = self._servers.describe(JobRef(id=ref.name, name=ref.name, generation=ref.generation))
        if folder.stop_asked:
            return _state(ref, EndpointPhase.DELETING, job=job)
        if job.phase.terminal:
            told = job.message or ENDED_BY_ITSELF
            return _state(ref, EndpointPhase.FAILED, told, job)
        well = job.phase is JobPhase.RUNNING and self._is_well(ref)
        return _state(ref, EndpointPhase.READY if well else EndpointPhase.CREATING, job=job)

    def keep(self, ref: EndpointRef) -> None:
        """Leave a mark in the server's folder."""
        self._servers.folder(ref.name).keep()

    def remove(self, ref: EndpointRef) -> None:
        """Stop the server; once it has ended, its folder goes."""
        self._servers.remove(ref.name)

    def find(self, run_uid: str, stage: str | None) -> Sequence[EndpointState]:
        """List servers by their tags."""
        found = [
            held.ref for held in self.marked() if held.run_uid == run_uid and stage in {None, held.stage}
        ]
        return [state for ref in found if (state := self.describe(ref)).phase is not EndpointPhase.GONE]

    def marked(self) -> Iterator[Marked]:
        """List every server."""
        for folder in self._servers.folders():
            order = folder.order()
            ref = EndpointRef(id=order.name, name=order.name, generation=order.generation, adopted=True)
            tags = order.tags
            run_uid, stage = tags.get("causeway-run", ""), tags.get("causeway-stage", "")
            yield Marked(ref, run_uid, stage, folder.claimed_at, folder.kept or KEPT_TAG in tags)

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        """Post to the server.

        Raises:
            ApplicationError: `THROTTLED`, `UNAVAILABLE` (also where nobody answers), `INVALID_REQUEST`, `JOB_FAILED`.
        """
        try:
            answer, content = self._ask(ref, "POST", body, ANSWER_SECONDS)
        except OSError as error:
            told = f"the server of {ref.name} does not answer: {error.strerror or type(error).__name__}"
            raise failure(ErrorKind.UNAVAILABLE, told, _detail(ref)) from None
        if answer.status < 300:
            return content
        kind = _KIND_OF_STATUS.get(answer.status)
        kind = kind or (ErrorKind.INVALID_REQUEST if answer.status < 500 else ErrorKind.JOB_FAILED)
        told = f"the server of {ref.name} answered {answer.status}: {scrub(content.decode(errors='replace'))}"
        asked = answer.getheader("Retry-After") or ""
        after = timedelta(seconds=min(int(asked), 3600)) if asked.isdecimal() else None
        raise failure(kind, told, _detail(ref), retry_after=after)

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        """Return what the server printed last; it goes with the endpoint."""
        if not self._servers.folder(ref.name).exists():
            return ()
        return self._servers.logs(JobRef(id=ref.name, name=ref.name, generation=1), tail, None).lines

    def _is_well(self, ref: EndpointRef) -> bool:
        try:
            answer, _ = self._ask(ref, "GET", None, PING_SECONDS)
        except OSError:
            return False
        return answer.status == 200

    def _ask(
        self, ref: EndpointRef, method: str, body: bytes | None, seconds: float
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(HOST, self._servers.port(ref.name), timeout=seconds)
        path, headers = "/ping" if body is None else "/predict", {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no HTTP answer ({type(error).__name__})") from None
        finally:
            connection.close()


def _state(
    ref: EndpointRef, phase: EndpointPhase, message: str = "", job: JobState | None = None
) -> EndpointState:
    created = job.submitted_at if job else None
    return EndpointState(
        ref=ref, phase=phase, message=message, created_at=created, last_seen=datetime.now(UTC)
    )


def _free_port() -> int:
    """Return a port that nobody listens on now; a server that finds it taken ends, and is not healthy."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _detail(ref: EndpointRef) -> ErrorDetail:
    return ErrorDetail(cloud="onprem", ref=ref.name)
