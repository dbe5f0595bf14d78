"""The job activities over any job service; a room only brings its `JobService`, `Store` and `translate`."""

from temporalio import activity

from activities.guard import Translate, guarded, translated
from activities.job_service import JobService
from activities.outputs import METRICS_OUTPUT, Collector
from activities.store import Store
from activities.watching import Watch
from contracts.jobs import (
    CollectRequest,
    FindRequest,
    JobActivities,
    JobList,
    JobOutputs,
    JobRef,
    JobRequest,
    JobState,
    LogPage,
    LogRequest,
    WaitRequest,
)


class ServiceJobActivities(JobActivities):
    """What `contracts.jobs` promises, by one job service and the rights of this worker."""

    def __init__(self, service: JobService, store: Store, translate: Translate) -> None:
        self._service = service
        self._store = store
        self._translate = translate

    @activity.defn(name="jobs.submit", no_thread_cancel_exception=True)
    def submit(self, request: JobRequest) -> JobRef:
        """See the contract."""
        with guarded(self._translate, request.name):
            ref = self._service.submit(request)
        if ref.adopted:
            activity.logger.info("job %s exists already and is adopted", ref.name)
        return ref

    @activity.defn(name="jobs.wait", no_thread_cancel_exception=True)
    def wait(self, request: WaitRequest) -> JobState:
        """See the contract."""
        watch = Watch(self._service, self._translate, request.ref)
        with guarded(self._translate, request.ref.name, watch.told):
            return watch.until_news(request.seen)

    @activity.defn(name="jobs.collect", no_thread_cancel_exception=True)
    def collect(self, request: CollectRequest) -> JobOutputs:
        """See the contract."""
        wanted = request.request
        with guarded(self._translate, request.ref.name):
            prefixes = self._service.outputs(request.ref, wanted)
            collector = Collector(self._store, self._translate, wanted.stage)
            artifacts = {name: collector.artifact(name, prefix) for name, prefix in sorted(prefixes.items())}
            metrics = prefixes.get(METRICS_OUTPUT)
            return JobOutputs(artifacts=artifacts, metrics=collector.metrics(metrics) if metrics else {})

    @activity.defn(name="jobs.cancel", no_thread_cancel_exception=True)
    def cancel(self, ref: JobRef) -> JobState:
        """See the contract."""
        watch = Watch(self._service, self._translate, ref)
        with guarded(self._translate, ref.name, watch.told):
            with translated(self._translate, ref.name):
                self._service.stop(ref)
            return watch.until_ended()

    @activity.defn(name="jobs.find", no_thread_cancel_exception=True)
    def find(self, request: FindRequest) -> JobList:
        """See the contract."""
        with guarded(self._translate, request.run_uid):
            return JobList(jobs=tuple(self._service.find(request.run_uid, request.stage)))

    @activity.defn(name="jobs.logs", no_thread_cancel_exception=True)
    def logs(self, request: LogRequest) -> LogPage:
        """See the contract."""
        with guarded(self._translate, request.ref.name):
            return self._service.logs(request.ref, request.tail, request.after)
