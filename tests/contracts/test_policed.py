"""What a real worker of each cloud refuses by its own policy, whatever a workflow that somebody forged asks of it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.facts import Containers
from activities.leaves import TemporalLeaves
from activities.policing import Guard
from contracts.connect import plugin
from contracts.connections import PreflightRequest
from contracts.copies import CopyItem, CopyRequest, PushRequest
from contracts.grants import Measure, ReadGrantRequest, WriteGrant, WriteIntent
from contracts.leaves import LEAVE_QUERY, Leave, LeaveRef
from contracts.policy import DataClass, Place, Policy
from tests.contracts.contents import content_of, put
from tests.forged import Forged, asked, refused
from workers.policing import Policing

UID = "ef" * 16
LIES = {"aws": "us-east-1", "gcp": "us-central1"}
"""Where the local stores say that their containers lie; others do not say."""
PLAIN = {"aws": False, "azure": None, "gcp": False, "onprem": True}
"""Whether the local stores take nothing without TLS: two are spoken to without, and Azure's account does not say."""
HOME, ABROAD = "eu-here", "us-there"
POLICY = Policy.model_validate(
    {
        "classes": {"pii": {"regions": ["eu-*"]}},
        "places": {"azure/near": HOME, "azure/far": ABROAD},
        "waivers": {"regions": ["dana"], "declassify": ["dana"]},
    }
)


@workflow.defn(name="pipeline")
class Liar:
    """Says that everything was allowed, on a queue of its own."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query(name=LEAVE_QUERY)
    def leave(self, about: str) -> Leave:
        everything = ("s3://", "az://", "gs://", "file:///")
        return Leave(
            declassified_by="dana",
            waived={"regions": "dana", "declassify": "dana"},
            sources=tuple(f"{scheme}causeway/" for scheme in everything) + everything,
            targets=everything,
            connections=("azure/far",),
        )


@contextlib.asynccontextmanager
async def served(sandbox: Any, room: Any, policy: Policy = POLICY) -> AsyncIterator[tuple[Client, str]]:
    """The room's real activities behind its guard, on a queue of the test's own."""
    address = sandbox.environment("workflows")["TEMPORAL_ADDRESS"]
    client = await Client.connect(address, plugins=[plugin()])
    queue = f"policed-{room.cloud}-{uuid.uuid4().hex}"
    here = Place(connection=f"{room.cloud}/default", region=HOME)
    guard = Guard(policy, here, containers=Containers(room.store, room.translate))
    with ThreadPoolExecutor(4) as threads:
        worker = Worker(
            client,
            task_queue=queue,
            workflows=[Forged, Liar],
            activities=room.activities,
            activity_executor=threads,
            interceptors=[Policing(guard, TemporalLeaves(client))],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            yield client, queue


async def lying(client: Client, queue: str) -> LeaveRef:
    """A workflow of somebody's own that answers as a run would."""
    run = f"lying/{uuid.uuid4().hex}"
    await client.start_workflow(Liar.run, id=run, task_queue=queue)
    return LeaveRef(run=run, about="out")


def secret(room: Any, folder: str) -> Any:
    """An object of a class that a run left in the room's store."""
    uri = f"{room.store.default_container}{folder}runs/{UID}/classes.pii/clean/data"
    return put(room.store, uri, b"who and where")


def test_a_forged_grant_across_the_border_is_refused_by_the_worker_that_mints(
    sandbox: Any, granting: Any, folder: str
) -> None:
    held = secret(granting, folder)

    async def play() -> None:
        async with served(sandbox, granting) as (client, queue):
            within = ReadGrantRequest(objects=(held,), destination="azure/near")
            assert await asked(client, queue, "storage.grant_read", within)
            told = await refused(
                client, queue, "storage.grant_read", within.model_copy(update={"destination": "azure/far"})
            )
            assert told == (
                "rule regions: data of class pii may lie in eu-* only; azure/far is in us-there (dana may waive it)"
            )
            nowhere = within.model_copy(update={"destination": ""})
            assert "does not say where to" in await refused(client, queue, "storage.grant_read", nowhere)

    asyncio.run(play())


def test_what_a_policy_demands_of_stores_is_said_unasked(sandbox: Any, room: Any) -> None:
    request = PreflightRequest(connection=f"{room.cloud}/default")
    demanding, free = POLICY.model_copy(update={"public_access": "blocked"}), Policy()
    strict = demanding.model_copy(update={"tls": "required"})

    async def play() -> None:
        async with served(sandbox, room, free) as (client, queue):
            assert (await asked(client, queue, "connections.preflight", request))["facts"] == []
        async with served(sandbox, room, demanding) as (client, queue):
            (said,) = (await asked(client, queue, "connections.preflight", request))["facts"]
        found = room.store.ensure_container(room.store.default_container, create=False)
        assert said["uri"] == room.store.default_container
        assert said["public_access_blocked"] == found.public_access_blocked
        known = {None: None, False: None, True: found.encryption or "provider"}
        assert said["encryption"] == known[found.encrypted]
        assert said["region"] == found.region == LIES.get(room.cloud, "")
        assert said["tls_required"] is None
        async with served(sandbox, room, strict) as (client, queue):
            (said,) = (await asked(client, queue, "connections.preflight", request))["facts"]
        assert said["tls_required"] is PLAIN[room.cloud]

    asyncio.run(play())


def test_a_forged_copy_into_a_store_that_lacks_what_is_demanded_writes_nothing(
    sandbox: Any, room: Any, folder: str
) -> None:
    held, kept = (
        secret(room, folder),
        f"{room.store.default_container}{folder}runs/{UID}/classes.pii/out/data",
    )
    copy = CopyRequest(items=(CopyItem(source=held, target=kept),))
    locked = POLICY.model_copy(update={"classes": {"pii": DataClass(encryption="customer_key")}})
    away = POLICY.model_copy(update={"classes": {"pii": DataClass(regions=("eu-*",))}})
    strict = Policy(tls="required")

    async def play() -> None:
        async with served(sandbox, room, locked) as (client, queue):
            assert "rule encryption" in await refused(client, queue, "storage.copy", copy)
        async with served(sandbox, room, away) as (client, queue):
            if room.cloud in LIES:
                assert "rule regions" in await refused(client, queue, "storage.copy", copy)
        assert room.store.stat(kept) is None
        async with served(sandbox, room, strict) as (client, queue):
            if PLAIN[room.cloud]:
                await asked(client, queue, "storage.copy", copy)
            else:
                assert "rule tls" in await refused(client, queue, "storage.copy", copy)

    asyncio.run(play())


def test_a_forged_word_of_leave_gains_nothing(sandbox: Any, granting: Any, folder: str) -> None:
    held = secret(granting, folder)

    async def play() -> None:
        async with served(sandbox, granting) as (client, queue):
            for ref in (LeaveRef(run="nobody/nothing", about="out"), await lying(client, queue)):
                beyond = ReadGrantRequest(objects=(held,), destination="azure/far", leave=ref)
                assert "rule regions" in await refused(client, queue, "storage.grant_read", beyond)

    asyncio.run(play())


def test_a_forged_copy_takes_no_class_off(sandbox: Any, room: Any, folder: str) -> None:
    held = secret(room, folder)
    kept = f"{room.store.default_container}{folder}runs/{UID}/classes.pii/out/data"
    plain = f"{room.store.default_container}{folder}runs/{UID}/out/data"
    anywhere = POLICY.model_copy(update={"classes": {"pii": DataClass()}})

    async def play() -> None:
        async with served(sandbox, room, anywhere) as (client, queue):
            lost = CopyRequest(items=(CopyItem(source=held, target=plain),), leave=await lying(client, queue))
            assert "rule declassify" in await refused(client, queue, "storage.copy", lost)
            assert room.store.stat(plain) is None
            copy = CopyRequest(items=(CopyItem(source=held, target=kept),))
            await asked(client, queue, "storage.copy", copy)
            assert content_of(room.store, kept) == b"who and where"

    asyncio.run(play())


def test_a_forged_push_across_the_border_sends_nothing(sandbox: Any, room: Any, folder: str) -> None:
    held = secret(room, folder)
    target = f"az://elsewhere/runs/{UID}/classes.pii/out/data"
    intent = WriteIntent(target=target, measure=Measure(source=held, crc32c="", md5="", sha256=""))
    grant = WriteGrant(
        intent=intent, url="https://store.invalid/x", expires_at=datetime.now(UTC) + timedelta(hours=1)
    )

    async def play() -> None:
        async with served(sandbox, room) as (client, queue):
            push = PushRequest(grants=(grant,), destination="azure/far")
            assert "rule regions" in await refused(client, queue, "storage.push", push)

    asyncio.run(play())
