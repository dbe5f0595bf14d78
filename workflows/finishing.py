"""Clean-up that a cancel cannot cut short."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow

Result = TypeVar("Result")
CANCEL_TAKEN = "cancel-taken-after-success"
"""An activity that is waited for after a cancel returns its result, and the cancel is lost unless it is looked for."""


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


async def at_last(work: Awaitable[object]) -> None:
    """Do the last work of a run whose stages have all ended: a cancel comes too late for it."""
    with contextlib.suppress(asyncio.CancelledError):
        await to_the_end(work)


def take_cancel() -> None:
    """Let a cancel take hold that came while something was in flight and was swallowed because that ended well.

    Raises:
        CancelledError: this task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling() and workflow.patched(CANCEL_TAKEN):
        raise asyncio.CancelledError
