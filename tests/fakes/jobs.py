"""Fake jobs: they live as long as the world says."""

from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.closing import CloseRequest
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
from tests.fakes.connection import FakeConnection
from tests.fakes.lives import Job


class FakeJobs(FakeConnection):
    """`jobs.*` under their wire names."""

    @activity.defn(name="jobs.submit")
    async def submit(self, request: JobRequest) -> JobRef:
        now = await self.world.now()
        return await self._play("jobs.submit", request, lambda: self._submit(request, now))

    def _submit(self, request: JobRequest, now: datetime) -> JobRef:
        held = self.world.jobs.get(request.name)
        if held:
            held.submits += 1
            return held.ref.model_copy(update={"adopted": True})
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
        return JobOutputs(artifacts=artifacts, metrics=life.metrics, billed_seconds=life.collected_seconds)

    @activity.defn(name="jobs.cancel")
    async def cancel(self, ref: JobRef) -> JobState:
        now = await self.world.now()
        return await self._play("jobs.cancel", ref, lambda: self._cancel(ref, now))

    def _cancel(self, ref: JobRef, now: datetime) -> JobState:
        job = self.world.jobs[ref.name]
        if not job.phase(now).terminal:
            job.stopped = now
        return job.state(now)

    @activity.defn(name="jobs.close")
    async def close(self, request: CloseRequest) -> JobList:
        now = await self.world.now()
        return await self._play("jobs.close", request, lambda: self._close(request, now))

    def _close(self, request: CloseRequest, now: datetime) -> JobList:
        wanted = FindRequest(run_uid=request.request.run.run_uid, stage=request.stage)
        return JobList(jobs=tuple(self._cancel(state.ref, now) for state in self._find(wanted, now).jobs))

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
        now = await self.world.now()
        return await self._play("jobs.logs", request, lambda: self._logs(request, now))

    def _logs(self, request: LogRequest, now: datetime) -> LogPage:
        job = self.world.jobs[request.ref.name]
        said = job.life.says or self.world.log
        seen = int(request.after or 0)
        ended = request.patience_seconds > 0 and job.phase(now).terminal
        return LogPage(lines=said[seen:], next_after=str(len(said)), ended=ended)
