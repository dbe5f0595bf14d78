"""The life of jobs: started on a machine, observed, cancelled, ended with one verdict that never changes."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.servers.azure.arm import user_error
from sandbox.servers.azure.commands import Commands
from sandbox.servers.azure.records import JobRecord, JobStore, now
from sandbox.servers.machine import Machines, MachineStatus, UnknownMachine

TERMINAL = ("Completed", "Failed", "Canceled")
LOG_TAIL_BYTES = 2000
_PHASES = {"STARTING": "Preparing", "RUNNING": "Running", "DELIVERING": "Finalizing"}
_PREEMPTED = (
    "AzureMLCompute job failed.\nPreemptionError: Nodes of this job got preempted. "
    "Check if the run has failed or restarted. Reason: Received pre-emption warning signal"
)
# As users report it: MicrosoftLearning/mslearn-dp100#77, Azure/MachineLearningNotebooks#1479.
_NO_IMAGE = (
    "AzureMLCompute job failed.\nFailedPullingImage: Unable to pull docker image\n"
    "\terror: Run docker command to pull public image failed with error: Error response from daemon: manifest unknown"
)
_NO_MACHINE = (
    "AzureMLCompute job failed.\nAllocationFailed: The requested VM size is not available in the region now."
)
_KILLED = (
    "AzureMLCompute job failed.\nUserProcessKilledBySystemOOM: The user process was killed because the node was out of "
    "memory"
)
"""The name is the vendor's (its support article on job failures); the words are ours."""
_EXITED = (
    "Execution failed. User process 'bash' exited with status code {code}. "
    "Please check log file 'user_logs/std_log.txt' for error details. Error: {tail}"
)
_CHILD = (
    "Pipeline has failed child jobs. Failed nodes: /batchscoring. For more details and logs, please go to the job detail "
    "page and check the child jobs."
)
_logger = logging.getLogger(__name__)


class Runs:
    """Every job of the workspace that was accepted.

    States go NotStarted, Queued, Preparing (inputs are fetched), Running, Finalizing (outputs are delivered)
    to Completed, Failed or Canceled; CancelRequested hides the others until the machine is down. As the
    vendor's specification says, a job that reaches `limits.timeout` is cancelled: it ends Canceled without a
    CancelRequested. A preempted node ends the job as Failed with `PreemptionError` in the run's error, as
    users report it (MicrosoftDocs/azure-docs#66288, microsoft/MLOpsPython#346).
    """

    def __init__(self, store: JobStore, machines: Machines, commands: Commands) -> None:
        """Nothing is started yet: see `recover`."""
        self.store, self.machines, self.commands = store, machines, commands
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="job")
        self._starting: set[str] = set()
        self._lock = threading.Lock()

    def recover(self) -> None:
        """Start the jobs that an earlier server accepted and did not come to start."""
        for record in self.store.all():
            # A step whose pipeline job was never written down belongs to no request that was answered.
            lost = record.parent is not None and self.store.find(record.parent) is None
            if not record.ended and not record.child and not lost and self._observe(record.name) is None:
                self.submit(record.name)

    def submit(self, name: str) -> None:
        """Have the job's machine started soon; a second call while that is under way changes nothing."""
        with self._lock:
            if name in self._starting:
                return
            self._starting.add(name)
        self._pool.submit(self._start, name)

    def status(self, record: JobRecord) -> str:
        """The state by the vendor's name, as of now. Finds out, and records, that a job has ended."""
        if record.ended:
            return str(record.ended["status"])
        if record.child:
            return self._status_by_step(record, record.child)
        observed = self._look(record.name)
        if observed is not None and observed.phase == "DONE":
            return str(self._end(record.name, observed).ended["status"])
        if record.cancel_requested_at:
            return "CancelRequested"
        if observed is None:
            return "Queued" if record.name in self._starting else "NotStarted"
        return _PHASES[observed.phase]

    def started_at(self, record: JobRecord) -> str | None:
        """When the machine took the job, or None while it has not."""
        if record.ended:
            return record.ended.get("started_at")
        if record.child:
            # A pipeline job starts when it is accepted; it is its step that waits for a machine.
            return record.created_at
        observed = self._look(record.name)
        return _time(observed.started_at) if observed else None

    def cancel(self, name: str) -> None:
        """Ask the job to stop; its machine gets SIGTERM, then SIGKILL.

        Raises:
            ArmError: 400, the job has ended or is delivering its outputs. That the service answers so for
            Finalizing
                is reported in Azure/azureml-assets#2496; for ended jobs we assume the same.
        """
        with self.store.locked():
            record = self.store.find(name)
            if record is None:
                raise KeyError(name)
            status = self.status(record)
            if status in (*TERMINAL, "Finalizing"):
                text = f"Run {name} is in state {status} and cannot be canceled."
                raise user_error(text, "InvalidRunState")
            if record.cancel_requested_at:
                return
            self.store.change(name, cancel_requested_at=now())
            running = self._observe(name) is not None
        if record.child:
            self.cancel(record.child)
        if running:
            self._pool.submit(self._stop, name)

    def log(self, name: str) -> Path | None:
        """The file the job's output goes to, or None while there is none."""
        path = self.machines.log(name)
        return path if path.exists() else None

    def close(self) -> None:
        """End every job; afterwards no process of any is left."""
        self._pool.shutdown(wait=True)
        self.machines.stop_all(grace_seconds=1)

    def _start(self, name: str) -> None:
        try:
            with self.store.locked():
                record = self.store.find(name)
                if record is None or record.ended or self._observe(name) is not None:
                    return
                if record.cancel_requested_at:
                    self.store.change(name, ended={"status": "Canceled", "at": now()})
                    return
                self.machines.start(name, self.commands.machine(record, self.machines.home(name)))
        except Exception as exc:
            _logger.exception("job %s could not be started", name)
            error = {"code": "ServiceError", "message": f"The job could not be started: {exc!r}"}
            self.store.change(name, ended={"status": "Failed", "at": now(), "error": error})
        finally:
            self._starting.discard(name)

    def _stop(self, name: str) -> None:
        try:
            self.machines.stop(name)
        except Exception:
            _logger.exception("job %s could not be stopped", name)

    def _look(self, name: str) -> MachineStatus | None:
        """As `_observe`, but not in the moment of the machine's making, when it would seem lost."""
        return None if name in self._starting else self._observe(name)

    def _observe(self, name: str) -> MachineStatus | None:
        try:
            return self.machines.status(name)
        except UnknownMachine:
            return None

    def _end(self, name: str, observed: MachineStatus) -> JobRecord:
        with self.store.locked():
            record = self.store.find(name)
            if record is None:
                raise KeyError(name)
            if record.ended:
                return record
            verdict = self._verdict(record, observed)
            times = {"at": _time(observed.ended_at) or now(), "started_at": _time(observed.started_at)}
            return self.store.change(name, ended={**verdict, **times})

    def _status_by_step(self, record: JobRecord, child: str) -> str:
        """The state of a pipeline job of one step; its end is written down when the step's is seen."""
        with self.store.locked():
            step = self.store.find(child)
            status = self.status(step) if step else "NotStarted"
            step = self.store.find(child)
            if step is None or status not in TERMINAL:
                shown = {"NotStarted": "Preparing", "Finalizing": "Finalizing"}.get(status, "Running")
                return "CancelRequested" if record.cancel_requested_at else shown
            failed = _failed("UserError", _CHILD) if status == "Failed" else {"status": status}
            times = {"at": step.ended["at"], "started_at": record.created_at}
            self.store.change(record.name, ended={**failed, **times})
            return status

    def _verdict(self, record: JobRecord, observed: MachineStatus) -> dict[str, Any]:
        outcome = observed.outcome
        if outcome == "STOPPED" and record.cancel_requested_at:
            return {"status": "Canceled"}
        if outcome == "TIMED_OUT":
            limit = record.properties["limits"]["timeout"]
            return {
                "status": "Canceled",
                "warning": f"The run was canceled: it exceeded its timeout of {limit}.",
            }
        if outcome == "EXITED" and observed.exit_code == 0 and not observed.error:
            return {"status": "Completed"}
        if outcome == "PREEMPTED":
            return _failed("UserError", _PREEMPTED)
        if outcome == "NO_IMAGE":
            return _failed("UserError", _NO_IMAGE)
        if outcome == "NO_MACHINE":
            return _failed("UserError", _NO_MACHINE)
        if outcome == "EXITED" and observed.exit_code == -signal.SIGKILL:
            return _failed("UserError", _KILLED)
        if outcome == "EXITED" and observed.exit_code:
            return _failed("UserError", _EXITED.format(code=observed.exit_code, tail=self._tail(record.name)))
        if outcome in ("LOST", "STOPPED"):
            return _failed("ServiceError", "AzureMLCompute job failed.\nNodeLost: The node went away.")
        return _failed("UserError", f"Execution failed. DataAccessError: {observed.error or 'unknown'}")

    def _tail(self, name: str) -> str:
        path = self.log(name)
        if path is None:
            return ""
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return stream.read().decode(errors="replace").strip()


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"status": "Failed", "error": {"code": code, "message": message}}


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
