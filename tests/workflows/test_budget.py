"""A run stops before the step that could exceed its budget, waits for a person, and goes on with a yes; it never overshoots."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

from contracts.errors import ErrorKind
from contracts.foreach import item_stage
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, RunStatus, StagePhase
from tests.fakes.lives import Life
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.spending import HOURLY, answer, asked, question, really_spent
from tests.workflows.test_continue import chain, cuts
from workflows.pipeline import PipelineWorkflow

HOUR = timedelta(hours=1)
DEAD = Life(runs=timedelta(minutes=6), end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)


async def start(play: Play, stages: dict[str, Any], budget: str = "20 USD", **fields: Any) -> Run:
    """An hour of any machine costs 10 USD, and every stage may take an hour."""
    play.world.hour_price = fields.pop("price", HOURLY)
    defaults = {"timeout": "1h", "retries": 0, **fields.pop("defaults", {})}
    return await play.start(spec_of(stages, budget=budget, defaults=defaults, **fields))


def lives(play: Play, **minutes: float) -> None:
    play.world.lives |= {name: [Life(runs=timedelta(minutes=long))] for name, long in minutes.items()}


async def test_a_run_stops_before_the_step_that_could_exceed_its_budget_and_goes_on_after_a_yes(
    play: Play,
) -> None:
    lives(play, one=54, two=54)
    run = await start(play, {"one": {}, "two": {"after": ["one"]}, "three": {"after": ["two"]}})
    status = await asked(play, run, "three")
    assert status.phase is RunPhase.WAITING
    assert question(status, "three") == (
        "generation 1 of three may cost 10.00 USD, which could exceed the budget of 20 USD by 8.00 USD. Go on?"
    )
    shown = status.asking["three"].shown
    assert (shown["spent"], shown["under way"]) == ("18.00 USD", "at most 0.00 USD")
    assert shown["this step"] == "at most 10.00 USD: 1h of fake-1 at 10 USD an hour"
    assert not play.world.asked("jobs.submit", stage="three")
    lives(play, three=30)
    await answer(run, "three", by="ann")
    status = await play.result(run)
    assert status.spending is not None
    assert status.spending.spent == Decimal(23) == await really_spent(play)
    assert status.spending.raised == Decimal(3), "what the yes was not needed for is allowed no more"
    assert status.spending.held == {}


async def test_a_run_within_its_budget_asks_nothing(play: Play) -> None:
    lives(play, one=6, two=6, three=6)
    stages: dict[str, Any] = {"one": {}, "two": {"after": ["one"]}, "three": {"after": ["two"]}}
    status = await play.result(await start(play, stages))
    assert status.decisions == ()
    assert status.spending is not None
    assert status.spending.spent == Decimal(3)


async def test_three_parallel_stages_count_with_what_each_may_still_spend(play: Play) -> None:
    lives(play, one=54, two=54, three=54)
    run = await start(play, {"one": {}, "two": {}, "three": {}})
    status = await asked(play, run, "three")
    assert status.asking["three"].shown["under way"] == "at most 20.00 USD"
    assert not play.world.asked("jobs.submit", stage="three")
    await answer(run, "three")
    status = await play.result(run)
    assert status.spending is not None
    assert status.spending.spent == Decimal(27) == await really_spent(play)
    assert status.spending.raised == Decimal(9)


async def test_a_question_is_withdrawn_once_what_was_under_way_cost_less_than_it_might_have(
    play: Play,
) -> None:
    lives(play, one=6, two=54, three=54)
    run = await start(play, {"one": {}, "two": {}, "three": {}})
    await asked(play, run, "three")
    status = await play.result(run)
    assert status.decisions == ()
    assert status.stages["three"].phase is StagePhase.SUCCEEDED


async def test_after_a_no_the_stage_has_failed_for_the_budget(play: Play) -> None:
    lives(play, one=54)
    stages: dict[str, Any] = {"one": {}, "two": {"after": ["one"], "on_failure": "fail"}}
    run = await start(play, stages, budget="15 USD")
    await asked(play, run, "two")
    await answer(run, "two", "no", by="ann")
    kind, status = await play.failure(run)
    assert kind == ErrorKind.BUDGET_EXCEEDED
    assert len(play.world.jobs) == 1
    assert status.spending is not None
    assert (status.spending.spent, status.spending.held) == (Decimal(9), {})


async def test_a_yes_for_one_step_is_none_for_the_next(play: Play) -> None:
    lives(play, one=54, two=54)
    run = await start(play, {"one": {}, "two": {"after": ["one"]}}, budget="5 USD")
    await asked(play, run, "one")
    await answer(run, "one")
    await asked(play, run, "two")
    await answer(run, "two")
    status = await play.result(run)
    assert [one.about for one in status.decisions] == ["one/g1", "two/g1"]


async def test_every_generation_is_a_step_of_its_own(play: Play) -> None:
    play.world.lives["one"] = [DEAD, Life(runs=timedelta(minutes=30))]
    run = await start(play, {"one": {"retries": 1}}, budget="10 USD")
    status = await asked(play, run, "one")
    assert question(status, "one").startswith("generation 2 of one may cost 10.00 USD")
    assert status.asking["one"].shown["spent"] == "1.00 USD"
    await answer(run, "one")
    status = await play.result(run)
    assert status.spending is not None
    assert status.spending.spent == Decimal(6)


async def test_a_job_that_never_had_a_machine_took_nothing_from_the_budget(play: Play) -> None:
    play.world.lives["one"] = [Life(queued=timedelta(hours=10))]
    run = await start(play, {"one": {"on_failure": "fail"}}, budget="10 USD")
    kind, status = await play.failure(run)
    assert (kind, status.charges) == (ErrorKind.TIMED_OUT, ())
    assert status.spending is not None
    assert (status.spending.spent, status.spending.held) == (Decimal(0), {})


async def test_a_price_that_nobody_knows_is_asked_about_once_a_stage(play: Play) -> None:
    play.world.lives["one"] = [DEAD, Life(runs=timedelta(minutes=1))]
    run = await start(play, {"one": {"retries": 1}}, price=None)
    status = await asked(play, run, "one")
    assert "what it costs is not known, and the budget is 20 USD" in question(status, "one")
    assert status.asking["one"].shown["this step"].startswith("what fake-1 costs is not known")
    await answer(run, "one")
    status = await play.result(run)
    assert len(status.decisions) == 1
    assert status.spending is not None
    assert status.spending.unknown == ("one/g1", "one/g2")


async def test_a_price_in_another_currency_is_one_that_nobody_knows(play: Play) -> None:
    run = await start(play, {"one": {}}, budget="20 EUR")
    assert "what it costs is not known" in question(await asked(play, run, "one"), "one")


async def test_the_items_of_a_stage_count_all_together(play: Play) -> None:
    lives(play, **{item_stage("many", index): 6 for index in range(3)})
    run = await start(play, {"many": {"foreach": {"range": 3}}})
    status = await asked(play, run, "many")
    assert question(status, "many").startswith("many, over 3 items, may cost 30.00 USD")
    await answer(run, "many")
    status = await play.result(run)
    assert status.spending is not None
    assert (status.spending.spent, status.spending.raised) == (Decimal(3), Decimal(0))


async def test_an_endpoint_is_asked_about_since_nothing_bounds_it(play: Play) -> None:
    deploy = {"kind": "deploy", "on": "aws", "command": "python serve.py", "image": "i"}
    run = await start(play, {"serve": deploy})
    status = await asked(play, run, "serve")
    assert "the endpoint of serve: what it costs is not known" in question(status, "serve")
    assert status.asking["serve"].shown["this step"] == (
        "fake-1 at 10 USD an hour, until it is retired: nothing bounds that"
    )
    await answer(run, "serve")
    status = await play.result(run)
    assert status.spending is not None
    assert status.spending.held == {}
    assert status.spending.spent == status.spending.raised


async def test_a_generation_that_a_pause_had_stopped_counts_with_what_it_took(play: Play) -> None:
    lives(play, one=40)
    run = await start(play, {"one": {}}, budget="10 USD")
    await play.until_noted(run, "one", "running")
    await play.pass_time(minutes=12)
    await run.signal("pause", {"jobs": "stop"})
    await play.until(run, lambda now: now.phase is RunPhase.PAUSED)
    await run.signal("resume")
    status = await asked(play, run, "one")
    assert Decimal(status.asking["one"].shown["spent"].split()[0]) >= Decimal(2)
    await answer(run, "one")
    await play.result(run)


async def test_what_was_spent_is_carried_over_a_cut_history(forgetful: Play) -> None:
    play = forgetful
    run = await start(play, {**chain(6), "last": {"after": ["s5"], "timeout": "3h"}})
    await asked(play, run, "last")
    async with asyncio.timeout(30):
        while not await cuts(play, run):
            await asyncio.sleep(0.2)
    status: RunStatus = await run.query(PipelineWorkflow.status)
    assert status.spending is not None
    assert status.spending.held == {}
    await answer(run, "last")
    status = await play.result(run)
    assert len(status.decisions) == 1


async def test_a_run_without_a_budget_keeps_no_account_of_it(play: Play) -> None:
    status = await play.finish(spec_of({"one": {}}))
    assert status.spending is None
    assert not play.world.asked("ledger.reserve")
