"""Vertex AI's batch predictions as a job service for `batch_predict`: a model of the request's name, and a job with its label."""

import json
from itertools import count
from typing import Any

from activities.batch_rows import Render, put_rows
from activities.gcp.batch_results import put_in_order
from activities.gcp.errors import CLOUD
from activities.gcp.hosting_requests import KEY, batch_body
from activities.gcp.jobs import VertexJobs
from activities.gcp.models import VertexModels, folder_of
from activities.rows import Row
from contracts.endpoints import PREDICTIONS
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRef, JobRequest, JobState

NEEDS = {
    "create": ("aiplatform.batchPredictionJobs.create",),
    "get": ("aiplatform.batchPredictionJobs.get",),
    "list": ("aiplatform.batchPredictionJobs.list",),
    "cancel": ("aiplatform.batchPredictionJobs.cancel",),
}
"""The calls are those of `activities.gcp.jobs`, on its own kind."""


class BatchPredictionJobs(VertexJobs):
    """One project's batch predictions in one region; a claim decides who creates, as for custom jobs."""

    noun = "batch_prediction_job"

    def __init__(self, *parts: Any, models: VertexModels) -> None:
        """Take what `VertexJobs` takes, and the models."""
        super().__init__(*parts)
        self._models = models

    def describe(self, ref: JobRef) -> JobState:
        """Ask Vertex AI now; the model of a job that has ended is nobody's any more and goes."""
        state = super().describe(ref)
        if state.phase.terminal:
            self._models.drop(ref.name)
        return state

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Put the predictions where they were asked for, in the order of the rows, and return that place.

        Raises:
            ApplicationError: `JOB_FAILED`, there is not one prediction for each row.
        """
        job = self._get(ref.id)
        told, target = job.completion_stats, request.outputs[PREDICTIONS]
        lost = int(told.failed_count) + max(0, int(told.incomplete_count)) if told else 0
        if lost:
            raise _lost(ref, f"Vertex AI has no prediction for {lost} rows")
        owner = f"{request.run.run_uid}/{request.stage}"
        written = put_in_order(self._store, job.output_info.gcs_output_directory, target, owner)
        if told and int(told.successful_count) != written:
            raise _lost(ref, f"Vertex AI counts {told.successful_count} predictions, and {written} lie there")
        return {PREDICTIONS: target}

    def _spec(self, request: JobRequest) -> dict[str, Any]:
        folder = folder_of(self._store, request)
        model = self._models.name_of(request.name)
        return batch_body(request, self._defaults, model, (f"{folder}rows/", f"{folder}scored/"))

    def _detail(self, spec: dict[str, Any]) -> dict[str, Any]:
        return spec

    def _publish(self, request: JobRequest) -> None:
        put_rows(self._store, f"{folder_of(self._store, request)}rows/", request, keyed(request.stage))
        self._models.ensure(request)


def keyed(stage: str) -> Render:
    """Return what writes rows as JSON with the number of each in them, from 0.

    Raises:
        ApplicationError: `INVALID_REQUEST`, a row is no object, or has a field of that name.
    """
    numbers = count()

    def render(row: Row) -> str:
        number = next(numbers)
        if isinstance(row, dict) and KEY not in row:
            return json.dumps({**row, KEY: number})
        why = f"has a field {KEY}" if isinstance(row, dict) else "is no object"
        text = f"row {number + 1} of stage {stage} {why}, which Vertex AI's batch predictions do not take"
        raise failure(ErrorKind.INVALID_REQUEST, text, ErrorDetail(cloud=CLOUD, ref=stage))

    return render


def _lost(ref: JobRef, why: str) -> Exception:
    return failure(ErrorKind.JOB_FAILED, f"job {ref.name}: {why}", ErrorDetail(cloud=CLOUD, ref=ref.name))
