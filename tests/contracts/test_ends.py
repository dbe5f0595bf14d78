"""How jobs end, on every cloud: each kind of end has its kind of error, and words that help. All play at once."""

import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.jobs import ServiceJobActivities
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.jobs import CollectRequest, JobPhase, JobRequest, JobState, LogRequest, RunRef, WaitRequest
from contracts.machines import Resources
from sandbox.servers.faults import Fault, Faults
from tests.contracts.conftest import ROOMS
from tests.house import until
from tests.objects import put

SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}
LIMIT = timedelta(seconds=3)
PATIENCE_SECONDS = 400
"""All play at once, beside another process of tests: on a slow machine the last begins late."""
SCRIPT = """
import os, resource, signal, sys, time
ends = sys.argv[1]
print(f"{ends} begins as {os.getpid()}", flush=True)
if ends == "crash":
    print("boom at line 3", file=sys.stderr, flush=True)
    sys.exit(3)
if ends == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf from now on", flush=True)
if ends in {"hung", "stubborn", "preempt"}:
    time.sleep(900)
if ends in {"greedy", "memory"}:
    # Of itself it takes no more than this, whatever the machine allows.
    resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
    held = []
    while True:
        held.append(bytes([1]) * 2**24)
        time.sleep(0.02)
if ends == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""
EVERYWHERE = ("hung", "crash", "stubborn", "greedy", "silent")
WITH_A_FAULT = ("memory", "image", "capacity", "preempt")
"""What only the vendor's side can do: the local servers do it when they are told."""
CASES = [(cloud, ends) for cloud in ROOMS for ends in EVERYWHERE]
CASES += [(cloud, ends) for cloud in SERVERS for ends in WITH_A_FAULT] + [("onprem", "killed")]
KINDS = {
    "hung": {ErrorKind.TIMED_OUT},
    "crash": {ErrorKind.JOB_FAILED},
    "greedy": {ErrorKind.OUT_OF_MEMORY},
    "memory": {ErrorKind.OUT_OF_MEMORY},
    "killed": {ErrorKind.OUT_OF_MEMORY},
    "image": {ErrorKind.INVALID_REQUEST},
    "capacity": {ErrorKind.CAPACITY},
    # SageMaker tells of a machine that was taken back from an on-demand job as of one that could not be had.
    "preempt": {ErrorKind.PREEMPTED, ErrorKind.CAPACITY},
}
WORDS = {
    "hung": "reached its time limit and was stopped",
    "greedy": "MemoryError",
    "killed": "SIGKILL",
    "image": "image",
    "stubborn": "stopped from outside",
}


@dataclass(frozen=True)
class End:
    """What became of a job."""

    state: JobState
    lines: tuple[str, ...]
    collected: ApplicationError | None = None
    left_alive: bool = False


@pytest.fixture(scope="module")
def ends(rooms: dict[str, Any], sandbox: Any) -> Iterator[dict[tuple[str, str], Future[End]]]:
    built = {cloud: rooms[cloud] for cloud in ROOMS}
    plays = {cloud: Player(room) for cloud, room in built.items()}
    for server in SERVERS.values():
        for fault in WITH_A_FAULT:
            Faults(sandbox.root / "faults" / f"{server}.json").add(
                Fault(f"{fault}-job", match=f"cw-{fault}-")
            )
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {case: pool.submit(plays[case[0]].play, case[1]) for case in CASES}


class Player:
    """Plays ends on one cloud, through the activities that its worker serves."""

    def __init__(self, room: Any) -> None:
        self.room = room
        self.base = f"{room.store.default_container}ends/{uuid.uuid4().hex}/"
        put(room.store, f"{self.base}code/main.py", SCRIPT.encode(), media_type="text/plain")
        self.run = RunRef(pipeline="ends", key="key", run_uid=uuid.uuid4().hex)
        self.jobs = ServiceJobActivities(room.build_jobs(), room.store, room.translate)

    def play(self, ends: str) -> End:
        request = JobRequest(
            run=self.run,
            stage=ends,
            generation=1,
            kind="train",
            command=(("python",), ("main.py",), (ends,)),
            code=CodeRef(uri=f"{self.base}code/", digest="0" * 64),
            outputs={"model": f"{self.base}runs/{ends}/model/"},
            resources=Resources(),
            timeout=LIMIT if ends == "hung" else timedelta(minutes=15),
        )
        ref = call(self.jobs.submit, request)
        if ends == "stubborn":
            self._until_deaf(ref)
            call(self.jobs.cancel, ref)
        state = self._ended(ref)
        lines = call(self.jobs.logs, LogRequest(ref=ref, tail=5)).lines
        collected = self._refused(ref, request) if state.phase is JobPhase.SUCCEEDED else None
        return End(state, lines, collected, _alive(lines))

    def _until_deaf(self, ref: Any) -> None:
        def deaf() -> bool:
            return "deaf from now on" in call(self.jobs.logs, LogRequest(ref=ref, tail=5)).lines

        until(deaf, f"{ref.name} has begun", PATIENCE_SECONDS)

    def _ended(self, ref: Any) -> JobState:
        seen: JobPhase | None = None
        while True:
            state: JobState = call(self.jobs.wait, WaitRequest(ref=ref, seen=seen))
            if state.phase.terminal:
                return state
            seen = state.phase

    def _refused(self, ref: Any, request: JobRequest) -> ApplicationError:
        with pytest.raises(ApplicationError) as raised:
            call(self.jobs.collect, CollectRequest(ref=ref, request=request))
        return raised.value


def call(verb: Any, request: Any) -> Any:
    """What an activity comes to; one that says it is a passing moment is tried again, as Temporal would."""
    for _ in range(5):
        try:
            return ActivityEnvironment().run(verb, request)
        except ApplicationError as error:
            if error.non_retryable or error.type != ErrorKind.UNAVAILABLE:
                raise
    return ActivityEnvironment().run(verb, request)


def _alive(lines: tuple[str, ...]) -> bool:
    begun = [int(line.rpartition(" ")[2]) for line in lines if " begins as " in line]
    return any(psutil.pid_exists(pid) and "main.py" in " ".join(_command(pid)) for pid in begun)


def _command(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    ("cloud", "how"), [case for case in CASES if case[1] in KINDS], ids=lambda value: str(value)
)
def test_a_job_that_does_not_succeed_tells_the_kind_and_helps(
    ends: dict[tuple[str, str], Future[End]], cloud: str, how: str
) -> None:
    end = ends[cloud, how].result(PATIENCE_SECONDS)
    assert end.state.reason in KINDS[how], (end.state, end.lines)
    assert end.state.phase in {JobPhase.FAILED, JobPhase.STOPPED}
    assert WORDS.get(how, "") in end.state.message
    assert not end.left_alive


@pytest.mark.parametrize("cloud", ROOMS)
def test_a_job_that_is_deaf_to_a_stop_is_killed_and_its_end_is_no_success(
    ends: dict[tuple[str, str], Future[End]], cloud: str
) -> None:
    end = ends[cloud, "stubborn"].result(PATIENCE_SECONDS)
    assert end.state.phase is JobPhase.STOPPED
    assert end.state.reason in {None, ErrorKind.CANCELLED}
    assert WORDS["stubborn"] in end.state.message
    assert not end.left_alive


@pytest.mark.parametrize("cloud", ROOMS)
def test_the_log_of_a_job_that_crashed_ends_with_its_last_words(
    ends: dict[tuple[str, str], Future[End]], cloud: str
) -> None:
    end = ends[cloud, "crash"].result(PATIENCE_SECONDS)
    assert end.lines[-1] == "boom at line 3"
    assert "3" in end.state.message, "the exit code"


@pytest.mark.parametrize("cloud", ROOMS)
def test_a_job_that_leaves_no_output_is_told_with_stage_output_and_last_words(
    ends: dict[tuple[str, str], Future[End]], cloud: str
) -> None:
    end = ends[cloud, "silent"].result(PATIENCE_SECONDS)
    assert end.state.phase is JobPhase.SUCCEEDED
    assert end.collected is not None
    assert end.collected.type == ErrorKind.SOURCE_MISSING
    for words in ("stage silent", "output model", "silent begins as"):
        assert words in end.collected.message


@pytest.mark.parametrize("cloud", SERVERS)
def test_a_job_that_never_had_its_machine_waited_and_did_not_run(
    ends: dict[tuple[str, str], Future[End]], cloud: str
) -> None:
    state = ends[cloud, "capacity"].result(PATIENCE_SECONDS).state
    assert state.run_seconds is None
    assert state.queued_seconds is not None


@pytest.mark.parametrize("cloud", SERVERS)
def test_a_create_that_is_over_quota_is_told_as_that(rooms: dict[str, Any], sandbox: Any, cloud: str) -> None:
    Faults(sandbox.root / "faults" / f"{SERVERS[cloud]}.json").add(Fault("quota", match="cw-over-quota-"))
    with pytest.raises(ApplicationError) as raised:
        Player(rooms[cloud]).play("over_quota")
    assert raised.value.type == ErrorKind.QUOTA_EXHAUSTED
    assert not raised.value.non_retryable
