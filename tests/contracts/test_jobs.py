"""What every job service promises, whatever cloud it is of."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from activities.job_service import JobService
from activities.store import Store
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.jobs import Argument, JobPhase, JobRef, JobRequest, JobState, PathRef, RunRef
from contracts.machines import Resources
from tests.house import until
from tests.objects import put

MAIN = """
import json, os, pathlib, sys, time
mode, *rest = sys.argv[1:]
if mode == "write":
    out, *told = rest
    pathlib.Path(out, "told.json").write_text(json.dumps({"told": told, "here": sorted(os.listdir("."))}))
    pathlib.Path(out, "deep").mkdir()
    pathlib.Path(out, "deep", "er.txt").write_text("deeper")
if mode == "copy":
    file, folder, out = rest
    found = pathlib.Path(file).read_text() + "|" + ",".join(sorted(os.listdir(folder)))
    pathlib.Path(out, "found.txt").write_text(found)
if mode == "fail":
    print("boom at line 3", file=sys.stderr, flush=True)
    sys.exit(3)
if mode == "sleep":
    print("sleeping", flush=True)
    time.sleep(600)
if mode == "environment":
    out, = rest
    pathlib.Path(out, "environment.json").write_text(json.dumps(dict(os.environ)))
"""


class Renamed(JobRequest):
    """Another request that comes under a given name."""

    taken: str

    @property
    def name(self) -> str:
        return self.taken


@pytest.fixture
def service(room: Any) -> JobService:
    return room.build_jobs()


@pytest.fixture
def order(store: Store, folder: str) -> Callable[..., JobRequest]:
    code = f"{store.default_container}{folder}code/"
    write(store, code + "main.py", MAIN.encode())
    run = RunRef(pipeline="contract", key="key", run_uid=uuid.uuid4().hex)

    def build(*command: str | PathRef | Argument, **more: Any) -> JobRequest:
        words = ("python", "main.py", *command)
        arguments = tuple(word if isinstance(word, tuple) else (word,) for word in words)
        asked: dict[str, Any] = {
            "run": run,
            "stage": "stage_one",
            "generation": 1,
            "kind": "process",
            "command": arguments,
            "code": CodeRef(uri=code, digest="0" * 64),
            "outputs": {"out": f"{store.default_container}{folder}runs/out/"},
            "resources": Resources(),
            "timeout": timedelta(minutes=5),
        }
        return JobRequest(**{**asked, **more})

    return build


OUT = PathRef(role="outputs", name="out")


def write(store: Store, uri: str, content: bytes) -> None:
    put(store, uri, content, media_type="text/plain", replace=True)


def wait(service: JobService, ref: JobRef, *phases: JobPhase) -> JobState:
    def look() -> JobState | None:
        state = service.describe(ref)
        return state if state.phase in phases or state.phase.terminal else None

    found: JobState = until(look, f"{ref.name} has ended or is one of {phases}")
    return found


def succeed(service: JobService, request: JobRequest) -> JobRef:
    ref = service.submit(request)
    state = wait(service, ref)
    assert state.phase == JobPhase.SUCCEEDED, (state.message, service.logs(ref, 20, None).lines)
    return ref


def left(service: JobService, store: Store, ref: JobRef, request: JobRequest) -> dict[str, bytes]:
    prefix = service.outputs(ref, request)["out"]
    assert prefix.endswith("/")
    objects = store.list(prefix, None, 100).objects
    return {stat.uri.removeprefix(prefix): b"".join(store.read(stat)) for stat in objects}


@pytest.mark.parametrize("kind", ["process", "train", "predict"])
def test_a_job_of_any_kind_leaves_its_files(
    service: JobService, store: Store, order: Callable[..., JobRequest], kind: str
) -> None:
    request = order("write", OUT, kind=kind)
    ref = succeed(service, request)
    found = left(service, store, ref, request)
    assert {"told.json", "deep/er.txt"} <= set(found)
    assert found["deep/er.txt"] == b"deeper"
    assert b"main.py" in found["told.json"]


def test_arguments_arrive_as_they_were_written(
    service: JobService, store: Store, order: Callable[..., JobRequest]
) -> None:
    words = ("two words", "$HOME", "`id`", "a'b\"c", "*", "--x=1;2", "back\\slash", "ü")
    request = order("write", OUT, *words)
    ref = succeed(service, request)
    told = left(service, store, ref, request)["told.json"].decode()
    assert json.loads(told)["told"] == list(words)


def test_inputs_are_a_file_and_a_folder_of_the_store(
    service: JobService, store: Store, order: Callable[..., JobRequest], folder: str
) -> None:
    base = f"{store.default_container}{folder}"
    write(store, base + "one/data", b"the file")
    write(store, base + "two/a", b"a")
    write(store, base + "two/b", b"b")
    file = Artifact(uri=base + "one/data", kind="file", size_bytes=8, object_count=1, digest="1" * 64)
    several = Artifact(uri=base + "two/", kind="folder", size_bytes=2, object_count=2, digest="2" * 64)
    paths = [PathRef(role="inputs", name=name) for name in ("file", "several")]
    request = order("copy", *paths, OUT, inputs={"file": file, "several": several})
    ref = succeed(service, request)
    assert left(service, store, ref, request)["found.txt"] == b"the file|a,b"


def test_a_stage_s_environment_reaches_its_job(
    service: JobService, store: Store, order: Callable[..., JobRequest]
) -> None:
    request = order("environment", OUT, env={"GREETING": "hello world"})
    ref = succeed(service, request)
    assert b'"GREETING": "hello world"' in left(service, store, ref, request)["environment.json"]


def test_a_job_sees_nothing_of_its_worker(
    room: Any, order: Callable[..., JobRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_SECRET", "do not tell")
    service = room.build_jobs()
    request = order("environment", OUT)
    ref = succeed(service, request)
    assert b"do not tell" not in left(service, room.store, ref, request)["environment.json"]


def test_a_job_submitted_by_four_at_once_exists_once(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    request = order("sleep")
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(service.submit, [request] * 4))
    assert len({ref.id for ref in refs}) == 1
    assert [state.ref.id for state in live(service, request)] == [refs[0].id]
    end(service, refs[0])


def test_a_job_that_ended_is_adopted_and_not_run_again(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    request = order("write", OUT)
    first = succeed(service, request)
    again = service.submit(request)
    assert (again.id, again.adopted) == (first.id, True)
    assert service.describe(again).phase == JobPhase.SUCCEEDED


def test_a_name_that_stands_for_another_request_is_refused(
    room: Any, service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = service.submit(order("sleep"))
    other = Renamed(**order("fail").model_dump(), taken=ref.name)
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        service.submit(other)
    assert room.translate(raised.value, ref.name).type == ErrorKind.TARGET_CONFLICT
    end(service, ref)


def test_a_stopped_job_is_confirmed_as_stopped_and_never_as_succeeded(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = service.submit(order("sleep"))
    assert wait(service, ref, JobPhase.RUNNING).phase == JobPhase.RUNNING
    service.stop(ref)
    assert wait(service, ref).phase == JobPhase.STOPPED


def test_stopping_a_job_that_has_ended_changes_nothing(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = succeed(service, order("write", OUT))
    service.stop(ref)
    assert service.describe(ref).phase == JobPhase.SUCCEEDED


def test_a_failed_job_says_so_and_its_log_says_why(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = service.submit(order("fail"))
    state = wait(service, ref)
    assert (state.phase, state.reason) == (JobPhase.FAILED, ErrorKind.JOB_FAILED)
    assert state.ended_at is not None
    assert "boom at line 3" in "\n".join(logged(service, ref))


def test_a_job_that_runs_past_its_limit_is_timed_out(
    service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = service.submit(order("sleep", timeout=timedelta(seconds=4)))
    state = wait(service, ref)
    assert state.reason == ErrorKind.TIMED_OUT
    assert state.phase in {JobPhase.FAILED, JobPhase.STOPPED}


def test_jobs_are_found_by_run_and_by_stage(service: JobService, order: Callable[..., JobRequest]) -> None:
    one = service.submit(order("fail", stage="one"))
    two = service.submit(order("fail", stage="two"))
    run_uid = order("fail").run.run_uid
    assert {state.ref.id for state in service.find(run_uid, None)} == {one.id, two.id}
    assert {state.ref.id for state in service.find(run_uid, "two")} == {two.id}
    assert list(service.find("f" * 32, None)) == []
    assert {wait(service, ref).phase for ref in (one, two)} == {JobPhase.FAILED}


def test_a_job_that_never_was_is_missing(
    room: Any, service: JobService, order: Callable[..., JobRequest]
) -> None:
    ref = service.submit(order("fail"))
    stranger = ref.model_copy(update={"id": ref.id[:-2] + "zz", "name": ref.name[:-2] + "zz"})
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        service.describe(stranger)
    assert room.translate(raised.value, stranger.name).type == ErrorKind.SOURCE_MISSING
    wait(service, ref)


def live(service: JobService, request: JobRequest) -> list[JobState]:
    found = service.find(request.run.run_uid, request.stage)
    return [state for state in found if not state.phase.terminal]


def end(service: JobService, ref: JobRef) -> None:
    service.stop(ref)
    assert wait(service, ref).phase == JobPhase.STOPPED


def logged(service: JobService, ref: JobRef) -> tuple[str, ...]:
    found: tuple[str, ...] = until(lambda: service.logs(ref, 20, None).lines, f"the log of {ref.name}")
    return found
