"""The preflight: what each connection refuses, before anything runs."""

from datetime import timedelta

from contracts.errors import ErrorKind
from tests.workflows.play import Play, spec_of
from tests.workflows.test_shown import absent


async def test_a_preflight_that_fails_fails_the_run_before_anything_runs(play: Play) -> None:
    play.world.fail(
        "connections.preflight", ErrorKind.SOURCE_MISSING, "s3://causeway/ is not there", on="aws/default"
    )
    run = await play.start(spec_of({"job": {}, "other": {"on": "gcp"}}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.SOURCE_MISSING
    assert status.notes == ("preflight: SOURCE_MISSING: s3://causeway/ is not there",)
    assert {stage.phase.value for stage in status.stages.values()} == {"CANCELLED"}
    assert not play.world.asked("jobs.submit")


async def test_a_preflight_tells_what_every_connection_refuses(play: Play) -> None:
    held = play.world.hold("connections.preflight", on="gcp/default")
    for cloud, kind, told in (
        ("aws", ErrorKind.SOURCE_MISSING, "s3://causeway/ is not there"),
        ("gcp", ErrorKind.ACCESS_DENIED, "may not write"),
    ):
        play.world.fail("connections.preflight", kind, told, on=f"{cloud}/default")
    run = await play.start(spec_of({"job": {}, "other": {"on": "gcp"}, "well": {"on": "onprem"}}))
    await play.reach(held)
    await play.settle()
    held.release()
    kind, status = await play.failure(run)
    assert kind == ErrorKind.SOURCE_MISSING
    assert status.notes == (
        "preflight: aws/default: SOURCE_MISSING: s3://causeway/ is not there",
        "preflight: gcp/default: ACCESS_DENIED: may not write",
    )


async def test_a_refusal_is_told_although_another_connection_never_answers(play: Play) -> None:
    absent(play, "connections.preflight")
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "may not write", on="aws/default")
    run = await play.start(spec_of({"job": {"timeout": "1d"}, "other": {"on": "gcp", "timeout": "1d"}}))
    kind, status = await play.failure(run)
    assert kind == ErrorKind.ACCESS_DENIED
    assert status.notes == (
        "preflight: ACCESS_DENIED: may not write",
        "preflight: gcp/default has not answered yet",
    )
    assert status.ended_at - status.started_at < timedelta(minutes=5)


async def test_the_preflight_asks_each_connection_once_for_all_it_will_do(play: Play) -> None:
    play.put("azure", "data.csv")
    stages = {
        "in": {
            "kind": "copy",
            "on": "aws",
            "source": "az://causeway/data.csv",
            "target": "s3://mine/data.csv",
        },
        "job": {},
        "ask": {"kind": "query", "on": "gcp", "sql": "SELECT 1"},
    }
    run = await play.start(spec_of(stages), create_containers=True)
    await play.result(run)
    asked = {call.request.connection: call.request for call in play.world.asked("connections.preflight")}
    assert sorted(asked) == ["aws/default", "azure/default", "gcp/default"]
    assert asked["aws/default"].needs == ("jobs", "storage")
    assert asked["aws/default"].containers == ("s3://mine/",)
    assert asked["aws/default"].image_given is False
    assert asked["azure/default"].containers == ("az://causeway/",)
    assert "tables" in asked["gcp/default"].needs
    assert all(request.create for request in asked.values())
