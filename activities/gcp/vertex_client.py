"""Clients of Vertex AI, each imported without the hundred services beside it.

`import google.cloud.aiplatform_v1` runs `__init__` files that import every service: 4 to 9 seconds and 45 MB
more than the one client needs. Its modules stand on their own, so their packages are registered without
running those files. A process that has imported the whole already keeps it.
"""

import importlib
import importlib.util
import sys
from typing import Any

_PACKAGE = "google.cloud.aiplatform_v1"


def build_client(endpoint: str, credentials: Any, service: str = "job") -> Any:
    """Build the client of a service (`job`, `model`, `endpoint`) that speaks REST to this endpoint; it retries nothing."""
    for package in (_PACKAGE, f"{_PACKAGE}.types", f"{_PACKAGE}.services"):
        _register(package)
    module = importlib.import_module(f"{_PACKAGE}.services.{service}_service.client")
    # The SDK drops https:// and keeps http://, which only a local endpoint has.
    client: Any = getattr(module, f"{service.capitalize()}ServiceClient")
    return client(transport="rest", credentials=credentials, client_options={"api_endpoint": endpoint})


def _register(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{package} is missing; install google-cloud-aiplatform", name=package)
    sys.modules[package] = importlib.util.module_from_spec(spec)
