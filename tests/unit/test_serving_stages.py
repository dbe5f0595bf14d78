"""Stages that score, seen together: each mistake says where it is and what would be right."""

from typing import Any

import pytest

from contracts.graph import needs, problems_of
from contracts.jobs import BatchOptions, JobRequest, RunRef
from contracts.spec import PipelineSpec

SERVER = {"kind": "deploy", "on": "aws", "command": "python serve.py"}
ROWS = {"kind": "process", "on": "aws", "command": "true", "outputs": ["rows"]}
ASK = {"kind": "invoke", "on": "aws", "endpoint": "serve", "inputs": {"data": "rows"}}
GONE = {"kind": "retire", "on": "aws", "endpoint": "serve"}
BATCH = {"kind": "batch_predict", "on": "aws", "command": "python serve.py", "inputs": {"data": "rows"}}


def spec(**stages: Any) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "play", "stages": {"rows": ROWS, **stages}})


def told(**stages: Any) -> list[tuple[str, str]]:
    return [(".".join(map(str, found.path)), found.message) for found in problems_of(spec(**stages))]


def test_a_sound_pipeline_that_scores_has_no_mistakes() -> None:
    assert told(serve=SERVER, ask=ASK, gone=GONE, batch=BATCH) == []


def test_an_endpoint_is_needed_by_who_asks_and_removed_after_all_of_them() -> None:
    sound = spec(serve=SERVER, ask=ASK, also=ASK, gone=GONE)
    assert needs(sound, "ask") == {"rows", "serve"}
    assert needs(sound, "gone") == {"serve", "ask", "also"}


@pytest.mark.parametrize(
    ("stages", "field", "words"),
    [
        pytest.param(
            {"serve": SERVER, "ask": {**ASK, "endpoint": "serv"}},
            "ask.endpoint",
            "did you mean 'serve'?",
            id="near",
        ),
        pytest.param(
            {"ask": {**ASK, "endpoint": "rows"}}, "ask.endpoint", "there is none; add one", id="no deploy"
        ),
        pytest.param({"gone": GONE}, "gone.endpoint", "no stage of the kind deploy", id="retire"),
        pytest.param(
            {"serve": SERVER, "ask": {**ASK, "on": "onprem"}}, "ask.on", "is on 'aws/default'", id="elsewhere"
        ),
        pytest.param(
            {"serve": SERVER, "ask": {**ASK, "inputs": {"x": "rows"}}},
            "ask.inputs",
            "name an input data",
            id="rows of invoke",
        ),
        pytest.param(
            {"batch": {**BATCH, "inputs": {}}}, "batch.inputs", "name an input data", id="rows of batch"
        ),
        pytest.param(
            {"batch": {**BATCH, "command": "python s.py {inputs.data}"}},
            "batch.command",
            "in requests, not as a file",
            id="rows as a file",
        ),
        pytest.param(
            {"serve": {**SERVER, "command": "python s.py {outputs.x}"}},
            "serve.command",
            "there is none of that name",
            id="output",
        ),
    ],
)
def test_a_mistake_says_what_would_be_right(stages: dict[str, Any], field: str, words: str) -> None:
    found = told(**stages)
    assert [place for place, _ in found] == [f"stages.{field}"]
    assert words in found[0][1]


def test_a_batch_is_part_of_what_a_job_asks_for() -> None:
    run = RunRef(pipeline="play", key="k", run_uid="0" * 32)
    plain = JobRequest(run=run, stage="score", generation=1, kind="predict", command=(("true",),))
    batch = plain.model_copy(update={"batch": BatchOptions(data="data")})
    other = plain.model_copy(update={"batch": BatchOptions(data="data", batch_size=2)})
    assert len({plain.digest, batch.digest, other.digest}) == 3
