"""What the command `plan` does: has a pipeline planned as a run would, and tells what it came to."""

import json
import sys
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind, page_for
from contracts.planned import Planned, PlanWanted
from starter import errands, temporal
from starter.exits import Exit, StarterError
from starter.options import key_of, params_of
from starter.plan_document import plan_document
from starter.plan_show import plan_view
from starter.show import console
from starter.spec.load import find, load
from workflows.planned import PlanWorkflow

LIMIT = timedelta(minutes=5)
"""Connections answer at once, and folders are counted for so many pages; the rest is for a worker that is busy."""
ENDS: dict[str, Exit] = {
    ErrorKind.WORKER_ABSENT: Exit.UNREACHABLE,
    ErrorKind.UNAVAILABLE: Exit.UNREACHABLE,
    ErrorKind.POLICY_VIOLATION: Exit.USAGE,
    ErrorKind.INVALID_REQUEST: Exit.USAGE,
    ErrorKind.UNSUPPORTED: Exit.USAGE,
}


async def plan(pipeline: str | None, param: tuple[str, ...], *, as_json: bool) -> Exit:
    """Plan a pipeline, run nothing, and say where it would run and what it would cost.

    Raises:
        StarterError: there is no such pipeline, it cannot be planned, or Temporal or a worker cannot be reached.
    """
    wanted = PlanWanted(spec=load(find(pipeline), params_of(param)).spec)
    client = await temporal.connected()
    try:
        # Not `plan/...`, which would be the identity of a run of a pipeline named plan.
        errand = errands.Errand("plan", f"plan:{key_of(None)}", LIMIT)
        planned = await errands.run(client, PlanWorkflow.run, wanted, errand)
    except WorkflowFailureError as error:
        raise _unplanned(error) from None
    if as_json:
        sys.stdout.write(json.dumps(plan_document(planned), indent=2) + "\n")
    else:
        console().print(plan_view(planned))
    return exit_of(planned)


def exit_of(planned: Planned) -> Exit:
    """Return 0 where a run may begin, 2 where it would break a rule."""
    return Exit.USAGE if planned.plan.violations else Exit.SUCCEEDED


def _unplanned(error: WorkflowFailureError) -> StarterError:
    cause: Any = error.cause
    if not isinstance(cause, ApplicationError):
        return StarterError(f"the plan failed: {cause}", Exit.FAILED)
    kind = str(cause.type)
    hint = next((str(detail) for detail in cause.details if detail), "")
    lines = [f"no plan can be made: {kind}: {cause.message}"]
    lines += [f"-> {hint}", f"   {page_for(kind)}"] if hint else []
    return StarterError("\n".join(lines), ENDS.get(kind, Exit.FAILED))
