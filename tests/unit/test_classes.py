"""Classes of data: how they flow along a pipeline, and how paths say them."""

from typing import Any

import pytest

from activities.sweeping import mark_of
from contracts.classes import StageClasses, classes_at, classes_of, unknown_classes
from contracts.graph import problems_of
from contracts.jobs import JobRequest
from contracts.marks import mark, marked
from contracts.policy import Policy
from contracts.spec import PipelineSpec
from tests.unit.test_policy import PII, POLICY

RUN_UID = "ab" * 16
JOB: dict[str, Any] = {"kind": "process", "on": "aws/eu", "command": "x", "outputs": ["out"]}
CUSTOMERS: dict[str, Any] = {"kind": "copy", "on": "aws/eu", "source": "s3://landing/customers/"}
GATE: dict[str, Any] = {"kind": "approve", "question": "publish?", "approvers": ["erin"], "after": ["clean"]}


def spec_of(stages: dict[str, Any], **fields: Any) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "p", "stages": stages, **fields})


def left(stages: dict[str, Any], policy: Policy = POLICY) -> dict[str, tuple[str, ...]]:
    return {name: held.left for name, held in classes_of(spec_of(stages), (policy,)).items()}


def test_a_stage_leaves_the_classes_of_all_its_inputs_and_its_own() -> None:
    found = left(
        {
            "a": CUSTOMERS,
            "b": {**JOB, "data_class": "open"},
            "c": {**JOB, "inputs": {"x": "a", "y": "b"}},
            "d": {"kind": "pick", "from": ["e", "f"], "by": "max(metrics.auc)"},
            "e": {**JOB, "outputs": ["metrics"], "inputs": {"x": "a"}},
            "f": {**JOB, "outputs": ["metrics"]},
        }
    )
    assert found == {"a": PII, "b": ("open",), "c": ("open", "pii"), "d": PII, "e": PII, "f": ()}


def test_a_folder_that_may_hold_classified_data_has_its_class() -> None:
    assert classes_at("s3://landing/", (POLICY,)) == PII
    assert classes_at("s3://landing/customers2/", (POLICY,)) == ()
    assert classes_at("s3://landing/customers/a.csv", (POLICY,)) == PII


def test_what_nothing_says_a_class_of_has_the_default_one() -> None:
    strict = POLICY.model_copy(update={"default_class": "pii"})
    assert left({"a": JOB, "b": {**JOB, "data_class": "open"}}, strict) == {"a": PII, "b": ("open",)}
    assert classes_at("s3://elsewhere/a", (strict,)) == PII
    assert classes_at("gs://shared/a", (strict,)) == ("open",)


def test_an_approved_stage_leaves_its_own_class_only() -> None:
    released = {**JOB, "inputs": {"x": "clean"}, "declassify": "ask", "after": ["ask"], "data_class": "open"}
    stages = {"a": CUSTOMERS, "clean": {**JOB, "inputs": {"x": "a"}}, "ask": GATE, "out": released}
    spec = spec_of(stages)
    # The gate's answer has to be used by somebody, which is not what is judged here.
    assert classes_of(spec, (POLICY,))["out"] == StageClasses(read=PII, left=("open",), here=("open", "pii"))
    brought = {"kind": "copy", "on": "azure", "inputs": {"x": "clean"}, "declassify": "ask", "after": ["ask"]}
    found = classes_of(spec_of({**stages, "out": brought}), (POLICY,))["out"]
    assert found == StageClasses(read=PII, left=(), here=())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"declassify": "clean"}, "'clean' is no stage of kind approve", id="no question"),
        pytest.param(
            {"after": []}, "the stage does not come after 'ask'; add after: [ask]", id="not after it"
        ),
        pytest.param({"gate": {"choices": ["ok"]}}, "'ask' cannot be answered with yes", id="no yes"),
        pytest.param({"gate": {"approvers": []}}, "'ask' names no approvers", id="anybody"),
    ],
)
def test_a_stage_that_cannot_declassify_is_a_mistake(changed: dict[str, Any], told: str) -> None:
    gate = {**GATE, **changed.pop("gate", {})}
    out = {**JOB, "inputs": {"x": "clean"}, "declassify": "ask", "after": ["ask"], **changed}
    problems = problems_of(spec_of({"clean": JOB, "ask": gate, "out": out}))
    said = [problem.message for problem in problems if problem.path == ("stages", "out", "declassify")]
    assert len(said) == 1
    assert said[0].startswith(told)


def test_what_a_run_leaves_says_its_classes_in_its_path() -> None:
    assert mark(()) == ()
    assert mark(("pii", "a-b")) == ("classes.a-b.pii",)
    assert marked("s3://c/runs/u/classes.a-b.pii/train/model/x") == ("a-b", "pii")
    assert marked("file:///causeway/runs/u/classes.pii/train/") == PII
    assert marked("s3://c/runs/u/train/classes.pii/x") == ()
    assert classes_at("s3://c/runs/u/classes.open/train/x", (POLICY,)) == ("open",)


def test_a_class_that_no_policy_has_is_named_with_the_nearest() -> None:
    spec = spec_of({"a": {**JOB, "data_class": "pij"}}, policy={"data": {"s3://b/": "opem"}})
    said = {problem.path: problem.message for problem in unknown_classes(spec, (POLICY,))}
    assert said == {
        ("stages", "a", "data_class"): "no policy has a class 'pij'; did you mean 'pii'?",
        ("policy",): "no policy has a class 'opem'; did you mean 'open'?",
    }


def test_what_a_job_leaves_and_keeps_says_its_classes_too() -> None:
    held = {
        "uri": "s3://c/runs/u/classes.pii/clean/out/",
        "kind": "folder",
        "size_bytes": 1,
        "object_count": 1,
    }
    asked = JobRequest.model_validate(
        {
            "run": {"pipeline": "p", "key": "k", "run_uid": RUN_UID},
            "stage": "out",
            "generation": 1,
            "kind": "train",
            "command": [],
            "inputs": {"x": {**held, "digest": "ab"}},
            "outputs": {"model": f"s3://c/runs/{RUN_UID}/out/g1/model/"},
        }
    )
    assert asked.left_below == f"runs/{RUN_UID}/out/"
    assert asked.kept_below == f"runs/{RUN_UID}/classes.pii/out/"
    assert mark_of(f"{asked.kept_below}g1/rows/a") == mark_of(f"{asked.left_below}g1/a") == (RUN_UID, "out")
