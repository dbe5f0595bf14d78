"""`logs`, as it asks and is answered: what is followed, for how long, and what is said of a stage without a log."""

import asyncio
import json
from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from starter.exits import StarterError
from starter.job_logs import show
from starter.log_pages import LogOptions
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play, Run, job_of, spec_of

PREEMPTED = Life(end=JobPhase.FAILED, reason=ErrorKind.PREEMPTED, says=("the first", "was taken back"))
SECOND = Life(says=("the second", "is done"))


def over(items: int, **fields: Any) -> dict[str, Any]:
    return {"foreach": {"range": items, **fields}, "retries": 1}


def item_of(run: Run, number: int, **fields: Any) -> LogOptions:
    return LogOptions(run.id, "each", tail=100, follow=True, as_json=True, item=number, **fields)


def told(out: str) -> list[tuple[int | None, str]]:
    return [(line["generation"], line["line"]) for line in map(json.loads, out.splitlines())]


BOTH = [(1, "the first"), (1, "was taken back"), (2, "the second"), (2, "is done")]


async def until_said(capsys: pytest.CaptureFixture[str], words: str) -> str:
    out = err = ""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while words not in err:
            await asyncio.sleep(0.05)
            more = capsys.readouterr()
            out, err = out + more.out, err + more.err
    return out


async def test_an_item_is_followed_through_the_generations_of_its_job_until_it_is_done(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    play.world.lives["each-1"] = [PREEMPTED, SECOND]
    run = await play.start(spec_of({"each": over(3)}))
    await play.until(run, lambda _: any(job.request.stage == "each-1" for job in play.world.jobs.values()))
    following = play.in_background(show(play.client, item_of(run, 1)))
    # A machine that was taken back is replaced after ten seconds, which do not pass by themselves.
    out = await until_said(capsys, "item 1 of each is not done")
    assert told(out) == BOTH[:2]
    await play.pass_time(seconds=11)
    await asyncio.wait_for(following, PATIENCE_SECONDS)
    assert told(capsys.readouterr().out) == BOTH[2:]
    await play.result(run)


async def test_an_item_is_followed_from_before_its_turn(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    hold = play.world.hold("jobs.submit", stage="each-0")
    play.world.lives["each-1"] = [SECOND]
    run = await play.start(spec_of({"each": over(2, max_parallel=1)}))
    await play.reach(hold)
    following = play.in_background(show(play.client, item_of(run, 1)))
    await until_said(capsys, "waiting for item 1 of each: for its turn")
    hold.release()
    await asyncio.wait_for(following, PATIENCE_SECONDS)
    assert told(capsys.readouterr().out) == [(1, "the second"), (1, "is done")]


async def test_of_an_item_that_is_done_the_newest_job_is_printed_and_that_is_all(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, says=("wrong",))
    play.world.lives["each-1"] = [failed, SECOND]
    run = await play.start(spec_of({"each": over(2)}))
    await play.result(run)
    await asyncio.wait_for(show(play.client, item_of(run, 1)), PATIENCE_SECONDS)
    assert told(capsys.readouterr().out) == [(2, "the second"), (2, "is done")]


async def test_an_item_whose_number_is_too_high_is_refused_while_it_would_be_waited_for(play: Play) -> None:
    hold = play.world.hold("jobs.submit", stage="each-0")
    run = await play.start(spec_of({"each": over(2)}))
    await play.reach(hold)
    await play.until(run, lambda now: now.stages["each"].fanout is not None)
    with pytest.raises(StarterError, match="no item 2; they are numbered 0 to 1"):
        await asyncio.wait_for(show(play.client, item_of(run, 2)), PATIENCE_SECONDS)


async def test_a_stage_without_a_log_is_refused_with_those_that_have_one(play: Play) -> None:
    uri = play.put("gcp", "rows.csv")
    stages = {
        "bring": {"kind": "copy", "on": "aws", "source": uri},
        "train": {"after": ["bring"]},
        "each": {**over(2), "after": ["bring"]},
    }
    run = await play.start(spec_of(stages))
    await play.result(run)
    with pytest.raises(StarterError) as refused:
        await show(play.client, LogOptions(run.id, "bring", tail=100))
    assert refused.value.message == (
        "stage 'bring' has no job: it is a copy stage that is SUCCEEDED\n-> stages with a log: train, each"
    )
    assert job_of(play, "train")


SERVE = {"kind": "deploy", "on": "aws", "command": "python serve.py"}


def of_server(run: Run, **fields: Any) -> LogOptions:
    return LogOptions(run.id, "serve", tail=100, as_json=True, **fields)


async def test_a_server_is_followed_from_its_first_answer_until_its_endpoint_is_removed(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    hold, asking = play.world.hold("endpoints.deploy"), play.world.hold("jobs.submit")
    run = await play.start(spec_of({"serve": SERVE, "train": {"after": ["serve"]}}))
    await play.reach(hold)
    following = play.in_background(show(play.client, of_server(run, follow=True)))
    await until_said(capsys, "waiting for the server of serve")
    hold.release()
    await play.reach(asking)
    assert not following.done()
    asking.release()
    await play.result(run)
    await asyncio.wait_for(following, PATIENCE_SECONDS)
    (page, *_) = play.world.asked("endpoints.logs")
    assert page.request.ref.name.startswith("cw-serve-")
    assert [line for _, line in told(capsys.readouterr().out)] == list(play.world.log)


async def test_what_a_server_says_while_it_loads_can_be_read(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    hold = play.world.hold("endpoints.deploy")
    run = await play.start(spec_of({"serve": SERVE}))
    await play.reach(hold)
    (asked,) = play.world.asked("endpoints.deploy")
    play.world.endpoints[asked.request.name] = (asked.connection, asked.request)
    await asyncio.wait_for(show(play.client, of_server(run)), PATIENCE_SECONDS)
    assert told(capsys.readouterr().out) == [(1, line) for line in play.world.log]
    hold.release()
    await play.result(run)


async def test_a_server_that_was_never_deployed_has_no_log_and_that_is_told_at_once(play: Play) -> None:
    hold = play.world.hold("jobs.submit")
    run = await play.start(spec_of({"train": {}, "serve": {**SERVE, "after": ["train"]}}))
    await play.reach(hold)
    with pytest.raises(
        StarterError, match="stage 'serve' has no server: it is a deploy stage that is PENDING"
    ):
        await asyncio.wait_for(show(play.client, of_server(run)), PATIENCE_SECONDS)
