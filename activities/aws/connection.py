"""What an AWS connection says of itself, asked with the identity that will do the work."""

from typing import Any

from temporalio import activity

from activities.aws.errors import CLOUD, translate
from activities.aws.jobs import JobDefaults
from activities.aws.machines import SageMakerMachines
from activities.choosing import machines_for
from activities.facts import facts_of
from activities.guard import guarded, translated
from activities.refusals import Refusals
from activities.store import Store
from activities.wishes import answers_to
from contracts.connections import Capability, ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "get_caller_identity": (),
    "list_training_jobs": ("sagemaker:ListTrainingJobs",),
    "list_processing_jobs": ("sagemaker:ListProcessingJobs",),
}


class AwsConnection(ConnectionActivities):
    """The preflight of one connection, over clients of STS and SageMaker."""

    def __init__(
        self,
        store: Store,
        sts: Any,
        sagemaker: Any,
        machines: SageMakerMachines,
        defaults: JobDefaults,
        *,
        private: bool = False,
    ) -> None:
        self._machines = machines
        self._store = store
        self._sts = sts
        self._sagemaker = sagemaker
        self._defaults = defaults
        self._private = private

    @activity.defn(name="connections.preflight", no_thread_cancel_exception=True)
    def preflight(self, request: PreflightRequest) -> ConnectionReport:
        """See the contract."""
        with guarded(translate, request.connection):
            identity = self._sts.get_caller_identity()["Arn"]
            refusals = Refusals()
            self._look(request, refusals)
            machines = machines_for(request, self._machines, refusals)
            refusals.tell()
            answers = answers_to(request, self._look, self._machines)
            return ConnectionReport(
                connection=request.connection,
                identity=identity,
                container=self._store.default_container,
                region=self._sts.meta.region_name,
                readable_from_outside=not self._private,
                capabilities=self._capabilities(),
                machines=machines | answers.machines,
                declined=answers.declined,
                facts=facts_of(self._store, request, translate),
            )

    def _look(self, request: PreflightRequest, refusals: Refusals) -> None:
        for uri in dict.fromkeys((self._store.default_container, *request.containers)):
            with refusals.kept(), translated(translate, uri):
                self._store.ensure_container(uri, create=request.create)
        if "tables" in request.needs:
            with refusals.kept():
                raise _unsupported(request, "AWS has no tables for Causeway; let the stage run on gcp")
        if "jobs" in request.needs:
            with refusals.kept(), translated(translate, request.connection):
                self._check_jobs(request)

    def _check_jobs(self, request: PreflightRequest) -> None:
        if self._defaults.role is None:
            raise _unsupported(request, "it runs no jobs: CAUSEWAY_AWS_JOB_ROLE is not set for its worker")
        if not request.image_given and self._defaults.image is None:
            raise _unsupported(
                request, "a job stage names no image, and CAUSEWAY_IMAGE is not set for its worker"
            )
        self._sagemaker.list_training_jobs(MaxResults=1)
        self._sagemaker.list_processing_jobs(MaxResults=1)

    def _capabilities(self) -> tuple[Capability, ...]:
        return ("storage", "jobs") if self._defaults.role else ("storage",)


def _unsupported(request: PreflightRequest, why: str) -> Exception:
    detail = ErrorDetail(cloud=CLOUD, ref=request.connection)
    return failure(ErrorKind.UNSUPPORTED, f"connection {request.connection}: {why}", detail)
