"""A place that has a machine for none of a stage's items: all of them go on at the next; where one ran, the stage stays."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, output, spec_of
from tests.workflows.spending import HOURLY

FULL = Life(end=JobPhase.FAILED, reason=ErrorKind.CAPACITY, message="no machine is free")
BROKEN = Life(runs=timedelta(seconds=5), end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
EACH: dict[str, Any] = {"on": ["aws", "gcp"], "outputs": ["model", "metrics"], "retries": 0}


def over(count: int, **fields: Any) -> dict[str, Any]:
    return {**EACH, "foreach": {"range": count, "max_parallel": 2}, **fields}


def jobs(play: Play) -> dict[str, list[tuple[str, int]]]:
    """Where each item's jobs were submitted, and in which generation."""
    found: dict[str, list[tuple[str, int]]] = {}
    for job in play.world.jobs.values():
        if job.request.stage.startswith("each-"):
            found.setdefault(job.request.stage, []).append((job.connection, job.request.generation))
    return found


def full_first(play: Play, count: int, *more: Life) -> None:
    play.world.lives |= {f"each-{index}": [FULL, *(more or (Life(),))] for index in range(count)}


async def test_items_that_find_no_machine_all_run_once_at_the_next_place(play: Play) -> None:
    full_first(play, 2)
    stages = {
        "make": {"on": "onprem"},
        "each": over(5, inputs={"x": "make"}),
        "use": {"on": "aws", "inputs": {"m": "each.model"}},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    found = jobs(play)
    assert [found["each-0"], found["each-1"]] == [[("aws/default", 1), ("gcp/default", 2)]] * 2
    assert [found[f"each-{index}"] for index in (2, 3, 4)] == [[("gcp/default", 2)]] * 3
    each = status.stages["each"]
    assert (each.connection, each.note, each.tried) == (
        "gcp/default",
        "5 of 5 items",
        {"aws/default": "CAPACITY there"},
    )
    assert each.history[-1] == "moved from aws/default to gcp/default after CAPACITY"
    assert len(play.world.below(output(status, "each", "model").uri)) == 5
    assert output(status, "each", "model").uri.startswith("gs://")
    assert sorted(key for key in await play.transfers(run) if "-to-" in key) == [
        "each.model-to-aws.default",
        "make.out-to-aws.default",
        "make.out-to-gcp.default",
    ]


async def test_quota_that_does_not_come_moves_them_as_well(play: Play) -> None:
    play.world.fail("jobs.submit", ErrorKind.QUOTA_EXHAUSTED, "no quota", on="aws/default", times=10_000)
    status = await play.finish(spec_of({"each": over(3)}))
    assert status.stages["each"].connection == "gcp/default"
    assert {place for held in jobs(play).values() for place, _ in held} == {"gcp/default"}


async def test_where_one_item_has_a_machine_the_others_are_tried_again_there_while_it_runs(
    play: Play,
) -> None:
    play.world.lives |= {"each-0": [Life(runs=timedelta(minutes=20))], "each-1": [FULL, Life()]}
    run = await play.start(spec_of({"each": over(2, retries=1)}))
    status = await play.result(run)
    assert jobs(play) == {"each-0": [("aws/default", 1)], "each-1": [("aws/default", 1), ("aws/default", 2)]}
    born = {job.name: job.born for job in play.world.jobs.values()}
    first, *_, last = sorted(born.values())
    assert last - first < timedelta(minutes=5)
    assert status.decisions == ()


async def test_an_item_that_was_set_aside_comes_again_when_another_has_ended_by_itself(play: Play) -> None:
    play.world.lives |= {"each-0": [FULL, Life()], "each-1": [BROKEN]}
    hold = play.world.hold("jobs.submit", stage="each-1")
    stages = {"each": over(3, foreach={"range": 3, "max_parallel": 2, "failures": "continue"})}
    run = await play.start(spec_of(stages))
    await play.reach(hold)
    await play.until(run, lambda now: "each-0" in jobs(play))
    await play.settle()
    assert set(jobs(play)) == {"each-0"}
    hold.release()
    status = await play.result(run)
    assert jobs(play) == {
        "each-0": [("aws/default", 1), ("aws/default", 2)],
        "each-1": [("aws/default", 1)],
        "each-2": [("aws/default", 1)],
    }
    assert status.stages["each"].metrics["succeeded"] == 2


async def test_a_stage_of_which_items_ran_says_what_a_person_can_do(play: Play) -> None:
    play.world.lives |= {"each-0": [Life(runs=timedelta(seconds=5))], "each-1": [FULL]}
    run = await play.start(spec_of({"each": over(2, foreach={"range": 2, "max_parallel": 1})}))
    status = await play.until_phase(run, "each", "WAITING")
    error = status.stages["each"].error
    assert error
    assert error.kind == ErrorKind.CAPACITY
    assert "the stage stays there: retry it when there are machines" in error.hint
    play.world.lives["each-1"] = [Life()]
    await play.decide(run, "retry", "each")
    await play.result(run)
    assert jobs(play) == {"each-0": [("aws/default", 1)], "each-1": [("aws/default", 1), ("aws/default", 2)]}


async def test_each_place_is_tried_once_by_a_stage_over_items(play: Play) -> None:
    play.world.lives |= {f"each-{index}": [FULL] for index in range(3)}
    one_by_one = {"range": 3, "max_parallel": 1}
    run = await play.start(spec_of({"each": over(3, foreach=one_by_one, on_failure="fail")}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.CAPACITY
    assert jobs(play) == {"each-0": [("aws/default", 1), ("gcp/default", 2)]}
    assert len(status.decisions) == 1


async def test_a_retry_where_no_other_place_answers_tries_this_one_again(play: Play) -> None:
    full_first(play, 2)
    hold = play.world.hold("jobs.submit", stage="each-0")
    run = await play.start(spec_of({"each": over(2)}))
    await play.reach(hold)
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right", on="gcp/default", times=9)
    hold.release()
    status = await play.until_phase(run, "each", "WAITING")
    assert "it goes on nowhere else" in status.stages["each"].history[-1]
    await play.decide(run, "retry", "each")
    status = await play.result(run)
    assert jobs(play) == {f"each-{index}": [("aws/default", 1), ("aws/default", 2)] for index in range(2)}


async def test_what_a_query_told_is_not_asked_again_at_the_next_place(play: Play) -> None:
    full_first(play, 2)
    play.world.answer_rows = ({"a": 1}, {"a": 2})
    each = over(2, foreach={"query": "SELECT a"}, command="go {item.a}")
    status = await play.finish(spec_of({"each": each}))
    assert len(play.world.asked("tables.query")) == 1
    assert status.stages["each"].connection == "gcp/default"
    assert status.stages["each"].metrics["succeeded"] == 2


async def test_objects_are_those_of_the_next_place_there(play: Play) -> None:
    play.world.lives["make"] = [Life(leaves={"parts": {"a.csv": b"1", "b.csv": b"2"}})]
    full_first(play, 2)
    stages = {
        "make": {"on": "onprem", "outputs": ["parts"]},
        "each": over(2, inputs={"part": "make.parts"}, foreach={"objects": "part"}),
    }
    await play.finish(spec_of(stages))
    moved = [job.request for job in play.world.jobs.values() if job.connection == "gcp/default"]
    assert sorted(request.inputs["part"].uri.rpartition("/")[2] for request in moved) == ["a.csv", "b.csv"]
    assert {request.inputs["part"].uri[:5] for request in moved} == {"gs://"}


async def test_a_place_without_machines_costs_nothing_and_the_next_is_tried_as_often_as_was_reserved(
    play: Play,
) -> None:
    play.world.hour_price = HOURLY
    play.world.lives["each-0"] = [FULL, BROKEN, BROKEN, BROKEN]
    stages = {"each": over(1, timeout="30m", retries=1, on_failure="skip")}
    status = await play.finish(spec_of(stages, budget="10 USD"))
    assert jobs(play)["each-0"] == [("aws/default", 1), ("gcp/default", 2), ("gcp/default", 3)]
    assert status.stages["each"].phase is StagePhase.SKIPPED
    assert status.spending is not None
    assert (status.spending.held, status.spending.unknown) == ({}, ())
    paid = sum(line.cost or Decimal(0) for line in status.charges)
    assert abs(status.spending.spent - paid) < Decimal("1e-8")


async def test_a_cut_history_of_items_keeps_that_there_are_machines(forgetful: Play) -> None:
    lives = {
        f"each-{index}": [Life(runs=timedelta(milliseconds=50), metrics={"n": index})] for index in range(12)
    }
    forgetful.world.lives |= {
        **lives,
        "each-1": [FULL, Life(metrics={"n": 1})],
        "each-9": [FULL, Life(metrics={"n": 9})],
    }
    status = await forgetful.finish(spec_of({"each": over(12, retries=1)}))
    assert status.stages["each"].connection == "aws/default"
    prefix = output(status, "each", "metrics").uri
    text = "".join(forgetful.world.objects[stat.uri].decode() for stat in forgetful.world.below(prefix))
    assert sorted(json.loads(line)["index"] for line in text.splitlines()) == list(range(12))
