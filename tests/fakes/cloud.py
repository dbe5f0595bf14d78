"""A fake cloud: every contract under its wire name, over the world the clouds share."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.artifacts import ManifestEntry, ObjectStat, folder_artifact
from contracts.code import CodeRef, PublishRequest
from contracts.connections import ConnectionReport, PreflightRequest
from contracts.copies import (
    CommitRequest,
    CopyReceipt,
    CopyRequest,
    Cut,
    MeasurePartsRequest,
    ObjectReceipt,
    PartGrantRequest,
    PartsReceipt,
    PartsRequest,
    PartSums,
    PushPartsReceipt,
    PushPartsRequest,
    PushReceipt,
    PushRequest,
    SealRequest,
    Tally,
)
from contracts.errors import ErrorKind, failure
from contracts.grants import (
    Measure,
    MeasureRequest,
    Measures,
    PartGrant,
    PartGrants,
    PartSum,
    ReadGrant,
    ReadGrantRequest,
    ReadGrants,
    WriteGrant,
    WriteGrantRequest,
    WriteGrants,
)
from contracts.jobs import (
    CollectRequest,
    FindRequest,
    JobList,
    JobOutputs,
    JobRef,
    JobRequest,
    JobState,
    LogPage,
    LogRequest,
    WaitRequest,
)
from contracts.parts import part_size, parts_of
from contracts.plan import QueueReport, QueueReports, QueuesRequest
from contracts.prices import EgressQuery, EgressQuote
from contracts.queues import SCHEME_OF_CLOUD, Cloud, cloud_of
from contracts.storage import (
    AbortRequest,
    ListRequest,
    ManifestReceipt,
    ManifestRequest,
    ObjectPage,
    StatRequest,
    UriList,
)
from contracts.tables import LoadReceipt, LoadRequest, QueryRequest, QueryResult
from tests.fakes.world import Job, World

GRANT_LIFE = timedelta(minutes=15)


def container_of(connection: str) -> str:
    """The default container of a fake connection."""
    cloud = cloud_of(connection)
    return f"{SCHEME_OF_CLOUD[cloud]}://{'' if cloud is Cloud.ONPREM else 'causeway'}/"


class FakeCloud:
    """One connection's worker."""

    def __init__(self, connection: str, world: World) -> None:
        self.connection = connection
        self.world = world

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        found = (getattr(self, name) for name in dir(type(self)) if name != "activities")
        return [method for method in found if hasattr(method, "__temporal_activity_definition")]

    async def _play(self, name: str, request: Any, effect: Callable[[], Any]) -> Any:
        return await self.world.play(self.connection, name, request, effect)

    @activity.defn(name="connections.preflight")
    async def preflight(self, request: PreflightRequest) -> ConnectionReport:
        report = ConnectionReport(
            connection=self.connection,
            identity=f"fake:{self.connection}",
            container=container_of(self.connection),
            readable_from_outside=self.connection not in self.world.unreadable,
        )
        return await self._play("connections.preflight", request, lambda: report)

    @activity.defn(name="code.publish")
    async def publish(self, request: PublishRequest) -> CodeRef:
        uri = f"{container_of(self.connection)}code/{request.bundle.digest}/"
        ref = CodeRef(uri=uri, digest=request.bundle.digest)
        return await self._play("code.publish", request, lambda: ref)

    @activity.defn(name="jobs.submit")
    async def submit(self, request: JobRequest) -> JobRef:
        now = await self.world.now()
        return await self._play("jobs.submit", request, lambda: self._submit(request, now))

    def _submit(self, request: JobRequest, now: datetime) -> JobRef:
        held = self.world.jobs.get(request.name)
        if held:
            held.submits += 1
            return held.ref
        job = Job(self.connection, request, self.world.life_of(request.stage), now)
        self.world.jobs[request.name] = job
        return job.ref

    @activity.defn(name="jobs.wait")
    async def wait(self, request: WaitRequest) -> JobState:
        now = await self.world.now()
        return await self._play("jobs.wait", request, lambda: self._wait(request, now))

    def _wait(self, request: WaitRequest, now: datetime) -> JobState:
        job = self.world.jobs[request.ref.name]
        state = job.state(now)
        if state.phase is request.seen and not state.phase.terminal:
            # Time is never skipped while an attempt runs, so the waiting is done between attempts.
            raise ApplicationError(
                "not yet",
                next_retry_delay=job.next_change(now),
                category=ApplicationErrorCategory.BENIGN,
            )
        return state

    @activity.defn(name="jobs.collect")
    async def collect(self, request: CollectRequest) -> JobOutputs:
        return await self._play("jobs.collect", request, lambda: self._collect(request))

    def _collect(self, request: CollectRequest) -> JobOutputs:
        life = self.world.jobs[request.ref.name].life
        artifacts = {}
        for output, prefix in request.request.outputs.items():
            files = life.leaves.get(output, {"part-0": f"{request.request.stage}.{output}".encode()})
            for name, content in files.items():
                self.world.put(f"{prefix}{name}", content)
            artifacts[output] = self.world.folder(prefix)
        return JobOutputs(artifacts=artifacts, metrics=life.metrics)

    @activity.defn(name="jobs.cancel")
    async def cancel(self, ref: JobRef) -> JobState:
        now = await self.world.now()
        return await self._play("jobs.cancel", ref, lambda: self._cancel(ref, now))

    def _cancel(self, ref: JobRef, now: datetime) -> JobState:
        job = self.world.jobs[ref.name]
        if not job.phase(now).terminal:
            job.stopped = now
        return job.state(now)

    @activity.defn(name="jobs.find")
    async def find(self, request: FindRequest) -> JobList:
        now = await self.world.now()
        return await self._play("jobs.find", request, lambda: self._find(request, now))

    def _find(self, request: FindRequest, now: datetime) -> JobList:
        mine = [
            job
            for job in self.world.jobs.values()
            if job.connection == self.connection
            and job.request.run.run_uid == request.run_uid
            and request.stage in {None, job.request.stage}
        ]
        return JobList(jobs=tuple(job.state(now) for job in mine))

    @activity.defn(name="jobs.logs")
    async def logs(self, request: LogRequest) -> LogPage:
        return await self._play("jobs.logs", request, lambda: LogPage(lines=self.world.log))

    @activity.defn(name="storage.stat")
    async def stat(self, request: StatRequest) -> Any:
        return await self._play("storage.stat", request, lambda: self.world.stat(self._own(request.uri)))

    @activity.defn(name="storage.list")
    async def list(self, request: ListRequest) -> ObjectPage:
        return await self._play("storage.list", request, lambda: self._list(request))

    def _list(self, request: ListRequest) -> ObjectPage:
        size = self.world.page
        held = [
            stat for stat in self.world.below(self._own(request.prefix)) if stat.uri > (request.after or "")
        ]
        more = len(held) > size
        return ObjectPage(objects=tuple(held[:size]), next_after=held[size - 1].uri if more else None)

    @activity.defn(name="storage.measure")
    async def measure(self, request: MeasureRequest) -> Measures:
        def effect() -> Measures:
            return Measures(
                measures=tuple(
                    Measure(source=stat, crc32c="AAAAAA==", md5="", sha256=str(stat.sha256))
                    for stat in request.objects
                )
            )

        return await self._play("storage.measure", request, effect)

    @activity.defn(name="storage.grant_read")
    async def grant_read(self, request: ReadGrantRequest) -> ReadGrants:
        expires = await self.world.now() + GRANT_LIFE
        grants = tuple(
            ReadGrant(source=stat, url="https://store.invalid/read", expires_at=expires)
            for stat in request.objects[: self.world.grants_at_once]
        )
        return await self._play("storage.grant_read", request, lambda: ReadGrants(grants=grants))

    @activity.defn(name="storage.grant_write")
    async def grant_write(self, request: WriteGrantRequest) -> WriteGrants:
        expires = await self.world.now() + GRANT_LIFE
        grants = tuple(
            WriteGrant(intent=intent, url="https://store.invalid/write", expires_at=expires)
            for intent in request.intents[: self.world.grants_at_once]
        )
        return await self._play("storage.grant_write", request, lambda: WriteGrants(grants=grants))

    @activity.defn(name="storage.copy")
    async def copy(self, request: CopyRequest) -> CopyReceipt:
        now = await self.world.now()
        return await self._play("storage.copy", request, lambda: self._copy(request, now))

    def _copy(self, request: CopyRequest, now: datetime) -> CopyReceipt:
        stale = [item for item in request.items if item.grant and item.grant.expires_at < now]
        if stale:
            raise failure(ErrorKind.UNAVAILABLE, "the grant has expired")
        done = request.items[: self.world.objects_at_once]
        receipts = [self._land(item.source.uri, self._own(item.target)) for item in done]
        left = tuple(range(len(done), len(request.items)))
        return self._accounted(request.manifest, receipts, left)

    def _accounted(
        self, manifest: str | None, receipts: Sequence[ObjectReceipt], left: tuple[int, ...] = ()
    ) -> CopyReceipt:
        if manifest:
            self.world.accounts.setdefault(manifest, []).extend(receipts)
        return CopyReceipt(
            tally=sum((receipt.tally for receipt in receipts), Tally()),
            objects=() if manifest else tuple(receipts),
            remaining=left,
            cut=Cut(kind=self.world.cut) if left else None,
        )

    @activity.defn(name="storage.copy_parts")
    async def copy_parts(self, request: PartsRequest) -> PartsReceipt:
        def effect() -> PartsReceipt:
            held = self.world.parts.setdefault(self._own(request.target), set())
            wanted = [index for index in request.parts if index not in held][: self.world.parts_at_once]
            self.world.parts_sent += [(request.target, index) for index in wanted]
            held.update(wanted)
            done = [index for index in request.parts if index in held]
            sums = tuple(part_sum(request.source, index) for index in done)
            sent = sum(part_size(request.source.size_bytes, index) for index in wanted)
            return PartsReceipt(
                parts=sums,
                tally=Tally(size_bytes=sum(part.size_bytes for part in sums), bytes_sent=sent),
                source=request.source,
                cut=Cut(kind=self.world.cut) if len(done) < len(request.parts) else None,
            )

        return await self._play("storage.copy_parts", request, effect)

    @activity.defn(name="storage.seal")
    async def seal(self, request: SealRequest) -> ObjectReceipt:
        def effect() -> ObjectReceipt:
            assert [part.index for part in request.parts] == list(range(parts_of(request.source.size_bytes)))
            if self.world.parts.pop(self._own(request.target), set()) != set(range(len(request.parts))):
                raise failure(ErrorKind.UNAVAILABLE, "a part is gone")
            receipt = self._land(request.source.uri, request.target)
            self._accounted(request.manifest, [receipt])
            return receipt

        return await self._play("storage.seal", request, effect)

    @activity.defn(name="storage.measure_parts")
    async def measure_parts(self, request: MeasurePartsRequest) -> PartSums:
        sums = PartSums(parts=tuple(part_sum(request.source, index) for index in request.parts))
        return await self._play("storage.measure_parts", request, lambda: sums)

    @activity.defn(name="storage.grant_parts")
    async def grant_parts(self, request: PartGrantRequest) -> PartGrants:
        expires = await self.world.now() + GRANT_LIFE

        def effect() -> PartGrants:
            held = self.world.parts.setdefault(self._own(request.target), set())
            needed = [part for part in request.parts if part.index not in held][: self.world.grants_at_once]
            self.world.pushed_to = request.target
            return PartGrants(
                grants=tuple(
                    PartGrant(part=part, url="https://store.invalid/part", expires_at=expires)
                    for part in needed
                ),
                held=tuple(part.index for part in request.parts if part.index in held),
            )

        return await self._play("storage.grant_parts", request, effect)

    @activity.defn(name="storage.push_parts")
    async def push_parts(self, request: PushPartsRequest) -> PushPartsReceipt:
        def effect() -> PushPartsReceipt:
            sent = [grant.part for grant in request.grants][: self.world.parts_at_once]
            self.world.parts[self.world.pushed_to] |= {part.index for part in sent}
            self.world.parts_sent += [(self.world.pushed_to, part.index) for part in sent]
            return PushPartsReceipt(
                sent=tuple(part.index for part in sent),
                tally=Tally(bytes_sent=sum(part.size_bytes for part in sent)),
                cut=Cut(kind=self.world.cut) if len(sent) < len(request.grants) else None,
            )

        return await self._play("storage.push_parts", request, effect)

    @activity.defn(name="storage.publish_manifest")
    async def publish_manifest(self, request: ManifestRequest) -> ManifestReceipt:
        def effect() -> ManifestReceipt:
            entries = {
                receipt.target.uri: ManifestEntry(
                    name=receipt.target.uri.removeprefix(request.prefix),
                    size_bytes=receipt.target.size_bytes,
                    sha256=receipt.sha256,
                )
                for receipt in self.world.accounts[request.accounts]
            }
            folder = folder_artifact(request.prefix, entries.values())
            return ManifestReceipt(folder=folder, manifest=request.target)

        return await self._play("storage.publish_manifest", request, effect)

    @activity.defn(name="storage.push")
    async def push(self, request: PushRequest) -> PushReceipt:
        def effect() -> PushReceipt:
            done = request.grants[: self.world.objects_at_once]
            sizes = sum(grant.intent.measure.source.size_bytes for grant in done)
            left = tuple(range(len(done), len(request.grants)))
            return PushReceipt(
                tally=Tally(bytes_sent=sizes),
                remaining=left,
                cut=Cut(kind=self.world.cut) if left else None,
            )

        return await self._play("storage.push", request, effect)

    @activity.defn(name="storage.commit")
    async def commit(self, request: CommitRequest) -> CopyReceipt:
        def effect() -> CopyReceipt:
            pairs = [(intent.measure.source.uri, self._own(intent.target)) for intent in request.intents]
            landed = [self._land(source, target) for source, target in pairs]
            return self._accounted(
                request.manifest, [receipt.model_copy(update={"bytes_sent": 0}) for receipt in landed]
            )

        return await self._play("storage.commit", request, effect)

    @activity.defn(name="storage.abort_upload")
    async def abort_upload(self, request: AbortRequest) -> UriList:
        return await self._play("storage.abort_upload", request, lambda: UriList(uris=()))

    @activity.defn(name="tables.load")
    async def load(self, request: LoadRequest) -> LoadReceipt:
        receipt = LoadReceipt(job_id=_table_job(request.key), table=request.table, rows=3, size_bytes=30)
        return await self._play("tables.load", request, lambda: receipt)

    @activity.defn(name="tables.query")
    async def query(self, request: QueryRequest) -> QueryResult:
        rows = self.world.answer_rows
        result = QueryResult(job_id=_table_job(request.key), rows=len(rows), shown=rows)
        return await self._play("tables.query", request, lambda: result)

    def _land(self, source: str, target: str) -> ObjectReceipt:
        content = self.world.objects[source]
        there = self.world.objects.get(target) == content
        self.world.put(target, content)
        stat = self.world.stat(target)
        return ObjectReceipt(
            target=stat,
            sha256=str(stat.sha256),
            bytes_sent=0 if there else stat.size_bytes,
            verified="end_to_end",
        )

    def _own(self, uri: str) -> str:
        assert uri.startswith(SCHEME_OF_CLOUD[cloud_of(self.connection)]), f"{uri} on {self.connection}"
        return uri


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
        answer = QueueReports(reports=reports)
        return await self.world.play("causeway", "queues.describe", request, lambda: answer)


class FakePrices:
    """What a price book would say."""

    def __init__(self, world: World) -> None:
        self.world = world

    @activity.defn(name="prices.egress")
    async def egress(self, query: EgressQuery) -> EgressQuote:
        return EgressQuote(price=self.world.price, why="as the test says")


def part_sum(source: ObjectStat, index: int) -> PartSum:
    return PartSum(
        index=index,
        size_bytes=part_size(source.size_bytes, index),
        crc32c="AAAAAA==",
        sha256=hashlib.sha256(f"{source.uri} {index}".encode()).hexdigest(),
    )


def _table_job(key: Any) -> str:
    return f"{key.stage}-{key.generation}"
