"""Stages that run over many items."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, output, spec_of

FAILED = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED, message="the script ended with 1")


def over(items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"foreach": items, "outputs": ["model", "metrics"], "retries": 0, **fields}


def commands(play: Play, stage: str) -> list[str]:
    found = [job.request for job in play.world.jobs.values() if job.request.stage.startswith(f"{stage}-")]
    found.sort(key=lambda request: int(request.stage.rpartition("-")[2]))
    return [" ".join("".join(map(str, argument)) for argument in request.command) for request in found]


def lives(play: Play, stage: str, *of: Life) -> None:
    play.world.lives |= {f"{stage}-{index}": [life] for index, life in enumerate(of)}


def table(play: Play, status: RunStatus, stage: str) -> list[dict[str, Any]]:
    prefix = output(status, stage, "metrics").uri
    text = "".join(play.world.objects[stat.uri].decode() for stat in play.world.below(prefix))
    return sorted(map(json.loads, text.splitlines()), key=lambda row: row["index"])


async def test_each_item_of_a_list_is_one_job_and_what_they_leave_is_one_artifact(play: Play) -> None:
    lives(play, "trials", *(Life(metrics={"auc": 0.5 + number / 10}) for number in range(4)))
    items = [{"depth": depth, "rate": 0.1} for depth in (1, 2, 4, 8)]
    stages = {
        "trials": over({"list": items}, command="go {item.depth} {item.rate} {index} {item}"),
        "use": {"on": "gcp", "inputs": {"all": "trials.model"}},
        "tell": {"command": "go {trials.metrics.auc_max}", "when": "trials.metrics.succeeded == 4"},
    }
    status = await play.finish(spec_of(stages))
    assert commands(play, "trials")[2] == 'go 4 0.1 2 {"depth": 4, "rate": 0.1}'
    names = [stat.uri for stat in play.world.below(output(status, "trials", "model").uri)]
    assert [name.split("/")[-2] for name in names] == ["00000", "00001", "00002", "00003"]
    rows = table(play, status, "trials")
    assert [row["auc"] for row in rows] == [0.5, 0.6, 0.7, 0.8]
    assert rows[1]["item"] == {"depth": 2, "rate": 0.1}
    metrics = status.stages["trials"].metrics
    assert (metrics["auc_max"], metrics["auc_min"], metrics["items"]) == (0.8, 0.5, 4)
    assert status.stages["trials"].note == "4 of 4 items"
    assert status.phase is RunPhase.SUCCEEDED


async def test_a_stage_over_items_says_which_machine_the_plan_chose_for_them(play: Play) -> None:
    status = await play.finish(spec_of({"trials": over({"range": 2}, resources={"cpu": 4})}))
    assert status.stages["trials"].machine == "fake-4 (4 CPU): the only fake; its price is not known here"


async def test_the_best_item_of_two_clouds_is_picked_and_its_own_model_is_brought_on(play: Play) -> None:
    lives(play, "one", *(Life(metrics={"auc": value}) for value in (0.1, 0.7, 0.2)))
    lives(play, "two", *(Life(metrics={"auc": value}) for value in (0.3, 0.9, 0.9)))
    stages = {
        "one": over({"range": 3}),
        "two": over({"range": 3}, on="azure"),
        "best": {"kind": "pick", "from": ["one", "two"], "by": "max(metrics.auc)"},
        "use": {"on": "gcp", "inputs": {"model": "best.model"}},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    choice = status.stages["best"].choice
    assert choice is not None
    assert (choice.stage, choice.item) == ("two", 1)
    assert [candidate.score for candidate in choice.candidates] == [0.7, 0.9]
    assert status.stages["best"].metrics == {"auc": 0.9}
    model = output(status, "best", "model")
    assert play.world.objects[f"{model.uri}part-0"] == b"two-1.model"
    moved = next(item for item in status.transfers if item.artifact == "best.model")
    assert moved.result.digest == model.digest


async def test_each_object_of_an_artifact_is_the_input_of_one_job(play: Play) -> None:
    for index in range(5):
        play.put("onprem", f"shards/{index}.csv", f"rows {index}".encode())
    stages = {
        "shards": {"kind": "copy", "on": "aws", "source": "file:///shards/"},
        "score": {
            "foreach": {"objects": "rows"},
            "inputs": {"rows": "shards"},
            "command": "go {inputs.rows} {item.name}",
        },
    }
    status = await play.finish(spec_of(stages))
    given = {job.request.inputs["rows"].uri: job.request for job in play.world.jobs.values()}
    assert len(given) == 5
    assert {uri.rpartition("/")[2] for uri in given} == {f"{index}.csv" for index in range(5)}
    assert all(request.inputs["rows"].kind == "file" for request in given.values())
    assert output(status, "score", "out").object_count == 5


async def test_each_row_of_a_query_is_an_item(play: Play) -> None:
    play.world.answer_rows = ({"region": "eu", "n": 3}, {"region": "us", "n": None})
    each = {"query": "SELECT * FROM t WHERE n > {params.n}"}
    await play.finish(spec_of({"each": over(each, command="go {item.region} x{item.n}")}, params={"n": 1}))
    assert commands(play, "each") == ["go eu x3", "go us x"]
    asked = play.world.asked("tables.query")[0].request
    assert (asked.sql, asked.parameters) == ("SELECT * FROM t WHERE n > @params_n", {"params_n": 1})


async def test_no_more_items_run_at_once_than_were_asked_for(play: Play) -> None:
    lives(play, "slow", *(Life(runs=timedelta(minutes=1)) for _ in range(7)))
    status = await play.finish(spec_of({"slow": over({"range": 7, "max_parallel": 3})}))
    taken = status.stages["slow"].ended_at - status.stages["slow"].started_at  # type: ignore[operator]
    assert timedelta(minutes=3) <= taken < timedelta(minutes=4)


async def test_the_code_of_all_items_is_published_once(play: Play) -> None:
    await play.finish(spec_of({"each": over({"range": 12}, code="src")}))
    assert len(play.world.asked("code.publish")) == 1
    assert len(play.world.jobs) == 12


async def test_an_item_is_tried_again_by_itself(play: Play) -> None:
    play.world.lives["each-1"] = [FAILED, Life()]
    status = await play.finish(spec_of({"each": over({"range": 3}, retries=1)}))
    assert Counter(job.request.stage for job in play.world.jobs.values()) == {
        "each-0": 1,
        "each-1": 2,
        "each-2": 1,
    }
    assert status.phase is RunPhase.SUCCEEDED


async def test_with_fail_fast_the_others_are_stopped(play: Play) -> None:
    lives(play, "each", Life(runs=timedelta(hours=9)), FAILED, Life(runs=timedelta(hours=9)))
    spec = spec_of({"each": over({"range": 20, "max_parallel": 3}, on_failure="fail", timeout="1d")})
    kind, status = await play.failure(await play.start(spec))
    assert kind == ErrorKind.JOB_FAILED
    assert not await play.world.live_jobs()
    assert len(play.world.jobs) == 3
    error = status.stages["each"].error
    assert error is not None
    assert "1 of 20 items failed" in error.message
    assert "Item 1 (1): job cw-each-1-" in error.message
    assert "last line" in error.message


@pytest.mark.parametrize(
    ("failures", "ends"),
    [("continue", "SUCCEEDED"), ({"at_least": 0.7}, "SUCCEEDED"), ({"at_least": 0.71}, "FAILED")],
    ids=["continue", "at least 70%", "at least 71%"],
)
async def test_a_share_of_the_items_may_fail(real: Play, failures: Any, ends: str) -> None:
    # The server that skips time refuses a cancel that crosses an activity's end; a real one does not.
    play = real
    lives(play, "each", *(FAILED if index in {2, 5, 8} else Life() for index in range(10)))
    spec = spec_of({"each": over({"range": 10, "failures": failures}, on_failure="skip")})
    status = await play.finish(spec)
    stage = status.stages["each"]
    assert stage.phase == ("SKIPPED" if ends == "FAILED" else "SUCCEEDED")
    assert stage.fanout is not None
    assert sorted(failure.index for failure in stage.fanout.failures) == [2, 5, 8]
    if ends == "SUCCEEDED":
        assert stage.note == "7 of 10 items, 3 failed"
        assert [row["state"] for row in table(play, status, "each")].count("FAILED") == 3


async def test_a_retry_finds_what_succeeded_and_runs_only_what_failed(real: Play) -> None:
    play = real
    play.world.lives["each-1"] = [FAILED, Life()]
    run = await play.start(spec_of({"each": over({"range": 3, "failures": {"at_least": 1.0}})}))
    await play.until_phase(run, "each", "WAITING")
    before = set(play.world.jobs)
    await play.decide(run, "retry", "each")
    status = await play.result(run)
    assert status.stages["each"].fanout.succeeded == 3  # type: ignore[union-attr]
    new = set(play.world.jobs) - before
    assert [play.world.jobs[name].request.stage for name in new if name.endswith("g2")] == ["each-1"]
    assert Counter(job.request.stage for job in play.world.jobs.values())["each-0"] == 1


async def test_a_retry_runs_the_items_again_that_were_stopped_since_another_failed(real: Play) -> None:
    play = real
    play.world.lives["each-0"] = [Life(runs=timedelta(hours=9)), Life()]
    play.world.lives["each-1"] = [FAILED, Life()]
    run = await play.start(spec_of({"each": over({"range": 2}, timeout="1d")}))
    await play.until_phase(run, "each", "WAITING")
    assert not await play.world.live_jobs()
    await play.decide(run, "retry", "each")
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    submitted = Counter(job.request.stage for job in play.world.jobs.values())
    assert submitted == {"each-0": 2, "each-1": 2}


async def test_a_cancel_stops_every_items_job(play: Play) -> None:
    lives(play, "each", *(Life(runs=timedelta(hours=9)) for _ in range(4)))
    run = await play.start(spec_of({"each": over({"range": 4}, timeout="1d")}))
    await play.until(run, lambda now: now.jobs_running == 4)
    await run.cancel()
    status = await play.cancelled(run)
    assert status.stages["each"].phase is StagePhase.CANCELLED
    assert not await play.world.live_jobs()


async def test_a_pause_starts_no_further_item_and_a_resume_does(play: Play) -> None:
    hold = play.world.hold("jobs.submit", stage="each-0")
    run = await play.start(spec_of({"each": over({"range": 4, "max_parallel": 1})}))
    await play.reach(hold)
    await run.signal("pause", {"by": "ann"})
    await play.until(run, lambda now: now.phase is RunPhase.PAUSING)
    hold.release()
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await play.settle()
    assert len(play.world.jobs) == 1
    await run.signal("resume", {})
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED
    assert len(play.world.jobs) == 4


async def test_a_long_history_is_cut_between_items_and_none_runs_twice(forgetful: Play) -> None:
    play = forgetful
    lives(play, "each", *(Life(metrics={"auc": number / 30}) for number in range(30)))
    stages = {
        "each": over({"range": 30, "max_parallel": 3}),
        "best": {"kind": "pick", "from": ["each"], "by": "min(metrics.auc)"},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert status.stages["each"].metrics["succeeded"] == 30
    assert status.stages["best"].choice.item == 0  # type: ignore[union-attr]
    assert {job.submits for job in play.world.jobs.values()} == {1}
    assert len(play.world.jobs) == 30
    assert len(table(play, status, "each")) == 30
    executions = [
        found async for found in play.client.list_workflows(f'WorkflowId = "{run.id}/foreach/each"')
    ]
    assert len(executions) > 1
