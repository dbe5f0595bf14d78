"""A new run takes over what another did, where nothing has changed and everything is still there."""

from typing import Any

from contracts.code import pack
from contracts.runs import EarlierRun, RunPhase, RunStatus, StagePhase
from contracts.spec import PipelineSpec
from starter.reruns import earlier_of
from tests.fakes.lives import Life
from tests.workflows.play import Play, spec_of
from tests.workflows.test_flow import quickstart

CALLS = ("jobs.submit", "tables.load", "tables.query")


async def first(play: Play, spec: PipelineSpec) -> RunStatus:
    play.put("onprem", "data.csv")
    play.world.lives["train"] = [Life(metrics={"accuracy": 0.9})] * 3
    return await play.finish(spec, key="first")


def quick(**params: Any) -> PipelineSpec:
    stages = quickstart()
    stages["score"] |= {"command": "python go.py {params.threshold}"}
    return spec_of(stages, params={"threshold": 1, **params})


def done(play: Play, since: int) -> set[str]:
    """The stages that did something since then."""
    return {
        call.stage
        for name in CALLS
        for call in play.world.asked(name)
        if play.world.calls.index(call) >= since
    }


async def again(play: Play, spec: PipelineSpec, earlier: EarlierRun) -> tuple[RunStatus, set[str]]:
    since = len(play.world.calls)
    status = await play.finish(spec, key="second", earlier=earlier)
    assert status.phase is RunPhase.SUCCEEDED
    return status, done(play, since)


async def test_a_run_of_which_nothing_has_changed_does_nothing_again(play: Play) -> None:
    before = await first(play, quick())
    status, did = await again(play, quick(), earlier_of("play/first", quick(), before))
    assert did == set()
    assert {stage.taken_from for stage in status.stages.values()} == {"play/first"}
    assert (before.rerun_of, status.rerun_of) == ("", "play/first")
    assert status.stages["train"].outputs == before.stages["train"].outputs
    assert status.stages["train"].metrics == {"accuracy": 0.9}
    assert status.stages["train"].note == "taken over from play/first"
    assert status.transfers == ()


async def test_a_changed_param_is_done_again_with_what_depends_on_it(play: Play) -> None:
    before = await first(play, quick())
    spec = quick(threshold=2)
    status, did = await again(play, spec, earlier_of("play/first", spec, before))
    # What the fake scores is the same again, so that its table need not be loaded anew.
    assert "score" in did
    assert "train" not in did
    assert status.stages["ingest"].taken_from == "play/first"
    assert status.stages["score"].taken_from == ""


async def test_what_was_brought_to_a_cloud_before_is_not_brought_again(play: Play) -> None:
    before = await first(play, quick())
    spec = quick(threshold=2)
    status, _ = await again(play, spec, earlier_of("play/first", spec, before))
    assert {moved.artifact for moved in before.transfers} == {
        "ingest.data",
        "train.model",
        "score.rows",
    }
    assert [moved for moved in status.transfers if moved.destination == "azure/default"] == []


async def test_a_stage_is_begun_from_though_nothing_has_changed(play: Play) -> None:
    before = await first(play, quick())
    earlier = earlier_of("play/first", quick(), before, "score")
    assert set(earlier.stages) == {"ingest", "train"}
    status, did = await again(play, quick(), earlier)
    assert did == {"score", "load", "summary"}
    assert status.stages["train"].taken_from == "play/first"


async def test_sources_are_copied_again_when_asked_and_the_same_content_changes_nothing(play: Play) -> None:
    before = await first(play, quick())
    earlier = earlier_of("play/first", quick(), before, fresh=True)
    status, did = await again(play, quick(), earlier)
    assert did == set()
    assert status.stages["ingest"].taken_from == ""
    assert status.stages["train"].taken_from == "play/first"


async def test_other_content_of_a_source_changes_what_is_made_of_it(play: Play) -> None:
    before = await first(play, quick())
    play.put("onprem", "data.csv", b"other")
    earlier = earlier_of("play/first", quick(), before, fresh=True)
    _, did = await again(play, quick(), earlier)
    assert "train" in did


async def test_what_is_no_longer_there_is_done_again(play: Play) -> None:
    before = await first(play, quick())
    prefix = before.stages["train"].outputs["model"].uri
    play.world.objects = {uri: kept for uri, kept in play.world.objects.items() if not uri.startswith(prefix)}
    status, did = await again(play, quick(), earlier_of("play/first", quick(), before))
    assert "train" in did
    assert status.stages["train"].taken_from == ""
    assert status.stages["ingest"].taken_from == "play/first"


async def test_what_was_taken_over_twice_names_who_did_it(play: Play) -> None:
    before = await first(play, quick())
    middle, _ = await again(play, quick(), earlier_of("play/first", quick(), before))
    status = await play.finish(quick(), key="third", earlier=earlier_of("play/second", quick(), middle))
    assert {stage.taken_from for stage in status.stages.values()} == {"play/first"}


async def test_a_changed_script_is_run_again(play: Play) -> None:
    before = await first(play, quick())
    code = {"src": pack({"go.py": b"print('other')\n"})}
    since = len(play.world.calls)
    status = await play.finish(
        quick(), key="second", earlier=earlier_of("p/f", quick(), before), bundles=code
    )
    assert "train" in done(play, since)
    assert status.stages["ingest"].taken_from == "p/f"


async def test_a_stage_that_failed_or_was_skipped_is_not_taken_over(play: Play) -> None:
    before = await first(play, quick())
    skipped = before.stages["train"].model_copy(update={"phase": StagePhase.SKIPPED})
    held = before.model_copy(update={"stages": {**before.stages, "train": skipped}})
    assert "train" not in earlier_of("play/first", quick(), held).stages
