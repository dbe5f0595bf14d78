"""A sweep lists what no live run owns, stops it when asked to, and touches nothing when it cannot tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.errors import ErrorKind
from contracts.queues import WORKFLOW_QUEUE
from contracts.sweeps import Owner, SweepItem, SweepReport, SweepRequest
from tests.workflows.play import CONNECTIONS, Play
from workflows.sweep import SweepWorkflow

DEAD, LIVE, ENDED = "d" * 32, "1" * 32, "e" * 32
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def thing(name: str, run_uid: str = DEAD, **more: Any) -> SweepItem:
    return SweepItem(
        **{"kind": "job", "id": name, "name": name, "run_uid": run_uid, "since": LONG_AGO, **more}
    )


async def swept(play: Play, *connections: str, **asked: Any) -> SweepReport:
    await play.serve(*CONNECTIONS)
    play.world.owners[LIVE] = Owner(run_uid=LIVE, live=True, workflow_id="p/live")
    play.world.owners[ENDED] = Owner(run_uid=ENDED, live=False, workflow_id="p/ended", closed_at=LONG_AGO)
    request = SweepRequest(connections=connections or ("aws/default",), **asked)
    return await play.client.execute_workflow(
        SweepWorkflow.run, request, id="sweep:test", task_queue=WORKFLOW_QUEUE
    )


def states(report: SweepReport) -> dict[str, str]:
    return {orphan.item.id: orphan.state for orphan in report.orphans}


async def test_a_sweep_lists_what_no_live_run_owns_and_stops_nothing_unasked(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a"), thing("b", LIVE), thing("c", ENDED), thing("d", LIVE)]}
    report = await swept(play)
    assert states(report) == {"a": "found", "c": "found"}
    assert [orphan.run for orphan in report.orphans] == ["", "p/ended"]
    assert report.left == 2
    assert report.connections[0].owned == 2
    assert play.world.swept == []


async def test_a_sweep_that_may_stop_stops_orphans_only(play: Play) -> None:
    play.world.left = {
        "aws/default": [thing("a"), thing("b", LIVE), thing("c", ENDED)],
        "gcp/default": [thing("d", LIVE), thing("e")],
    }
    report = await swept(play, "aws/default", "gcp/default", stop=True)
    assert sorted(play.world.swept) == [("aws/default", "a"), ("aws/default", "c"), ("gcp/default", "e")]
    assert set(states(report).values()) == {"stopped"}
    assert report.left == 0


async def test_what_carries_no_run_s_mark_is_listed_and_kept_unless_its_age_proves_it_dead(
    play: Play,
) -> None:
    play.world.left = {"aws/default": [thing("whose", ""), thing("draft", "", abandoned=True)]}
    report = await swept(play, stop=True)
    assert states(report) == {"whose": "kept", "draft": "stopped"}
    assert play.world.swept == [("aws/default", "draft")]
    assert report.left == 1


async def test_what_is_kept_for_want_of_a_mark_is_told_with_the_command_that_ends_it(play: Play) -> None:
    play.world.left = {"aws/default": [thing("whose", "", by_hand="aws s3api abort-multipart-upload")]}
    [orphan] = (await swept(play, stop=True)).orphans
    assert orphan.message.endswith("remove it by hand: aws s3api abort-multipart-upload")


async def test_what_tells_no_age_is_as_old_as_the_end_of_its_run(play: Play) -> None:
    lately = await play.env.get_current_time() - timedelta(minutes=5)
    fresh = "f" * 32
    play.world.owners[fresh] = Owner(run_uid=fresh, live=False, workflow_id="p/fresh", closed_at=lately)
    play.world.left = {
        "aws/default": [
            thing("old", ENDED, since=None),
            thing("new", fresh, since=None),
            thing("unknown", DEAD, since=None),
        ]
    }
    report = await swept(play, stop=True)
    assert states(report) == {"old": "stopped"}
    assert report.connections[0].younger == 2


async def test_nothing_is_stopped_while_nobody_can_say_who_owns_it(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a")], "gcp/default": [thing("b")]}
    play.world.fail("sweep.owners", ErrorKind.UNSUPPORTED, "no such attribute", times=99)
    report = await swept(play, "aws/default", "gcp/default", stop=True)
    assert play.world.swept == []
    assert report.orphans == ()
    assert ["no such attribute" in found.trouble for found in report.connections] == [True, True]


async def test_owners_are_asked_after_their_things_were_seen(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a")]}
    await swept(play, stop=True)
    story = [name for name in play.world.story if "sweep." in name]
    assert story == [
        "+sweep.find",
        "-sweep.find",
        "+sweep.owners",
        "-sweep.owners",
        "+sweep.stop",
        "-sweep.stop",
    ]


async def test_a_connection_without_a_worker_is_told_and_does_not_keep_the_others(play: Play) -> None:
    play.world.absent = {"causeway-gcp"}
    play.world.left = {"aws/default": [thing("a")]}
    report = await swept(play, "aws/default", "gcp/default", stop=True)
    assert states(report) == {"a": "stopped"}
    assert "no worker serves causeway-gcp" in report.connections[1].trouble
    assert play.world.asked("sweep.find", on="gcp/default") == []


async def test_a_connection_that_may_not_be_looked_at_does_not_keep_the_others(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a")], "gcp/default": [thing("b")]}
    play.world.fail("sweep.find", ErrorKind.ACCESS_DENIED, "you may not list", on="aws/default")
    report = await swept(play, "aws/default", "gcp/default", stop=True)
    assert states(report) == {"b": "stopped"}
    assert report.connections[0].trouble == "ACCESS_DENIED: you may not list"


async def test_what_cannot_be_stopped_is_told_and_counts_as_left(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a"), thing("b")]}
    play.world.stubborn = {"a": "ACCESS_DENIED: you may not stop it"}
    report = await swept(play, stop=True)
    assert states(report) == {"a": "failed", "b": "stopped"}
    assert [orphan.message for orphan in report.orphans] == ["ACCESS_DENIED: you may not stop it", ""]
    assert report.left == 1


async def test_a_sweep_of_one_run_asks_for_nothing_else(play: Play) -> None:
    play.world.left = {"aws/default": [thing("a"), thing("c", ENDED)]}
    report = await swept(play, stop=True, run="p/ended", run_uid=ENDED)
    assert states(report) == {"c": "stopped"}
    assert play.world.swept == [("aws/default", "c")]
