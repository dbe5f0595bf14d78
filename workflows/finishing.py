"""Clean-up that a cancel cannot cut short."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow

Result = TypeVar("Result")


async def to_the_end(work: Awaitable[Result]) -> Result:
    """Return what the work comes to; a cancel that arrives meanwhile takes hold only when it is over."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await workflow.wait_condition(task.done)
        except asyncio.CancelledError:
            cancelled = True
    if not cancelled:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not complain of it
    raise asyncio.CancelledError
