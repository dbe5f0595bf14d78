"""Which workers there are, and whose settings each may see. Adding a cloud adds a line."""

from collections.abc import Mapping

WORKERS: Mapping[str, tuple[str, ...]] = {
    "workflows": ("CAUSEWAY_ALERT_", "CAUSEWAY_LINEAGE_"),
    "aws": ("AWS_", "CAUSEWAY_AWS_", "BOTO_"),
    "azure": ("AZURE_", "ARM_", "CAUSEWAY_AZURE_", "MSI_", "IDENTITY_"),
    "gcp": (
        "GOOGLE_",
        "GCLOUD_",
        "GCP_",
        "CLOUDSDK_",
        "CAUSEWAY_GCP_",
        "STORAGE_EMULATOR_",
        "BIGQUERY_EMULATOR_",
    ),
    "onprem": ("CAUSEWAY_ONPREM_",),
}
"""Prefixes of the environment variables that belong to one worker alone."""


def own_environment(worker: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what belongs to any other worker: no process holds two clouds' credentials."""
    foreign = tuple(prefix for name, prefixes in WORKERS.items() if name != worker for prefix in prefixes)
    mine = WORKERS[worker]
    return {
        name: value
        for name, value in environment.items()
        if (mine and name.startswith(mine)) or not name.startswith(foreign)
    }
