"""Copies of their own: what `copy` asks for becomes a transfer, which is started, or found again by its key."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pydantic import ValidationError
from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.artifacts import Location, locate
from contracts.grants import IfExists
from contracts.jobs import RunRef
from contracts.limits import Caps, Limits
from contracts.plan import TransferMethod, server_side_between
from contracts.queues import CLOUD_OF_SCHEME, WORKFLOW_QUEUE, Cloud, cloud_of, normalise
from contracts.runs import DIGEST_MEMO, PIPELINE_KEY, STATE_KEY, TransferResult, workflow_id
from contracts.transfers import TransferRequest
from contracts.units import parse_duration, parse_rate, parse_size
from starter.exits import StarterError
from starter.options import key_of
from workflows.transfer import TransferWorkflow

COPY = "copy"
"""Stands where a run's pipeline does; no pipeline may have this name."""
Copy = WorkflowHandle[TransferWorkflow, TransferResult]


@dataclass(frozen=True)
class CopyOptions:
    """How `copy` was called."""

    source: str
    target: str
    source_on: str | None = None
    target_on: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    if_exists: IfExists = "skip"
    limit_rate: str | None = None
    streams: int = 8
    max_size: str | None = None
    max_cost: str | None = None
    max_duration: str | None = None
    server_side: bool = True
    push: bool = False
    key: str | None = None
    create: bool = False
    dry_run: bool = False
    detach: bool = False
    as_json: bool = False


def is_copy(run_id: str) -> bool:
    """Whether an identity is a copy's rather than a run's."""
    return run_id.startswith(f"{COPY}/")


def request_of(options: CopyOptions) -> TransferRequest:
    """Say what is to be moved.

    Raises:
        StarterError: a URI, a connection or a bound is wrong; or nothing can be moved that way.
    """
    whence, where = _located(options.source, "SRC"), _located(options.target, "DST")
    source = _connection(options.source_on, whence, "--from")
    destination = _connection(options.target_on, where, "--to")
    folder = whence.name.endswith("/") or not whence.name
    _check_shape(options, whence, where, folder=folder)
    target = where.uri if folder or not _is_folder(where) else where.uri + whence.name.rpartition("/")[2]
    key = key_of(options.key)
    method = _method(source, destination, push=options.push)
    request = TransferRequest(
        run=RunRef(pipeline=COPY, key=key, run_uid=""),
        key=key,
        artifact=options.source,
        source=source,
        source_uri=whence.uri,
        kind="folder" if folder else "file",
        destination=destination,
        target=target,
        method=method,
        server_side=options.server_side and server_side_between(source, destination, method),
        if_exists=options.if_exists,
        include=options.include,
        exclude=options.exclude,
        create_container=options.create,
        dry_run=options.dry_run,
        limits=limits_of(options.limit_rate, options.streams),
        caps=_caps(options),
    )
    # What uploads belong to: the same copy under the same key takes up what it had begun before it failed.
    uid = hashlib.sha256(f"{COPY}/{key} {digest_of(request)}".encode()).hexdigest()[:32]
    return request.model_copy(update={"run": request.run.model_copy(update={"run_uid": uid})})


def limits_of(rate: str | None, streams: int) -> Limits:
    """Read how much a copy may take.

    Raises:
        StarterError: it is no rate, or too many streams.
    """
    try:
        return Limits(streams=streams, bytes_per_second=parse_rate(rate) if rate else None)
    except ValidationError:
        raise StarterError(f"--streams {streams}: write a number from 1 to 64") from None
    except ValueError as error:
        raise StarterError(f"--limit-rate {error}") from None


async def start(temporal: Client, request: TransferRequest) -> tuple[Copy, bool]:
    """Start a copy, or attach to the one with this key that does the same; the flag says which.

    Raises:
        StarterError: the key belongs to another copy.
    """
    identity = workflow_id(COPY, request.key)
    wanted = digest_of(request)
    try:
        return await temporal.start_workflow(
            TransferWorkflow.run,
            request,
            id=identity,
            task_queue=WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            memo={DIGEST_MEMO: wanted},
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(PIPELINE_KEY, COPY), SearchAttributePair(STATE_KEY, "RUNNING")]
            ),
            static_summary=f"{request.source_uri} to {request.target}"[:200],
        ), False
    except WorkflowAlreadyStartedError:
        held = temporal.get_workflow_handle_for(TransferWorkflow.run, identity)
        memo = await (await held.describe()).memo_value(DIGEST_MEMO, "", type_hint=str)
        if memo != wanted:
            raise StarterError(
                f"the key {request.key!r} belongs to another copy; choose another --key, or leave it out"
            ) from None
        return held, True


def digest_of(request: TransferRequest) -> str:
    """Identity of what a copy does, whoever asks and within whatever bounds."""
    same = request.model_dump_json(exclude={"run", "key", "limits", "caps", "timeout", "progress"})
    return hashlib.sha256(same.encode()).hexdigest()


def _located(uri: str, what: str) -> Location:
    try:
        return locate(uri)
    except ValueError as error:
        raise StarterError(f"{what}: {error}") from None


def _connection(given: str | None, where: Location, option: str) -> str:
    own = CLOUD_OF_SCHEME[where.scheme]
    try:
        connection = normalise(given) if given else normalise(own)
    except ValueError as error:
        raise StarterError(f"{option} {given}: {error}") from None
    if cloud_of(connection) is not Cloud(own):
        raise StarterError(f"{option} {given}: {where.uri} is served by {own}")
    return connection


def _check_shape(options: CopyOptions, whence: Location, where: Location, *, folder: bool) -> None:
    if folder and not _is_folder(where):
        raise StarterError(
            f"DST: {options.source} is a folder, so the target is one too: write {options.target}/"
        )
    if not folder and (options.include or options.exclude):
        raise StarterError("--include and --exclude choose from a folder; SRC is one object")
    if whence.uri == where.uri:
        raise StarterError("SRC and DST are the same")


def _is_folder(where: Location) -> bool:
    return where.name.endswith("/") or not where.name


def _method(source: str, destination: str, *, push: bool) -> TransferMethod:
    if source == destination:
        return "local"
    if cloud_of(source) is not Cloud.ONPREM and not push:
        return "pull"
    if cloud_of(destination) is not Cloud.ONPREM:
        return "push"
    raise StarterError(f"neither {source} nor {destination} can be reached from outside; go through a cloud")


def _caps(options: CopyOptions) -> Caps:
    try:
        size = parse_size(options.max_size) if options.max_size else None
        duration = parse_duration(options.max_duration) if options.max_duration else None
        cost = Decimal(options.max_cost) if options.max_cost else None
        return Caps(size_bytes=size, cost=cost, duration=duration)
    except InvalidOperation:
        raise StarterError(f"--max-cost {options.max_cost!r}: write an amount such as 2.50") from None
    except ValidationError:
        raise StarterError(
            f"--max-cost {options.max_cost!r}: write an amount that is not below zero"
        ) from None
    except ValueError as error:
        raise StarterError(str(error)) from None
