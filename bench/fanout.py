"""What Causeway's workflows cost over a bare one: the same number of activities that do nothing, on one server.

`python -m bench.fanout [ITEMS] [ROUNDS]` plays on a Temporal server of its own, without a sandbox: the clouds are the tests'
fakes, whose jobs end at once, so that nothing is measured but Temporal, its SDK and what Causeway adds. Both sides have their
workers in this process.

A bare workflow is measured twice. With its activities on another worker's queue it is dispatched as Causeway's activities
are. With all on one queue Temporal starts activities eagerly, with the answer to a workflow task, which no worker of another
cloud can have.
"""

import asyncio
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from bench.bare import FAR, QUEUE, BareFanout, BareWorkflow, nothing
from bench.numbers import Numbers
from contracts.connect import plugin
from contracts.runs import SEARCH_ATTRIBUTES, RunPhase
from tests.workflows.play import Play, spec_of
from tests.workflows.servers import dev_server

LANES = 10
STAGES = 4
PEERS = {"bare workflow, another queue": FAR, "bare workflow, one queue": QUEUE}


@dataclass(frozen=True)
class Taken:
    """What a pipeline took."""

    seconds: float
    cpu: float
    activities: int


async def main(items: int, rounds: int) -> None:
    """Measure, and print each figure with its spread."""
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(dev_server()), search_attributes=SEARCH_ATTRIBUTES, plugins=[plugin()]
    )
    play, numbers = Play(env), Numbers()
    try:
        await play.serve("onprem")
        workflows = [BareWorkflow, BareFanout]
        threads = ThreadPoolExecutor(LANES)
        offers: dict[str, Any] = {"activities": [nothing], "activity_executor": threads}
        async with (
            Worker(play.client, task_queue=QUEUE, workflows=workflows, **offers),
            Worker(play.client, task_queue=FAR, **offers),
        ):
            for number in range(-1, rounds):
                kept = numbers if number >= 0 else Numbers()
                await _sequence(play, kept)
                await _fanout(play, kept, items if number >= 0 else 20)
    finally:
        await play.close()
    for name, spread in numbers.summed_up().items():
        told = f"{spread.median:g} ({spread.smallest:g} to {spread.largest:g}) {spread.unit}, {spread.count} rounds"
        Console(width=160).print(f"{name}: {told}")


async def _sequence(play: Play, numbers: Numbers) -> None:
    """Four stages one after the other, against as many activities one after the other."""
    stages: dict[str, Any] = {f"step{number}": {"on": "onprem"} for number in range(STAGES)}
    for number in range(1, STAGES):
        stages[f"step{number}"]["after"] = [f"step{number - 1}"]
    taken = await _run(play, stages)
    await _beside(play, numbers, "four stages", taken, BareWorkflow, taken.activities)
    numbers.add("four stages: seconds a stage", taken.seconds / STAGES, "s")


async def _fanout(play: Play, numbers: Numbers, items: int) -> None:
    """So many items in ten lanes, against as many activities in ten lanes."""
    each = {"range": items, "max_parallel": LANES}
    taken = await _run(play, {"each": {"on": "onprem", "foreach": each}})
    per_item = round(taken.activities / items)
    await _beside(play, numbers, f"{items} items", taken, BareFanout, [items, LANES, per_item])
    numbers.add(f"{items} items: milliseconds an item", taken.seconds / items * 1e3, "ms")


async def _beside(play: Play, numbers: Numbers, what: str, taken: Taken, kind: Any, argument: Any) -> None:
    """Run the bare workflows after a pipeline, and add what each took."""
    numbers.add(f"{what}: pipeline ({taken.activities} activities)", taken.seconds, "s")
    numbers.add(f"{what}: pipeline, CPU of both workers", taken.cpu, "s")
    for name, queue in PEERS.items():
        cpu, began = time.process_time(), time.perf_counter()
        await play.client.execute_workflow(
            kind.run, args=[argument, queue], id=f"bench/{uuid.uuid4()}", task_queue=QUEUE
        )
        seconds = time.perf_counter() - began
        numbers.add(f"{what}: {name}", seconds, "s")
        numbers.add(f"{what}: {name}, CPU of both workers", time.process_time() - cpu, "s")
        numbers.add(f"{what}: pipeline / {name}", taken.seconds / seconds, "x")


async def _run(play: Play, stages: dict[str, Any]) -> Taken:
    """Run a pipeline."""
    before, cpu, began = len(play.world.calls), time.process_time(), time.perf_counter()
    run = await play.start(spec_of(stages), key=uuid.uuid4().hex)
    status = await run.result()
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    if status.phase is not RunPhase.SUCCEEDED:
        raise RuntimeError(f"a measured run ended {status.phase}")
    planned = 1
    return Taken(seconds, spent, len(play.world.calls) - before + planned)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(given + [1000, 3][len(given) :])))
