"""A custom job as a machine: its command, the variables Vertex AI sets, and the buckets under `/gcs`.

Sources: the comment of `CustomJobSpec.base_output_directory` for `AIP_*`; the vendor's page on environment
variables for custom training for `CLOUD_ML_*`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.servers.faults import JobFault
from sandbox.servers.machine import MachineSpec
from sandbox.servers.mount import Mount

MOUNT = Mount(point="/gcs", scheme="gs")
# "The default is 7 days" (custom_job.proto, Scheduling.timeout).
DEFAULT_TIMEOUT_SECONDS = 7 * 24 * 3600


def machine_spec(job: Any, fault: JobFault | None, home: Path) -> MachineSpec:
    """The machine that does what the job's first worker pool asks for."""
    container = job.job_spec.worker_pool_specs[0].container_spec
    timeout = job.job_spec.scheduling.timeout
    limited = job.job_spec.scheduling.HasField("timeout")
    return MachineSpec(
        argv=[*container.command, *container.args],
        env={**_vendor_variables(job), **{variable.name: variable.value for variable in container.env}},
        cwd=str(home),
        fetch=[],
        deliver=[],
        time_limit_seconds=timeout.ToNanoseconds() / 1e9 if limited else DEFAULT_TIMEOUT_SECONDS,
        mount=MOUNT,
        fault=fault,
    )


def _vendor_variables(job: Any) -> dict[str, str]:
    _, project, _, location, _, job_id = job.name.split("/")
    variables = {"CLOUD_ML_PROJECT_ID": project, "CLOUD_ML_REGION": location, "CLOUD_ML_JOB_ID": job_id}
    base = job.job_spec.base_output_directory.output_uri_prefix.rstrip("/")
    if base:
        variables |= {
            "AIP_MODEL_DIR": f"{base}/model/",
            "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
            "AIP_TENSORBOARD_LOG_DIR": f"{base}/logs/",
        }
    return variables
