"""A server, the workflow worker and fake clouds: what a test of workflows plays on."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.leaves import TemporalLeaves
from activities.planning import Planner
from activities.policing import Guard
from activities.prices import Entry, PriceBook, Queries
from contracts.artifacts import Artifact
from contracts.code import pack
from contracts.decisions import StageDecision
from contracts.policy import Place
from contracts.queues import WORKFLOW_QUEUE, normalise, queue_of
from contracts.runs import RunRequest, RunStatus, StagePhase
from contracts.spec import PipelineSpec
from sandbox.environment import OWN_WORKFLOWS
from starter import temporal
from tests.fakes.alerts import FakeAlerts
from tests.fakes.cloud import FakeCloud, FakeKnown, FakePrices, FakeQueues
from tests.fakes.connection import container_of
from tests.fakes.ledger import FakeLedger
from tests.fakes.sweeps import FakeOwners
from tests.fakes.world import Hold, World
from tests.house import PATIENCE_SECONDS
from tests.prepared import PreparedOnce
from workers.policing import Policing
from workers.workflows import WORKFLOWS, own_workflows
from workflows.pipeline import PipelineWorkflow

CHILD_STARTED = "start_child_workflow_execution_initiated_event_attributes"
QUICK = timedelta(milliseconds=50)
CONNECTIONS = ("aws/default", "azure/default", "gcp/default", "onprem/default")
KINDS = {
    "CausewayPipeline": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CausewayState": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CausewayWaitingFor": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CausewayClouds": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "CausewayRunUid": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
}
Run = WorkflowHandle[PipelineWorkflow, RunStatus]


def spec_of(stages: dict[str, Any], **fields: Any) -> PipelineSpec:
    """A pipeline of these stages; a stage without a kind is a job with one output."""
    whole = {name: _stage(stage) for name, stage in stages.items()}
    return PipelineSpec.model_validate({"pipeline": "play", "stages": whole, **fields})


def _stage(stage: dict[str, Any]) -> dict[str, Any]:
    if "kind" in stage:
        return stage
    return {"kind": "train", "on": "aws", "command": "python go.py", "outputs": ["out"], **stage}


def _book(world: World) -> PriceBook:
    """What leaves AWS costs what the world says, and queries on Google Cloud 6.25 a TiB."""
    if world.price is None:
        return PriceBook([])
    as_told = {"as_of": world.price.as_of, "source": world.price.source}
    queries = Queries(origin="gcp", per_tib=Decimal("6.25"), currency="USD", **as_told)
    return PriceBook([Entry(origin="aws", **world.price.model_dump()), queries])


class Play:
    """One server with its workers; the clouds' world is there to be scripted and asked."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self.env = env
        self.world = World(now=env.get_current_time)
        self.dismissed: set[str] = set()
        self.cached = 100
        """Workflows kept in the worker's memory; with none, every task replays the history."""
        self.runs: list[Run] = []
        self.own: tuple[type, ...] = ()
        """Workflows that only a test has."""
        self._workers: dict[str, Worker] = {}
        self._stack = contextlib.AsyncExitStack()
        self._threads = ThreadPoolExecutor(2)

    @property
    def client(self) -> Client:
        return self.env.client

    async def open(self) -> None:
        if self.env.supports_time_skipping:
            await self.client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace="default", search_attributes=KINDS)
            )

    async def close(self) -> None:
        for hold in self.world.held:
            hold.release()
        for run in self.runs:
            with contextlib.suppress(Exception):
                await run.terminate()
        await self._stack.aclose()
        self._threads.shutdown()
        await self.env.shutdown()

    async def hire(self, *connections: str) -> None:
        """Have workers for these connections, unless they were dismissed."""
        for connection in map(normalise, connections):
            if connection in self._workers or connection in self.dismissed:
                continue
            cloud = FakeCloud(connection, self.world)
            policed = self._policing(connection)
            await self._employ(
                connection, queue_of(connection), activities=cloud.activities, interceptors=policed
            )

    async def dismiss(self, connection: str, hold: Hold) -> None:
        """Have the worker of a connection land the one thing it does, and then be gone."""
        self.dismissed.add(connection)
        stopping = asyncio.create_task(self._workers[connection].shutdown())
        await asyncio.sleep(0.1)
        hold.release()
        await stopping

    async def rehire(self, connection: str) -> None:
        """Have a connection served again whose worker was dismissed."""
        self.dismissed.discard(connection)
        del self._workers[connection]
        await self.hire(connection)

    async def serve(self, *connections: str) -> None:
        """Have these connections and the workflows served."""
        await self.hire(*connections)
        if "workflows" not in self._workers:
            watchers, ledger = FakeAlerts(self.world), FakeLedger(self.world)
            local = [
                Planner(_book(self.world), self.world.observed, policy=self.world.policy).make,
                FakePrices(self.world).egress,
                FakeQueues(self.world).describe,
                FakeKnown(self.world).known,
                FakeOwners(self.world).owners,
                watchers.describe,
                watchers.send,
                watchers.emit,
                ledger.post,
                ledger.month,
                ledger.reserve,
                ledger.release,
            ]
            await self._employ(
                "workflows",
                WORKFLOW_QUEUE,
                workflows=(*WORKFLOWS, *own_workflows(OWN_WORKFLOWS), *self.own),
                activities=local,
                max_cached_workflows=self.cached,
                workflow_runner=PreparedOnce(),
            )

    async def start(self, spec: PipelineSpec, key: str = "k", **fields: Any) -> Run:
        """Start a run as the starter does, with every connection that it names served."""
        await self.serve(*CONNECTIONS, *(stage.on for stage in spec.stages.values() if stage.on))
        code = {stage.code for stage in spec.stages.values() if getattr(stage, "code", None)}
        bundles = {folder: pack({"go.py": b"print('went')\n"}) for folder in sorted(code)}
        request = RunRequest(spec=spec, key=key, **{"bundles": bundles, **fields})
        run, _ = await temporal.start(self.client, request)
        self.runs.append(run)
        return run

    async def finish(self, spec: PipelineSpec, **fields: Any) -> RunStatus:
        """Run to success."""
        return await self.result(await self.start(spec, **fields))

    async def result(self, run: Run) -> RunStatus:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await run.result()

    async def failure(self, run: Run) -> tuple[str, RunStatus]:
        """The kind a run failed with, and the report it carries."""
        with pytest.raises(WorkflowFailureError) as failed:
            await self.result(run)
        cause = failed.value.cause
        assert isinstance(cause, ApplicationError), repr(cause)
        return str(cause.type), RunStatus.model_validate(cause.details[0])

    async def cancelled(self, run: Run) -> RunStatus:
        """The report of a run that was cancelled, as its memo holds it."""
        with pytest.raises(WorkflowFailureError):
            await self.result(run)
        description = await run.describe()
        assert description.status == WorkflowExecutionStatus.CANCELED, description.status
        return await temporal.status(self.client, run.id)

    async def until(self, run: Run, true: Callable[[RunStatus], bool]) -> RunStatus:
        """Ask until the status is so."""
        status = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    status = await run.query(PipelineWorkflow.status)
                    if true(status):
                        return status
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it never came to that; it stands so: {status}") from None

    async def until_phase(self, run: Run, stage: str, phase: str) -> RunStatus:
        return await self.until(run, lambda now: now.stages[stage].phase == StagePhase(phase))

    async def until_noted(self, run: Run, stage: str, words: str) -> RunStatus:
        return await self.until(run, lambda now: words in now.stages[stage].note)

    async def decide(self, run: Run, decision: str, stage: str, **fields: Any) -> str:
        update = {
            "retry": PipelineWorkflow.retry_stage,
            "skip": PipelineWorkflow.skip_stage,
            "abort": PipelineWorkflow.abort,
        }[decision]
        return str(await run.execute_update(update, StageDecision(stage=stage, **fields)))

    async def pass_time(self, **duration: float) -> None:
        """Let workflow time pass."""
        await self.env.sleep(timedelta(**duration))

    def in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something beside the test, such as awaiting a result, which lets time be skipped."""
        return asyncio.create_task(work)

    async def reach(self, hold: Hold) -> None:
        """Return when the activity to be held is in flight."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await hold.entered.wait()

    async def cut(self, hold: Hold) -> None:
        """Return when the activity that is held has heard that it is cancelled."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await hold.cancelled.wait()

    async def settle(self, seconds: float = 0.3) -> None:
        """Leave the workflows time to do what they should not."""
        await asyncio.sleep(seconds)

    def put(self, connection: str, name: str, content: bytes = b"a,b\n1,2\n") -> str:
        """Have an object lie in a connection's store; return its URI."""
        uri = f"{container_of(connection)}{name}"
        self.world.put(uri, content)
        return uri

    async def transfers(self, run: Run) -> list[str]:
        """Ids of the transfers a run has started, after its own."""
        history = await run.fetch_history()
        started = [event for event in history.events if event.HasField(CHILD_STARTED)]
        ids = [getattr(event, CHILD_STARTED).workflow_id for event in started]
        return [found.removeprefix(f"{run.id}/transfer/") for found in ids]

    def _policing(self, connection: str) -> list[Policing]:
        policy = self.world.policy
        if policy is None:
            return []
        here = Place(connection=connection, region=policy.places.get(connection, ""))
        return [Policing(Guard(policy, here), TemporalLeaves(self.client))]

    async def _employ(self, name: str, queue: str, **offers: Any) -> None:
        worker = Worker(
            self.client,
            task_queue=queue,
            max_heartbeat_throttle_interval=QUICK,
            default_heartbeat_throttle_interval=QUICK,
            activity_executor=self._threads,
            graceful_shutdown_timeout=timedelta(seconds=5),
            **offers,
        )
        self._workers[name] = await self._stack.enter_async_context(worker)


def job_of(play: Play, stage: str, generation: int = 1) -> Any:
    """The job that was submitted for a stage."""
    found = [
        job
        for job in play.world.jobs.values()
        if job.request.stage == stage and job.request.generation == generation
    ]
    assert len(found) == 1, f"{len(found)} jobs of {stage} g{generation}"
    return found[0]


def output(status: RunStatus, stage: str, name: str) -> Artifact:
    return status.stages[stage].outputs[name]
