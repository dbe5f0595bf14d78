"""A stage is done again exactly when something that it depends on is not what it was."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import Artifact
from contracts.fingerprints import downstream, fingerprint
from contracts.graph import OutputName, order
from contracts.placeholders import Reference
from contracts.spec import PipelineSpec
from contracts.tables import Scalar

CODE = {"a": "1", "b": "2", "c": "3"}


def spec_of(stages: dict[str, Any], **params: Scalar) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "p", "params": params, "stages": stages})


def job(**fields: Any) -> dict[str, Any]:
    return {"kind": "train", "on": "aws", "command": "go", "outputs": ["o", "metrics"], **fields}


def marks_of(spec: PipelineSpec, code: dict[str, str] | None = None) -> dict[str, str]:
    """Every stage's fingerprint, where a script leaves the same for the same."""
    marks: dict[str, str] = {}

    def artifact(name: OutputName) -> Artifact:
        digest = hashlib.sha256(f"{marks[name.stage]} {name.output}".encode()).hexdigest()
        return Artifact(uri="s3://b/x/", kind="folder", size_bytes=1, object_count=1, digest=digest)

    def value(reference: Reference) -> Scalar:
        return spec.params[reference.name] if reference.role == "params" else marks[str(reference.stage)]

    for name in order(spec):
        marks[name] = fingerprint(spec, name, CODE | (code or {}), artifact, value)
    return marks


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, set[str]]]:
    """Stages, and of each what it takes from: inputs and metrics, but not what it only comes after."""
    count = draw(st.integers(1, 12))
    stages: dict[str, Any] = {}
    takes: dict[str, set[str]] = {}
    for number in range(count):
        name, before = f"s{number}", [f"s{other}" for other in range(number)]
        picked = st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
        inputs, metrics, after = draw(picked), draw(picked), draw(picked)
        numbers = " ".join(f"{{{other}.metrics.auc}}" for other in metrics)
        param = " {params.p}" if draw(st.booleans()) else ""
        stages[name] = job(
            inputs={f"i{other}": f"{other}.o" for other in inputs},
            after=after,
            code=draw(st.sampled_from(sorted(CODE))),
            command=f"go {name} {numbers}{param}",
        )
        takes[name] = {*inputs, *metrics}
    return stages, takes


def reach(takes: dict[str, set[str]], begin: set[str]) -> set[str]:
    found = set(begin)
    for name in takes:
        if takes[name] & found:
            found.add(name)
    return found


@given(graphs(), st.sampled_from(sorted(CODE)))
def test_a_changed_script_changes_exactly_what_depends_on_it(
    graph: tuple[dict[str, Any], dict[str, set[str]]], folder: str
) -> None:
    stages, takes = graph
    spec = spec_of(stages, p=1)
    users = {name for name, stage in stages.items() if stage["code"] == folder}
    assert changed(marks_of(spec), marks_of(spec, {folder: "other"})) == reach(takes, users)


@given(graphs())
def test_a_changed_param_changes_exactly_what_names_it_and_what_depends_on_that(
    graph: tuple[dict[str, Any], dict[str, set[str]]],
) -> None:
    stages, takes = graph
    users = {name for name, stage in stages.items() if "{params.p}" in stage["command"]}
    found = changed(marks_of(spec_of(stages, p=1)), marks_of(spec_of(stages, p=2)))
    assert found == reach(takes, users)


@given(graphs(), st.data())
def test_a_changed_stage_changes_itself_and_what_depends_on_it(
    graph: tuple[dict[str, Any], dict[str, set[str]]], data: st.DataObject
) -> None:
    stages, takes = graph
    name = data.draw(st.sampled_from(sorted(stages)))
    other = {**stages, name: {**stages[name], "env": {"A": "b"}}}
    found = changed(marks_of(spec_of(stages, p=1)), marks_of(spec_of(other, p=1)))
    assert found == reach(takes, {name})


@given(graphs(), st.data())
def test_downstream_is_what_needs_a_stage_and_nothing_else(
    graph: tuple[dict[str, Any], dict[str, set[str]]], data: st.DataObject
) -> None:
    stages, takes = graph
    needs = {name: takes[name] | set(stages[name]["after"]) for name in stages}
    name = data.draw(st.sampled_from(sorted(stages)))
    assert downstream(spec_of(stages, p=1), {name}) == reach(needs, {name})


@pytest.mark.parametrize(
    "fields",
    [
        {"retries": 5},
        {"timeout": "2h"},
        {"on_failure": "fail"},
        {"slow_after": "1m"},
        {"resources": {"cpu": 8}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_how_a_stage_runs_changes_nothing_of_what_it_leaves(fields: dict[str, Any]) -> None:
    assert marks_of(spec_of({"s": job()})) == marks_of(spec_of({"s": job(**fields)}))


@pytest.mark.parametrize(
    "fields",
    [{"on": "gcp"}, {"command": "go on"}, {"outputs": ["o"]}, {"image": "i:2"}, {"env": {"A": "b"}}],
    ids=lambda fields: next(iter(fields)),
)
def test_what_a_stage_is_changes_its_fingerprint(fields: dict[str, Any]) -> None:
    assert marks_of(spec_of({"s": job()})) != marks_of(spec_of({"s": job(**fields)}))


def test_items_are_judged_anew_when_a_pick_asks_for_something_else() -> None:
    def spec(by: str) -> PipelineSpec:
        each = job(foreach={"range": 3})
        return spec_of({"each": each, "best": {"kind": "pick", "from": ["each"], "by": by}})

    assert marks_of(spec("max(metrics.auc)"))["each"] != marks_of(spec("min(metrics.loss)"))["each"]


def test_what_is_there_or_not_has_no_fingerprint() -> None:
    stages = {
        "rows": job(),
        "serve": {"kind": "deploy", "on": "aws", "command": "serve"},
        "ask": {"kind": "invoke", "on": "aws", "endpoint": "serve", "inputs": {"data": "rows.o"}},
    }
    found = marks_of(spec_of(stages))
    assert (found["serve"], found["ask"]) == ("", "")
