"""A fake cloud: every contract under its wire name, over the world the clouds share."""

from typing import Any

from temporalio import activity

from contracts.artifacts import Artifact
from contracts.caching import FindRequest, Found, KeepRequest
from contracts.code import CodeRef, PublishRequest
from contracts.connections import (
    ConnectionReport,
    KnownConnections,
    KnownRequest,
    MachineRequest,
    PreflightRequest,
)
from contracts.errors import ErrorKind, failure
from contracts.fanout import EnumerateRequest, Gathered, GatherRequest, ObjectItems
from contracts.machines import HourPrice, Machine
from contracts.places import DEFAULTS
from contracts.plan import QueueReport, QueueReports, QueuesRequest
from contracts.policy import StoreFacts
from contracts.prices import EgressQuery, EgressQuote
from contracts.queues import queue_of
from contracts.shipping import LogFile, Shipped, ShipRequest, StoreLogsRequest
from contracts.tables import (
    LoadReceipt,
    LoadRequest,
    QueryRequest,
    QueryResult,
    TableCancelReceipt,
    TableCancelRequest,
)
from tests.fakes.checks import FakeCheck
from tests.fakes.connection import container_of
from tests.fakes.endpoints import FakeEndpoints
from tests.fakes.jobs import FakeJobs
from tests.fakes.parts import FakeParts
from tests.fakes.sweeps import FakeSweeps
from tests.fakes.world import World


class FakeCloud(FakeJobs, FakeEndpoints, FakeParts, FakeSweeps, FakeCheck):
    """One connection's worker."""

    @activity.defn(name="connections.preflight")
    async def preflight(self, request: PreflightRequest) -> ConnectionReport:
        report = ConnectionReport(
            connection=self.connection,
            identity=f"fake:{self.connection}",
            container=container_of(self.connection),
            region=self.world.regions.get(self.connection, ""),
            facts=self._facts(request),
            readable_from_outside=self.connection not in self.world.unreadable,
            machines={
                name: _machine(asked, self.world.hour_price) for name, asked in self._asked(request).items()
            },
            declined={name: why for name, why in self.world.declined.items() if name in request.wishes},
        )
        return await self._play("connections.preflight", request, lambda: report)

    def _facts(self, request: PreflightRequest) -> tuple[StoreFacts, ...]:
        uris = request.containers if request.facts else ()
        return tuple(StoreFacts(uri=uri, region=self.world.regions.get(uri, "")) for uri in uris)

    def _asked(self, request: PreflightRequest) -> dict[str, MachineRequest]:
        wished = {name: wish.machine for name, wish in request.wishes.items() if wish.machine}
        return request.machines | {
            name: asked for name, asked in wished.items() if name not in self.world.declined
        }

    @activity.defn(name="code.publish")
    async def publish(self, request: PublishRequest) -> CodeRef:
        uri = f"{container_of(self.connection)}code/{request.bundle.digest}/"
        ref = CodeRef(uri=uri, digest=request.bundle.digest)
        return await self._play("code.publish", request, lambda: ref)

    @activity.defn(name="logs.ship")
    async def ship(self, request: ShipRequest) -> Shipped:
        return await self._play("logs.ship", request, lambda: self._ship(request))

    def _ship(self, request: ShipRequest) -> Shipped:
        files = [LogFile(name="worker.jsonl", lines=("{}",))]
        files += [LogFile(name="job.log", lines=self.world.log)] if request.job else []
        if request.target is None:
            return Shipped(carried=tuple(files))
        return self._keep(request.target, tuple(files))

    @activity.defn(name="logs.store")
    async def store_logs(self, request: StoreLogsRequest) -> Shipped:
        return await self._play("logs.store", request, lambda: self._keep(request.target, request.files))

    def _keep(self, target: str, files: tuple[LogFile, ...]) -> Shipped:
        for file in files:
            self.world.put(self._own(target + file.name), "\n".join(file.lines).encode())
        return Shipped(uris=tuple(target + file.name for file in files))

    @activity.defn(name="storage.gather")
    async def gather(self, request: GatherRequest) -> Gathered:
        return await self._play("storage.gather", request, lambda: self._gather(request))

    def _gather(self, request: GatherRequest) -> Gathered:
        for part in request.parts:
            for held in self.world.below(part.source):
                self.world.put(part.target + held.uri.removeprefix(part.source), self.world.objects[held.uri])
        for uri, text in request.files.items():
            self.world.put(uri, text.encode())
        return Gathered(
            artifacts={name: self.world.folder(prefix) for name, prefix in request.describe.items()}
        )

    @activity.defn(name="cache.keep")
    async def keep_result(self, request: KeepRequest) -> Found:
        def keep() -> Found:
            self.world.kept[request.fingerprint] = request.kept
            return Found(kept=request.kept)

        return await self._play("cache.keep", request, keep)

    @activity.defn(name="cache.find")
    async def find_result(self, request: FindRequest) -> Found:
        found = Found(kept=self.world.kept.get(request.fingerprint))
        return await self._play("cache.find", request, lambda: found)

    @activity.defn(name="storage.enumerate")
    async def enumerate(self, request: EnumerateRequest) -> ObjectItems:
        return await self._play("storage.enumerate", request, lambda: self._enumerate(request))

    def _enumerate(self, request: EnumerateRequest) -> ObjectItems:
        held = self.world.below(request.prefix)
        if not held:
            raise failure(ErrorKind.SOURCE_MISSING, f"{request.prefix} holds nothing")
        return ObjectItems(
            objects=tuple(
                Artifact(
                    uri=stat.uri,
                    kind="file",
                    size_bytes=stat.size_bytes,
                    object_count=1,
                    digest=str(stat.sha256),
                )
                for stat in held
            )
        )

    @activity.defn(name="tables.load")
    async def load(self, request: LoadRequest) -> LoadReceipt:
        receipt = LoadReceipt(job_id=_table_job(request.key), table=request.table, rows=3, size_bytes=30)
        return await self._play("tables.load", request, lambda: receipt)

    @activity.defn(name="tables.query")
    async def query(self, request: QueryRequest) -> QueryResult:
        rows = self.world.answer_rows
        billed = self.world.billed_bytes
        result = QueryResult(job_id=_table_job(request.key), rows=len(rows), shown=rows, billed_bytes=billed)
        return await self._play("tables.query", request, lambda: result)

    @activity.defn(name="tables.cancel")
    async def cancel_table_job(self, request: TableCancelRequest) -> TableCancelReceipt:
        receipt = TableCancelReceipt(stopped=(_table_job(request.key),))
        return await self._play("tables.cancel", request, lambda: receipt)


class FakeQueues:
    """What Temporal would say of task queues."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="queues.describe")
    async def describe(self, request: QueuesRequest) -> QueueReports:
        now = await self.world.now()
        reports = tuple(
            QueueReport(
                queue=queue,
                polled_at=None if queue in self.world.absent else now,
                waiting=0,
                oldest_seconds=0.0,
                absent=queue in self.world.absent,
            )
            for queue in request.queues
        )
        answer = QueueReports(reports=reports, observed=self.world.observed)
        return await self.world.play("causeway", "queues.describe", request, lambda: answer)


class FakeKnown:
    """Which connections there would be."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="connections.known")
    async def known(self, request: KnownRequest) -> KnownConnections:
        served = tuple(name for name in DEFAULTS if queue_of(name) not in self.world.absent)
        absent = {name: f"no worker serves {queue_of(name)}" for name in DEFAULTS if name not in served}
        return KnownConnections(served=served, absent=absent)


class FakePrices:
    """What a price book would say."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="prices.egress")
    async def egress(self, query: EgressQuery) -> EgressQuote:
        self.world.priced.append(query)
        return EgressQuote(price=self.world.price, why="as the test says")


def _table_job(key: Any) -> str:
    return f"{key.stage}-{key.generation}"


def _machine(asked: MachineRequest, price: HourPrice | None) -> Machine:
    wanted = asked.resources
    return Machine(
        instance=f"fake-{wanted.cpu}", cpu=wanted.cpu, spot=wanted.spot, price=price, why="the only fake"
    )
