"""Workflows in sandboxes, without trying each of them anew for every worker of every test."""

from typing import Any, ClassVar

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


class PreparedOnce(SandboxedWorkflowRunner):
    """Every run has a sandbox of its own; that workflows can be had in one is tried once, not by each test's worker."""

    tried: ClassVar[set[type]] = set()

    def prepare_workflow(self, defn: Any) -> None:
        if defn.cls not in self.tried:
            super().prepare_workflow(defn)
            self.tried.add(defn.cls)
