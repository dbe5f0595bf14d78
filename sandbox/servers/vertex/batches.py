"""Batch predictions: a model's server beside a driver that posts it the rows, as the vendor's does.

Sources: `batch_prediction_job.proto`; the names of the files are those that the service writes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from sandbox.layout import Endpoints
from sandbox.servers import batch_driver
from sandbox.servers.faults import JobFault
from sandbox.servers.machine import Deliver, Fetch, MachineSpec
from sandbox.servers.vertex import serving
from sandbox.servers.vertex.checks import names_and_labels
from sandbox.servers.vertex.errors import GoogleError, wrong_fields
from sandbox.servers.vertex.job_kinds import Kind
from sandbox.servers.vertex.vendor_types import (
    BatchPredictionJob,
    CreateBatchPredictionJobRequest,
    JobState,
    ListBatchPredictionJobsRequest,
)

DEFAULT_BATCH = 64
"""`ManualBatchTuningParameters.batch_size`"""
SCORED = "scored"


def batch_kind(model_of: Callable[[str], dict[str, Any]], endpoints: Endpoints) -> Kind:
    """The kind; `model_of` finds a model by its resource name or raises `GoogleError`."""

    def check(job: Any) -> None:
        violations = dict(names_and_labels(job, "batch_prediction_job"))
        for field in ("input_config", "output_config"):
            if not job.HasField(field):
                violations[f"batch_prediction_job.{field}"] = "Required field is not set."
        if violations:
            raise wrong_fields(violations)
        _check_runnable(job)
        model_of(job.model)

    def machine(job: Any, fault: JobFault | None, home: Path) -> MachineSpec:
        return _machine(job, model_of(job.model), endpoints, fault, home)

    return Kind(
        noun="BatchPredictionJob",
        field="batch_prediction_job",
        message=BatchPredictionJob,
        create_request=CreateBatchPredictionJobRequest,
        list_request=ListBatchPredictionJobsRequest,
        check=check,
        machine=machine,
        at_end=_at_end,
    )


def _check_runnable(job: Any) -> None:
    formats = (job.input_config.instances_format, job.output_config.predictions_format)
    uris = list(job.input_config.gcs_source.uris)
    if formats != ("jsonl", "jsonl") or len(uris) != 1 or not uris[0].endswith("/*"):
        raise GoogleError("UNIMPLEMENTED", "The sandbox predicts JSON lines below one gs:// prefix: .../*")
    if not job.output_config.gcs_destination.output_uri_prefix.startswith("gs://"):
        raise GoogleError("UNIMPLEMENTED", "The sandbox writes predictions to Cloud Storage only.")
    if job.dedicated_resources.starting_replica_count != 1:
        raise GoogleError("UNIMPLEMENTED", "The sandbox predicts on one machine.")


def _machine(
    job: Any, model: dict[str, Any], endpoints: Endpoints, fault: JobFault | None, home: Path
) -> MachineSpec:
    container = model["containerSpec"]
    key = job.instance_config.key_field
    batch = job.manual_batch_tuning_parameters.batch_size or DEFAULT_BATCH
    rows, scored = str(home / "rows"), str(home / SCORED)
    return MachineSpec(
        argv=[
            *("python", "driver.py", f"keyed:{key}" if key else "instances", "AIP_HTTP_PORT"),
            *(container["healthRoute"], container["predictRoute"], str(batch), "1", rows, scored),
            *("--", *serving.command(container)),
        ],
        env=serving.variables(model, endpoints),
        cwd="work",
        files={"work/driver.py": Path(batch_driver.__file__).read_text()},
        folders=["work"],
        fetch=[Fetch(job.input_config.gcs_source.uris[0].removesuffix("*"), rows)],
        deliver=[Deliver(scored, f"{_target(job)}/")],
        fault=fault,
    )


def _at_end(job: Any, home: Path) -> None:
    if job.state != JobState.JOB_STATE_SUCCEEDED:
        return
    job.output_info.gcs_output_directory = _target(job)
    results = (home / SCORED).glob("prediction.results-*")
    job.completion_stats.successful_count = sum(len(path.read_text().splitlines()) for path in results)


def _target(job: Any) -> str:
    model = job.model.rsplit("/", 1)[1]
    made = job.create_time.ToDatetime(UTC).strftime("%Y_%m_%dT%H_%M_%S_%fZ")
    return f"{job.output_config.gcs_destination.output_uri_prefix.rstrip('/')}/prediction-{model}-{made}"
