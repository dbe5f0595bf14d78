"""Jobs as local processes that outlive this worker."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from activities.choosing import Machines, checkpoint_uri, machine_for
from activities.job_script import render_script
from activities.onprem.job_folder import JobFolder
from activities.onprem.job_notes import Order, Status
from activities.onprem.logs import read_log
from activities.onprem.places import Places
from activities.onprem.processes import alive, kill_belonging
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, LogPage

_PACKAGES = Path(__file__).resolve().parents[2]
"""The folder that holds `activities`, so that the runner is found from any working directory."""

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class ProcessJobs:
    """Each job is a folder under the root and a process group; the folder's name is the job's."""

    first_poll_seconds = 0.02

    def __init__(
        self,
        places: Places,
        search: str,
        environment: Mapping[str, str],
        machine: Machines,
        container: str,
        root: Path | None = None,
    ) -> None:
        """Take the PATH of jobs, and the environment whose PIP_ settings they are given.

        Checkpoints lie in the default container; the folders of jobs below `root`, if not where jobs usually lie.
        """
        self._machine = machine
        self._container = container
        self._places = places
        self._root = root or places.jobs
        self._search = search
        self._pip = {name: value for name, value in environment.items() if name.startswith("PIP_")}

    def submit(self, request: JobRequest) -> JobRef:
        """Start the job, or adopt the one that carries its name."""
        folder = self.folder(request.name)
        machine_for(request, self._machine)
        order, script = self._order(folder, request)
        created = JobFolder.claim(folder.path, order, script)
        held = folder.order()
        if held.tags.get("causeway-digest") != request.tags["causeway-digest"]:
            told = f"a job named {request.name} asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, told, _detail(request.name))
        # The claimant may have died before it started anything; a second runner finds the lock taken.
        if folder.status() is None:
            _launch(folder)
        return _ref(held, adopted=not created)

    def describe(self, ref: JobRef) -> JobState:
        """Read the job's status; what a vanished runner left is ended first."""
        folder = self._known(ref.id)
        return _state(folder, ref)

    def stop(self, ref: JobRef) -> None:
        """Ask the runner to stop its command; it kills after ten seconds."""
        folder = self._known(ref.id)
        folder.ask_to_stop()
        if folder.status() is None:
            _launch(folder)

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List jobs by their tags."""
        found = []
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            folder = JobFolder(path)
            if path.name.startswith(".") or not folder.exists():
                continue
            order = folder.order()
            if order.tags.get("causeway-run") == run_uid and stage in {
                None,
                order.tags.get("causeway-stage"),
            }:
                found.append(_state(folder, _ref(order, adopted=True)))
        return found

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Return the prefixes that were wanted: the runner moved each output there."""
        self._known(ref.id)
        return dict(request.outputs)

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See `JobService.logs`; the token is a byte offset."""
        return read_log(self._known(ref.id).log, tail, after, final=final)

    def _order(self, folder: JobFolder, request: JobRequest) -> tuple[Order, str]:
        outputs = {name: str(folder.path / "outputs" / name) for name in request.outputs}
        checkpoint = checkpoint_uri(self._container, request)
        script = render_script(
            request,
            code=self._input(request.code.uri) if request.code else None,
            inputs={name: self._input(artifact.uri) for name, artifact in request.inputs.items()},
            outputs=outputs,
            work=str(folder.work),
            checkpoint=str(self._places.folder(checkpoint)) if checkpoint else None,
        )
        order = Order(
            name=request.name,
            kind=request.kind,
            generation=request.generation,
            tags=request.tags,
            env=self._environment(folder, request),
            limit_seconds=request.timeout.total_seconds(),
            outputs={outputs[name]: str(self._places.folder(uri)) for name, uri in request.outputs.items()},
        )
        return order, script

    def _input(self, uri: str) -> str:
        path = self._places.folder(uri) if uri.endswith("/") else self._places.file(uri)
        if not path.exists():
            raise failure(ErrorKind.SOURCE_MISSING, f"{uri} does not exist", _detail(uri))
        return str(path)

    def _environment(self, folder: JobFolder, request: JobRequest) -> dict[str, str]:
        site = str(folder.path / "site")
        own = {
            "PATH": self._search,
            "HOME": str(folder.path / "home"),
            "TMPDIR": str(folder.path / "tmp"),
            "LANG": "C.UTF-8",
            "PIP_TARGET": site,
            "PYTHONPATH": site,
        }
        return {**self._pip, **own, **request.env}

    def folder(self, name: str) -> JobFolder:
        """Return the folder of a job, whether or not it exists."""
        return JobFolder(self._root / name)

    def _known(self, name: str) -> JobFolder:
        folder = self.folder(name)
        if "/" in name or name.startswith(".") or not folder.exists():
            raise failure(ErrorKind.SOURCE_MISSING, f"there is no job {name}", _detail(name))
        return folder


def search_path(first: Sequence[str]) -> str:
    """Return the PATH of jobs: what the settings name, then the system's own."""
    return os.pathsep.join([*first, _SYSTEM_PATH])


def _launch(folder: JobFolder) -> None:
    """Start a runner in a session of its own, with nothing of this worker's environment."""
    environment = {"PYTHONPATH": str(_PACKAGES), "PATH": _SYSTEM_PATH, "LANG": "C.UTF-8"}
    process = subprocess.Popen(  # noqa: S603 (the words are ours, and no shell reads them)
        [sys.executable, "-m", "activities.onprem.runner", str(folder.path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder.path,
        env=environment,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name=f"reaper of {folder.path.name}", daemon=True).start()


def _state(folder: JobFolder, ref: JobRef) -> JobState:
    status, now = folder.status(), datetime.now(UTC)
    if status is None:
        return JobState(ref=ref, phase=JobPhase.QUEUED, last_seen=now)
    if not status.ended and not alive(status.runner, status.runner_started):
        status = _settle(folder) or status
    started = datetime.fromisoformat(status.started_at)
    ended = datetime.fromisoformat(status.ended_at) if status.ended_at else None
    return JobState(
        ref=ref,
        phase=JobPhase(status.phase),
        message=status.message,
        reason=ErrorKind(status.reason) if status.reason else None,
        submitted_at=folder.claimed_at,
        started_at=started,
        ended_at=ended,
        last_seen=now,
        billed_seconds=(ended - started).total_seconds() if ended else None,
    )


def _settle(folder: JobFolder) -> Status | None:
    """End what a vanished runner left, so that no generation starts beside it."""
    with folder.exclusively() as mine:
        status = folder.status()
        if not mine or status is None or status.ended:
            return status
        kill_belonging(folder.path)
        status = replace(
            status,
            phase="STOPPED" if folder.stop_asked else "FAILED",
            reason=None if folder.stop_asked else ErrorKind.PREEMPTED.value,
            message="its runner vanished, as when the machine restarts",
            ended_at=datetime.now(UTC).isoformat(),
        )
        folder.write_status(status)
        return status


def _ref(order: Order, *, adopted: bool) -> JobRef:
    return JobRef(
        id=order.name, name=order.name, generation=order.generation, kind=order.kind, adopted=adopted
    )


def _detail(ref: str) -> ErrorDetail:
    return ErrorDetail(cloud="onprem", ref=ref)
