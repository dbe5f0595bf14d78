"""The endpoint activities over any service; a room only brings its `EndpointService`, `Store` and `translate`."""

from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.endpoint_service import EndpointService
from activities.guard import Translate, guarded, translated
from activities.invoking import Invoker
from activities.serving_logs import ServerLog
from activities.stopping import rest
from activities.store import Store
from activities.watching import longer
from contracts.endpoints import (
    EndpointActivities,
    EndpointList,
    EndpointPhase,
    EndpointRef,
    EndpointState,
    Invoked,
    InvokeRequest,
)
from contracts.errors import MESSAGE_LIMIT, ErrorDetail, ErrorKind, failure
from contracts.jobs import LOG_TAIL_LINES, FindRequest, JobRequest, LogPage, LogRequest

MARKING = timedelta(minutes=5)
"""How long an endpoint that answers may take to be marked as one that stays."""


class ServiceEndpointActivities(EndpointActivities):
    """What `contracts.endpoints` promises, by one service and the rights of this worker."""

    def __init__(self, service: EndpointService, store: Store, translate: Translate) -> None:
        self._service = service
        self._store = store
        self._translate = translate

    @activity.defn(name="endpoints.deploy", no_thread_cancel_exception=True)
    def deploy(self, request: JobRequest) -> EndpointState:
        """See the contract."""
        poll = Poll(self._service, self._translate)
        with guarded(self._translate, request.name, poll.told):
            with translated(self._translate, request.name):
                ref = self._service.create(request)
            if ref.adopted:
                activity.logger.info("endpoint %s exists already and is adopted", ref.name)
            state = poll.until_ready(ref, request.timeout)
            if not request.kept:
                return state
            with translated(self._translate, request.name):
                self._service.keep(ref)
            # To some vendors a mark is a change of the endpoint, which has to end well, too.
            return poll.until_ready(ref, request.timeout + MARKING)

    @activity.defn(name="endpoints.invoke", no_thread_cancel_exception=True)
    def invoke(self, request: InvokeRequest) -> Invoked:
        """See the contract."""
        invoker = Invoker(self._service, self._store, self._translate, request)
        with guarded(self._translate, request.endpoint.name, invoker.told):
            return invoker.run()

    @activity.defn(name="endpoints.retire", no_thread_cancel_exception=True)
    def retire(self, ref: EndpointRef) -> EndpointState:
        """See the contract."""
        poll = Poll(self._service, self._translate)
        with guarded(self._translate, ref.name, poll.told):
            return poll.until_gone(ref)

    @activity.defn(name="endpoints.find", no_thread_cancel_exception=True)
    def find(self, request: FindRequest) -> EndpointList:
        """See the contract."""
        with guarded(self._translate, request.run_uid):
            return EndpointList(endpoints=tuple(self._service.find(request.run_uid, request.stage)))

    @activity.defn(name="endpoints.logs", no_thread_cancel_exception=True)
    def logs(self, request: LogRequest) -> LogPage:
        """See the contract."""
        with guarded(self._translate, request.ref.name):
            return ServerLog(self._service, self._translate, request).page()


class Poll:
    """One endpoint as it is watched; `state` is the last that its control plane told, for heartbeats."""

    def __init__(self, service: EndpointService, translate: Translate) -> None:
        self._service = service
        self._translate = translate
        self.state: EndpointState | None = None

    def told(self) -> EndpointState | None:
        """Return what a heartbeat says."""
        return self.state

    def until_ready(self, ref: EndpointRef, limit: timedelta) -> EndpointState:
        """Return once the endpoint answers; one that does not in time is removed first.

        Raises:
            ApplicationError: `JOB_FAILED` or `TIMED_OUT`, and nothing of the endpoint is left; or the control plane refused.
            CancelledError: the activity was cancelled; the endpoint is left to whoever asked for that.
        """
        interval, began = self._service.first_poll_seconds, datetime.now(UTC)
        while True:
            state = self._describe(ref)
            if state.phase is EndpointPhase.READY:
                return state
            # The vendor's own clock outlives this worker.
            late = datetime.now(UTC) - (state.created_at or began) > limit
            if state.phase is not EndpointPhase.CREATING:
                told = state.message or f"it is {state.phase}"
                raise self._rolled_back(state, _kind_of(state, late=late), told)
            if late:
                told = f"it did not answer within {int(limit.total_seconds())} s"
                raise self._rolled_back(state, ErrorKind.TIMED_OUT, told)
            rest(interval)
            interval = longer(interval)

    def until_gone(self, ref: EndpointRef) -> EndpointState:
        """Return once nothing of the endpoint is left.

        Raises:
            ApplicationError: the control plane refused, or could not be reached.
            CancelledError: the activity was cancelled.
        """
        interval = self._service.first_poll_seconds
        while True:
            state = self._describe(ref)
            if state.phase is EndpointPhase.GONE:
                return state
            with translated(self._translate, ref.name):
                self._service.remove(ref)
            rest(interval)
            interval = longer(interval)

    def _rolled_back(self, state: EndpointState, kind: ErrorKind, why: str) -> ApplicationError:
        lines = self._last_lines(state.ref)
        self.until_gone(state.ref)
        told = f"endpoint {state.ref.name} is not healthy and was removed: {why}{lines}"
        return failure(kind, told, ErrorDetail(ref=state.ref.name))

    def _last_lines(self, ref: EndpointRef) -> str:
        try:
            with translated(self._translate, ref.name):
                lines = self._service.last_lines(ref, LOG_TAIL_LINES)
        except ApplicationError as error:
            return f"\n(its log could not be read: {error.type})"
        text = "\n".join(lines)[-MESSAGE_LIMIT // 2 :]
        return f"\nlast lines of its log:\n{text}" if lines else "\n(its log is empty)"

    def _describe(self, ref: EndpointRef) -> EndpointState:
        with translated(self._translate, ref.name):
            self.state = self._service.describe(ref)
        return self.state


def _kind_of(state: EndpointState, *, late: bool) -> ErrorKind:
    """Why an endpoint failed: vendors give a server as long as its stage, and may be the first to say that it was not ready."""
    kind = state.reason or ErrorKind.JOB_FAILED
    return ErrorKind.TIMED_OUT if late and kind is ErrorKind.JOB_FAILED else kind
