"""Who may import whom, where import-linter cannot say it; and that workflows stay pure."""

import ast
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
    UnintentionalPassthroughError,
)
from temporalio.workflow import _Definition

from contracts.connect import PASSED_THROUGH
from tests.house import PATIENCE_SECONDS
from workers.workflows import WORKFLOWS

CHECKOUT = Path(__file__).resolve().parents[2]
CLOUD_SDKS = ("boto3", "botocore", "azure.", "google.cloud.", "google.auth", "google.api_core", "psutil")
ROOMS = {"aws", "azure", "gcp", "onprem"}
PURE = {"pydantic", "pydantic_core", "temporalio"}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def foreign(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(file)} - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("room", "known"), [("contracts", {"contracts"}), ("workflows", {"contracts", "workflows"})]
)
def test_a_pure_room_imports_pydantic_temporalio_and_nothing_else(room: str, known: set[str]) -> None:
    strange = {
        file.name: foreign(file) - known - PURE
        for file in (CHECKOUT / room).glob("*.py")
        if foreign(file) - known - PURE
    }
    assert not strange


def test_what_the_clouds_share_knows_no_cloud() -> None:
    for file in (CHECKOUT / "activities").glob("*.py"):
        assert not foreign(file) & {"boto3", "botocore", "azure", "google"}, file.name
        inner = {name.split(".")[1] for name in imported(file) if name.startswith("activities.")}
        assert not inner & ROOMS, file.name


@pytest.mark.parametrize(
    "module", ["workers.workflows", "starter.cli", "starter.commands", "workflows.pipeline"]
)
def test_no_clouds_sdk_is_loaded_by(module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    loaded = json.loads(done.stdout)
    assert module in loaded
    assert not [name for name in loaded if name.startswith(CLOUD_SDKS)]
    assert not [
        name for name in loaded if name.split(".")[:1] == ["activities"] and set(name.split(".")) & ROOMS
    ]


def test_help_loads_neither_temporal_nor_pydantic() -> None:
    script = "import json, sys, starter.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert not {"temporalio", "pydantic", "ruamel", "rich.live"} & set(json.loads(done.stdout))


def test_workflows_share_only_contracts_with_their_worker() -> None:
    assert PASSED_THROUGH == ("contracts",)


def strictly(*shared: str) -> SandboxedWorkflowRunner:
    """A sandbox that takes these modules from its worker, and refuses any other that is not its own business."""
    strict = workflow.SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*shared)
    return SandboxedWorkflowRunner(restrictions=restrictions.with_import_notification_policy(strict))


async def prepare(runner: SandboxedWorkflowRunner) -> None:
    for defined in WORKFLOWS:
        runner.prepare_workflow(_Definition.must_from_class(defined))


def test_workflows_load_with_contracts_and_their_own_room_and_nothing_else() -> None:
    own = [f"workflows.{file.stem}" for file in (CHECKOUT / "workflows").glob("*.py")]
    asyncio.run(prepare(strictly(*PASSED_THROUGH, *own)))


def test_a_workflow_that_takes_more_from_its_worker_is_noticed() -> None:
    with pytest.raises(UnintentionalPassthroughError, match="workflows"):
        asyncio.run(prepare(strictly(*PASSED_THROUGH)))
