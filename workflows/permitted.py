"""Whether a run may begin: what breaks a rule is waived by those who may, one answer each, or ends the run."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind, hint_for
from contracts.plan import Plan
from contracts.policy import told_of
from contracts.runs import RunRequest, StageError
from workflows.holds import RUN, Hold, Holds
from workflows.outcomes import StageFailed


class RuleBroken(StageFailed):
    """The plan breaks rules that nobody may waive."""


def check_begun(request: RunRequest) -> None:
    """Pass if what the run has done so far is its own word: only an execution before this one can have written it.

    Raises:
        ApplicationError: `INVALID_REQUEST`, whoever started the run says what it has done and what was decided in it.
    """
    if request.progress and workflow.info().continued_run_id is None:
        told = "a run begins without progress: what it has done and what was decided in it is its own to say"
        raise ApplicationError(told, type=ErrorKind.INVALID_REQUEST, non_retryable=True)


async def permitted(plan: Plan, holds: Holds) -> Plan:
    """Return the plan once every rule that it breaks is waived; without broken rules at once.

    Raises:
        RuleBroken: nobody may waive one of them.
        HoldRefused: somebody who may waive one said no.
    """
    final = tuple(broken for broken in plan.violations if not broken.may_waive)
    if final:
        kind = ErrorKind.POLICY_VIOLATION
        raise RuleBroken(StageError(kind=kind, message="; ".join(map(told_of, final)), hint=hint_for(kind)))
    for broken in plan.violations:
        hold = Hold(
            rule=broken.rule,
            kind=ErrorKind.POLICY_VIOLATION,
            question=f"waive the rule {broken.rule}? {broken.message}",
            shown={"rule": broken.rule, "stage": broken.stage or "the whole run", "value": broken.value},
            approvers=broken.may_waive,
            about=broken.stage,
        )
        await holds.passed(RUN, hold)
    return plan
