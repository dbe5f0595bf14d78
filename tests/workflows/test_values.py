"""Params and metrics become text in arguments and environments, and bound parameters in queries."""

from contracts.errors import ErrorKind
from contracts.jobs import PathRef
from tests.fakes.lives import Life
from tests.workflows.play import Play, job_of, spec_of


async def test_params_and_paths_fill_a_command_argument_by_argument(play: Play) -> None:
    command = "go --s {params.text} --n={params.count} --on {params.flag} '{{x}}' --out {outputs.out} --in {inputs.it}"
    params = {"text": "two words; rm -rf /", "count": 0.25, "flag": True}
    stages = {"make": {}, "use": {"command": command, "inputs": {"it": "make"}}}
    await play.finish(spec_of(stages, params=params))
    assert job_of(play, "use").request.command == (
        ("go",),
        ("--s",),
        ("two words; rm -rf /",),
        ("--n=", "0.25"),
        ("--on",),
        ("true",),
        ("{x}",),
        ("--out",),
        (PathRef(role="outputs", name="out"),),
        ("--in",),
        (PathRef(role="inputs", name="it"),),
    )


async def test_metrics_of_a_job_fill_commands_and_environments_of_later_ones(play: Play) -> None:
    play.world.lives["train"] = [Life(metrics={"loss": 0.5, "best.epoch": 7.0})]
    stages = {
        "train": {"outputs": ["metrics"]},
        "use": {"command": "go {train.metrics.loss}", "env": {"EPOCH": "e{train.metrics.best.epoch}"}},
    }
    await play.finish(spec_of(stages))
    request = job_of(play, "use").request
    assert request.command[1] == ("0.5",)
    assert request.env == {"EPOCH": "e7"}


async def test_a_metric_that_is_not_there_names_those_that_are(play: Play) -> None:
    play.world.lives["train"] = [Life(metrics={"accuracy": 1.0})]
    stages = {"train": {"outputs": ["metrics"]}, "use": {"command": "go {train.metrics.loss}"}}
    run = await play.start(spec_of(stages))
    status = await play.until_phase(run, "use", "WAITING")
    assert status.stages["use"].error.kind == ErrorKind.INVALID_REQUEST
    assert "left no metric 'loss'; there is accuracy" in status.stages["use"].error.message


async def test_values_in_a_query_are_bound_and_never_become_sql(play: Play) -> None:
    evil = "'; DROP TABLE students; --"
    sql = "SELECT 1 WHERE name = {params.name} AND loss < {train.metrics.loss} AND x = '{{}}'"
    play.world.lives["train"] = [Life(metrics={"loss": 0.5})]
    stages = {"train": {"outputs": ["metrics"]}, "ask": {"kind": "query", "on": "gcp", "sql": sql}}
    await play.finish(spec_of(stages, params={"name": evil}))
    request = play.world.asked("tables.query")[0].request
    assert request.sql == "SELECT 1 WHERE name = @params_name AND loss < @train_metrics_loss AND x = '{}'"
    assert request.parameters == {"params_name": evil, "train_metrics_loss": 0.5}


async def test_placeholders_that_look_alike_stay_apart_when_bound(play: Play) -> None:
    play.world.lives["train"] = [Life(metrics={"a.b": 1.0, "a-b": 2.0, "a_b": 3.0})]
    sql = "SELECT {train.metrics.a.b}, {train.metrics.a-b}, {train.metrics.a_b}, {train.metrics.a.b}"
    stages = {"train": {"outputs": ["metrics"]}, "ask": {"kind": "query", "on": "gcp", "sql": sql}}
    await play.finish(spec_of(stages))
    request = play.world.asked("tables.query")[0].request
    names = [word.strip(",") for word in request.sql.split()[1:]]
    assert [request.parameters[name.removeprefix("@")] for name in names] == [1.0, 2.0, 3.0, 1.0]


async def test_numbers_of_a_single_row_are_metrics_for_later_stages(play: Play) -> None:
    play.world.answer_rows = ({"n": 3, "ok": True, "name": "x", "none": None},)
    stages = {
        "ask": {"kind": "query", "on": "gcp", "sql": "SELECT 3 AS n"},
        "use": {"command": "go {ask.metrics.n}"},
    }
    status = await play.finish(spec_of(stages))
    assert status.stages["ask"].metrics == {"n": 3.0}
    assert job_of(play, "use").request.command[1] == ("3",)


async def test_a_table_job_that_is_retried_by_a_person_has_a_new_key(play: Play) -> None:
    play.world.fail("tables.query", ErrorKind.INVALID_REQUEST, "no such column")
    run = await play.start(spec_of({"ask": {"kind": "query", "on": "gcp", "sql": "SELECT x"}}))
    await play.until_phase(run, "ask", "WAITING")
    await play.decide(run, "retry", "ask")
    await play.result(run)
    generations = [call.request.key.generation for call in play.world.asked("tables.query")]
    assert generations == [1, 2]
