"""Who watches is told of a run once for each thing that happens, and a run never waits for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from contracts.alerts import Alert
from contracts.errors import ErrorKind
from contracts.observed import ALERT_EVENTS, Observed
from contracts.runs import RunPhase
from tests.fakes.lives import Life
from tests.workflows.play import CHILD_STARTED, Play, Run, spec_of
from tests.workflows.test_shown import absent


@pytest.fixture
def watched(play: Play) -> Play:
    play.world.observed = Observed(alerts=ALERT_EVENTS)
    return play


async def told(play: Play, run: Run) -> Sequence[Alert]:
    """Every alert of a run, once the workflows that deliver them have ended."""
    history = await run.fetch_history()
    for event in history.events:
        started = getattr(event, CHILD_STARTED)
        if event.HasField(CHILD_STARTED) and "/alert/" in started.workflow_id:
            await play.client.get_workflow_handle(started.workflow_id).result()
    return play.world.alerts


def brief(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    return [(alert.event, alert.stage) for alert in alerts]


async def types_of(run: Run) -> list[str]:
    names = []
    for event in (await run.fetch_history()).events:
        names += [event.activity_task_scheduled_event_attributes.activity_type.name]
        names += [getattr(event, CHILD_STARTED).workflow_type.name]
        names += [event.marker_recorded_event_attributes.marker_name]
    return [name for name in names if name]


async def test_a_decision_that_is_needed_and_the_end_are_told_with_the_error_and_its_hint(
    watched: Play,
) -> None:
    watched.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad", times=2)
    run = await watched.start(spec_of({"bad": {}}))
    await watched.until_phase(run, "bad", "WAITING")
    await watched.decide(run, "retry", "bad")
    await watched.until(run, lambda now: now.stages["bad"].attempts == 2 and now.phase is RunPhase.WAITING)
    await watched.decide(run, "retry", "bad")
    status = await watched.result(run)
    alerts = await told(watched, run)
    assert sorted(brief(alerts)) == [("succeeded", ""), ("waiting", "bad"), ("waiting", "bad")]
    uid = status.run.run_uid
    ids = {f"{uid}/waiting/bad/1", f"{uid}/waiting/bad/2", f"{uid}/succeeded/1"}
    assert {alert.id for alert in alerts} == ids
    waited = next(alert for alert in alerts if alert.event == "waiting")
    assert (waited.kind, waited.message) == (ErrorKind.INVALID_REQUEST, "no such image")
    assert waited.hint


async def test_a_pause_and_a_cancel_are_told(watched: Play) -> None:
    watched.world.lives["job"] = [Life(runs=timedelta(hours=1))]
    run = await watched.start(spec_of({"job": {}}))
    await watched.until_noted(run, "job", "job running")
    await run.signal("pause", {"by": "ann", "reason": "maintenance"})
    await watched.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await run.cancel()
    await watched.cancelled(run)
    alerts = await told(watched, run)
    assert brief(alerts) == [("paused", ""), ("cancelled", "")]
    assert alerts[0].message == "by ann; maintenance"


async def test_a_run_that_fails_before_its_plan_is_told_too(watched: Play) -> None:
    watched.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "no right to write")
    run = await watched.start(spec_of({"job": {}}))
    await watched.failure(run)
    (alert,) = await told(watched, run)
    assert (alert.event, alert.kind, alert.message) == ("failed", "ACCESS_DENIED", "no right to write")


async def test_a_stage_that_takes_longer_than_it_should_is_told_once_and_runs_on(watched: Play) -> None:
    watched.world.lives |= {"slow": [Life(runs=timedelta(hours=2))], "quick": [Life()]}
    stages = {"quick": {"slow_after": "1h"}, "slow": {"slow_after": "30m", "timeout": "3h"}}
    run = await watched.start(spec_of(stages))
    await watched.result(run)
    alerts = await told(watched, run)
    assert brief(alerts) == [("slow", "slow"), ("succeeded", "")]
    assert "more than 30m" in alerts[0].message
    assert timedelta(minutes=30) <= alerts[0].at - (await watched.result(run)).started_at < timedelta(hours=1)


async def test_an_absent_worker_is_told_even_before_the_plan_is_made(watched: Play) -> None:
    absent(watched, "connections.preflight")
    run = await watched.start(spec_of({"job": {"on": "gcp"}}))
    await watched.pass_time(seconds=50)
    await watched.until(run, lambda _: bool(watched.world.alerts))
    (alert,) = watched.world.alerts
    assert (alert.event, alert.stage, alert.message) == ("absent", "job", "no worker serves causeway-gcp")


async def test_a_receiver_that_is_down_delays_no_run_and_is_told_once_it_is_back(real: Play) -> None:
    real.world.observed = Observed(alerts=ALERT_EVENTS)
    real.world.fail("alerts.send", ErrorKind.UNAVAILABLE, "the receiver is down")
    hold = real.world.hold("alerts.send")
    run = await real.start(spec_of({"job": {}}))
    assert (await real.result(run)).phase is RunPhase.SUCCEEDED
    assert not real.world.alerts
    hold.release()
    alerts = await told(real, run)
    assert brief(alerts) == [("succeeded", "")]
    sent = [call.request.id for call in real.world.asked("alerts.send")]
    assert len(sent) == 2
    assert set(sent) == {alerts[0].id}


async def test_a_receiver_that_refuses_fails_nothing(watched: Play) -> None:
    watched.world.fail("alerts.send", ErrorKind.INVALID_REQUEST, "the receiver answered 404")
    run = await watched.start(spec_of({"job": {}}))
    status = await watched.result(run)
    identity = f"{run.id}/alert/{status.run.run_uid}/succeeded/1"
    receipt = await watched.client.get_workflow_handle(identity).result()
    assert receipt == {"delivered": False, "why": "INVALID_REQUEST: the receiver answered 404"}


async def test_only_what_is_wanted_is_told(play: Play) -> None:
    play.world.observed = Observed(alerts=("failed",))
    play.world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad")
    run = await play.start(spec_of({"bad": {}}))
    await play.until_phase(run, "bad", "WAITING")
    await play.decide(run, "abort", "bad")
    await play.failure(run)
    assert brief(await told(play, run)) == [("failed", "")]


async def test_a_run_that_nobody_watches_has_not_one_more_event(play: Play) -> None:
    run = await play.start(spec_of({"job": {"slow_after": "1m"}}))
    await play.result(run)
    names = await types_of(run)
    assert not {"alert", "alerts.send", "observers.describe"} & {*names}
    # The one is of what a run has written into the ledger, whoever watches.
    assert names.count("core_patch") == 1
    timers = [event.timer_started_event_attributes for event in (await run.fetch_history()).events]
    assert not [timer for timer in timers if timer.start_to_fire_timeout.seconds == 60]


async def test_a_run_whose_history_is_cut_repeats_nothing(forgetful: Play) -> None:
    world = forgetful.world
    world.observed = Observed(alerts=ALERT_EVENTS, lineage=True)
    world.fail("jobs.submit", ErrorKind.INVALID_REQUEST, "no such image", stage="bad")
    chain: dict[str, Any] = {"s0": {}} | {f"s{n}": {"after": [f"s{n - 1}"]} for n in range(1, 6)}
    run = await forgetful.start(spec_of({"bad": {}, **chain}))
    await forgetful.until(run, lambda now: all(now.stages[name].phase.ended for name in chain))
    await forgetful.decide(run, "skip", "bad")
    await forgetful.result(run)
    assert (
        await forgetful.client.get_workflow_handle(run.id).describe()
    ).run_id != run.first_execution_run_id
    wanted = 2 * len({"run", "bad", *chain})
    await forgetful.until(
        run, lambda _: len(world.alerts) == 2 and sum(len(batch.events) for batch in world.lineage) == wanted
    )
    assert sorted(brief(world.alerts)) == [("succeeded", ""), ("waiting", "bad")]
    lines = [(event.stage, event.kind, event.attempt) for batch in world.lineage for event in batch.events]
    assert len(set(lines)) == wanted
