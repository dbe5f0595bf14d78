"""Work that outlives the run that began it, and that the run never waits for."""

import asyncio
import contextlib
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from workflows.finishing import to_the_end


class Detached:
    """Begins workflows that go on by themselves; each id is used once, whatever is told twice."""

    def __init__(self) -> None:
        self._beginning: set[asyncio.Task[None]] = set()

    def begin(self, kind: str, request: Any, *, id: str, summary: str) -> None:
        """Begin a workflow; neither a cancel of the run nor its end reaches it."""
        task = asyncio.create_task(self._begin(kind, request, id, summary))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def begun(self) -> None:
        """Return once the server has begun all of them: what has not begun when a run ends never does."""
        if self._beginning:
            await to_the_end(asyncio.gather(*self._beginning))

    async def _begin(self, kind: str, request: Any, id: str, summary: str) -> None:
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                kind,
                request,
                id=id,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                cancellation_type=ChildWorkflowCancellationType.ABANDON,
                static_summary=summary,
            )
