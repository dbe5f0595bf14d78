"""What people and children tell a run: signals and updates, by names that are forever."""

from temporalio import workflow

from contracts.accounts import Charged
from contracts.approvals import Approval
from contracts.changes import with_changes
from contracts.decisions import Decided, StageDecision
from contracts.errors import ErrorKind, printable
from contracts.fanout import FanoutNews
from contracts.leaves import LEAVE_QUERY, Leave
from contracts.places import reopened
from contracts.plan import Plan
from contracts.runs import RunRequest, StageError, StagePhase
from contracts.spec import PipelineSpec
from contracts.transfers import Drained
from workflows.book import Book
from workflows.charging import CHARGED_SIGNAL, Charging
from workflows.checkpoint import Checkpoint, read_by
from workflows.children import Children
from workflows.context import RunContext
from workflows.decisions import Decisions
from workflows.explained import explain
from workflows.foreach import NEWS_SIGNAL
from workflows.gates import Gates
from workflows.holds import Holds
from workflows.leaves import leave_of
from workflows.preparing import as_planned
from workflows.transfer import DRAINED_SIGNAL


class Steered:
    """A workflow that can be paused and decided on; `workflows.pipeline` is the one."""

    request: RunRequest
    places: dict[str, tuple[str, ...]]
    """The stages whose places the plan chooses, with the places as they are written."""
    context: RunContext | None
    """Once there is a plan."""
    book: Book
    checkpoint: Checkpoint
    charging: Charging
    decisions: Decisions
    gates: Gates
    holds: Holds
    children: Children | None
    stopping: StageError | None

    @property
    def spec(self) -> PipelineSpec:
        """The pipeline as it is by now: retries may have changed it, and workflows of one's own."""
        return self.context.request.spec if self.context else self.request.spec

    @workflow.query(name=LEAVE_QUERY)
    def leave(self, about: str) -> Leave:
        """Say what people have allowed for a stage or a transfer; workers ask before they do what a rule forbids."""
        return leave_of(self.context, about) if self.context else Leave()

    @workflow.signal(description="Start nothing new. {reason, by, until, jobs}: each may be left out")
    async def pause(self, *payload: object) -> None:
        """Start nothing new; let what is in flight land. Every field is optional: `{reason?, by?, until?, jobs?}`."""
        self.checkpoint.hold(payload)
        self._note_pause()
        await self._tell_transfers()

    @workflow.signal(description="Go on. {by}: may be left out")
    async def resume(self, *payload: object) -> None:
        """Go on. `{by?}`."""
        if self.checkpoint.pause:
            self.book.decided(Decided(at=workflow.now(), decision="resume", by=read_by(payload)))
        self.checkpoint.release()
        await self._tell_transfers()

    @workflow.signal(name=DRAINED_SIGNAL, description="From a transfer, not from people")
    def transfer_drained(self, said: Drained) -> None:
        """Hear from a child whether anything of it is in flight."""
        if self.children:
            self.children.heard(said)

    @workflow.signal(name=NEWS_SIGNAL, description="From a stage of many items, not from people")
    def fanout_news(self, news: FanoutNews) -> None:
        """Hear from a stage that runs over many items how they stand."""
        if self.book.stage(news.stage).phase is StagePhase.RUNNING:
            self.book.change(news.stage, fanout=news.status, note=news.status.words)

    @workflow.signal(
        name=CHARGED_SIGNAL, description="From a transfer or a stage of many items, not from people"
    )
    def charged(self, said: Charged) -> None:
        """Hear from a child what it cost."""
        for charge in said.charges:
            self.charging.hear(charge)
        if said.spent:
            self.book.charged(said.spent)

    @workflow.update(description="Run a waiting stage again. {stage, timeout, resources, params, by, reason}")
    def retry_stage(self, decision: StageDecision) -> str:
        """Try a waiting stage again, with a new generation of its job, and with what is changed for it."""
        changed = self.decisions.change(decision)
        told = self.decisions.take("retry", decision, changed.words)
        self._change(decision, anew=changed.anew)
        return told

    @workflow.update(description="Go on without a waiting stage. {stage, outputs, by, reason}")
    def skip_stage(self, decision: StageDecision) -> str:
        """Go on without a waiting stage: nothing else needs it, or what is needed is given."""
        given = tuple(f"{output} = {uri}" for output, uri in decision.outputs.items())
        return self.decisions.take("skip", decision, given)

    @workflow.update(description="Give the run up because of a waiting stage. {stage, by, reason}")
    def abort(self, decision: StageDecision) -> str:
        """Give the run up because of a waiting stage."""
        error = self.book.stage(decision.stage).error
        self._stop(decision.stage, error or StageError(kind=ErrorKind.CANCELLED, message="aborted", hint=""))
        return self.decisions.take("abort", decision)

    @workflow.update(description="Answer what a stage, or the run, asks. {stage, answer, by, comment}")
    def approve(self, approval: Approval) -> str:
        """Answer what a stage asks, or the run before its first one; the run goes on with the answer."""
        return self._asker(approval).take(approval)

    @retry_stage.validator
    def _may_retry(self, decision: StageDecision) -> None:
        self.decisions.check("retry", decision)

    @skip_stage.validator
    def _may_skip(self, decision: StageDecision) -> None:
        self.decisions.check("skip", decision)

    @abort.validator
    def _may_abort(self, decision: StageDecision) -> None:
        self.decisions.check("abort", decision)

    @approve.validator
    def _may_approve(self, approval: Approval) -> None:
        self._asker(approval).check(approval)

    def _asker(self, approval: Approval) -> Gates | Holds:
        return self.holds if self.holds.concerns(approval) else self.gates

    def settle(self, plan: Plan) -> None:
        """Have every stage that was open be where this plan has it, in the pipeline and for all to see."""
        again = self.request.model_copy(update={"spec": reopened(self.request.spec, self.places)})
        self.request = as_planned(again, plan)
        if self.context:
            again = self.context.request
            again = again.model_copy(update={"spec": reopened(again.spec, self.places)})
            self.context.request = as_planned(again, plan)
        for name in self.places:
            chosen = plan.placements[name].connection
            if self.book.stage(name).connection != chosen:
                self.book.change(name, connection=chosen, may_run_on=())
        explain(self.book, plan)

    def _note_pause(self) -> None:
        pause = self.checkpoint.pause
        if pause is None:
            return
        changes = (
            f"until {pause.until.isoformat()}" if pause.until else "",
            pause.jobs == "stop" and "jobs stop",
        )
        said = {"by": printable(pause.by), "reason": printable(pause.reason)}
        told = tuple(change for change in changes if change)
        self.book.decided(Decided(at=workflow.now(), decision="pause", changes=told, **said))

    def _change(self, decision: StageDecision, *, anew: bool) -> None:
        """Have the pipeline be what a retry made of it."""
        changed = with_changes(self.request.spec, decision).spec
        self.request = self.request.model_copy(update={"spec": changed})
        if self.context:
            changed = with_changes(self.context.request.spec, decision).spec
            self.context.request = self.context.request.model_copy(update={"spec": changed})
        if anew:
            revision = self.book.stage(decision.stage).revision + 1
            self.book.change(decision.stage, revision=revision)

    def _stop(self, name: str, error: StageError) -> None:
        self.stopping = self.stopping or error.model_copy(
            update={"message": f"stage {name}: {error.message}"}
        )

    async def _resume_when_due(self) -> None:
        while True:
            await self.checkpoint.until_due()
            due = Decided(at=workflow.now(), decision="resume", reason="the end of the pause was reached")
            self.book.decided(due)
            self.checkpoint.release()
            await self._tell_transfers()

    async def _tell_transfers(self) -> None:
        if self.children:
            await self.children.tell_all()
