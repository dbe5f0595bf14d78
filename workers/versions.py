"""Which build of the workflows a worker is, so that a new one never takes up runs of an old one."""

import re
from collections.abc import Mapping

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from contracts.queues import DEPLOYMENT

BUILD = "CAUSEWAY_BUILD_ID"
_BUILD = re.compile(r"[A-Za-z0-9._-]{1,128}")


def deployment(environment: Mapping[str, str]) -> WorkerDeploymentConfig | None:
    """Return how the worker of the workflows is versioned; None where no build is named.

    Every workflow is pinned: a run, with its children and what it continues as, stays with the build that took it up.

    Raises:
        ValueError: the build's name has other characters, or more than 128.
    """
    build = environment.get(BUILD, "").strip()
    if not build:
        return None
    if not _BUILD.fullmatch(build):
        raise ValueError(f"{BUILD} is wrong: letters, digits, dots, underscores and hyphens, at most 128")
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
