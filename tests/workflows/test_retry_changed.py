"""A retry may change what a stage asks for; what it changes, and who, is told, and what cannot be is refused."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase
from contracts.runs import RunPhase, StagePhase
from starter.document import run_document
from tests.fakes.lives import Life
from tests.workflows.asking import GATE, answer
from tests.workflows.play import Play, Run, job_of, spec_of

DEAD = Life(end=JobPhase.FAILED, reason=ErrorKind.JOB_FAILED)
HOUR = timedelta(hours=1)


async def waiting(play: Play, stages: dict[str, Any], stage: str = "job", **fields: Any) -> Run:
    play.world.lives[stage] = [DEAD, Life()]
    run = await play.start(spec_of(stages, defaults={"retries": 0, "timeout": "1h"}, **fields))
    await play.until_phase(run, stage, "WAITING")
    return run


async def refusal(play: Play, run: Run, stage: str = "job", decision: str = "retry", **fields: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await play.decide(run, decision, stage, **fields)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    return cause.message


async def test_a_retry_with_another_limit_machine_and_param_asks_for_those(play: Play) -> None:
    stages = {
        "job": {"command": "go {params.depth}", "resources": {"cpu": 2, "disk": "10GiB"}},
        "use": {"command": "go {params.depth}", "after": ["job"]},
    }
    run = await waiting(play, stages, params={"depth": 3})
    changes = {
        "timeout": "2h",
        "resources": {"cpu": 8, "memory": "32GiB", "disk": None},
        "params": {"depth": "7"},
    }
    told = await play.decide(run, "retry", "job", by="ann", reason="it was too small", **changes)
    words = (
        "timeout 1h -> 2h",
        "resources.cpu 2 -> 8",
        "resources.memory none -> 34359738368",
        "resources.disk 10737418240 -> none",
        "params.depth 3 -> 7",
    )
    assert told == f"retrying with {', '.join(words)}"
    status = await play.result(run)
    request = job_of(play, "job", 2).request
    assert request.timeout == 2 * HOUR
    assert (request.resources.cpu, request.resources.memory, request.resources.disk) == (8, 32 * 2**30, None)
    assert request.machine is not None
    assert request.machine.cpu == 8
    assert request.command == (("go",), ("7",))
    assert job_of(play, "use").request.command == (("go",), ("7",)), "a param holds from now on"
    assert job_of(play, "use").request.timeout == HOUR, "a limit is the stage's own"
    (decided,) = status.decisions
    assert (decided.decision, decided.stage, decided.by, decided.changes) == ("retry", "job", "ann", words)
    assert (
        status.stages["job"]
        .history[-1]
        .startswith("retry decided by ann after JOB_FAILED with timeout 1h -> 2h,")
    )
    (told_so,) = run_document(status, "")["decisions"]
    assert (told_so["by"], told_so["reason"], tuple(told_so["changes"])) == ("ann", "it was too small", words)


async def test_the_changed_limit_is_the_one_that_holds(play: Play) -> None:
    run = await waiting(play, {"job": {}})
    play.world.lives["job"] = [Life(runs=3 * HOUR)]
    await play.decide(run, "retry", "job", timeout="4h")
    assert (await play.result(run)).stages["job"].phase is StagePhase.SUCCEEDED


async def test_what_is_as_it_was_is_no_change(play: Play) -> None:
    run = await waiting(play, {"job": {}}, params={"depth": 3})
    before = len(play.world.asked("connections.preflight"))
    told = await play.decide(run, "retry", "job", timeout="60m", resources={"cpu": 1}, params={"depth": 3})
    assert told == "retrying"
    status = await play.result(run)
    assert status.decisions[0].changes == ()
    assert len(play.world.asked("connections.preflight")) == before


async def test_a_machine_that_nobody_has_makes_the_stage_wait_again_and_says_so(play: Play) -> None:
    run = await waiting(play, {"job": {}})
    play.world.fail("connections.preflight", ErrorKind.UNSUPPORTED, "stage job: no machine has 900 CPU")
    await play.decide(run, "retry", "job", resources={"cpu": 900})
    status = await play.until(run, lambda now: "900" in str(now.stages["job"].error))
    assert status.stages["job"].phase is StagePhase.WAITING
    assert len(play.world.asked("jobs.submit", stage="job")) == 1
    await play.decide(run, "retry", "job", resources={"cpu": 4})
    await play.result(run)
    machine = job_of(play, "job", 2).request.machine
    assert machine is not None
    assert machine.cpu == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"timeout": "soon"}, "timeout: 'soon' is not a duration", id="no-duration"),
        pytest.param({"timeout": "0s"}, "timeout: '0s' is out of range", id="no-time"),
        pytest.param(
            {"resources": {"cpus": 4}}, "resources: there is no 'cpus'; did you mean 'cpu'?", id="unknown"
        ),
        pytest.param({"resources": {"cpu": "many"}}, "resources.cpu: 'many'", id="no-number"),
        pytest.param({"resources": {"memory": "lots"}}, "resources.memory: 'lots'", id="no-size"),
        pytest.param(
            {"params": {"dept": 7}}, "params.dept: the pipeline has no param 'dept'; did you", id="no-param"
        ),
        pytest.param({"params": {"depth": "deep"}}, "params.depth: 'deep' is no int", id="wrong-type"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_nothing_is_changed(
    play: Play, changes: dict[str, Any], words: str
) -> None:
    run = await waiting(play, {"job": {"command": "go {params.depth}"}}, params={"depth": 3})
    assert words in await refusal(play, run, **changes)
    await play.decide(run, "retry", "job")
    status = await play.result(run)
    assert [decided.decision for decided in status.decisions] == ["retry"]
    assert job_of(play, "job", 2).request.command == (("go",), ("3",))


async def test_only_a_retry_changes_and_only_what_a_stage_has(play: Play) -> None:
    source = play.put("azure", "data.csv")
    play.world.fail("storage.copy", ErrorKind.DISK_FULL)
    play.world.lives["job"] = [DEAD, Life()]
    stages = {"copy": {"kind": "copy", "on": "aws", "source": source}, "job": {"retries": 0}}
    run = await play.start(spec_of(stages))
    await play.until_phase(run, "copy", "WAITING")
    await play.until_phase(run, "job", "WAITING")
    assert "of kind copy and has no machine" in await refusal(play, run, "copy", resources={"cpu": 4})
    assert "skip changes nothing of a stage; retry does" in await refusal(
        play, run, decision="skip", timeout="2h"
    )
    await play.decide(run, "retry", "copy", timeout="2h")
    await play.decide(run, "skip", "job", by="bob")
    status = await play.result(run)
    assert {(decided.decision, decided.stage) for decided in status.decisions} == {
        ("retry", "copy"),
        ("skip", "job"),
    }


async def test_items_that_are_changed_begin_again_in_a_place_of_their_own(play: Play) -> None:
    each = {
        "foreach": {"range": 2, "failures": {"at_least": 1.0}, "max_parallel": 1},
        "command": "go {item} {params.depth}",
        "outputs": ["out"],
    }
    play.world.lives = {"job-0": [DEAD, Life()], "job-1": [Life()]}
    run = await play.start(spec_of({"job": each}, params={"depth": 3}, defaults={"retries": 0}))
    await play.until_phase(run, "job", "WAITING")
    await play.decide(run, "retry", "job", params={"depth": 7})
    await play.result(run)
    places = {job.request.command[2][0]: job.request.outputs["out"] for job in play.world.jobs.values()}
    assert set(places) == {"3", "7"}
    assert "/c1/" in places["7"]
    assert "/c1/" not in places["3"]


async def test_items_whose_query_would_find_others_are_refused(play: Play) -> None:
    each = {"foreach": {"query": "SELECT n FROM t WHERE n < {params.depth}"}, "command": "go {item.n}"}
    play.world.fail("tables.query", ErrorKind.INVALID_REQUEST)
    run = await play.start(spec_of({"job": {"on": "gcp", **each}}, params={"depth": 3}))
    await play.until_phase(run, "job", "WAITING")
    assert "there would be other items; start a new run" in await refusal(play, run, params={"depth": 7})


async def test_a_question_that_nobody_answered_in_time_may_get_more(play: Play) -> None:
    run = await play.start(spec_of({"gate": {**GATE, "timeout": "1h"}}))
    await play.pass_time(hours=2)
    await play.until(run, lambda now: now.stages["gate"].error is not None)
    assert "does no work" in await refusal(play, run, "gate", timeout="9h")
    await play.decide(run, "retry", "gate", by="ann")
    await play.until(run, lambda now: now.stages["gate"].asks)
    await answer(play, run, "yes", by="bob")
    status = await play.result(run)
    told = [(decided.decision, decided.by, decided.answer) for decided in status.decisions]
    assert told == [("retry", "ann", None), ("approve", "bob", "yes")]


async def test_changes_hold_in_executions_to_come(forgetful: Play) -> None:
    play = forgetful
    stages: dict[str, Any] = {"job": {"command": "go {params.depth}"}}
    stages |= {
        f"more{number}": {"after": ["job"] if number == 0 else [f"more{number - 1}"]} for number in range(7)
    }
    stages["last"] = {"command": "go {params.depth}", "after": ["more6"]}
    run = await waiting(play, stages, params={"depth": 3})
    first = (await run.describe()).run_id
    await play.decide(run, "retry", "job", params={"depth": 7}, resources={"cpu": 8})
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    assert (await play.client.get_workflow_handle(run.id).describe()).run_id != first
    assert job_of(play, "last").request.command == (("go",), ("7",))
    assert len(status.decisions) == 1
