"""A stage with a cache takes over what any run left that had the same code, inputs and params."""

from typing import Any

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, RunStatus
from contracts.spec import PipelineSpec
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from tests.workflows.test_reruns import done


def cached(**train: Any) -> PipelineSpec:
    stages = {
        "train": {"code": "src", "outputs": ["model", "metrics"], "cache": True, **train},
        "use": {"on": "gcp", "inputs": {"model": "train.model"}},
    }
    return spec_of(stages)


async def run(play: Play, spec: PipelineSpec, key: str) -> tuple[RunStatus, set[str]]:
    since = len(play.world.calls)
    play.world.lives["train"] = [Life(metrics={"auc": 0.9})]
    status = await play.finish(spec, key=key)
    assert status.phase is RunPhase.SUCCEEDED
    return status, done(play, since)


async def test_the_second_run_takes_over_what_the_first_one_left(play: Play) -> None:
    before, did = await run(play, cached(), "first")
    assert did == {"train", "use"}
    status, did = await run(play, cached(), "second")
    assert did == {"use"}
    train = status.stages["train"]
    assert (train.taken_from, train.metrics) == ("play/first", {"auc": 0.9})
    assert train.outputs == before.stages["train"].outputs
    assert status.stages["use"].taken_from == ""


async def test_another_script_or_command_is_run(play: Play) -> None:
    await run(play, cached(), "first")
    _, did = await run(play, cached(command="python other.py"), "second")
    assert "train" in did


async def test_what_is_kept_and_no_longer_there_is_done_again_and_kept_anew(play: Play) -> None:
    before, _ = await run(play, cached(), "first")
    prefix = before.stages["train"].outputs["model"].uri
    play.world.objects = {uri: held for uri, held in play.world.objects.items() if not uri.startswith(prefix)}
    _, did = await run(play, cached(), "second")
    assert "train" in did
    status, did = await run(play, cached(), "third")
    assert did == {"use"}
    assert status.stages["train"].taken_from == "play/second"


async def test_a_stage_without_a_cache_asks_for_none_and_keeps_nothing(play: Play) -> None:
    await run(play, cached(cache=False), "first")
    assert play.world.kept == {}
    assert not play.world.asked("cache.find")


async def test_a_cache_that_cannot_be_read_or_written_fails_nothing_and_is_told(play: Play) -> None:
    play.world.fail("cache.find", ErrorKind.ACCESS_DENIED)
    play.world.fail("cache.keep", ErrorKind.ACCESS_DENIED, "no right to write")
    status, did = await run(play, cached(), "first")
    assert did == {"train", "use"}
    assert "could not be kept for other runs" in status.stages["train"].history[-1]


async def test_a_retried_stage_is_run_though_its_result_is_kept(play: Play) -> None:
    await run(play, cached(), "first")
    play.world.objects.clear()
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, stage="train")
    again = await play.start(cached(), key="second")
    await play.until_phase(again, "train", "WAITING")
    await play.decide(again, "retry", "train", by="ann")
    status = await play.result(again)
    assert status.stages["train"].taken_from == ""
