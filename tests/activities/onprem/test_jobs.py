"""On-prem jobs when workers and runners die under them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from temporalio.exceptions import ApplicationError

from activities.onprem.job_folder import JobFolder
from activities.onprem.job_notes import Order
from activities.onprem.jobs import ProcessJobs, search_path
from activities.onprem.machines import OnpremMachine
from activities.onprem.places import Places
from activities.onprem.settings import OnpremSettings
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobRef, JobRequest, JobState, PathRef, RunRef
from contracts.machines import Resources
from contracts.units import GIB
from tests.house import PATIENCE_SECONDS, until

SUBMIT = """
import sys
from pathlib import Path
from activities.onprem.jobs import ProcessJobs, search_path
from activities.onprem.places import Places
from contracts.jobs import JobRequest
from activities.onprem.machines import OnpremMachine
from activities.onprem.settings import OnpremSettings
settings = OnpremSettings.from_mapping({"CAUSEWAY_CONTAINER": "data", "CAUSEWAY_ONPREM_ROOT": sys.argv[1]})
service = ProcessJobs(
    Places(settings.root), sys.argv[2], {}, OnpremMachine(settings), settings.container_uri
)
print(service.submit(JobRequest.model_validate_json(sys.stdin.read())).id, flush=True)
__import__("time").sleep(600)
"""
PROGRAMS = search_path([str(Path(sys.executable).parent)])
DAEMON = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)"


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    held = Places(tmp_path)
    yield held
    for folder in held.jobs.iterdir() if held.jobs.is_dir() else ():
        JobFolder(folder).ask_to_stop()
    await_that(lambda: processes_of(held) == [])


def service_of(places: Places, **said: str) -> ProcessJobs:
    told = {"CAUSEWAY_CONTAINER": "data", "CAUSEWAY_ONPREM_ROOT": str(places.root), **said}
    settings = OnpremSettings.from_mapping(told)
    return ProcessJobs(places, PROGRAMS, {}, OnpremMachine(settings), settings.container_uri)


@pytest.fixture
def service(places: Places) -> ProcessJobs:
    return service_of(places)


def request(*command: str | tuple[PathRef], **more: object) -> JobRequest:
    words = tuple(word if isinstance(word, tuple) else (word,) for word in command)
    run = RunRef(pipeline="p", key="k", run_uid="0" * 32)
    asked = {"run": run, "stage": "train", "generation": 1, "kind": "train", "command": words, **more}
    return JobRequest.model_validate(asked)


def processes_of(places: Places) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join([*process.cmdline(), process.environ().get("HOME", "")])
        except psutil.Error:
            continue
        if str(places.root) in told and process.pid != os.getpid():
            found.append(process.pid)
    return found


def await_that(fact: Callable[[], bool]) -> None:
    until(fact, "that")


def ended(service: ProcessJobs, ref: JobRef) -> JobState:
    await_that(lambda: service.describe(ref).phase.terminal)
    return service.describe(ref)


def started(service: ProcessJobs, ref: JobRef) -> None:
    await_that(lambda: bool(service.logs(ref, 5, None).lines))


def status_of(places: Places, ref: JobRef) -> int:
    status = JobFolder(places.jobs / ref.id).status()
    assert status is not None
    return status.runner


def test_a_job_outlives_the_kill_of_its_worker(places: Places, service: ProcessJobs) -> None:
    asked = request("sh", "-c", "echo begun; sleep 2; echo done")
    worker = subprocess.Popen(
        [sys.executable, "-c", SUBMIT, str(places.root), PROGRAMS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(asked.model_dump_json())
    worker.stdin.close()
    name = worker.stdout.readline().strip()
    worker.send_signal(signal.SIGKILL)
    worker.wait(PATIENCE_SECONDS)
    worker.stdout.close()
    again = service.submit(asked)
    assert (again.id, again.adopted) == (name, True)
    assert ended(service, again).phase == JobPhase.SUCCEEDED
    assert service.logs(again, 5, None).lines == ("begun", "done")


def test_a_claim_whose_worker_died_before_the_start_is_started_by_the_next(
    places: Places, service: ProcessJobs
) -> None:
    asked = request("echo", "ran")
    folder = JobFolder(places.jobs / asked.name)
    order, script = service._order(folder, asked)
    assert JobFolder.claim(folder.path, order, script)
    ref = service.submit(asked)
    assert ref.adopted
    assert ended(service, ref).phase == JobPhase.SUCCEEDED
    assert service.logs(ref, 5, None).lines == ("ran",)


def test_a_job_whose_runner_vanished_is_ended_before_it_is_said_to_be(
    places: Places, service: ProcessJobs
) -> None:
    ref = service.submit(request("sh", "-c", "echo begun; sleep 600"))
    started(service, ref)
    os.kill(status_of(places, ref), signal.SIGKILL)
    state = ended(service, ref)
    assert (state.phase, state.reason) == (JobPhase.FAILED, ErrorKind.PREEMPTED)
    assert processes_of(places) == []


@pytest.mark.parametrize("end", ["stop", "success"])
def test_no_process_of_a_job_outlives_it(places: Places, service: ProcessJobs, end: str) -> None:
    ref = service.submit(
        request("sh", "-c", f"python -c '{DAEMON}'; echo begun; {'sleep 600' if end == 'stop' else 'true'}")
    )
    started(service, ref)
    if end == "stop":
        service.stop(ref)
    assert ended(service, ref).phase == (JobPhase.STOPPED if end == "stop" else JobPhase.SUCCEEDED)
    await_that(lambda: processes_of(places) == [])


def test_a_command_that_ignores_a_polite_stop_is_killed(places: Places, service: ProcessJobs) -> None:
    ref = service.submit(request("sh", "-c", "trap '' TERM; echo begun; while :; do sleep 1; done"))
    started(service, ref)
    service.stop(ref)
    assert ended(service, ref).phase == JobPhase.STOPPED
    await_that(lambda: processes_of(places) == [])


def test_a_job_that_was_stopped_before_it_began_never_runs(places: Places, service: ProcessJobs) -> None:
    asked = request("echo", "ran")
    folder = JobFolder(places.jobs / asked.name)
    order, script = service._order(folder, asked)
    JobFolder.claim(folder.path, order, script)
    folder.ask_to_stop()
    ref = service.submit(asked)
    assert ended(service, ref).phase == JobPhase.STOPPED
    assert service.logs(ref, 5, None).lines == ()


def test_outputs_appear_only_when_the_command_succeeds(places: Places, service: ProcessJobs) -> None:
    out = (PathRef(role="outputs", name="out"),)
    asked = request("sh", "-c", 'echo x > "$1/file"; exit 3', "sh", out, outputs={"out": "file:///runs/out/"})
    assert ended(service, service.submit(asked)).phase == JobPhase.FAILED
    assert not (places.root / "runs" / "out").exists()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Resources(cpu=5), "4 of CPU, and the stage asks for 5"),
        (Resources(memory=9 * GIB), "8 GiB of memory, and the stage asks for 9 GiB"),
        (Resources(accelerator="A10:3"), "A10:2, T4 of accelerators, and the stage asks for A10:3"),
        (Resources(accelerator="H100"), "asks for H100"),
        (Resources(disk=2 * GIB), "1 GiB of disk"),
        (Resources(instance="ml.m5.large"), "no machines by name"),
    ],
    ids=["cpu", "memory", "accelerators", "another model", "disk", "a name"],
)
def test_what_this_machine_has_not_is_refused(places: Places, asked: Resources, told: str) -> None:
    has = {"CPUS": "4", "MEMORY": "8GiB", "GPUS": "A10:2,T4", "DISK": "1GiB"}
    service = service_of(places, **{f"CAUSEWAY_ONPREM_{name}": value for name, value in has.items()})
    with pytest.raises(ApplicationError, match=told) as raised:
        service.submit(request("true", resources=asked))
    assert raised.value.type == ErrorKind.UNSUPPORTED
    enough = Resources(cpu=4, memory=8 * GIB, accelerator="a10:2", disk=GIB)
    assert ended(service, service.submit(request("true", resources=enough))).phase == JobPhase.SUCCEEDED


def test_generations_of_a_stage_that_may_be_preempted_share_a_folder(service: ProcessJobs) -> None:
    count = (
        'f="$CAUSEWAY_CHECKPOINT_DIR/n"; n=$(cat "$f" || echo 0); echo $((n + 1)) > "$f"; cat "$f"; exit 1'
    )
    spot = {"resources": Resources(spot=True), "timeout": timedelta(minutes=1)}
    ended(service, service.submit(request("sh", "-c", count, generation=1, **spot)))
    second = service.submit(request("sh", "-c", count, generation=2, **spot))
    ended(service, second)
    assert service.logs(second, 1, None).lines == ("2",)


def test_a_log_is_told_from_where_the_last_page_ended(service: ProcessJobs) -> None:
    ref = service.submit(request("sh", "-c", "for n in 1 2 3 4 5; do echo line $n; done"))
    ended(service, ref)
    first = service.logs(ref, 2, None)
    assert first.lines == ("line 4", "line 5")
    assert service.logs(ref, 2, first.next_after).lines == ()
    assert service.logs(ref, 2, "0").lines == tuple(f"line {number}" for number in range(1, 6))


def test_a_limit_holds_also_without_its_worker(places: Places, service: ProcessJobs) -> None:
    ref = service.submit(request("sleep", "600", timeout=timedelta(seconds=1)))
    assert ended(service, ref).reason == ErrorKind.TIMED_OUT
    await_that(lambda: processes_of(places) == [])


def test_a_runner_starts_without_what_takes_long_to_import() -> None:
    look = "import sys, activities.onprem.runner; print({'temporalio', 'pydantic', 'urllib3'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_notes_of_another_version_are_read_as_far_as_they_are_known(service: ProcessJobs) -> None:
    folder = service._known(service.submit(request("true")).id)
    order = folder.order()
    later = json.dumps({**json.loads(order.written()), "priority": 1}).encode()
    assert Order.read(later) == order
