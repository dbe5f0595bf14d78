"""The vendor's own message types and REST routes, taken from its generated client without all its imports.

`import google.cloud.aiplatform_v1` costs about five seconds, because its `__init__` files import every
service. The modules needed here stand on their own, so their packages are registered without running those
`__init__` files: half a second. That is right only in a process of our own which imports nothing else of
this package.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from typing import Any

_PACKAGE = "google.cloud.aiplatform_v1"
SERVICES = ("job", "model", "endpoint")
_TEMPLATE = re.compile(r"\{([\w.]+)=([^}]+)\}")


@dataclass(frozen=True)
class RestRoute:
    """How the vendor's client reaches one method over HTTP."""

    method: str
    path: str
    """As Starlette writes it: each `*` of the vendor's template became a parameter `part0`, `part1`, …"""
    field: str
    """The request's field that holds the resource name taken from the path."""
    name: str
    """The resource name's pattern, to be filled with the parts."""
    body: str | None
    """The request's field that the body fills; `*` for all others, None for a method without a body."""


def bare_modules() -> dict[str, Any]:
    """The modules used here: the types of requests, resources and states, and the REST descriptions."""
    for package in (_PACKAGE, f"{_PACKAGE}.types", f"{_PACKAGE}.services"):
        _register_without_running(package)
    wanted = {
        "jobs": f"{_PACKAGE}.types.custom_job",
        "batches": f"{_PACKAGE}.types.batch_prediction_job",
        "states": f"{_PACKAGE}.types.job_state",
        "models": f"{_PACKAGE}.types.model",
        "endpoints": f"{_PACKAGE}.types.endpoint",
    }
    for service in SERVICES:
        package = f"{_PACKAGE}.services.{service}_service"
        _register_without_running(package)
        _register_without_running(f"{package}.transports")
        wanted[f"{service} requests"] = f"{_PACKAGE}.types.{service}_service"
        wanted[f"{service} rest"] = f"{package}.transports.rest_base"
    return {key: importlib.import_module(name) for key, name in wanted.items()}


def _register_without_running(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{package} is missing: install google-cloud-aiplatform", name=package)
    sys.modules[package] = importlib.util.module_from_spec(spec)


_modules = bare_modules()
CreateCustomJobRequest: Any = _modules["job requests"].CreateCustomJobRequest
ListCustomJobsRequest: Any = _modules["job requests"].ListCustomJobsRequest
CreateBatchPredictionJobRequest: Any = _modules["job requests"].CreateBatchPredictionJobRequest
ListBatchPredictionJobsRequest: Any = _modules["job requests"].ListBatchPredictionJobsRequest
BatchPredictionJob: Any = _modules["batches"].BatchPredictionJob
UploadModelRequest: Any = _modules["model requests"].UploadModelRequest
ListModelsRequest: Any = _modules["model requests"].ListModelsRequest
Model: Any = _modules["models"].Model
CreateEndpointRequest: Any = _modules["endpoint requests"].CreateEndpointRequest
ListEndpointsRequest: Any = _modules["endpoint requests"].ListEndpointsRequest
DeployModelRequest: Any = _modules["endpoint requests"].DeployModelRequest
UndeployModelRequest: Any = _modules["endpoint requests"].UndeployModelRequest
UpdateEndpointRequest: Any = _modules["endpoint requests"].UpdateEndpointRequest
Endpoint: Any = _modules["endpoints"].Endpoint
CustomJob: Any = _modules["jobs"].CustomJob
JobState: Any = _modules["states"].JobState


def rest_route(method: str, service: str = "job") -> RestRoute:
    """The route of one method of the JobService, or of another of `SERVICES`.

    The client keeps its HTTP options in a private method; a release that renames it fails here, at start.
    """
    transport = f"_Base{service.capitalize()}ServiceRestTransport"
    described = getattr(getattr(_modules[f"{service} rest"], transport), f"_Base{method}")
    (option,) = described._get_http_options()
    found = _TEMPLATE.search(option["uri"])
    if found is None:
        raise ValueError(f"{method}: the client's route {option['uri']!r} names no resource")
    numbers = iter(range(found[2].count("*")))
    name = re.sub(r"\*", lambda _: f"{{part{next(numbers)}}}", found[2])
    path = option["uri"].replace(found[0], name)
    return RestRoute(option["method"].upper(), path, found[1], name, option.get("body"))
