"""A job's log, followed page by page while it grows: every cloud gives every line once, in order."""

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.jobs import ServiceJobActivities
from contracts.code import CodeRef
from contracts.jobs import LOG_BEGINNING, JobRequest, LogRequest, RunRef
from tests.contracts.conftest import ROOMS
from tests.objects import put

LINES = 1200
"""More than Cloud Logging gives at once."""
SCRIPT = f"""
import sys, time
for number in range({LINES}):
    print("line", number, flush=number % 100 == 0)
    if number % 300 == 299:
        print("half of", end=" ", flush=True)
        time.sleep(0.6)
        print("a line", flush=True)
print("no newline at the end", end="")
"""


def expected() -> list[str]:
    lines = []
    for number in range(LINES):
        lines += [f"line {number}"] + (["half of a line"] if number % 300 == 299 else [])
    return [*lines, "no newline at the end"]


def follow(room: Any) -> list[str]:
    base = f"{room.store.default_container}logs/{uuid.uuid4().hex}/"
    put(room.store, f"{base}code/main.py", SCRIPT.encode(), media_type="text/plain")
    jobs = ServiceJobActivities(room.build_jobs(), room.store, room.translate)
    request = JobRequest(
        run=RunRef(pipeline="logs", key="key", run_uid=uuid.uuid4().hex),
        stage="talk",
        generation=1,
        kind="train",
        command=(("python",), ("main.py",)),
        code=CodeRef(uri=f"{base}code/", digest="0" * 64),
        timeout=timedelta(minutes=5),
    )
    ref = ActivityEnvironment().run(jobs.submit, request)
    found: list[str] = []
    asked = LogRequest(ref=ref, after=LOG_BEGINNING, patience_seconds=20)
    while True:
        page = ActivityEnvironment().run(jobs.logs, asked)
        found += page.lines
        if page.ended:
            return found
        asked = asked.model_copy(update={"after": page.next_after})


@pytest.fixture(scope="module")
def followed(rooms: dict[str, Any]) -> dict[str, Future[list[str]]]:
    built = [rooms[cloud] for cloud in ROOMS]
    with ThreadPoolExecutor(len(built)) as pool:
        return {room.cloud: pool.submit(follow, room) for room in built}


@pytest.mark.parametrize("cloud", ROOMS)
def test_a_log_that_is_followed_from_before_it_begins_has_every_line_once(
    followed: dict[str, Future[list[str]]], cloud: str
) -> None:
    assert followed[cloud].result() == expected()
