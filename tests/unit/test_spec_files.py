"""A pipeline's file: every mistake at once, each with file, line, field and what would be right."""

import os
from pathlib import Path

import pytest

from contracts.code import CODE_LIMIT_BYTES
from starter.exits import StarterError
from starter.options import params_of
from starter.spec.document import NODES_LIMIT, SyntaxProblem, parse
from starter.spec.load import find, load
from starter.spec.problems import SpecError

SOUND = """\
pipeline: play
params: {text: x, count: 1, share: 0.5, flag: true}
stages:
  ingest: {kind: copy, on: aws, source: "file:///data.csv"}
  train:
    kind: train
    on: aws
    inputs: {data: ingest}
    command: python go.py {inputs.data} {params.text} {outputs.model}
    outputs: [model, metrics]
  load:
    kind: load_table
    on: gcp
    inputs: {rows: train.model}
    table: demo.rows
    schema: [{name: id, type: INTEGER}]
"""


ON = "    on: aws\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "go.py").write_text("print()\n")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    file = folder / "pipeline.yaml"
    file.write_text(text)
    return file


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(SpecError) as refused:
        load(written(folder, text))
    assert all(mistake.file.endswith("pipeline.yaml") for mistake in refused.value.mistakes)
    return [(mistake.line, mistake.field, mistake.message) for mistake in refused.value.mistakes]


def test_a_sound_file_is_loaded(folder: Path) -> None:
    found = load(written(folder, SOUND))
    assert list(found.spec.stages) == ["ingest", "train", "load"]
    assert found.spec.stages["train"].on == "aws/default"


def swap(old: str, new: str) -> str:
    assert SOUND.count(old) == 1, old
    return SOUND.replace(old, new)


CASES = {
    "kind": ("kind: train", "kind: trian", 6, "stages.train.kind", "did you mean 'train'"),
    "cloud": ("    on: aws\n", "    on: asw\n", 7, "stages.train.on", "write one of aws"),
    "field": ("    outputs:", "    outptus:", 10, "stages.train.outptus", "did you mean 'outputs'"),
    "stage": ("{data: ingest}", "{data: ingets}", 8, "stages.train.inputs.data", "did you mean 'ingest'"),
    "output": ("train.model}", "train.modle}", 14, "stages.load.inputs.rows", "did you mean 'model'"),
    "which-output": ("train.model}", "train}", 14, "stages.load.inputs.rows", "name one of: train.model"),
    "param": ("{params.text}", "{params.tetx}", 9, "stages.train.command", "did you mean 'text'"),
    "input": ("{inputs.data}", "{inputs.date}", 9, "stages.train.command", "did you mean 'data'"),
    "placeholder": ("{inputs.data}", "{x}", 9, "stages.train.command", "is not a placeholder"),
    "duration": (ON, ON + "    timeout: 5 min\n", 8, "stages.train.timeout", "is not a duration"),
    "an endless duration": (
        ON,
        ON + "    timeout: 99999999999h\n",
        8,
        "stages.train.timeout",
        "out of range",
    ),
    "expected": (
        ON,
        ON + "    expect: {duration: -1h}\n",
        8,
        "stages.train.expect.duration",
        "'-1h' is not a duration",
    ),
    "expected there": (
        ON,
        ON + "    expect: {duration: {aws: -1h}}\n",
        8,
        "stages.train.expect.duration.aws",
        "'-1h' is not a duration",
    ),
    "expectation": (
        ON,
        ON + "    expect: {size: 1GB}\n",
        8,
        "stages.train.expect.size",
        "there is duration, output_size",
    ),
    "rule": (
        "pipeline: play\n",
        "pipeline: play\npolicy: {classes: {pii: {cloud: [aws]}}}\n",
        2,
        "policy.classes.pii.cloud",
        "did you mean 'clouds'",
    ),
    "rules": (
        "pipeline: play\n",
        "pipeline: play\npolicy: {waivers: {}}\n",
        2,
        "policy.waivers",
        "there is audit, classes",
    ),
    "size": (ON, ON + "    resources: {memory: 4Gb}\n", 8, "stages.train.resources.memory", "is not a size"),
    "inner-field": (
        ON,
        ON + "    resources: {cpus: 4}\n",
        8,
        "stages.train.resources.cpus",
        "did you mean 'cpu'",
    ),
    "uri": ("file:///data.csv", "http://h/data.csv", 4, "stages.ingest.source", "is not a URI"),
    "root": ("file:///data.csv", "file:///../x", 4, "stages.ingest.source", "leaves the worker's root"),
    "tables": ("on: gcp", "on: aws", 13, "stages.load.on", "write gcp"),
    "type": ("type: INTEGER", "type: INT", 16, "stages.load.schema.0.type", "'INTEGER'"),
    "columns": (
        "type: INTEGER}",
        "type: INTEGER}, {name: Id, type: STRING}",
        16,
        "stages.load.schema.1.name",
        "column 'Id' is the same as 'id' to BigQuery",
    ),
    "table": ("demo.rows", "rows", 15, "stages.load.table", "dataset.table"),
    "name": ("pipeline: play", "pipeline: Play", 1, "pipeline", "lower-case letter"),
    "missing": ("pipeline: play\n", "", 1, "pipeline", "missing"),
    "reserved": ("  train:\n", "  params:\n", 5, "stages.params", "cannot name a stage"),
    "twice": ("[model, metrics]", "[model, model]", 10, "stages.train.outputs.1", "named twice"),
    "cycle": (ON, ON + "    after: [load]\n", 5, "stages.train", "wait for each other"),
    "itself": (ON, ON + "    after: [train]\n", 8, "stages.train.after.0", "no other stage"),
    "code": (ON, ON + "    code: nowhere\n", 8, "stages.train.code", "is not a folder"),
    "code-outside": (ON, ON + "    code: ../..\n", 8, "stages.train.code", "leaves the pipeline's folder"),
    "duplicate": ("    kind: train\n", "    kind: train\n    kind: train\n", 7, "", "stands twice"),
    "retries": (ON, ON + "    retries: -1\n", 8, "stages.train.retries", "greater than or equal to 0"),
    "env": (ON, ON + "    env: {A: '{inputs.data}'}\n", 8, "stages.train.env.A", "pass paths as arguments"),
}


@pytest.mark.parametrize(("old", "new", "line", "field", "words"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_with_its_line_its_field_and_what_would_be_right(
    folder: Path, old: str, new: str, line: int, field: str, words: str
) -> None:
    found = mistakes(folder, swap(old, new))
    told = [item for item in found if words in item[2]]
    assert told, found
    assert told[0][:2] == (line, field)
    assert not [item for item in found if "[" in item[1]], "no name of pydantic's"


def test_text_that_is_no_yaml_is_told_with_its_line(folder: Path) -> None:
    line, _, message = mistakes(folder, swap("stages:", "stages: ["))[0]
    assert 3 <= line <= 6
    assert "not YAML" in message


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(folder: Path) -> None:
    text = (
        swap("kind: copy", "kind: cpoy")
        .replace("on: gcp", "on: azure")
        .replace("{params.text}", "{params.nope}")
    )
    found = mistakes(folder, text)
    assert len(found) >= 3
    assert [item[0] for item in found] == sorted(item[0] for item in found)


def test_a_stage_that_could_not_be_read_is_not_told_twice(folder: Path) -> None:
    found = mistakes(folder, swap("kind: copy", "kind: cpoy"))
    assert len(found) == 1, found


def test_a_folder_cannot_be_copied_to_the_place_of_one_object(folder: Path) -> None:
    text = SOUND + "  share: {kind: copy, on: gcp, inputs: {it: train.model}, target: gs://b/one}\n"
    found = mistakes(folder, text)
    assert [(item[0], item[1]) for item in found] == [(17, "stages.share.target")]
    assert "ends in /" in found[0][2]


def test_a_folder_that_was_copied_is_still_a_folder(folder: Path) -> None:
    text = SOUND + (
        "  one: {kind: copy, on: gcp, inputs: {it: train.model}}\n"
        "  two: {kind: copy, on: gcp, inputs: {it: one}, target: gs://b/one}\n"
    )
    assert [item[1] for item in mistakes(folder, text)] == ["stages.two.target"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a-list"),
        pytest.param("x", id="a-word"),
        pytest.param("stages: {}", id="no-stages"),
        pytest.param("pipeline: p\nstages: 5", id="stages-of-another-shape"),
        pytest.param("pipeline: p\nstages: {a: null, b: 5, c: []}", id="stages-that-are-none"),
        pytest.param("pipeline: p\nparams: [1]\ndefaults: x\nstages: {a: {kind: [x]}}", id="odd-everywhere"),
        pytest.param("? [a, b]\n: c\n", id="a-key-that-is-a-list"),
        pytest.param("a: !!python/object/apply:os.system [id]", id="a-tag"),
        pytest.param("a: &a [*a]", id="an-alias-to-itself"),
        pytest.param("a: *b", id="an-alias-to-nothing"),
        pytest.param("\t- x", id="tabs"),
        pytest.param("a: " + "[" * 3000, id="deep"),
        pytest.param("x: 2026-01-01\ny: .nan\nz: 0x_", id="odd-scalars"),
    ],
)
def test_any_text_that_is_no_pipeline_is_refused_with_a_line(folder: Path, text: str) -> None:
    for line, _, message in mistakes(folder, text):
        assert line >= 1
        assert message


def test_aliases_that_explode_are_refused_quickly() -> None:
    levels = "\n".join(f"l{index}: &l{index} [{', '.join([f'*l{index - 1}'] * 9)}]" for index in range(1, 30))
    with pytest.raises(SyntaxProblem, match=str(NODES_LIMIT)):
        parse(f"l0: &l0 [x]\n{levels}\n")


def test_aliases_that_do_not_explode_are_welcome(folder: Path) -> None:
    text = swap("schema: [{name: id, type: INTEGER}]", "schema: [&id {name: id, type: INTEGER}]")
    assert load(written(folder, text))


def test_on_is_a_word_and_not_a_truth_value() -> None:
    assert parse("on: yes").value == {"on": "yes"}


def test_code_is_packed_without_what_never_belongs_to_it(folder: Path) -> None:
    (folder / "src" / "__pycache__").mkdir()
    (folder / "src" / "__pycache__" / "go.pyc").write_bytes(b"x")
    (folder / "src" / ".git").mkdir()
    (folder / "src" / ".git" / "config").write_text("x")
    (folder / "src" / "more").mkdir()
    (folder / "src" / "more" / "deep.py").write_text("x")
    found = load(written(folder, swap(ON, ON + "    code: src\n")))
    assert sorted(found.bundles["src"].files()) == ["go.py", "more/deep.py"]


def test_a_link_out_of_the_code_folder_is_refused(folder: Path) -> None:
    (folder / "secret").write_text("x")
    (folder / "src" / "link").symlink_to(folder / "secret")
    found = mistakes(folder, swap(ON, ON + "    code: src\n"))
    assert "is a link out of the code folder" in found[0][2]


def test_a_linked_folder_out_of_the_code_folder_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("x")
    (folder / "src" / "link").symlink_to(outside, target_is_directory=True)
    found = mistakes(folder, swap(ON, ON + "    code: src\n"))
    assert "is a link out of the code folder" in found[0][2]


@pytest.mark.parametrize("size", [CODE_LIMIT_BYTES, 70 * CODE_LIMIT_BYTES])
def test_code_that_is_too_large_is_refused(folder: Path, size: int) -> None:
    (folder / "src" / "data.bin").write_bytes(os.urandom(size))
    found = mistakes(folder, swap(ON, ON + "    code: src\n"))
    assert found[0][1] == "stages.train.code"
    assert "KiB" in found[0][2] or "MiB" in found[0][2]


@pytest.mark.parametrize(
    ("text", "value"),
    [("count=7", 7), ("share=2", 2.0), ("flag=false", False), ("text=5", "5"), ("text=a=b", "a=b")],
)
def test_a_param_takes_the_type_of_its_default(folder: Path, text: str, value: object) -> None:
    name = text.partition("=")[0]
    found = load(written(folder, SOUND), params_of((text,))).spec.params[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("count=x", "is no int"),
        ("flag=maybe", "is no bool"),
        ("cuont=1", "did you mean 'count'"),
        ("count=1.5", "is no int"),
    ],
)
def test_another_param_is_refused(folder: Path, text: str, words: str) -> None:
    with pytest.raises(StarterError, match=words):
        load(written(folder, SOUND), params_of((text,)))


def test_what_happens_on_failure_is_part_of_the_spec_that_runs(folder: Path) -> None:
    file = written(folder, SOUND)
    waiting, failing = load(file).spec, load(file, on_failure="fail").spec
    assert failing.on_failure_of("train") == "fail"
    assert failing.digest != waiting.digest


def test_a_pipeline_is_found_by_file_by_folder_and_by_name(folder: Path) -> None:
    file = written(folder, SOUND)
    assert find(str(file)) == file
    assert find(str(folder)) == file
    assert find(None).parts[-2:] == ("quickstart", "pipeline.yaml")
    with pytest.raises(StarterError, match="did you mean 'quickstart'"):
        find("quickstrat")


def test_variants_of_a_field_have_no_names_and_an_accelerator_is_told_as_one(folder: Path) -> None:
    each = '    resources: {accelerator: "A10:"}\n    foreach: {range: 3, failures: {at_least: 2}}\n'
    told = {
        field: words for _, field, words in mistakes(folder, SOUND.replace("  load:\n", f"{each}  load:\n"))
    }
    assert told["stages.train.resources.accelerator"].endswith(
        "write a model and how many of it, such as A10:1"
    )
    assert set(told) == {
        "stages.train.resources.accelerator",
        "stages.train.foreach.failures",
        "stages.train.foreach.failures.at_least",
    }
