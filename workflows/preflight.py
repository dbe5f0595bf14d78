"""Asks every connection a run will use, on the very queue and by the identity that will do the work."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.connections import (
    ConnectionActivities,
    ConnectionReport,
    KnownActivities,
    KnownConnections,
    KnownRequest,
    PreflightRequest,
)
from contracts.errors import ErrorKind
from contracts.places import asks_for_any, narrowed
from contracts.queues import queue_of
from contracts.runs import StageError
from contracts.spec import PipelineSpec
from workflows.asked import needed, requests_of
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.outcomes import StageFailed

PREFLIGHT = "preflight"
ALL_REFUSALS = "all-refusals-told"
"""Runs that began before this was there end at the first refusal, or their histories could not be replayed."""
GRACE = timedelta(seconds=30)
"""How long after a first refusal the answers of others are waited for."""


class PreflightRefused(StageFailed):
    """Connections cannot do what the run needs."""

    def __init__(self, refusals: Mapping[str, StageError], silent: tuple[str, ...]) -> None:
        """Carry every refusal by connection, and which connections had not answered by then."""
        first, *others = refusals.values()
        told = [f"{connection}: {error.kind}: {error.message}" for connection, error in refusals.items()]
        if others:
            lines = f"{len(told)} connections cannot do what the run needs:", *told
            first = first.model_copy(update={"message": "\n".join(lines)})
        super().__init__(first)
        said = told if others else [f"{first.kind}: {first.message}"]
        said += [f"{connection} has not answered yet" for connection in silent]
        self.notes = tuple(f"{PREFLIGHT}: {line}" for line in said)


def why_nothing_runs(error: BaseException) -> tuple[StageError, tuple[str, ...]]:
    """Return what a run ends with that ended before its stages did, and the notes that tell it in full."""
    if isinstance(error, PreflightRefused):
        return error.error, error.notes
    if isinstance(error, StageFailed):
        return error.error, (f"{error.error.kind}: {error.error.message}",)
    said = stage_error(error)
    return said, (f"{PREFLIGHT}: {said.kind}: {said.message}",)


@dataclass(frozen=True)
class Answers:
    """What the connections said."""

    reports: dict[str, ConnectionReport]
    refused: dict[str, str]
    """Those that stages only might run on and that will not do, each with the reason."""


async def preflight(
    spec: PipelineSpec, effects: Effects, *, create: bool, absent: Collection[str] = ()
) -> Answers:
    """Return what each connection answers; one that a stage only might run on fails nothing, and is left if absent.

    Raises:
        PreflightRefused: some of them cannot do what the run needs; each says what and how to mend it.
        ActivityError: one of them, in a run that began before all of them were heard.
    """
    requests = requests_of(spec, create=create)
    needs = needed(spec)
    longest = max(spec.timeout_of(name) for name in spec.stages)
    asked = {
        request.connection: asyncio.create_task(_ask(effects, request, presets.quick(longest)))
        for request in requests
        if request.connection in needs
    }
    perhaps = [
        asyncio.create_task(_ask_perhaps(effects, request))
        for request in requests
        if request.connection not in needs and request.connection not in absent
    ]
    try:
        reports = await asyncio.gather(*asked.values())
    except ActivityError as error:
        if is_cancelled_exception(error) or not workflow.patched(ALL_REFUSALS):
            raise
        for task in perhaps:
            task.cancel()
        raise await _refused(asked) from error
    answered = await asyncio.gather(*perhaps)
    found = {report.connection: report for report in answered if isinstance(report, ConnectionReport)}
    refused = dict(answer for answer in answered if isinstance(answer, tuple))
    return Answers(dict(zip(asked, reports, strict=True)) | found, refused)


async def _ask_perhaps(effects: Effects, request: PreflightRequest) -> ConnectionReport | tuple[str, str]:
    """Return the report of a connection, or its name with why the run goes on without it."""
    try:
        return await _ask(effects, request, presets.weighing())
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        said = stage_error(error)
        if said.kind == ErrorKind.WORKER_ABSENT:
            patience = presets.WEIGHING_PATIENCE.seconds
            return (
                request.connection,
                f"no worker of {queue_of(request.connection)} asked for work in {patience} s",
            )
        return request.connection, f"{said.kind}: {said.message}"


async def known(spec: PipelineSpec, effects: Effects) -> tuple[PipelineSpec, dict[str, str]]:
    """Return the pipeline with the connections that there are for `any`, and those left out, each with the reason."""
    if not asks_for_any(spec):
        return spec, {}
    found: KnownConnections = await effects.local(
        KnownActivities.known, KnownRequest(), preset=presets.local(), summary="which connections are there?"
    )
    return narrowed(spec, (*found.served, *found.absent)), found.absent


async def _ask(effects: Effects, request: PreflightRequest, preset: presets.Preset) -> ConnectionReport:
    return await effects.call(
        ConnectionActivities.preflight,
        request,
        on=request.connection,
        preset=preset,
        stage=PREFLIGHT,
        summary=request.connection,
    )


async def _refused(asked: Mapping[str, asyncio.Task[ConnectionReport]]) -> PreflightRefused:
    """Hear the others out for a moment, for one that nobody serves would be waited for as long as a stage may take."""
    try:
        await workflow.wait_condition(
            lambda: all(task.done() for task in asked.values()),
            timeout=GRACE,
            timeout_summary=f"{PREFLIGHT}: what the others answer",
        )
    except TimeoutError:
        workflow.logger.info("not every connection has answered")
    finally:
        silent = tuple(connection for connection, task in asked.items() if not task.done())
        for connection in silent:
            asked[connection].cancel()
    errors = {connection: task.exception() for connection, task in asked.items() if task.done()}
    refusals = {connection: stage_error(error) for connection, error in errors.items() if error}
    return PreflightRefused(refusals, silent)
