"""The JobService client of Vertex AI, imported without the hundred services beside it.

`import google.cloud.aiplatform_v1` runs `__init__` files that import every service: 4 to 9 seconds and 45 MB
more than the one client needs. Its modules stand on their own, so their packages are registered without
running those files. A process that has imported the whole already keeps it.
"""

import importlib
import importlib.util
import sys
from typing import Any

_PACKAGE = "google.cloud.aiplatform_v1"


def build_client(endpoint: str, credentials: Any) -> Any:
    """Build a `JobServiceClient` that speaks REST to this endpoint; it retries nothing by itself."""
    for package in (_PACKAGE, f"{_PACKAGE}.types", f"{_PACKAGE}.services"):
        _register(package)
    service = importlib.import_module(f"{_PACKAGE}.services.job_service.client")
    # The SDK drops https:// and keeps http://, which only a local endpoint has.
    return service.JobServiceClient(
        transport="rest", credentials=credentials, client_options={"api_endpoint": endpoint}
    )


def _register(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{package} is missing; install google-cloud-aiplatform", name=package)
    sys.modules[package] = importlib.util.module_from_spec(spec)
