"""Runs one worker until it is told to stop: connects, serves its queue, drains, and ends the process cleanly."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.leaves import TemporalLeaves
from activities.policing import Guard
from contracts.connect import address, connect
from workers.health import Phase
from workers.observe import Observer
from workers.policing import Policing
from workers.telemetry import Shown, shown

SLOTS = 500
"""Activities at once; most of them watch a job and sleep. A watch holds its slot as long as its job lives, so this
is also about how many jobs one worker follows; a second worker on the same queue follows as many more."""
GRACE = timedelta(seconds=20)
"""For activities to land after SIGTERM; less than compose's `stop_grace_period`."""
THROTTLE = timedelta(seconds=1)
"""Heartbeats reach the server at least this often, and with them a cancel the activity."""
RECONNECT = timedelta(seconds=2)
PATIENCE = timedelta(minutes=2)
logger = logging.getLogger("workers")


@dataclass(frozen=True)
class Service:
    """What one worker offers."""

    name: str
    queue: str
    workflows: Sequence[type] = ()
    activities: Callable[[Client], Sequence[Callable[..., Any]]] = lambda client: ()
    """Built once the client is there."""
    sinks: Sequence[Any] = ()
    """OpenTelemetry's exporters of metrics that this worker's own settings ask for."""
    guard: Guard | None = None
    """What it refuses by its policy; None for the worker of workflows, which touches no data."""
    deployment: WorkerDeploymentConfig | None = None
    """Which build this is; None where any worker of the queue may take up any run."""


async def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, then let activities land.

    Raises:
        SystemExit: Temporal could not be reached for two minutes, or what is measured cannot be served.
    """
    with shown(service.name, service.queue, os.environ, service.sinks) as seen:
        await _serve(service, seen)


async def _serve(service: Service, seen: Shown) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    client = seen.health.client = await _connected(stop, seen)
    if client is None:
        return
    with ThreadPoolExecutor(SLOTS, thread_name_prefix="activity") as threads:
        worker = Worker(
            client,
            task_queue=service.queue,
            workflows=service.workflows,
            activities=service.activities(client),
            activity_executor=threads,
            max_concurrent_activities=SLOTS,
            max_heartbeat_throttle_interval=THROTTLE,
            default_heartbeat_throttle_interval=THROTTLE,
            graceful_shutdown_timeout=GRACE,
            interceptors=[Observer(), *_policing(service.guard, client)],
            on_fatal_error=_fatal,
            deployment_config=service.deployment,
        )
        async with worker:
            seen.health.phase = Phase.SERVING
            _ready(service)
            await stop.wait()
            seen.health.phase = Phase.DRAINING
            logger.info("stopping: letting activities land")
    logger.info("stopped")


def end(main: Coroutine[Any, Any, None]) -> NoReturn:
    """Run to the end and leave the process without Python's own tear-down.

    A plain return from `asyncio.run` aborted with `PyGILState_Release` and code 134 in 3 of 15 clean stops
    (temporalio/sdk-python issue 300): the core's threads outlive the interpreter.
    """
    code = 0
    try:
        asyncio.run(main)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)  # noqa: T201 - the last word before the process ends
    except Exception:
        logger.exception("the worker failed")
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _policing(guard: Guard | None, client: Client) -> tuple[Policing, ...]:
    return (Policing(guard, TemporalLeaves(client)),) if guard else ()


async def _connected(stop: asyncio.Event, seen: Shown) -> Client | None:
    """Connect, waiting for a server that is on its way up; None when told to stop meanwhile."""
    deadline = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
    while not stop.is_set():
        try:
            return await connect(seen.interceptors, seen.runtime)
        except RuntimeError as error:
            where = address()["address"]
            if asyncio.get_running_loop().time() > deadline:
                raise SystemExit(
                    f"Temporal at {where} cannot be reached; check TEMPORAL_ADDRESS and that it runs"
                ) from error
            logger.warning("Temporal at %s cannot be reached yet", where)
            await asyncio.sleep(RECONNECT.total_seconds())
    return None


def _ready(service: Service) -> None:
    logger.info("ready: serving %s", service.queue)
    if ready_file := os.environ.get("CAUSEWAY_READY_FILE"):
        Path(ready_file).write_text(service.queue)


async def _fatal(error: BaseException) -> None:
    logger.error("the worker ends: %s", error)
