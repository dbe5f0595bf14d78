"""The plugin that every worker has."""

from typing import Any

from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts.connect import plugin
from tests.prepared import PreparedOnce


def runner_of(given: WorkflowRunner) -> WorkflowRunner:
    config: Any = {"workflow_runner": given, "interceptors": []}
    chosen: WorkflowRunner = plugin().configure_worker(config)["workflow_runner"]
    return chosen


def test_a_sandbox_shares_contracts_and_stays_of_the_kind_it_was() -> None:
    for given in (SandboxedWorkflowRunner(), PreparedOnce()):
        chosen = runner_of(given)
        assert type(chosen) is type(given)
        assert isinstance(chosen, SandboxedWorkflowRunner)
        assert "contracts" in chosen.restrictions.passthrough_modules
        assert chosen.restrictions.passthrough_modules > given.restrictions.passthrough_modules


def test_who_wants_no_sandbox_has_none() -> None:
    given = UnsandboxedWorkflowRunner()
    assert runner_of(given) is given
