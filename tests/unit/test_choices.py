"""Mistakes in conditions, picks and items are found before a run."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.foreach import Foreach, required
from contracts.graph import problems_of
from contracts.spec import PipelineSpec


def mistakes(stages: dict[str, Any], **fields: Any) -> list[str]:
    base = {
        "train": {"kind": "train", "on": "aws", "command": "go", "outputs": ["model", "metrics"]},
        "plain": {"kind": "train", "on": "gcp", "command": "go", "outputs": ["model"]},
    }
    spec = {"pipeline": "p", "params": {"floor": 0.5, "name": "x"}, "stages": {**base, **stages}, **fields}
    found = problems_of(PipelineSpec.model_validate(spec))
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


def job(**fields: Any) -> dict[str, Any]:
    return {"kind": "process", "on": "aws", "command": "go", **fields}


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("train.metrics.auc > params.flor", "column 21: there is no param 'flor'; did you mean 'floor'?"),
        ("tran.metrics.auc > 1", "there is no stage 'tran'; did you mean 'train'?"),
        ("plain.metrics.auc > 1", "stage 'plain' has no output named metrics"),
        ("metrics.auc > 1", "say of which stage"),
        ("params.name > 1", "is a number and is compared with a text"),
        ("params.floor", "'params.floor' is a number; a condition compares"),
    ],
)
def test_a_wrong_condition_is_told_with_its_place(when: str, words: str) -> None:
    found = mistakes({"use": job(when=when)})
    assert len(found) == 1
    assert found[0].startswith("stages.use.when: ")
    assert words in found[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from": ["train", "nobody"]}, "stages.best.from.1: there is no other stage 'nobody'"),
        ({"from": ["train", "train"]}, "named twice"),
        ({"from": ["plain"]}, "has no output named metrics"),
        ({"by": "max(metrics.auc > 1)"}, "is true or false"),
        ({"by": "max(metrics.auc * params.flor)"}, "did you mean 'floor'"),
    ],
)
def test_a_wrong_pick_is_told_with_its_place(fields: dict[str, Any], words: str) -> None:
    found = mistakes({"best": {"kind": "pick", "from": ["train"], "by": "max(metrics.auc)", **fields}})
    assert len(found) == 1, found
    assert words in found[0]


def test_a_pick_leaves_what_all_of_its_candidates_leave() -> None:
    other = job(outputs=["metrics", "log"])
    best = {"kind": "pick", "from": ["train", "other"], "by": "max(metrics.auc)"}
    sound = {"other": other, "best": best, "use": job(inputs={"it": "best.metrics"})}
    assert mistakes(sound) == []
    assert "has no output 'log'" in mistakes({**sound, "use": job(inputs={"it": "best.log"})})[0]


def test_picks_that_wait_for_each_other_are_a_circle() -> None:
    def pick(other: str) -> dict[str, Any]:
        return {"kind": "pick", "from": [other, "train"], "by": "max(metrics.auc)"}

    assert any("wait for each other" in said for said in mistakes({"one": pick("two"), "two": pick("one")}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "go {item}"}, "the stage has no foreach"),
        ({"foreach": {"range": 3}, "command": "go {item.x}"}, "the items of a range are numbers"),
        ({"foreach": {"list": [1]}, "command": "go {item.x}"}, "item 0 is 1, which has no fields"),
        ({"foreach": {"list": [{"ab": 1}]}, "env": {"X": "{item.abc}"}}, "did you mean 'ab'?"),
        ({"foreach": {"objects": "rows"}}, "'rows' is no input of the stage"),
        ({"foreach": {"query": "SELECT {item}"}}, "no items yet"),
        ({"foreach": {"query": "SELECT {inputs.x}"}}, "takes {params.x}"),
        ({"foreach": {"query": "SELECT 1", "query_on": "aws"}}, "has no tables"),
    ],
)
def test_a_wrong_item_is_told_with_its_place(fields: dict[str, Any], words: str) -> None:
    found = mistakes({"each": job(**fields)})
    assert len(found) == 1, found
    assert words in found[0]


def test_a_name_that_leaves_no_room_for_the_items_number_is_refused() -> None:
    assert "at most 26" in mistakes({"a" * 27: job(foreach={"range": 3})})[0]
    assert mistakes({"a" * 26: job(foreach={"range": 3})}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"list": [1], "range": 3},
        {"list": []},
        {"range": 0},
        {"range": [3, 1]},
        {"range": [0, 10, 0]},
        {"range": 10_001},
        {"range": 3, "max_parallel": 101},
        {"range": 3, "failures": {"at_least": 1.01}},
        {"range": 3, "failures": "sometimes"},
        {"range": 3, "query_on": "mars"},
    ],
)
def test_what_no_stage_can_run_over_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Foreach.model_validate(fields)


@pytest.mark.parametrize(
    ("failures", "items", "must"),
    [
        ("fail_fast", 60, 60),
        ("continue", 60, 1),
        ({"at_least": 0.95}, 60, 57),
        ({"at_least": 0.95}, 100, 95),
        ({"at_least": 0.1}, 10, 1),
        ({"at_least": 0.3}, 10, 3),
        ({"at_least": 0.001}, 10, 1),
        ({"at_least": 1.0}, 7, 7),
    ],
)
def test_a_share_is_rounded_up_to_whole_items(failures: Any, items: int, must: int) -> None:
    each = Foreach.model_validate({"range": items, "failures": failures})
    assert required(each.failures, items) == must


def test_a_new_field_with_a_default_gives_no_pipeline_another_identity() -> None:
    spec = {"pipeline": "p", "stages": {"a": job()}}
    digest = PipelineSpec.model_validate(spec).digest
    spec["stages"]["a"] |= {"when": None, "foreach": None}  # type: ignore[index]
    assert PipelineSpec.model_validate({**spec, "workflow": "pipeline"}).digest == digest
