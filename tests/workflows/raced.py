"""A workflow only tests have: news of a job and a cancel of its stage come in one and the same moment."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from temporalio import workflow

from workflows.checkpoint import Checkpoint, Deadline
from workflows.jobs import JobRunner


@workflow.defn(name="raced")
class Raced:
    """Answers whether the cancel took hold."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> bool:
        checkpoint = Checkpoint(None, timedelta())
        runner: Any = object.__new__(JobRunner)
        runner.context, runner.name = SimpleNamespace(checkpoint=checkpoint), "job"
        watch = asyncio.get_running_loop().create_future()
        going = asyncio.create_task(runner._done_or_late(watch, Deadline(checkpoint, timedelta(hours=1))))

        async def both() -> None:
            await workflow.sleep(1)
            watch.set_result(None)
            self.told = True

        telling = asyncio.create_task(both())
        await workflow.wait_condition(lambda: self.told)
        going.cancel()
        await asyncio.gather(going, telling, return_exceptions=True)
        return going.cancelled()
