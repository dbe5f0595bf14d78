"""What every connection promises of what runs leave: jobs are closed by name, and a sweep finds and ends the rest."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.closing import ServiceClosingActivities
from activities.job_service import JobService
from activities.store import Store
from contracts.closing import CloseRequest
from contracts.jobs import JobPhase, JobRequest, RunRef
from contracts.sweeps import SweepFindRequest, SweepItem, SweepStopRequest
from contracts.units import MIB
from tests import objects
from tests.house import PATIENCE_SECONDS
from tests.objects import cut, put

AT_ONCE = timedelta(microseconds=1)
Order = Callable[..., JobRequest]


@pytest.fixture
def service(room: Any) -> JobService:
    return room.build_jobs()


@pytest.fixture
def run() -> RunRef:
    return RunRef(pipeline="contract", key="key", run_uid=uuid.uuid4().hex)


@pytest.fixture
def sleeper(run: RunRef) -> JobRequest:
    return JobRequest(
        run=run,
        stage="left_alone",
        generation=1,
        kind="process",
        command=(("sh",), ("-c",), ("sleep 600",)),
        timeout=timedelta(minutes=15),
    )


def closing(room: Any, service: Any, settling_seconds: float = 0.0) -> ServiceClosingActivities:
    return ServiceClosingActivities(service, room.translate, room.named, settling_seconds)


def found(room: Any, run: RunRef | None, older_than: timedelta = AT_ONCE) -> list[SweepItem]:
    """What a sweep finds of a run, or of all, over all its pages."""
    items: list[SweepItem] = []
    after = None
    while True:
        request = SweepFindRequest(older_than=older_than, run_uid=run.run_uid if run else None, after=after)
        page = room.activity("sweep.find")(request)
        items += page.items
        after = page.next_after
        if after is None:
            return items


def phases(service: JobService, run: RunRef) -> list[JobPhase]:
    return [state.phase for state in service.find(run.run_uid, None)]


def begin_upload(store: Store, uri: str, owner: str) -> Any:
    content = os.urandom(MIB) * 33
    writer = store.writer(objects.target_of(uri, content, etag="one", owner=owner))
    writer.put(*cut(content)[0])
    return lambda: store.writer(objects.target_of(uri, content, etag="one", owner=owner)).held()


def test_a_job_whose_submit_was_never_answered_is_closed_by_its_name(
    room: Any, service: JobService, sleeper: JobRequest
) -> None:
    service.submit(sleeper)
    closed = closing(room, service).close(CloseRequest(request=sleeper))
    assert [(state.ref.name, state.phase) for state in closed.jobs] == [(sleeper.name, JobPhase.STOPPED)]
    again = closing(room, service).close(CloseRequest(request=sleeper, under_way=True))
    assert [state.phase for state in again.jobs] == [JobPhase.STOPPED]


def test_a_submit_that_is_under_way_is_waited_for_and_its_job_stopped(
    room: Any, service: JobService, sleeper: JobRequest, run: RunRef
) -> None:
    late = threading.Timer(1.5, service.submit, (sleeper,))
    late.start()
    closed = closing(room, service, settling_seconds=20.0).close(
        CloseRequest(request=sleeper, under_way=True)
    )
    late.join()
    assert [state.phase for state in closed.jobs] == [JobPhase.STOPPED]
    assert phases(service, run) == [JobPhase.STOPPED]


def test_closing_what_never_was_is_quick_and_leaves_nothing(
    room: Any, service: JobService, sleeper: JobRequest
) -> None:
    began = time.monotonic()
    closed = closing(room, service, settling_seconds=2.0 * PATIENCE_SECONDS)
    assert closed.close(CloseRequest(request=sleeper)).jobs == ()
    assert time.monotonic() - began < PATIENCE_SECONDS


def test_a_sweep_finds_what_a_run_left_and_ends_it(
    room: Any, store: Store, service: JobService, sleeper: JobRequest, run: RunRef
) -> None:
    uri = f"{store.default_container}runs/{run.run_uid}/bring/data"
    held = begin_upload(store, uri, f"{run.run_uid}/bring")
    ref = service.submit(sleeper)
    items = found(room, run)
    assert {(item.kind, item.name) for item in items} == {("job", ref.name), ("upload", uri)}
    assert {item.run_uid for item in items} == {run.run_uid}
    assert found(room, run, timedelta(hours=1)) == [item for item in items if item.since is None]
    ends = room.activity("sweep.stop")(SweepStopRequest(items=tuple(items))).ends
    assert [(end.stopped, end.message) for end in ends] == [(True, "")] * len(items)
    assert phases(service, run) == [JobPhase.STOPPED]
    assert found(room, run) == []
    twice = room.activity("sweep.stop")(SweepStopRequest(items=tuple(items))).ends
    assert all(end.stopped for end in twice)
    # Looking into an upload may begin it again, so this comes last.
    assert not held()
    store.abort_uploads(uri)


def test_what_carries_no_run_s_mark_is_refused_to_be_stopped(room: Any, store: Store) -> None:
    uri = f"{store.default_container}elsewhere/{uuid.uuid4().hex}"
    held = begin_upload(store, uri, "")
    item = SweepItem(kind="upload", id="whatever", name=uri)
    end = room.activity("sweep.stop")(SweepStopRequest(items=(item,))).ends[0]
    assert not end.stopped
    assert "carries no run's mark" in end.message
    assert held()
    store.abort_uploads(uri)


BY_HAND = {
    "aws": "aws s3api abort-multipart-upload --bucket ",
    "azure": "az storage blob upload --account-name ",
    "gcp": "gcloud storage rm -r 'gs://",
    "onprem": "rm -r ",
}


def test_an_upload_to_a_target_of_its_author_tells_its_run_or_how_it_is_ended_by_hand(
    room: Any, store: Store
) -> None:
    run_uid = uuid.uuid4().hex
    uris = {owner: f"{store.default_container}elsewhere/{uuid.uuid4().hex} it's" for owner in ("", run_uid)}
    for owner, uri in uris.items():
        begin_upload(store, uri, owner and f"{owner}/bring")
    items = {item.name: item for item in found(room, None)}
    tells_runs = room.cloud in {"gcp", "onprem"}
    assert items[uris[run_uid]].run_uid == (run_uid if tells_runs else "")
    assert items[uris[""]].by_hand.startswith(BY_HAND[room.cloud])
    assert bool(items[uris[run_uid]].by_hand) is not tells_runs
    for uri in uris.values():
        store.abort_uploads(uri)


def test_a_claim_of_which_no_job_came_is_found_once_its_lease_is_over(
    rooms: Any, run: RunRef, sleeper: JobRequest
) -> None:
    room = rooms["gcp"]
    uri = f"{room.store.default_container}runs/{run.run_uid}/left_alone/g1/job/claim.json"
    for expires, expected in ((timedelta(minutes=1), []), (-timedelta(minutes=1), [uri])):
        text = f'{{"holder": "somebody", "expires_at": "{(datetime.now(UTC) + expires).isoformat()}"}}'
        put(room.store, uri, text.encode(), replace=True)
        assert [item.name for item in found(room, run) if item.kind == "claim"] == expected
    items = tuple(found(room, run))
    assert all(end.stopped for end in room.activity("sweep.stop")(SweepStopRequest(items=items)).ends)
    assert room.store.stat(uri) is None
    service = room.build_jobs()
    closing(room, service).close(CloseRequest(request=sleeper))


def test_the_claim_of_a_job_that_exists_is_no_orphan(rooms: Any, run: RunRef, sleeper: JobRequest) -> None:
    room = rooms["gcp"]
    service = room.build_jobs()
    service.submit(sleeper)
    assert [item.kind for item in found(room, run)] == ["job"]
    closing(room, service).close(CloseRequest(request=sleeper))
    assert found(room, run) == []


def test_files_that_a_killed_worker_had_set_aside_are_found_by_their_age_alone(rooms: Any) -> None:
    room = rooms["onprem"]
    drafts = room.store.places.drafts
    drafts.mkdir(parents=True, exist_ok=True)
    (drafts / "left").write_bytes(b"half")
    page = room.activity("sweep.find")(SweepFindRequest(older_than=AT_ONCE))
    item = next(item for item in page.items if item.kind == "draft")
    assert (item.name, item.abandoned, item.run_uid) == ("drafts/left", True, "")
    younger = room.activity("sweep.find")(SweepFindRequest(older_than=timedelta(hours=2)))
    assert [found for found in younger.items if found.kind == "draft"] == []
    assert room.activity("sweep.stop")(SweepStopRequest(items=(item,))).ends[0].stopped
    assert not (drafts / "left").exists()
