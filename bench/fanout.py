"""What Causeway's workflows cost over a bare one: the same number of activities that do nothing, on one server.

`python -m bench.fanout [ITEMS] [ROUNDS]` plays on a Temporal server of its own, without a sandbox: the clouds are the tests'
fakes, whose jobs end at once, so that nothing is measured but Temporal, its SDK and what Causeway adds. Both sides have their
workers in this process.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from bench.bare import QUEUE, BareFanout, BareWorkflow, nothing
from bench.numbers import Numbers
from contracts.connect import plugin
from contracts.runs import SEARCH_ATTRIBUTES, RunPhase
from tests.workflows.play import Play, spec_of
from tests.workflows.servers import dev_server

LANES = 10
STAGES = 4


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
        async with Worker(
            play.client,
            task_queue=QUEUE,
            workflows=workflows,
            activities=[nothing],
            activity_executor=threads,
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
    seconds, activities = await _run(play, stages)
    bare = await _timed(_bare(play, BareWorkflow, activities))
    numbers.add(f"four stages: pipeline ({activities} activities)", seconds, "s")
    numbers.add("four stages: bare workflow", bare, "s")
    numbers.add("four stages: seconds a stage", seconds / STAGES, "s")
    numbers.add("four stages: ratio", seconds / bare, "x")


async def _fanout(play: Play, numbers: Numbers, items: int) -> None:
    """So many items in ten lanes, against as many activities in ten lanes."""
    each = {"range": items, "max_parallel": LANES}
    seconds, activities = await _run(play, {"each": {"on": "onprem", "foreach": each}})
    per_item = round(activities / items)
    bare = await _timed(_bare(play, BareFanout, [items, LANES, per_item]))
    numbers.add(f"{items} items: foreach ({activities} activities)", seconds, "s")
    numbers.add(f"{items} items: bare workflow ({items * per_item} activities)", bare, "s")
    numbers.add(f"{items} items: ratio", seconds / bare, "x")
    numbers.add(
        f"{items} items: milliseconds an item over the bare workflow", (seconds - bare) / items * 1e3, "ms"
    )


async def _run(play: Play, stages: dict[str, Any]) -> tuple[float, int]:
    """Run a pipeline; return its seconds and how many activities it was."""
    before, began = len(play.world.calls), time.perf_counter()
    run = await play.start(spec_of(stages), key=uuid.uuid4().hex)
    status = await run.result()
    seconds = time.perf_counter() - began
    if status.phase is not RunPhase.SUCCEEDED:
        raise RuntimeError(f"a measured run ended {status.phase}")
    planned = 1
    return seconds, len(play.world.calls) - before + planned


async def _timed(work: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _bare(play: Play, kind: Any, argument: Any) -> None:
    await play.client.execute_workflow(kind.run, argument, id=f"bench/{uuid.uuid4()}", task_queue=QUEUE)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(given + [1000, 3][len(given) :])))
