"""The log of one of the many items of a stage, followed through the generations of its job until the item is done."""

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.fanout import ItemPhase, ItemRequest, ItemState
from contracts.jobs import LOG_BEGINNING, JobPhase
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter import temporal
from starter.log_pages import LogOptions, Waiting, print_log, say
from starter.log_sources import item_source, source_of, stage_of
from starter.temporal import ANSWER_TIMEOUT, unanswered
from workflows.foreach import FanoutWorkflow, key_of


async def follow_item(client: Client, options: LogOptions) -> None:
    """Print what an item's job prints, from before it is there, and what each job prints that takes its place.

    Raises:
        StarterError: there is no such run, stage or item, or its worker does not answer.
    """
    item = _Item(client, options)
    state, waited = await item.begun()
    last = state.generations
    for generation in range(1, last) if waited else ():
        await item.print(generation, after=LOG_BEGINNING)
    await item.print(last)
    # Of an item that nobody keeps account of any more the newest job was printed.
    while last and await item.goes_on(last):
        last += 1
        await item.print(last, after=LOG_BEGINNING)


class _Item:
    """One item, asked of the workflow that runs it."""

    def __init__(self, client: Client, options: LogOptions) -> None:
        self._client = client
        self._options = options

    async def begun(self) -> tuple[ItemState, bool]:
        """Return the item once it has a job or is over, and whether that was waited for."""
        waiting = Waiting()
        while True:
            state = await self._state()
            if state.phase is ItemPhase.ENDED or state.job is not None:
                return state, bool(waiting.said)
            words = "its turn" if state.phase is ItemPhase.TO_COME else "its job"
            await waiting.for_a_moment(
                f"waiting for item {self._options.item} of {self._options.stage}: for {words}"
            )

    async def goes_on(self, generation: int) -> bool:
        """Wait for a later generation; False once none will come."""
        waiting = Waiting()
        while True:
            state = await self._state()
            if state.generations > generation + 1 or (state.generations > generation and state.job):
                return True
            if state.phase is ItemPhase.ENDED:
                return state.generations > generation
            if state.job is not None and state.job.phase is JobPhase.SUCCEEDED:
                return False
            await waiting.for_a_moment(f"item {self._options.item} of {self._options.stage} is not done")

    async def print(self, generation: int, after: str | None = None) -> None:
        """Print the log of a generation, 0 for the newest; a later one than the first says which it is."""
        now, held = await self._stage()
        if after is not None:
            say(f"generation {generation} of item {self._options.item} of {self._options.stage}")
        source = item_source(now, held, self._options, generation)
        await print_log(self._client, self._options, source, after)

    async def _state(self) -> ItemState:
        now, held = await self._stage()
        source_of(now, held, self._options)
        if held.fanout is None:
            return ItemState(phase=ItemPhase.TO_COME)
        asked = ItemRequest(index=self._options.item or 0)
        child = self._client.get_workflow_handle(f"{self._options.run_id}/{key_of(held.name)}")
        over = held.phase is not StagePhase.RUNNING
        try:
            state = await child.query(FanoutWorkflow.item, asked, rpc_timeout=ANSWER_TIMEOUT)
        except WorkflowQueryFailedError:
            # An older worker of workflows keeps no account of items: the newest job is all that can be followed.
            return ItemState(phase=ItemPhase.ENDED)
        except RPCError as error:
            if over:
                return ItemState(phase=ItemPhase.ENDED)
            if error.status is RPCStatusCode.NOT_FOUND:
                return ItemState(phase=ItemPhase.TO_COME)
            raise unanswered(self._options.run_id, error) from None
        return state.model_copy(update={"phase": ItemPhase.ENDED}) if over else state

    async def _stage(self) -> tuple[RunStatus, StageStatus]:
        now = await temporal.status(self._client, self._options.run_id)
        return now, stage_of(now, self._options)
