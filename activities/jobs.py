"""The job activities over any job service; a room only brings its `JobService`, `Store` and `translate`."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.endings import by_last_words, explained, suspects_memory
from activities.following import Follower
from activities.guard import Translate, guarded, translated
from activities.job_service import JobService
from activities.outputs import METRICS_OUTPUT, Collector
from activities.store import Store
from activities.watching import Watch
from contracts.errors import MESSAGE_LIMIT, ErrorDetail, ErrorKind, failure
from contracts.job_activities import JobActivities
from contracts.jobs import (
    LOG_TAIL_LINES,
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
            return self._told(watch.until_news(request.seen))

    @activity.defn(name="jobs.collect", no_thread_cancel_exception=True)
    def collect(self, request: CollectRequest) -> JobOutputs:
        """See the contract."""
        with guarded(self._translate, request.ref.name):
            left = self._left(request)
            state = self._service.describe(request.ref)
            tail = self._tail(request.ref, request.log_lines) if request.log_lines else ()
            return left.model_copy(update={"billed_seconds": state.billed_seconds, "log_tail": tail})

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
            return Follower(self._service, self._translate, request).page()

    def _left(self, request: CollectRequest) -> JobOutputs:
        """Describe the outputs; an error about them carries the lines with which the job took its leave."""
        wanted = request.request
        prefixes = self._service.outputs(request.ref, wanted)
        collector = Collector(self._store, self._translate, wanted.stage)
        try:
            artifacts = {name: collector.artifact(name, prefix) for name, prefix in sorted(prefixes.items())}
            metrics = prefixes.get(METRICS_OUTPUT)
            return JobOutputs(artifacts=artifacts, metrics=collector.metrics(metrics) if metrics else {})
        except ApplicationError as error:
            if error.type not in {ErrorKind.SOURCE_MISSING, ErrorKind.INVALID_REQUEST}:
                raise
            raise told_with(error, self._tail(request.ref, LOG_TAIL_LINES)) from None

    def _told(self, state: JobState) -> JobState:
        """Return the end of a job in words that help; what goes on is told as it is."""
        if not state.phase.terminal:
            return state
        if suspects_memory(state):
            state = by_last_words(state, self._tail(state.ref, LOG_TAIL_LINES))
        return explained(state)

    def _tail(self, ref: JobRef, lines: int) -> tuple[str, ...]:
        """Return the last lines of a log; one that cannot be read hides nothing else."""
        try:
            with translated(self._translate, ref.name):
                return self._service.logs(ref, lines, None).lines[-lines:]
        except ApplicationError as error:
            activity.logger.info("the log of job %s cannot be read: %s", ref.name, error.type)
            return ()


def told_with(error: ApplicationError, lines: tuple[str, ...]) -> ApplicationError:
    """Return the error with the last lines of a log below its message, cut to what fits from their end."""
    if not lines:
        return error
    heading = f"{error.message}\nlast lines of its log:\n"
    text = heading + "\n".join(lines)[-max(0, MESSAGE_LIMIT - len(heading)) :]
    detail = error.details[0] if error.details and isinstance(error.details[0], ErrorDetail) else None
    return failure(ErrorKind(error.type or ErrorKind.UNKNOWN), text, detail)
