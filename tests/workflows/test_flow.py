"""Stages start when their needs are there; data is where they run."""

from datetime import timedelta

import pytest

from contracts.errors import ErrorKind
from contracts.runs import RunPhase, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, job_of, output, spec_of


def quickstart() -> dict[str, dict[str, object]]:
    return {
        "ingest": {"kind": "copy", "on": "aws", "source": "file:///data.csv"},
        "train": {"inputs": {"data": "ingest"}, "code": "src", "outputs": ["model", "metrics"]},
        "score": {"on": "azure", "inputs": {"model": "train.model", "data": "ingest"}, "outputs": ["rows"]},
        "load": {
            "kind": "load_table",
            "on": "gcp",
            "inputs": {"rows": "score.rows"},
            "table": "demo.predictions",
            "schema": [{"name": "id", "type": "INTEGER"}],
        },
        "summary": {"kind": "query", "on": "gcp", "after": ["load"], "sql": "SELECT 1"},
    }


async def test_a_pipeline_over_four_clouds_succeeds_and_reports_every_stage(play: Play) -> None:
    play.put("onprem", "data.csv")
    play.world.lives["train"] = [Life(metrics={"accuracy": 0.9})]
    play.world.answer_rows = ({"n": 3, "accuracy": 0.95, "name": "x", "ok": True},)
    status = await play.finish(spec_of(quickstart()))
    assert status.phase is RunPhase.SUCCEEDED
    assert {stage.phase for stage in status.stages.values()} == {StagePhase.SUCCEEDED}
    assert status.stages["train"].metrics == {"accuracy": 0.9}
    assert status.stages["load"].rows == 3
    assert status.stages["summary"].metrics == {"n": 3.0, "accuracy": 0.95}
    assert all(stage.started_at and stage.ended_at for stage in status.stages.values())
    assert not play.world.in_flight()


async def test_a_stage_starts_as_soon_as_its_own_needs_are_there(play: Play) -> None:
    play.world.lives |= {"slow": [Life(runs=timedelta(hours=5))], "quick": [Life()]}
    stages = {"slow": {}, "quick": {}, "next": {"inputs": {"it": "quick"}}, "last": {"after": ["slow"]}}
    status = await play.finish(spec_of(stages, defaults={"timeout": "1d"}))
    begun = {name: stage.started_at for name, stage in status.stages.items()}
    ended = {name: stage.ended_at for name, stage in status.stages.items()}
    assert begun["next"] < ended["slow"], "next waited for a stage it does not need"
    assert begun["last"] >= ended["slow"]


async def test_stages_without_needs_run_at_once(play: Play) -> None:
    names = [f"s{index}" for index in range(8)]
    play.world.lives |= {name: [Life(runs=timedelta(hours=1))] for name in names}
    spec = spec_of({name: {} for name in names}, defaults={"timeout": "1d"})
    status = await play.finish(spec)
    assert status.ended_at - status.started_at < timedelta(hours=2)


async def test_a_diamond_of_forty_stages_on_four_clouds_succeeds(play: Play) -> None:
    clouds = ["aws", "azure", "gcp", "onprem"]
    stages: dict[str, dict[str, object]] = {"top": {"outputs": ["out"]}}
    for index in range(38):
        stages[f"mid{index}"] = {"on": clouds[index % 4], "inputs": {"it": "top"}}
    stages["bottom"] = {"inputs": {f"i{index}": f"mid{index}" for index in range(38)}}
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert len(job_of(play, "bottom").request.inputs) == 38
    assert all(item.uri.startswith("s3://") for item in job_of(play, "bottom").request.inputs.values())
    assert len(play.world.jobs) == 40
    brought = [item for item in await play.transfers(run) if item.startswith("top.")]
    assert len(brought) == 3, "one transfer of the top's output for each other cloud"
    assert status.phase is RunPhase.SUCCEEDED


async def test_stages_on_one_connection_share_one_transfer(play: Play) -> None:
    stages = {
        "make": {},
        **{f"use{index}": {"on": "gcp", "inputs": {"it": "make"}} for index in range(4)},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert await play.transfers(run) == ["make.out-to-gcp.default"]
    assert len(status.transfers) == 1
    paths = {job_of(play, f"use{index}").request.inputs["it"].uri for index in range(4)}
    assert len(paths) == 1
    assert paths.pop().startswith("gs://causeway/runs/")


async def test_content_that_lies_there_already_is_not_moved_again(play: Play) -> None:
    same = {"out": {"part-0": b"the same"}}
    play.world.lives |= {"here": [Life(leaves=same)], "there": [Life(leaves=same)]}
    stages = {
        "here": {},
        "there": {"on": "gcp", "after": ["here"]},
        "use": {"on": "gcp", "inputs": {"it": "here"}, "after": ["there"]},
    }
    run = await play.start(spec_of(stages))
    status = await play.result(run)
    assert await play.transfers(run) == []
    assert job_of(play, "use").request.inputs["it"] == output(status, "there", "out")


async def test_a_copy_within_a_connection_is_local_and_needs_no_grant(play: Play) -> None:
    source = play.put("aws", "old/data.csv")
    stages = {"copy": {"kind": "copy", "on": "aws", "source": source, "target": "s3://causeway/new/data.csv"}}
    status = await play.finish(spec_of(stages))
    assert output(status, "copy", "data").uri == "s3://causeway/new/data.csv"
    assert play.world.objects["s3://causeway/new/data.csv"] == play.world.objects[source]
    assert not play.world.asked("storage.grant_read")


async def test_the_destination_pulls_from_a_store_that_can_be_read_from_outside(play: Play) -> None:
    source = play.put("azure", "data.csv")
    status = await play.finish(spec_of({"copy": {"kind": "copy", "on": "gcp", "source": source}}))
    assert [call.connection for call in play.world.asked("storage.grant_read")] == ["azure/default"]
    assert [call.connection for call in play.world.asked("storage.copy")] == ["gcp/default"]
    assert not play.world.asked("storage.push")
    assert status.transfers[0].verified == "end_to_end"


async def test_a_store_that_cannot_be_read_from_outside_pushes_and_the_destination_commits(
    play: Play,
) -> None:
    play.world.unreadable = {"onprem/default"}
    source = play.put("onprem", "data.csv")
    status = await play.finish(spec_of({"copy": {"kind": "copy", "on": "gcp", "source": source}}))
    effects = ["storage.measure", "storage.grant_write", "storage.push", "storage.commit"]
    owners = {name: [call.connection for call in play.world.asked(name)] for name in effects}
    assert owners == {
        "storage.measure": ["onprem/default"],
        "storage.grant_write": ["gcp/default"],
        "storage.push": ["onprem/default"],
        "storage.commit": ["gcp/default"],
    }
    assert play.world.objects[output(status, "copy", "data").uri] == play.world.objects[source]


async def test_two_stores_that_nobody_can_reach_are_refused_before_anything_runs(play: Play) -> None:
    play.world.unreadable = {"onprem/default", "aws/default"}
    source = play.put("onprem", "data.csv")
    stages = {"copy": {"kind": "copy", "on": "aws", "source": source}, "job": {}}
    kind, status = await play.failure(await play.start(spec_of(stages)))
    assert kind == ErrorKind.UNSUPPORTED
    assert "go through a cloud" in status.notes[0]
    assert not play.world.asked("jobs.submit")


async def test_a_folder_of_several_pages_arrives_whole(play: Play) -> None:
    names = [f"in/{index:02}" for index in range(8)]
    for name in names:
        play.put("azure", name, name.encode())
    play.put("azure", "in-a-sibling/x", b"no")
    status = await play.finish(
        spec_of({"copy": {"kind": "copy", "on": "aws", "source": "az://causeway/in/"}})
    )
    found = output(status, "copy", "data")
    assert (found.kind, found.object_count) == ("folder", 8)
    assert found.uri.endswith("/")
    landed = {stat.uri.removeprefix(found.uri) for stat in play.world.below(found.uri)}
    assert landed == {name.removeprefix("in/") for name in names}


@pytest.mark.parametrize("unreadable", [set(), {"onprem/default"}], ids=["pull", "push"])
async def test_grants_that_do_not_fit_one_payload_are_asked_for_in_rounds(
    play: Play, unreadable: set[str]
) -> None:
    play.world.grants_at_once = 3
    play.world.unreadable = unreadable
    for index in range(8):
        play.put("onprem", f"in/{index:02}", str(index).encode())
    stages = {"copy": {"kind": "copy", "on": "aws", "source": "file:///in/"}}
    status = await play.finish(spec_of(stages))
    assert output(status, "copy", "data").object_count == 8


async def test_an_empty_folder_is_a_missing_source(play: Play) -> None:
    stages = {"copy": {"kind": "copy", "on": "aws", "source": "az://causeway/none/", "on_failure": "fail"}}
    kind, _ = await play.failure(await play.start(spec_of(stages)))
    assert kind == ErrorKind.SOURCE_MISSING


async def test_an_artifact_that_changed_after_its_stage_is_not_passed_on(play: Play) -> None:
    hold = play.world.hold("storage.list", on="aws/default")
    stages = {"make": {}, "use": {"on": "gcp", "inputs": {"it": "make"}, "on_failure": "fail"}}
    run = await play.start(spec_of(stages))
    await play.reach(hold)
    made = next(uri for uri in play.world.objects if uri.endswith("/out/part-0"))
    play.world.put(made, b"something else")
    hold.release()
    kind, _ = await play.failure(run)
    assert kind == ErrorKind.SOURCE_CHANGED
    assert not play.world.asked("jobs.submit", stage="use")


async def test_code_is_published_once_for_each_connection(play: Play) -> None:
    stages = {f"s{index}": {"on": on, "code": "src"} for index, on in enumerate(["aws", "aws", "azure"])}
    stages["s1"]["after"] = ["s0"]  # type: ignore[assignment]
    await play.finish(spec_of(stages))
    published = [call.connection for call in play.world.asked("code.publish")]
    assert sorted(published) == ["aws/default", "azure/default"]
    codes = {job_of(play, name).request.code.digest for name in stages}
    assert len(codes) == 1


async def test_the_queue_of_a_named_connection_is_its_own(play: Play) -> None:
    await play.finish(spec_of({"job": {"on": "aws/eu"}}))
    assert [call.connection for call in play.world.asked("jobs.submit")] == ["aws/eu"]


@pytest.mark.parametrize("text", ["file:///data.csv", "file:///data/"])
async def test_a_copied_file_is_named_data_and_a_copied_folder_is_a_folder(play: Play, text: str) -> None:
    play.put("onprem", "data.csv")
    play.put("onprem", "data/one.csv")
    stages = {
        "ingest": {"kind": "copy", "on": "aws", "source": text},
        "use": {"on": "azure", "inputs": {"data": "ingest"}},
    }
    await play.finish(spec_of(stages))
    there = job_of(play, "use").request.inputs["data"]
    assert there.kind == ("folder" if text.endswith("/") else "file")
    assert there.uri.endswith("/" if text.endswith("/") else "/data")


async def test_a_copy_takes_an_output_and_its_targets_shape_follows_it(play: Play) -> None:
    stages = {"make": {}, "share": {"kind": "copy", "on": "gcp", "inputs": {"it": "make"}}}
    status = await play.finish(spec_of(stages))
    made, shared = output(status, "make", "out"), output(status, "share", "data")
    assert (shared.kind, shared.digest) == ("folder", made.digest)
    assert shared.uri.startswith("gs://")


async def test_a_worker_that_remembers_nothing_comes_to_the_same_end(play: Play) -> None:
    play.cached = 0
    play.put("onprem", "data.csv")
    play.world.lives["train"] = [Life(runs=timedelta(minutes=5))]
    status = await play.finish(spec_of(quickstart()))
    assert status.phase is RunPhase.SUCCEEDED
    assert len(play.world.jobs) == 2
