"""What Vertex AI demands of a custom job before it takes it: required fields, limits and forms.

Sources: the comments of the vendor's `custom_job.proto`, its quotas page and the requirements for labels.
What the vendor would accept but the sandbox cannot run is refused as `UNIMPLEMENTED`, so that nobody takes
it for proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.servers.vertex.errors import GoogleError, wrong_fields

_LABEL = re.compile(r"[\w-]{0,63}")
_MACHINE_TYPE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")
_GCS_FOLDER = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_LABELS = 64
MAX_VARIABLES = 100
MAX_DISPLAY_NAME = 128

Violation = tuple[str, str]


def check_custom_job(job: Any) -> None:
    """Pass a job that the vendor would take and the sandbox can run.

    Raises:
        GoogleError: `INVALID_ARGUMENT` with every wrong field, or `UNIMPLEMENTED`.
    """
    pools = _violations_of_pools(job.job_spec.worker_pool_specs)
    violations = dict([*names_and_labels(job, "custom_job"), *_violations_of_job(job), *pools])
    if violations:
        raise wrong_fields(violations)
    _check_runnable(job.job_spec)


def names_and_labels(resource: Any, at: str) -> Iterator[Violation]:
    """What is wrong with the display name and the labels of any resource."""
    if not resource.display_name:
        yield f"{at}.display_name", "Required field is not set."
    if len(resource.display_name) > MAX_DISPLAY_NAME:
        yield f"{at}.display_name", f"The display name can be up to {MAX_DISPLAY_NAME} characters long."
    if len(resource.labels) > MAX_LABELS:
        yield f"{at}.labels", f"No more than {MAX_LABELS} labels are allowed."
    for key, value in resource.labels.items():
        if not key or not (_is_label(key) and _is_label(value)):
            yield (
                f"{at}.labels[{key!r}]",
                f"{key}={value} is no label: lowercase letters, digits, underscores and dashes, at most 63.",
            )


def _violations_of_job(job: Any) -> Iterator[Violation]:
    folder = job.job_spec.base_output_directory.output_uri_prefix
    if folder and not _GCS_FOLDER.fullmatch(folder):
        yield "custom_job.job_spec.base_output_directory.output_uri_prefix", f"{folder!r} is no gs:// URI."
    if job.job_spec.scheduling.HasField("timeout") and job.job_spec.scheduling.timeout.ToNanoseconds() <= 0:
        yield "custom_job.job_spec.scheduling.timeout", "The timeout must be positive."


def _violations_of_pools(pools: Any) -> Iterator[Violation]:
    if not pools:
        yield "custom_job.job_spec.worker_pool_specs", "Required field is not set."
        return
    if pools[0].replica_count != 1:
        yield (
            "custom_job.job_spec.worker_pool_specs[0].replica_count",
            "The first worker pool must have 1 replica.",
        )
    for number, pool in enumerate(pools):
        at = f"custom_job.job_spec.worker_pool_specs[{number}]"
        if not _MACHINE_TYPE.fullmatch(pool.machine_spec.machine_type):
            named = pool.machine_spec.machine_type
            text = f"Machine type {named!r} is not supported." if named else "Required field is not set."
            yield f"{at}.machine_spec.machine_type", text
        if pool.WhichOneof("task") is None:
            yield f"{at}.task", "One of container_spec and python_package_spec must be set."
        if pool.WhichOneof("task") == "container_spec":
            yield from _violations_of_container(pool.container_spec, f"{at}.container_spec")


def _violations_of_container(container: Any, at: str) -> Iterator[Violation]:
    if not container.image_uri:
        yield f"{at}.image_uri", "Required field is not set."
    if len(container.env) > MAX_VARIABLES:
        yield f"{at}.env", f"No more than {MAX_VARIABLES} environment variables are allowed."
    for number, variable in enumerate(container.env):
        if not _VARIABLE.fullmatch(variable.name):
            yield f"{at}.env[{number}].name", f"{variable.name!r} is no name of an environment variable."


def _check_runnable(spec: Any) -> None:
    pool = spec.worker_pool_specs[0]
    if len(spec.worker_pool_specs) > 1 or pool.WhichOneof("task") != "container_spec":
        raise GoogleError("UNIMPLEMENTED", "The sandbox runs one worker pool with a container_spec.")
    if not pool.container_spec.command:
        raise GoogleError(
            "UNIMPLEMENTED", "The sandbox runs no images: container_spec.command must say what to start."
        )


def _is_label(text: str) -> bool:
    return text == text.lower() and _LABEL.fullmatch(text) is not None
