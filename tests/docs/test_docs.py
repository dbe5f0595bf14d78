import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import AliasChoices, BaseModel
from ruamel.yaml import YAML

from activities.aws.settings import AwsSettings
from activities.azure.settings import AzureSettings
from activities.gcp.settings import GcpSettings
from activities.onprem.settings import OnpremSettings
from activities.settings import WorkerSettings
from contracts.approvals import ApproveStage
from contracts.errors import ErrorKind, page_for
from contracts.foreach import Foreach, Share
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.machines import Resources
from contracts.spec import Defaults, PipelineSpec
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage
from contracts.tables import Column, ColumnType
from sandbox import cli as sandbox_cli
from sandbox import environment, keys
from sandbox.layout import SERVERS, WORKERS, Layout
from sandbox.misbehave import KINDS
from sandbox.ports import USUAL
from starter import cli as starter_cli
from starter.exits import Exit
from starter.spec.load import load
from tests.docs import books
from tests.house import CHECKOUT

SETTINGS: dict[str, type[WorkerSettings]] = {
    "aws": AwsSettings,
    "azure": AzureSettings,
    "gcp": GcpSettings,
    "onprem": OnpremSettings,
}
SECRETS = re.compile(r"SECRET|PASSWORD|KEY_ID|API_KEY|TOKEN")
MODELS = [
    *(PipelineSpec, Defaults, CopyStage, JobStage, Foreach, Share, LoadTableStage, QueryStage, PickStage),
    *(BatchPredictStage, DeployStage, InvokeStage, RetireStage, ApproveStage, Resources, Column),
]
PAPERS = [books.name_of(paper) for paper in books.PAPERS]
YAML_FENCES = [
    pytest.param(fence, id=f"{paper}-{number}")
    for paper in PAPERS
    for number, fence in enumerate(fence for fence in books.fences(paper) if fence.info.startswith("yaml"))
    if fence.info != "yaml manifest"
]
APPS = {"starter": starter_cli.app, "sandbox": sandbox_cli.app}
AROUND: dict[str, Any] = {
    "ingest": {"kind": "copy", "on": "aws", "source": "file:///churn/customers.csv"},
    "train": {"kind": "train", "on": "aws", "command": "true", "outputs": ["model", "metrics"]},
    "score": {"kind": "predict", "on": "azure", "command": "true", "outputs": ["predictions"]},
}
"""Stages that an example of a few stages refers to."""


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def variables_of(model: type[WorkerSettings]) -> Iterator[tuple[str, ...]]:
    """The variables of each setting; several are other names of one."""
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield tuple(str(choice) for choice in alias.choices)
        elif alias is not None:
            yield (str(alias),)
        else:
            # The one setting that is gathered from several variables of the SDK.
            assert (model, name) == (AwsSettings, "endpoints")
            yield ("AWS_ENDPOINT_URL",)


def rows_of(worker: str) -> dict[str, str]:
    page = books.read("docs/settings.md")
    titles = ["every process"]
    if worker in SETTINGS:
        titles += ["every cloud's worker", f"{worker} worker"]
    return {word: row for title in titles for word, row in books.table(page, title).items()}


def example_of(worker: str) -> tuple[dict[str, str], set[str]]:
    """Variables that an example file sets, and those it only shows."""
    text = books.read(f"docs/env/{worker}.env.example")
    given = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))
    return given, set(re.findall(r"^# ([A-Z][A-Z0-9_]*)=.*$", text, re.MULTILINE))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_pipeline_is_documented(model: type[BaseModel]) -> None:
    words = set(books.spans(books.read("docs/pipelines.md")))
    assert set(fields_of(model)) <= words


def test_every_type_of_a_column_is_documented() -> None:
    assert set(get_args(ColumnType)) <= set(books.spans(books.read("docs/pipelines.md")))


@pytest.mark.parametrize("fence", YAML_FENCES)
def test_every_example_is_a_sound_pipeline(fence: books.Fence, tmp_path: Path) -> None:
    assert fence.info in {"yaml pipeline", "yaml stages"}
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print()\n")
    text = fence.text
    if fence.info == "yaml stages":
        stages = YAML(typ="safe", pure=True).load(text)
        params = {"seed": 7, "threshold": 0.8}
        text = json.dumps({"pipeline": "example", "params": params, "stages": {**AROUND, **stages}})
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    assert load(file).spec.stages


def test_pipelines_have_examples() -> None:
    assert len(YAML_FENCES) >= 4


@pytest.mark.parametrize("worker", SETTINGS)
def test_every_setting_of_a_worker_is_documented_with_what_it_defaults_to(worker: str) -> None:
    rows, model = rows_of(worker), SETTINGS[worker]
    needed = {
        name for name, field in model.model_fields.items() if field.is_required() and name != "endpoints"
    }
    for field, variables in zip(model.model_fields, variables_of(model), strict=True):
        for variable in variables:
            assert variable in rows
            assert (rows[variable].split("|")[2].strip() == "needed") == (field in needed), variable


@pytest.mark.parametrize("worker", WORKERS)
def test_every_variable_the_sandbox_sets_stands_in_the_readme(worker: str, tmp_path: Path) -> None:
    layout = Layout(root=tmp_path, tools=tmp_path / "tools", checkout=tmp_path)
    endpoints = keys.generate(layout, dict(USUAL))
    assert set(environment.worker(worker, layout, endpoints)) <= set(rows_of(worker))


@pytest.mark.parametrize("worker", WORKERS)
def test_an_example_of_settings_has_every_variable_and_no_other(worker: str) -> None:
    given, shown = example_of(worker)
    known = set(rows_of(worker))
    assert given.keys() | shown <= known
    own = known - set(rows_of("starter")) if worker in SETTINGS else set()
    assert own <= given.keys() | shown


@pytest.mark.parametrize("worker", SETTINGS)
def test_an_example_of_settings_is_taken_by_its_worker(worker: str, tmp_path: Path) -> None:
    given, _ = example_of(worker)
    if worker == "onprem":
        given["CAUSEWAY_ONPREM_ROOT"] = str(tmp_path)
    assert SETTINGS[worker].from_mapping(given).container == given["CAUSEWAY_CONTAINER"]


@pytest.mark.parametrize("file", sorted(path.name for path in (CHECKOUT / "docs/env").iterdir()))
def test_an_example_of_settings_holds_no_secret(file: str) -> None:
    lines = books.read(f"docs/env/{file}").splitlines()
    pairs = [line.removeprefix("# ").partition("=") for line in lines]
    assert not [name for name, _, value in pairs if SECRETS.search(name) and value]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_relative_link_leads_somewhere(paper: str) -> None:
    prose = "".join(re.split(r"^```.*?^```$", books.read(paper), flags=re.MULTILINE | re.DOTALL))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (CHECKOUT / paper).parent / path if path else CHECKOUT / paper
        assert file.exists(), target
        assert not anchor or anchor in books.anchors(books.name_of(file.resolve())), target


@pytest.mark.parametrize("paper", PAPERS)
def test_every_make_word_exists(paper: str) -> None:
    words = set(re.findall(r"^([a-z]+):", books.read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^(?:.*\s)?make ([a-z]+)", books.code(paper), re.MULTILINE)) <= words


@pytest.mark.parametrize("paper", PAPERS)
def test_every_command_exists_with_its_options(paper: str) -> None:
    for module, rest in re.findall(r"python -m (\w+)[ ]?([^\n#|]*)", books.code(paper)):
        assert importlib.util.find_spec(module), module
        words = rest.split()
        if module in APPS and words:
            check_command(APPS[module], words)
        if module == "workers" and words:
            assert words[0] in {"workflows", "aws", "azure", "gcp", "onprem", "all", "schema"} or words[
                0
            ].startswith("{")
            assert set(options(words)) <= {
                "--env-files",
                "--ready-file",
                "--parent",
                "--connections",
                "--connection",
            }


def check_command(app: typer.Typer, words: list[str]) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert words[0] in commands, words
    command = commands[words[0]]
    if hasattr(command, "commands"):
        assert words[1] in command.commands, words
        command = command.commands[words[1]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(options(words)) <= known, words


def options(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("--")]


def test_every_command_of_the_starter_is_in_the_readme() -> None:
    code = books.code("README.md")
    commands = typer.main.get_command(starter_cli.app).commands  # type: ignore[attr-defined]
    named = {name for name, command in commands.items() if not command.hidden}
    assert [name for name in named if not re.search(rf"\b{name}\b", code + books.read("README.md"))] == []


def test_every_exit_code_is_in_the_readme() -> None:
    text = books.read("README.md")
    assert [code.name for code in Exit if f"\n| {code.value} |" not in text] == []


def test_every_kind_of_error_has_its_section() -> None:
    headings = re.findall(r"^### (\w+)$", books.read("docs/troubleshooting.md"), re.MULTILINE)
    assert sorted(headings) == sorted(ErrorKind)


@pytest.mark.parametrize("kind", [*ErrorKind, "OF_ANOTHER_VERSION"])
def test_every_error_points_at_a_section_that_exists(kind: str) -> None:
    page, _, anchor = page_for(kind).partition("#")
    assert anchor in books.anchors(page)
    assert anchor == (kind.lower() if kind in set(ErrorKind) else "unknown")


def test_every_server_fault_and_command_of_the_sandbox_is_documented() -> None:
    text = books.read("docs/sandbox.md")
    words = set(books.spans(text))
    commands = typer.main.get_command(sandbox_cli.app).commands  # type: ignore[attr-defined]
    assert {*SERVERS, *KINDS} <= words
    assert [name for name in commands if f"`python -m sandbox {name}`" not in text] == []


def test_the_readme_stays_short() -> None:
    assert len(books.read("README.md").splitlines()) <= 200


def test_papers_name_no_path_of_this_machine() -> None:
    here = {str(CHECKOUT), sys.prefix}
    assert [name for name in PAPERS if any(path in books.read(name) for path in here)] == []
